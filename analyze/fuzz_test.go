package analyze_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/format/text"
)

// FuzzRun analyzes whatever reel a text describes: nothing panics, every count adds up, and a second analysis says the same.
// The scenarios are its seeds.
func FuzzRun(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 || bytes.Contains(data, []byte("\"*")) {
			return // a repetition may describe gigabytes
		}
		src, err := text.NewSource(data)
		if err != nil {
			return
		}
		r := run(t, src, full)
		check(t, r)
		again := new(report)
		if again.Result, err = analyze.Run(context.Background(), src, full, again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(r.bytes(t), again.bytes(t)) {
			t.Fatal("two analyses of one reel differ")
		}
	})
}
