package text

import (
	"bytes"
	"errors"
	"iter"
	"math/rand"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/format"
)

// Through files: what a reel gives, written as text, makes a reel that gives the same text. Small segments make it many.
func TestRoundTripThroughReelsOnDisk(t *testing.T) {
	for seed := range int64(6) {
		g := values{rand.New(rand.NewSource(seed))}
		var rows []format.Row
		for len(rows) < 300 {
			rows = append(rows, g.row())
		}
		m := &format.Manifest{Clean: seed%2 == 0, Capture: format.CaptureInfo{Host: "node1", Filter: "mask/1 heads", Ports: []uint16{80}}}
		first := dumpOf(t, makeReel(t, m, seq(rows), true))
		parsed, parsedRows, err := Parse(bytes.NewReader(first))
		if err != nil {
			t.Fatal(err)
		}
		second := dumpOf(t, makeReel(t, parsed, parsedRows, false))
		if !bytes.Equal(first, second) {
			t.Errorf("seed %d: the second dump differs:\n%s\nwas\n%s", seed, second, first)
		}
		if lines := bytes.Count(first, []byte("\n")); lines < 150 {
			t.Errorf("seed %d: the dump has only %d lines", seed, lines)
		}
	}
}

// makeReel stores rows and returns where. If lenient, rows with impossible round trip times are left out.
func makeReel(t *testing.T, m *format.Manifest, rows iter.Seq2[format.Row, error], lenient bool) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "x.reel")
	w, err := format.Create(dir, m.Capture, format.WriterConfig{UUID: m.UUID, Filter: format.NoFilter{}, Of: m, SegmentBytes: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range rows {
		if err == nil {
			err = w.AppendRow(row)
		}
		var refused *format.RowError
		if lenient && errors.As(err, &refused) && strings.HasSuffix(refused.Column, "_us") {
			continue // round trip times are microseconds in 32 bits: random ones seldom fit
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func dumpOf(t *testing.T, dir string) []byte {
	t.Helper()
	reel, err := format.Open(dir, format.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer reel.Close()
	var out bytes.Buffer
	if err := Write(&out, reel.Manifest(), reel.Rows(format.RowsOptions{})); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
