package http1

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRegistered: each anomaly has its own name and a sentence, and a scenario that shows it.
func TestRegistered(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var scenarios strings.Builder
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		scenarios.Write(data)
	}
	seen := map[string]bool{}
	for a, d := range Registered() {
		if !strings.HasPrefix(d.Name, "http1_") || seen[d.Name] || !strings.HasSuffix(d.Sentence, ".") || d.Severity == 0 {
			t.Errorf("%d: %q %q", a, d.Name, d.Sentence)
		}
		seen[d.Name] = true
		if !strings.Contains(scenarios.String(), d.Name) {
			t.Errorf("no scenario shows %s", a)
		}
	}
	if len(registered) > 64 {
		t.Error("Anomalies has no bit for the last ones")
	}
}
