package text

import (
	"bytes"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report"
	"github.com/ebpf-reel/reel/report/reporttest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestSummary(t *testing.T) {
	shop, err := reporttest.Shop{Exchanges: 4000, Seed: 1, Hostile: true}.Data(report.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]*report.Data{
		"shop":  shop,
		"empty": {Summary: facts.Summary{Clean: true, Overhead: facts.Overhead{ProgramTime: -1}}},
		"killed": {Summary: facts.Summary{Clean: true, Overhead: facts.Overhead{ProgramTime: -1}}, Processes: []facts.Process{
			{PID: 50, NSPID: 1, Comm: "nginx", End: facts.EndSignal, Code: 11, Core: true, Container: &facts.Container{ID: "aa", Pod: "web-7d9f8", Namespace: "shop"}},
			{PID: 51, NSPID: 51, Comm: "evil\x1b[2J", End: facts.EndSignal, Code: 34},
			{PID: 52, Comm: "curl", End: facts.EndExit, Code: 7},
		}},
		"coverage": {Summary: facts.Summary{Clean: true, Connections: 9, Exchanges: 2, Complete: 2, Overhead: facts.Overhead{ProgramTime: -1}}, Coverage: []facts.TLSCoverage{
			{PID: 70, Process: "java", Exe: "/usr/bin/java", Connections: 2, Handshakes: 2, Ciphertext: 50_000, Unread: [facts.NumUnread]facts.UnreadSum{facts.UnreadNoKey: {Connections: 2, Bytes: 50_000}},
				Libraries: []facts.TLSLibrary{{Name: "java", Error: "Java's own TLS (JSSE) is compiled while it runs: there is no call to probe"}}},
			{PID: 71, Process: "curl", Connections: 1, Handshakes: 1, Failed: 1, Alert: "client unknown_ca"},
			{PID: 72, Process: "curl", Connections: 2, Handshakes: 2, Decrypted: 2, Ciphertext: 900, Opened: 900, Plaintext: 700},
			{PID: 73, Process: "curl", Connections: 1, Handshakes: 1, Decrypted: 1, Ciphertext: 1000, Opened: 1000, Plaintext: 800, Inferred: 100},
			{PID: 74, Process: "envoy", Connections: 3, Handshakes: 2, Decrypted: 2, Ciphertext: 4000, Opened: 3000, Plaintext: 2000,
				Libraries: []facts.TLSLibrary{{Name: "boringssl", Static: true, Purpose: "keys", How: "labels", Probes: 1}},
				Unread:    [facts.NumUnread]facts.UnreadSum{facts.UnreadGap: {Connections: 1, Bytes: 400}, facts.UnreadSuite: {Connections: 1, Bytes: 600}}},
		}},
		"unclean": {Reel: "x.reel", Summary: facts.Summary{Connections: 1, Exchanges: 1, Complete: 1, LostEvents: 5},
			Ledger: []facts.LedgerEntry{{Name: "bad\x1b[2Jname", Severity: facts.Error, Count: 1, Sentence: "A segment\nis corrupt.", Example: "seg-1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := Summary(&got, d); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".golden", got.Bytes())
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// brokenWriter fails after n bytes, like a full disk.
type brokenWriter struct{ n int }

var errFull = errors.New("no space left")

func (b *brokenWriter) Write(p []byte) (int, error) {
	if b.n -= len(p); b.n < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestSummaryReportsWriteErrors(t *testing.T) {
	d, err := reporttest.Shop{Exchanges: 100, Seed: 1}.Data(report.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := Summary(&brokenWriter{n: 300}, d); !errors.Is(err, errFull) {
		t.Errorf("Summary on a full disk = %v, want %v", err, errFull)
	}
}

func TestTriggers(t *testing.T) {
	start := format.WallTime(1_700_000_000_000_000_000)
	d := &report.Data{Summary: facts.Summary{Clean: true, Start: start, Triggers: []facts.Trigger{
		{Name: "busy", Rule: "busy: cpu > 80% for 3 of 10s => snap, snaplen full 10s", Unit: "%", Limit: 80_000, Fired: 12, Silenced: 4, Firings: []facts.Firing{
			{AtWall: start + 5_500_000_000, Value: 93_500, Held: 3, Periods: 10, Others: 1, PID: 100, Comm: "evil\x1b[2J", Outcomes: []facts.Outcome{
				{Action: "snaplen full 10s", Detail: "snaplen full"}, {Action: "snap", Detail: "no space\nleft", Failed: true}}},
			{Value: 250_000, Held: 3, Periods: 10, PID: 101, Comm: "nginx"},
		}},
		{Name: "slow", Rule: "slow: http_p99 > 500ms => mark", Unit: "ms", Limit: 500_000, Fired: 1, Firings: []facts.Firing{{Value: 1 << 62, Detail: "3 responses", Periods: 1}}},
		{Name: "big", Rule: "big: transfer > 1MiB => mark", Unit: "B", Limit: 1 << 20 * 1000, Fired: 1, Firings: []facts.Firing{
			{Value: 2 << 20 * 1000, Local: format.Endpoint{Addr: netip.MustParseAddr("10.0.0.1"), Port: 80}, Remote: format.Endpoint{Addr: netip.MustParseAddr("10.0.0.2"), Port: 40000}}}},
		{Name: "exit", Rule: "exit: exit by signal => mark"},
	}}}
	var got bytes.Buffer
	if err := Summary(&got, d); err != nil {
		t.Fatal(err)
	}
	golden(t, "triggers.golden", got.Bytes())
}
