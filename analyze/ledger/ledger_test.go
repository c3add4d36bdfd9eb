package ledger_test

import (
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/format"
)

// Every name has everything that a reader needs, and no two are the same.
func TestRegistry(t *testing.T) {
	seen := make(map[string]bool)
	n := 0
	for name := range ledger.All() {
		n++
		s := name.String()
		if s == "" || strings.ToLower(s) != s || strings.ContainsAny(s, " -.") {
			t.Errorf("%d: name %q", name, s)
		}
		if seen[s] {
			t.Errorf("%s is registered twice", s)
		}
		seen[s] = true
		if name.Severity() < facts.Info || name.Severity() > facts.Error {
			t.Errorf("%s has severity %d", s, name.Severity())
		}
		if src := name.Source(); src != ledger.Capture && src != ledger.Analysis {
			t.Errorf("%s has source %q", s, src)
		}
		if text := name.Sentence(); !strings.HasSuffix(text, ".") || len(text) < 20 {
			t.Errorf("%s: %q is no sentence", s, text)
		}
	}
	if n < 80 {
		t.Errorf("only %d names", n)
	}
}

func TestNamesOfTheReel(t *testing.T) {
	for _, k := range []format.ProblemKind{format.ProblemUnclean, format.ProblemTorn, format.ProblemGarbage, format.ProblemMissing,
		format.ProblemCorrupt, format.ProblemStray, format.ProblemWithheld, format.ProblemRecovered} {
		if got := ledger.Problem(k).String(); got != string(k) {
			t.Errorf("problem %s is %s in the ledger", k, got)
		}
	}
	if got := ledger.Problem("new_kind"); got != ledger.UnknownProblem {
		t.Errorf("an unknown problem is %s", got)
	}
	for c := format.CutBudget; c <= format.CutLost; c++ {
		name, ok := ledger.Cut(c)
		if want := "cut_" + c.String(); !ok || name.String() != want {
			t.Errorf("cut %s is %s in the ledger", c, name)
		}
	}
	for _, c := range []format.Cut{format.CutPolicy, format.CutDamaged} {
		if name, ok := ledger.Cut(c); !ok || name.String() != "cut_"+c.String() {
			t.Errorf("cut %s is %s", c, name)
		}
	}
	if name, ok := ledger.Cut(99); !ok || name != ledger.CutUnknown {
		t.Errorf("an unknown cut is %s", name)
	}
	if _, ok := ledger.Cut(format.CutNone); ok {
		t.Error("no cut is an anomaly")
	}
	for _, name := range []string{"target_exited", "shed", "map_full", "stopped"} {
		if got := ledger.Note(name).String(); got != name {
			t.Errorf("note %s is %s", name, got)
		}
	}
	if got := ledger.Note("from_the_future"); got != ledger.NoteUnknown {
		t.Errorf("an unknown note is %s", got)
	}
}

func TestTally(t *testing.T) {
	tally := ledger.NewTally()
	tally.Add(ledger.LateRow, 0, ledger.Where{At: 1})
	tally.AddBytes(ledger.StreamLost, 1, 10, ledger.Where{At: 5, Conn: 3, Offset: -1})
	tally.AddBytes(ledger.StreamLost, 2, 5, ledger.Where{At: 6, Conn: 4})
	tally.Add(ledger.NotHTTP, 1, ledger.Where{Socket: 0xab, Text: "tls"})
	got := tally.Entries()
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	if l := got[0]; l.Name != "stream_lost" || l.Count != 3 || l.Bytes != 15 || l.First != 5 || l.Example != "connection 3" {
		t.Errorf("%+v", l)
	}
	if l := got[1]; l.Name != "not_http" || l.Example != "socket 00000000000000ab, tls" {
		t.Errorf("%+v", l)
	}
}
