package kernels

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/mask"
	"github.com/ebpf-reel/reel/analyze/profile"
	"github.com/ebpf-reel/reel/format"
)

// The static binaries that every machine runs.
var reelBin, guestBin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "reel-kernels-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	reelBin, guestBin = filepath.Join(dir, "reel"), filepath.Join(dir, "guest")
	for out, pkg := range map[string]string{reelBin: "cmd/reel", guestBin: "scripts/kernels/guest"} {
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "github.com/ebpf-reel/reel/"+pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
		if text, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building %s: %v\n%s", pkg, err, text)
			return 1
		}
	}
	return m.Run()
}

// kernels of the matrix, and the hooks that each refuses.
var kernels = []struct {
	version string
	refused []string
	ktls    bool // the kernel was built with it
}{
	{"5.10", []string{"tp_btf/kfree_skb", "tp_btf/sched_prepare_exec"}, false}, // it gives no reason for a drop before 5.17
	{"6.1", []string{"tp_btf/sched_prepare_exec"}, true},                       // 6.10 brought it
	{"6.12", nil, true},
}

func TestKernels(t *testing.T) {
	for _, k := range kernels {
		t.Run(k.version, func(t *testing.T) {
			g := runGuest(t, k.version)
			t.Run("servers and client", func(t *testing.T) {
				a := g.analyze(t, "all.reel")
				a.wholeExcept(t, "clock_step")
				a.hooks(t, k.refused)
				sent := g.sent(t, "all.jsonl")
				a.exchanges(t, sent, format.RoleClient)
				a.exchanges(t, sent, format.RoleServer)
			})
			t.Run("a command", func(t *testing.T) {
				a := g.analyze(t, "command.reel")
				a.wholeExcept(t)
				a.hooks(t, k.refused)
				a.exchanges(t, g.sent(t, "command.jsonl"), format.RoleClient)
				a.profile(t)
			})
			t.Run("inside a pid namespace", func(t *testing.T) {
				a := g.analyze(t, "inside.reel")
				a.wholeExcept(t, "pid_namespace")
				a.exchanges(t, g.sent(t, "inside.jsonl"), format.RoleClient)
				a.namedInside(t, "shop-client")
			})
			if k.ktls {
				t.Run("kTLS", func(t *testing.T) {
					a := g.analyze(t, "ktls.reel")
					a.wholeExcept(t, "ktls")
					a.ktls(t)
				})
			}
		})
	}
}

// profile wants samples of the command with names on both sides of the kernel boundary, and user stacks that are whole.
func (a *analysis) profile(t *testing.T) {
	t.Helper()
	res, err := analyze.Profile(context.Background(), a.reel, analyze.ProfileConfig{})
	if err != nil {
		t.Fatal(err)
	}
	waits, err := analyze.Profile(context.Background(), a.reel, analyze.ProfileConfig{Kind: profile.OffCPU})
	if err != nil {
		t.Fatal(err)
	}
	if waits.Profile.Counts == 0 {
		t.Error("no waits")
	}
	p := res.Profile
	named := map[format.FrameKind]int{}
	for _, f := range p.Functions {
		if f.Source != 0 && f.Raw != "" {
			named[f.Kind]++
		}
	}
	var whole, all uint64
	for _, v := range p.Verdicts {
		if v.Process == "shop-client" && v.Verdict != format.StackNone {
			all += v.Count
			if v.Verdict == format.StackComplete {
				whole += v.Count
			}
		}
	}
	if p.Counts == 0 || named[format.FrameUser] == 0 || named[format.FrameKernel] == 0 || whole*10 < all*8 {
		for _, e := range res.Ledger {
			t.Logf("ledger: %s ×%d %s", e.Name, e.Count, e.Example)
		}
		t.Errorf("%d samples, %d user and %d kernel functions, %d of %d user stacks whole: %+v", p.Counts, named[format.FrameUser], named[format.FrameKernel], whole, all, p.Verdicts)
	}
}

// sent is the client's account of one exchange (guest/shop.go).
type sent struct {
	Server, Port, N     int
	Method, Target      string
	Status, Ask, Answer int
	Round               int
}

func (g *guest) sent(t *testing.T, name string) (all []sent) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(g.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var s sent
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		t.Fatal("the client sent nothing")
	}
	return all
}

// analysis is what was made of a reel, in memory.
type analysis struct {
	*analyze.Result
	reel *format.Reel
	seen []facts.Exchange
}

func (a *analysis) Connection(*facts.Connection) error { return nil }

func (a *analysis) Exchange(e *facts.Exchange) error {
	x := *e // what e points to is valid only now
	x.Anomalies = slices.Clone(e.Anomalies)
	x.Request.Headers, x.Response.Headers, x.Request.Body, x.Response.Body = nil, nil, nil, nil
	x.Method, x.Target = string([]byte(e.Method)), string([]byte(e.Target))
	a.seen = append(a.seen, x)
	return nil
}

func (g *guest) analyze(t *testing.T, name string) *analysis {
	t.Helper()
	r, err := format.Open(filepath.Join(g.dir, name), format.OpenOptions{Filter: mask.New(mask.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	if m := r.Manifest(); m.Capture.Kernel != g.release {
		t.Errorf("the reel was recorded on kernel %s, want %s", m.Capture.Kernel, g.release)
	}
	a := &analysis{reel: r}
	if a.Result, err = analyze.Run(context.Background(), r, analyze.Config{}, a); err != nil {
		t.Fatal(err)
	}
	return a
}

// wholeExcept wants a ledger in which nothing was lost, with these names besides what every capture may say.
func (a *analysis) wholeExcept(t *testing.T, names ...string) {
	t.Helper()
	for _, e := range a.Ledger {
		if e.Severity >= facts.DataLoss {
			t.Errorf("ledger: %s ×%d: %s (%s)", e.Name, e.Count, e.Sentence, e.Example)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(a.Ledger, func(e facts.LedgerEntry) bool { return e.Name == name }) {
			t.Errorf("the ledger lacks %s", name)
		}
	}
}

// hooks wants exactly these hooks refused, each in the ledger.
func (a *analysis) hooks(t *testing.T, want []string) {
	t.Helper()
	var refused []string
	attached := 0
	for row, err := range a.reel.Rows(format.RowsOptions{Tables: []format.TableID{format.TableHook}}) {
		if err != nil {
			t.Fatal(err)
		}
		h := row.(*format.Hook)
		if h.Attached {
			attached++
			continue
		}
		refused = append(refused, h.Name)
		t.Logf("refused: %s: %s", h.Name, h.Error)
	}
	slices.Sort(refused)
	if diff := cmp.Diff(want, refused); diff != "" {
		t.Errorf("hooks that this kernel refuses (-want +got):\n%s", diff)
	}
	// What doctor says of this kernel goes with the reel.
	var limited []string
	for _, c := range a.reel.Manifest().Capture.Checks {
		name, isHook := strings.CutPrefix(c.Name, "hook ")
		switch {
		case c.State == format.CheckOK:
		case isHook && c.State == format.CheckLimited:
			limited = append(limited, name)
		default:
			t.Errorf("doctor: %+v", c)
		}
	}
	slices.Sort(limited)
	if diff := cmp.Diff(want, limited); diff != "" {
		t.Errorf("hooks that doctor calls limited (-want +got):\n%s", diff)
	}
	if attached == 0 {
		t.Error("no hook is attached")
	}
	told := uint64(0)
	for _, e := range a.Ledger {
		if e.Name == "hook_refused" {
			told += e.Count
		}
	}
	if told != uint64(len(refused)) {
		t.Errorf("the ledger tells of %d refused hooks, want %d", told, len(refused))
	}
}

// namedInside wants rows of a process that has other ids in its pid namespace than in the kernel, each with both.
func (a *analysis) namedInside(t *testing.T, comm string) {
	t.Helper()
	rows := 0
	for row, err := range a.reel.Rows(format.RowsOptions{Tables: []format.TableID{format.TableProcess}}) {
		if err != nil {
			t.Fatal(err)
		}
		if p := row.(*format.Process); p.Comm == comm {
			rows++
			if p.NSPID == 0 || p.NSPID == p.PID || p.Exe == "" && p.Op == format.ProcExec {
				t.Errorf("process %d is %d inside: %+v", p.PID, p.NSPID, p)
			}
		}
	}
	if rows < 2 {
		t.Errorf("%d rows of %s", rows, comm)
	}
}

// ktls wants the messages of guest/ktls.go at either end: one in the clear with its place in the stream, the others without, and all
// with what the process wrote.
func (a *analysis) ktls(t *testing.T) {
	t.Helper()
	var clear, encrypted [2]int
	for row, err := range a.reel.Rows(format.RowsOptions{Tables: []format.TableID{format.TableIO}}) {
		if err != nil {
			t.Fatal(err)
		}
		r := row.(*format.IO)
		if r.Ret <= 0 || r.Family != 2 {
			continue
		}
		d := r.Dir - format.Read
		switch {
		case r.Flags&format.IOKTLS == 0 && r.Flags&format.IOOffsetValid != 0 && string(r.Payload) == "in the clear":
			clear[d]++
		case r.Flags&format.IOKTLS != 0 && r.Flags&format.IOOffsetValid == 0 && r.Ret == 700 && bytes.Equal(r.Payload, bytes.Repeat([]byte{byte('a' + encrypted[d])}, 700)):
			encrypted[d]++
		default:
			t.Errorf("a call: %+v", r)
		}
	}
	if clear != [2]int{1, 1} || encrypted != [2]int{5, 5} {
		t.Errorf("%v messages in the clear, %v encrypted by the kernel, want 1 and 5 of each direction", clear, encrypted)
	}
}

// exchanges wants each exchange of the client's account once, as seen by role, with its sizes; and no other.
func (a *analysis) exchanges(t *testing.T, all []sent, role format.Role) {
	t.Helper()
	type view struct {
		Server, Port   int
		Method, Target string
		Status         int
		Ask, Answer    uint64
		Missing        facts.Completeness
		Pairing        facts.Certainty
	}
	var want, got []view
	for _, s := range all {
		if s.Round == 0 { // before the capture
			continue
		}
		want = append(want, view{s.Server, s.Port, s.Method, s.Target, s.Status, uint64(s.Ask), uint64(s.Answer), 0, facts.Exact})
	}
	for _, e := range a.seen {
		if e.Role != role {
			continue
		}
		server, client := e.Remote.Port, e.Local.Port
		if role == format.RoleServer {
			server, client = client, server
		}
		// A budget of bytes cuts bodies; sizes are exact all the same.
		missing := e.Missing &^ (facts.RequestCut | facts.ResponseCut)
		got = append(got, view{int(server), int(client), e.Method, e.Target, e.Status, e.Request.BodyBytes, e.Response.BodyBytes, missing, e.Pairing})
	}
	byText := func(a, b view) int { return bytes.Compare(fmt.Append(nil, a), fmt.Append(nil, b)) }
	slices.SortFunc(want, byText)
	slices.SortFunc(got, byText)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("exchanges seen by the %v (-sent +seen):\n%s", role, diff)
	}
	t.Logf("%v: %d exchanges", role, len(got))
}
