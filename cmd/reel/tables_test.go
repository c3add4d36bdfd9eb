package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ebpf-reel/reel/report/table"
)

// The tables of a real reel, in every format, are read by DuckDB, pyarrow and Python; the views of the docs answer, and what
// was summed up agrees with the rows that it was made of.
func TestTablesByOtherReaders(t *testing.T) {
	python := os.Getenv("REEL_PYTHON")
	if python == "" {
		python = filepath.Join("..", "..", ".cache", "venv", "bin", "python")
	}
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("no Python with pyarrow and duckdb (%v): run scripts/setup.sh test, or set REEL_PYTHON", err)
	}
	var dirs []string
	for _, f := range table.Formats {
		dir := filepath.Join(t.TempDir(), string(f))
		reelOutput(t, "analyze", "../../testdata/reels/shop-v1.reel", "-o", dir, "--format", string(f))
		dirs = append(dirs, dir)
	}
	cmd := exec.Command(python, append([]string{"testdata/tables.py"}, dirs...)...)
	cmd.Stderr = os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Tables   []string
		Views    map[string]int
		Problems []string
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	for _, p := range got.Problems {
		t.Error(p)
	}
	if want := slices.Sorted(slices.Values(table.Tables)); !slices.Equal(got.Tables, want) {
		t.Errorf("tables %v, want %v", got.Tables, want)
	}
	if len(got.Views) != 11 {
		t.Errorf("%d views: %v", len(got.Views), got.Views)
	}
	for view, rows := range got.Views {
		// The shop's network lost nothing.
		if rows == 0 && view != "retransmits_by_peer" && view != "tcp_trouble_by_edge" {
			t.Errorf("the view %s is empty", view)
		}
	}
}
