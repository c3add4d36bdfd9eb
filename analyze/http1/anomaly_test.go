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
	for a := range Registered() {
		if !strings.HasPrefix(a.Name(), "http1_") || seen[a.Name()] || !strings.HasSuffix(a.Sentence(), ".") || a.Severity() == 0 {
			t.Errorf("%d: %q %q", a, a.Name(), a.Sentence())
		}
		seen[a.Name()] = true
		if !strings.Contains(scenarios.String(), a.Name()) {
			t.Errorf("no scenario shows %s", a)
		}
	}
	if numAnomalies > 64 {
		t.Error("Anomalies has no bit for the last ones")
	}
}
