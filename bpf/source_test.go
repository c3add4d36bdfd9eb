//go:build linux && (amd64 || arm64)

package bpf

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func sources(t *testing.T, pattern string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s (%v)", pattern, err)
	}
	out := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[f] = string(b)
	}
	return out
}

// TestProgramsAreHookTables holds that prog/ has no logic: functions of at most three statements.
func TestProgramsAreHookTables(t *testing.T) {
	for file, text := range sources(t, "prog/*.bpf.c") {
		bodies := regexp.MustCompile(`(?s)SEC\("[^"]+"\)\nint [^{]+\{\n(.*?)\n\}`).FindAllStringSubmatch(text, -1)
		if len(bodies) == 0 {
			t.Errorf("%s: no programs", file)
		}
		for _, body := range bodies {
			if n := strings.Count(body[1], ";"); n > 3 {
				t.Errorf("%s: a program of %d statements:\n%s", file, n, body[0])
			}
		}
		if n := strings.Count(text, "\n"); n > 120 {
			t.Errorf("%s: %d lines", file, n)
		}
	}
}

// TestOneWayIntoTheRings holds that nothing can emit a record without being counted.
func TestOneWayIntoTheRings(t *testing.T) {
	for file, text := range sources(t, "include/*.h") {
		if file != "include/emit.h" && strings.Contains(text, "bpf_ringbuf_") {
			t.Errorf("%s uses the ring past emit.h", file)
		}
	}
}

// TestMapsSayHowTheyLive holds that each map has its life-cycle comment.
func TestMapsSayHowTheyLive(t *testing.T) {
	n := 0
	for file, text := range sources(t, "include/*.h") {
		for _, m := range regexp.MustCompile(`(?s)(/\*(?:[^*]|\*[^/])*\*/)?\nstruct \{\n(?:[^}]*)\} (\w+) SEC\("\.maps"\)`).FindAllStringSubmatch(text, -1) {
			n++
			for _, word := range []string{"key", "value", "inserted", "deleted", "read by", "bound", "overflow"} {
				if !strings.Contains(m[1], " *   "+word) {
					t.Errorf("%s: the comment of map %s lacks %q", file, m[2], word)
				}
			}
		}
	}
	if n != 23 {
		t.Errorf("%d maps found, want 23", n)
	}
}
