package text

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ebpf-reel/reel/analyze/facts"
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
