package http1

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

var update = flag.Bool("update", false, "rewrite the want sections of testdata")

// A scenario is what one direction of a connection moved, as a script of one step a line:
//
//	kind request|response      limits head=N fields=N body=N      midstream
//	methods GET HEAD ? ...     answers to RequestMethod, in order; ? is unknown
//	data "..."                 one call; turn "..." the same after bytes of the other direction; more "..." goes on with the call
//	cut N | lost N | lost ?    holes
//	nosplit                    the case looks at the first piece of a call, which is then not cut
//	settle | tunnel | fin | reset | stop
type scenario struct {
	kind    Kind
	lim     Limits
	mid     bool
	nosplit bool
	methods []string
	steps   []step
}

type step struct {
	verb string
	data string
	n    int64
}

func parseScenario(t *testing.T, text string) scenario {
	t.Helper()
	sc := scenario{kind: Request, lim: Limits{Body: 64}}
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		verb, rest, _ := strings.Cut(line, " ")
		switch verb {
		case "kind":
			if rest == "response" {
				sc.kind = Response
			}
		case "nosplit":
			sc.nosplit = true
		case "midstream":
			sc.mid = true
		case "limits":
			for _, f := range strings.Fields(rest) {
				k, v, _ := strings.Cut(f, "=")
				n, err := strconv.Atoi(v)
				if err != nil {
					t.Fatal(err)
				}
				switch k {
				case "head":
					sc.lim.Head = n
				case "fields":
					sc.lim.Fields = n
				case "body":
					sc.lim.Body = n
				}
			}
		case "methods":
			sc.methods = strings.Fields(rest)
		case "data", "turn", "more":
			// Long runs are written "x"*N.
			times, repeated := "", false
			if i := strings.LastIndex(rest, `"*`); i > 0 {
				rest, times, repeated = rest[:i+1], rest[i+2:], true
			}
			s, err := strconv.Unquote(rest)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if repeated {
				n, err := strconv.Atoi(times)
				if err != nil {
					t.Fatal(err)
				}
				s = strings.Repeat(s, n)
			}
			sc.steps = append(sc.steps, step{verb: verb, data: s})
		case "cut", "lost":
			n := int64(-1)
			if rest != "?" {
				var err error
				if n, err = strconv.ParseInt(rest, 10, 64); err != nil {
					t.Fatal(err)
				}
			}
			sc.steps = append(sc.steps, step{verb: verb, n: n})
		case "settle", "tunnel", "fin", "reset", "stop":
			sc.steps = append(sc.steps, step{verb: verb})
		default:
			t.Fatalf("unknown step %q", line)
		}
	}
	return sc
}

// recorder is a Handler that writes down what it is told.
type recorder struct {
	out      strings.Builder
	methods  []string
	started  int
	headed   int
	finished int
	wire     uint64
	skipped  uint64
	skips    map[Anomaly]uint64 // since the last message
	order    []Anomaly
	bad      []string
	keep     []messageCopy
}

type messageCopy struct {
	Method, Target, Reason, Version string
	Status                          int
	Headers                         []facts.Header
	Trailer                         int
	Body                            string
	Framing                         Framing
	ContentLength                   int64
	Head, Content, Wire             uint64
	Anomalies                       []string
	Missing                         facts.Completeness
	KeepAlive                       bool
	Upgrade                         string
}

func copyMessage(m *Message) messageCopy {
	c := messageCopy{
		Method: string(m.Method()), Target: string(m.Target()), Reason: string(m.Reason()), Version: m.Version(),
		Status: m.Status, Headers: m.AppendHeaders(nil), Trailer: m.trailer, Body: string(m.Body()), Framing: m.Framing,
		ContentLength: m.ContentLength, Head: m.HeadBytes, Content: m.BodyBytes, Wire: m.WireBytes,
		Anomalies: AppendNames(nil, m.Anomalies), Missing: m.Missing, KeepAlive: m.KeepAlive, Upgrade: m.Upgrade,
	}
	return c
}

func (r *recorder) flushSkips() {
	for _, a := range r.order {
		fmt.Fprintf(&r.out, "skip %s %d\n", a, r.skips[a])
	}
	r.order, r.skips = r.order[:0], nil
}

func (r *recorder) Start(m *Message) {
	r.flushSkips()
	r.started++
	if r.started != r.finished+1 {
		r.bad = append(r.bad, "Start before Finish")
	}
	if m.Kind == Response {
		fmt.Fprintf(&r.out, "start %d %d %q", m.Index, m.Status, m.Reason())
	} else {
		fmt.Fprintf(&r.out, "start %d %s %q %s", m.Index, m.Method(), m.Target(), [...]string{"?", "origin", "absolute", "authority", "asterisk"}[m.Form])
	}
	fmt.Fprintf(&r.out, " %s at %d call %d found %s\n", m.Version(), m.Offset, m.First.Call, m.Found)
}

func (r *recorder) Head(m *Message) {
	r.headed++
	if r.headed != r.started {
		r.bad = append(r.bad, "Head without Start")
	}
	fmt.Fprintf(&r.out, "  head %s", m.Framing)
	if m.ContentLength >= 0 {
		fmt.Fprintf(&r.out, " length %d", m.ContentLength)
	}
	if !m.KeepAlive {
		r.out.WriteString(" close")
	}
	if m.Upgrade != "" {
		r.out.WriteString(" upgrade " + m.Upgrade)
	}
	fmt.Fprintf(&r.out, " end call %d\n", m.HeadEnd.Call)
	for i := range m.NumFields() {
		n, v := m.Field(i)
		fmt.Fprintf(&r.out, "    %s: %q\n", n, v)
	}
}

func (r *recorder) Finish(m *Message) {
	r.finished++
	if r.finished != r.headed {
		r.bad = append(r.bad, "Finish without Head")
	}
	for i := range m.NumFields() {
		if n, v := m.Field(i); m.IsTrailer(i) {
			fmt.Fprintf(&r.out, "    trailer %s: %q\n", n, v)
		}
	}
	fmt.Fprintf(&r.out, "  finish %s head %d content %d wire %d", m.Ended, m.HeadBytes, m.BodyBytes, m.WireBytes)
	if m.HoleBytes > 0 {
		fmt.Fprintf(&r.out, " holes %d", m.HoleBytes)
	}
	fmt.Fprintf(&r.out, " calls %d last %d", m.Calls, m.Last.Call)
	if len(m.Body()) > 0 {
		fmt.Fprintf(&r.out, " body %q", m.Body())
	}
	if m.Missing != 0 {
		fmt.Fprintf(&r.out, " missing %s", missingNames(m.Missing))
	}
	if m.Anomalies != 0 {
		fmt.Fprintf(&r.out, " anomalies %s", strings.Join(AppendNames(nil, m.Anomalies), ","))
	}
	r.out.WriteByte('\n')
	r.wire += m.WireBytes
	if m.HeadBytes+m.BodyBytes > m.WireBytes {
		r.bad = append(r.bad, fmt.Sprintf("message %d: %d head + %d content > %d wire", m.Index, m.HeadBytes, m.BodyBytes, m.WireBytes))
	}
	r.keep = append(r.keep, copyMessage(m))
}

func (r *recorder) Skip(a Anomaly, n uint64, _ Stamp) {
	if a < LeadingCRLF && a != StartLineTooLong {
		r.bad = append(r.bad, "Skip for "+a.Def().Name)
	}
	if r.skips == nil {
		r.skips = map[Anomaly]uint64{}
	}
	if _, ok := r.skips[a]; !ok {
		r.order = append(r.order, a)
	}
	r.skips[a] += n
	r.skipped += n
}

func (r *recorder) RequestMethod(*Message) string {
	if len(r.methods) == 0 {
		return "GET"
	}
	m := r.methods[0]
	r.methods = r.methods[1:]
	if m == "?" {
		return ""
	}
	return m
}

func missingNames(c facts.Completeness) string {
	var s []string
	for i, n := range []string{"request", "response", "request-gap", "response-gap", "request-cut", "response-cut", "start", "end", "malformed", "head-cut", "length"} {
		if c&(1<<i) != 0 {
			s = append(s, n)
		}
	}
	return strings.Join(s, ",")
}

// run plays sc; split cuts the bytes of one call into the pieces that the parser gets.
func (sc *scenario) run(t *testing.T, split func(string) []string) (*recorder, *Parser) {
	t.Helper()
	r := &recorder{methods: sc.methods}
	p := NewParser(sc.kind, sc.lim, r)
	p.Begin(!sc.mid)
	var at Stamp
	var total uint64
	for _, s := range sc.steps {
		switch s.verb {
		case "data", "turn":
			at = Stamp{Call: at.Call + 1, Start: format.KTime(at.Call) * 10, End: format.KTime(at.Call)*10 + 5, Turn: s.verb == "turn"}
		}
		switch s.verb {
		case "data", "turn", "more":
			for _, piece := range split(s.data) {
				b := []byte(piece)
				p.Data(b, at)
				for i := range b { // what was Data belongs to the caller again
					b[i] = 0xAA
				}
			}
			total += uint64(len(s.data))
		case "cut":
			p.Hole(s.n, Cut, at)
			total += uint64(max(s.n, 0))
		case "lost":
			p.Hole(s.n, Lost, Stamp{})
			total += uint64(max(s.n, 0))
		case "settle":
			p.Settle()
		case "tunnel":
			p.Tunnel()
		case "fin":
			p.End(EndFIN, at)
		case "reset":
			p.End(EndReset, at)
		case "stop":
			p.End(EndReel, at)
		}
	}
	r.flushSkips()
	a := p.Account()
	fmt.Fprintf(&r.out, "stream %s messages %d skipped %d opaque %d pending %d\n", p.Protocol(), a.Messages, a.Skipped, a.Opaque, a.Pending)
	if a.Total() != total {
		t.Errorf("%d bytes went in, %d are accounted for: %+v", total, a.Total(), a)
	}
	if a.Skipped != r.skipped {
		t.Errorf("account says %d skipped, handler was told %d", a.Skipped, r.skipped)
	}
	if !p.open && a.Messages != r.wire {
		t.Errorf("account says %d in messages, messages say %d", a.Messages, r.wire)
	}
	for _, b := range r.bad {
		t.Error(b)
	}
	return r, p
}

func whole(s string) []string { return []string{s} }

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			changed := false
			for i := 0; i+1 < len(ar.Files); i += 2 {
				in, want := ar.Files[i], &ar.Files[i+1]
				if want.Name != "want" {
					t.Fatalf("section %q is not followed by want", in.Name)
				}
				t.Run(in.Name, func(t *testing.T) {
					sc := parseScenario(t, string(in.Data))
					r, _ := sc.run(t, whole)
					got := r.out.String()
					if *update {
						changed = changed || got != string(want.Data)
						want.Data = []byte(got)
					} else if d := cmp.Diff(string(want.Data), got); d != "" {
						t.Errorf("-want +got\n%s", d)
					}
					if !sc.nosplit {
						checkSplits(t, &sc, got)
					}
				})
			}
			if changed {
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// checkSplits cuts every call at every byte, and into single bytes: the messages must stay the same.
func checkSplits(t *testing.T, sc *scenario, want string) {
	t.Helper()
	longest := 0
	for _, s := range sc.steps {
		longest = max(longest, len(s.data))
	}
	check := func(name string, split func(string) []string) {
		if r, _ := sc.run(t, split); r.out.String() != want {
			t.Fatalf("%s: -whole +split\n%s", name, cmp.Diff(want, r.out.String()))
		}
	}
	check("single bytes", func(s string) []string { return strings.Split(s, "") })
	for at := 1; at < min(longest, 2000); at++ {
		check(fmt.Sprintf("cut at %d", at), func(s string) []string {
			if at >= len(s) {
				return []string{s}
			}
			return []string{s[:at], s[at:]}
		})
	}
}
