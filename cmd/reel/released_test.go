package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Reels of released schema versions open, are whole, and hold the exchanges that they always held. Their goldens count what
// analysis finds, by role, method, status and completeness: words of a report may change, these numbers only for a reason.
func TestReleasedReelsOpen(t *testing.T) {
	reels, err := filepath.Glob("../../testdata/reels/*.reel")
	if err != nil || len(reels) == 0 {
		t.Fatalf("testdata/reels holds %d reels (%v)", len(reels), err)
	}
	for _, reel := range reels {
		t.Run(filepath.Base(reel), func(t *testing.T) {
			reelOutput(t, "verify", reel)
			tables := filepath.Join(t.TempDir(), "tables")
			reelOutput(t, "analyze", reel, "-o", tables, "--format", "json")
			got := countExchanges(t, filepath.Join(tables, "exchanges.jsonl"))
			golden := strings.TrimSuffix(reel, ".reel") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("exchanges of %s (-want +got):\n%s", reel, diff)
			}
			page := filepath.Join(t.TempDir(), "report.html")
			reelOutput(t, "report", reel, "-o", page)
			if html, err := os.ReadFile(page); err != nil || !bytes.Contains(html, []byte("</html>")) {
				t.Errorf("report %s: a page of %d bytes (%v)", reel, len(html), err)
			}
		})
	}
}

// countExchanges returns one sorted line for each kind of exchange: how many, role, method, status, whether complete.
func countExchanges(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	counts := map[string]int{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct {
			Role, Method string
			Status       *int
			Complete     bool
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		status := "-"
		if e.Status != nil {
			status = fmt.Sprint(*e.Status)
		}
		counts[fmt.Sprintf("%s %q %s complete=%t", e.Role, e.Method, status, e.Complete)]++
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%6d %s\n", counts[kind], kind)
	}
	return b.String()
}

// reelOutput runs a command that has to succeed and returns what it prints.
func reelOutput(t *testing.T, args ...string) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(args, strings.NewReader(""), &stdout, &stderr); code != exitDone {
		t.Fatalf("reel %s: exit code %d: %s", strings.Join(args, " "), code, stderr.String())
	}
	return stdout.Bytes()
}
