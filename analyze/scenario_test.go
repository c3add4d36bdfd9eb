package analyze_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/exchange"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/filter"
	"github.com/ebpf-reel/reel/analyze/histogram"
	"github.com/ebpf-reel/reel/analyze/sample"
	"github.com/ebpf-reel/reel/format"
)

var update = flag.Bool("update", false, "rewrite the expected facts of the scenarios")

// TestScenarios analyzes each testdata/*.txtar: member "reel" is the text form of a reel, member "facts" what must come out,
// one JSON object a line, in the order in which it comes out. Members "rules" (of sampling) and "where" (a filter) may be there.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(bytes.TrimSpace(archive.Comment)) == 0 {
				t.Error("a scenario begins with a sentence that says what it is about")
			}
			cfg := analyze.Config{Exchange: exchange.Config{Headers: true, Body: 64}}
			var reel, want *txtar.File
			show := ""
			for i := range archive.Files {
				switch f := &archive.Files[i]; f.Name {
				case "reel":
					reel = f
				case "show":
					show = string(f.Data)
				case "facts":
					want = f
				case "rules":
					if cfg.Sample, err = sample.ParseFile(f.Data); err != nil {
						t.Fatal(err)
					}
					cfg.Top = 2
				case "where":
					if cfg.Where, err = filter.Compile(strings.TrimSpace(string(f.Data))); err != nil {
						t.Fatal(err)
					}
				}
			}
			if reel == nil {
				t.Fatal("there is no member reel")
			}
			r := run(t, parse(t, reel.Data), cfg)
			check(t, r)
			got := append(render(t, r), more(t, r, strings.Fields(show))...)
			if *update {
				if want == nil {
					archive.Files = append(archive.Files, txtar.File{Name: "facts"})
					want = &archive.Files[len(archive.Files)-1]
				}
				want.Data = got
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want == nil {
				t.Fatal("there is no member facts: go test ./analyze -update")
			}
			if d := cmp.Diff(strings.Split(string(want.Data), "\n"), strings.Split(string(got), "\n")); d != "" {
				t.Errorf("facts differ (-want +got):\n%s", d)
			}
		})
	}
}

// more writes what only a scenario about it shows: its member "show" names it.
func more(t testing.TB, r *report, what []string) []byte {
	var out bytes.Buffer
	line := func(kind string, v ...any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%-10s %s\n", kind, b)
	}
	show := func(h *histogram.Histogram) string {
		p50, _ := h.Quantile(0.5)
		return fmt.Sprintf("%d from %d by %d to %d", h.Count(), h.Min(), p50, h.Max())
	}
	if slices.Contains(what, "endpoints") {
		for _, list := range [][]facts.Endpoint{r.Result.Endpoints, r.Result.Intervals} {
			for i := range list {
				e := &list[i]
				at := "all"
				if e.Width > 0 {
					at = time.Duration(e.Start).String() + " + " + e.Width.String()
				}
				line("endpoint", e.Side.String(), at, e.Method, e.Route, e.Requests, "incomplete", e.Incomplete, e.Statuses,
					"ns", show(&e.Durations), "bytes", show(&e.RequestBytes), show(&e.ResponseBytes))
			}
		}
	}
	if slices.Contains(what, "lineage") {
		for i := range r.Exchanges {
			x := &r.Exchanges[i]
			line("lineage", x.ID, x.Role.String(), x.PID, x.TID, x.Method, x.Target, "parent", x.Parent, x.ParentBy, x.ParentSure.String(),
				"calls", x.Calls, x.SameCalls, x.CallsTime.String(), "critical", x.CriticalCalls, x.CriticalTime.String(),
				"slowest", x.SlowestCall, x.SlowestCallTime.String(), "peer", span(x.PeerDuration))
		}
	}
	if slices.Contains(what, "calls") {
		for i := range r.Connections {
			c := &r.Connections[i]
			if c.Metrics != nil {
				line("calls", c.ID, "write", show(&c.Metrics.Write.Times), c.Metrics.Write.Bytes, "read", show(&c.Metrics.Read.Times), c.Metrics.Read.Bytes,
					"rtt", show(&c.Metrics.WriteRTT.Times), "close", span(c.CloseCall))
			}
		}
		for _, e := range r.Result.Edges {
			for role, s := range []*facts.Side{e.ClientSide, e.ServerSide} {
				if s != nil {
					line("l4", format.Role(role+1).String(), "write", show(&s.L4.Write.Times), s.L4.Write.Bytes, "read", show(&s.L4.Read.Times), s.L4.Read.Bytes,
						"rtt", show(&s.L4.WriteRTT.Times), "connect", show(&s.L4.Connect.Times), "close", show(&s.L4.Close.Times))
				}
			}
		}
	}
	return out.Bytes()
}

// render writes the facts that a reader of a scenario checks.
func render(t testing.TB, r *report) []byte {
	var out bytes.Buffer
	line := func(kind string, v any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%-10s %s\n", kind, b)
	}
	for i := range r.Exchanges {
		line("exchange", exchangeLine(&r.Exchanges[i]))
	}
	for i := range r.Lookups {
		line("lookup", lookupLine(&r.Lookups[i]))
	}
	for i := range r.Samples {
		line("sample", sampleLine(&r.Samples[i]))
	}
	for i := range r.Result.Top {
		t := &r.Result.Top[i]
		line("top", []any{t.List, t.Edge.Client, t.Edge.Server, t.Side.String(), t.Rank, t.Exchange.ID})
	}
	for i := range r.Connections {
		line("connection", connectionLine(&r.Connections[i]))
	}
	if r.Result.Summary.Rows["tcp"] > 0 {
		for i := range r.Connections {
			line("tcp", tcpLine(&r.Connections[i]))
		}
		for _, e := range r.Result.Edges {
			for _, s := range []*facts.Side{e.ClientSide, e.ServerSide} {
				if s != nil {
					line("tcp_edge", []any{e.Client, e.Server, "retrans", s.Retrans, "dropped", s.Dropped, "resets", s.Resets, "failed", s.Failed,
						"zero_windows", s.ZeroWindows, s.ZeroWindow.String(), "accept_wait", s.AcceptWaitMax.String()})
				}
			}
		}
	}
	for _, n := range r.Result.Nodes {
		fields := map[string]any{"id": n.ID, "pids": n.PIDs}
		if n.Group != "" && n.Group != r.Result.Summary.Host {
			fields["group"] = n.Group
		}
		line("node", fields)
	}
	for _, e := range r.Result.Edges {
		line("edge", edgeLine(&e))
	}
	for i := range r.Result.Summary.Triggers {
		line("trigger", &r.Result.Summary.Triggers[i])
	}
	for i := range r.Result.Processes {
		// Scenarios of the network name a process in passing: only what ended, or is in a container, says more than its row.
		if p := &r.Result.Processes[i]; p.End != facts.EndNone || p.Container != nil {
			line("process", processLine(p))
		}
	}
	for i := range r.Result.Coverage {
		line("tls", coverageLine(&r.Result.Coverage[i]))
	}
	for _, l := range r.Result.Ledger {
		line("ledger", ledgerLine{l.Name, l.Severity.String(), l.Count, l.Bytes, l.Example})
	}
	return out.Bytes()
}

func coverageLine(c *facts.TLSCoverage) any {
	unread := map[string]uint64{}
	for why, sum := range c.Unread {
		if sum.Connections > 0 {
			unread[facts.Unread(why).String()] = sum.Bytes
		}
	}
	return struct {
		PID         format.PID         `json:"pid"`
		Process     string             `json:"process"`
		Libraries   []facts.TLSLibrary `json:"libraries,omitempty"`
		Connections uint64             `json:"connections"`
		Handshakes  uint64             `json:"handshakes"`
		Failed      uint64             `json:"failed,omitempty"`
		Alert       string             `json:"alert,omitempty"`
		Ciphertext  uint64             `json:"ciphertext"`
		Opened      uint64             `json:"opened"`
		Unread      map[string]uint64  `json:"unread,omitempty"`
	}{c.PID, c.Process, c.Libraries, c.Connections, c.Handshakes, c.Failed, c.Alert, c.Ciphertext, c.Opened, unread}
}

func processLine(p *facts.Process) any {
	container := ""
	if c := p.Container; c != nil {
		container = strings.Join([]string{c.Runtime, c.Name, c.Image, c.Namespace, c.Pod, c.PodUID, c.ID}, " ")
	}
	end, until := p.End.String(), ""
	if p.End != facts.EndNone {
		until = time.Duration(p.Until).String()
	}
	if p.End == facts.EndExit || p.End == facts.EndSignal {
		end = fmt.Sprint(end, " ", p.Code)
	}
	return struct {
		PID       format.PID `json:"pid"`
		NSPID     format.PID `json:"nspid,omitempty"`
		Comm      string     `json:"comm"`
		Exe       string     `json:"exe,omitempty"`
		From      string     `json:"from"`
		SawStart  bool       `json:"saw_start"`
		Until     string     `json:"until,omitempty"`
		End       string     `json:"end,omitempty"`
		Core      bool       `json:"core,omitempty"`
		Container string     `json:"container,omitempty"`
	}{p.PID, p.NSPID, p.Comm, p.Exe, time.Duration(p.From).String(), p.SawStart, until, end, p.Core, container}
}

type ledgerLine struct {
	Name     string `json:"name"`
	Severity string `json:"severity"`
	Count    uint64 `json:"count"`
	Bytes    uint64 `json:"bytes,omitempty"`
	Example  string `json:"example,omitempty"`
}

func lookupLine(l *facts.Lookup) any {
	return struct {
		ID        facts.LookupID `json:"id"`
		Conn      facts.ConnID   `json:"conn"`
		Role      string         `json:"role"`
		PID       format.PID     `json:"pid"`
		Remote    string         `json:"remote"`
		Name      string         `json:"name"`
		Type      string         `json:"type"`
		Code      string         `json:"code,omitempty"`
		Answers   int            `json:"answers"`
		Addresses []netip.Addr   `json:"addresses,omitempty"`
		Queries   int            `json:"queries"`
		Bytes     [2]uint64      `json:"bytes"`
		Start     string         `json:"start"`
		Duration  string         `json:"duration,omitempty"`
		Missing   []string       `json:"missing,omitempty"`
	}{l.ID, l.Conn, l.Role.String(), l.PID, l.Remote.String(), l.Name, l.Type, l.Code, l.Answers, l.Addresses, l.Queries, [2]uint64{l.Sent, l.Received},
		time.Duration(l.Start).String(), span(l.Duration), missing(l.Missing)}
}

func exchangeLine(x *facts.Exchange) any {
	type message struct {
		Head  uint64 `json:"head,omitempty"`
		Body  uint64 `json:"body,omitempty"`
		Wire  uint64 `json:"wire,omitempty"`
		Calls uint32 `json:"calls,omitempty"`
		Text  string `json:"text,omitempty"`
	}
	msg := func(m *facts.Message) *message {
		if m.WireBytes == 0 {
			return nil
		}
		return &message{m.HeadBytes, m.BodyBytes, m.WireBytes, m.Calls, string(m.Body)}
	}
	return struct {
		ID        facts.ExchangeID `json:"id"`
		Conn      facts.ConnID     `json:"conn"`
		Index     uint32           `json:"index"`
		Peer      facts.ExchangeID `json:"peer,omitempty"`
		Role      string           `json:"role"`
		PID       format.PID       `json:"pid"`
		Method    string           `json:"method,omitempty"`
		Target    string           `json:"target,omitempty"`
		Host      string           `json:"host,omitempty"`
		Status    int              `json:"status,omitempty"`
		Interim   []int            `json:"interim,omitempty"`
		Request   *message         `json:"request,omitempty"`
		Response  *message         `json:"response,omitempty"`
		Start     string           `json:"start"`
		Duration  string           `json:"duration,omitempty"`
		TTFB      string           `json:"ttfb,omitempty"`
		Upload    string           `json:"upload,omitempty"`
		Download  string           `json:"download,omitempty"`
		Blocked   string           `json:"blocked,omitempty"`
		Pairing   string           `json:"pairing"`
		Missing   []string         `json:"missing,omitempty"`
		Anomalies []string         `json:"anomalies,omitempty"`
		Pipelined bool             `json:"pipelined,omitempty"`

		Upgrade string              `json:"upgrade,omitempty"`
		Trace   *facts.TraceContext `json:"trace,omitempty"`
	}{
		x.ID, x.Conn, x.Index, x.Peer, x.Role.String(), x.PID, x.Method, x.Target, x.Host, x.Status, x.Interim, msg(&x.Request),
		msg(&x.Response), time.Duration(x.Start).String(), span(x.Duration), span(x.TTFB), lasted(x.Upload), lasted(x.Download), blockedCalls(x), x.Pairing.String(), missing(x.Missing),
		x.Anomalies, x.Pipelined, x.Upgrade, x.Trace,
	}
}

// sampleLine shows what was chosen and why, and how much of it is kept.
func sampleLine(s *facts.Sample) any {
	data := func(keep bool, most int, m *facts.Message) any {
		if !keep {
			return nil
		}
		var calls []string
		for i := range m.Syscalls {
			c := &m.Syscalls[i]
			text := fmt.Sprintf("%v %v..%v %d", c.By, time.Duration(c.Start), time.Duration(c.End), c.Bytes)
			if c.Blocked {
				text += " blocked"
			}
			calls = append(calls, text)
		}
		return map[string]any{"max": most, "headers": len(m.Headers), "body": len(m.Body), "calls": calls, "left": m.LeftCalls}
	}
	x := s.Exchange
	return map[string]any{"exchange": x.ID, "rule": s.Rule, "reason": s.Reason, "process": x.Process, "target": x.Target, "traced": x.Trace != nil,
		"request": data(s.Request, s.RequestMax, &x.Request), "response": data(s.Response, s.ResponseMax, &x.Response)}
}

// blockedCalls says how many calls of an exchange blocked, and for how long; "" none did.
func blockedCalls(x *facts.Exchange) string {
	if x.Request.Blocked+x.Response.Blocked == 0 {
		return ""
	}
	return fmt.Sprintf("%d for %v, %d for %v", x.Request.Blocked, x.Request.BlockedTime, x.Response.Blocked, x.Response.BlockedTime)
}

func connectionLine(c *facts.Connection) any {
	return struct {
		ID        facts.ConnID `json:"id"`
		Peer      facts.ConnID `json:"peer,omitempty"`
		PID       format.PID   `json:"pid"`
		Process   string       `json:"process,omitempty"`
		Role      string       `json:"role"`
		RoleBy    string       `json:"role_by,omitempty"`
		Local     string       `json:"local"`
		Remote    string       `json:"remote"`
		Protocol  string       `json:"protocol"`
		Start     string       `json:"start"`
		End       string       `json:"end"`
		SawStart  bool         `json:"saw_start"`
		SawEnd    bool         `json:"saw_end"`
		Errno     uint16       `json:"errno,omitempty"`
		Bytes     [2]uint64    `json:"bytes"`
		Captured  [2]uint64    `json:"captured"`
		Lost      [2]uint64    `json:"lost"`
		Gaps      [2]uint32    `json:"gaps"`
		Exchanges uint64       `json:"exchanges"`
	}{
		c.ID, c.Peer, c.PID, c.Process, c.Role.String(), c.RoleBy, c.Local.String(), c.Remote.String(), c.Protocol,
		time.Duration(c.Start).String(), time.Duration(c.End).String(), c.SawStart, c.SawEnd, c.Errno, c.Bytes, c.Captured, c.Lost, c.Gaps, c.Exchanges,
	}
}

func tcpLine(c *facts.Connection) any {
	x := &c.TCP
	windows := func(i int) []any { return []any{x.ZeroWindows[i], x.ZeroWindowTime[i].String()} }
	return struct {
		ID          facts.ConnID               `json:"id"`
		Connect     string                     `json:"connect,omitempty"`
		AcceptWait  string                     `json:"accept_wait,omitempty"`
		Close       string                     `json:"close,omitempty"`
		RTT         [2]string                  `json:"rtt_min_mean"`
		Retrans     uint32                     `json:"retrans"`
		Resent      [facts.ResentCauses]uint32 `json:"resent"`
		Failed      uint32                     `json:"resend_failed,omitempty"`
		Drops       []facts.Drop               `json:"drops,omitempty"`
		Resets      [2]uint32                  `json:"resets_sent_received"`
		ResetReason string                     `json:"reset_reason,omitempty"`
		Own, Peer   []any
	}{
		c.ID, span(c.Connect), span(x.AcceptWait), span(x.Close), [2]string{x.RTTMin.String(), x.RTTMean.String()}, c.Retrans, x.Resent, x.ResendFailed,
		x.Drops, [2]uint32{x.ResetsSent, x.ResetsReceived}, x.ResetReason, windows(0), windows(1),
	}
}

func edgeLine(e *facts.Edge) any {
	type side struct {
		Connections uint64    `json:"connections"`
		Exchanges   uint64    `json:"exchanges"`
		Incomplete  uint64    `json:"incomplete,omitempty"`
		Errors      [2]uint64 `json:"errors_4xx_5xx"`
		Bytes       [2]uint64 `json:"bytes"`
		Lost        uint64    `json:"lost,omitempty"`
		P50         string    `json:"p50"`
	}
	s := func(f *facts.Side) *side {
		if f == nil {
			return nil
		}
		return &side{f.Connections, f.Exchanges, f.Incomplete, [2]uint64{f.Errors4xx, f.Errors5xx}, [2]uint64{f.BytesRead, f.BytesWrite},
			f.LostBytes, f.P50.Round(10 * time.Microsecond).String()}
	}
	return struct {
		Client   string `json:"client"`
		Server   string `json:"server"`
		Port     uint16 `json:"port"`
		Protocol string `json:"protocol"`
		RoleBy   string `json:"role_by,omitempty"`
		Client2  *side  `json:"client_side,omitempty"`
		Server2  *side  `json:"server_side,omitempty"`
	}{e.Client, e.Server, e.Port, e.Protocol, e.RoleBy, s(e.ClientSide), s(e.ServerSide)}
}

func span(d time.Duration) string {
	if d < 0 {
		return ""
	}
	return d.String()
}

// lasted leaves out what most messages are: moved by one call.
func lasted(d time.Duration) string {
	switch {
	case d < 0:
		return "?"
	case d == 0:
		return ""
	}
	return d.String()
}

func missing(m facts.Completeness) []string {
	var out []string
	for i, name := range []string{"no_request", "no_response", "request_gap", "response_gap", "request_cut", "response_cut", "start_unknown",
		"end_unknown", "malformed", "head_cut", "length_unknown"} {
		if m&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}
