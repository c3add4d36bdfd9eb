package meta

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	fence    = regexp.MustCompile("(?ms)^```.*?^```[^\n]*$")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ +(.+?) *$`)
	notInID  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	filePath = regexp.MustCompile("`((?:analyze|bpf|capture|cmd|docs|format|report|scripts|testdata)/[A-Za-z0-9_./-]+)`")
)

// anchors returns the fragment of each heading, as the usual renderers make it.
func anchors(markdown string) map[string]bool {
	ids := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(markdown, ""), -1) {
		id := notInID.ReplaceAllString(strings.ToLower(m[1]), "")
		ids[strings.ReplaceAll(id, " ", "-")] = true
	}
	return ids
}

func TestLinksResolve(t *testing.T) {
	for _, f := range tree(t) {
		if !f.ext(".md") || f.under("testdata") {
			continue
		}
		text := fence.ReplaceAllString(string(f.data), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, fragment, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			to := f.path
			if target != "" {
				to = path.Join(path.Dir(f.path), target)
			}
			info, err := os.Stat(filepath.Join(root(), to))
			if err != nil {
				t.Errorf("%s: link to %s, which is not there", f.path, m[1])
				continue
			}
			if fragment == "" || info.IsDir() {
				continue
			}
			data, err := os.ReadFile(filepath.Join(root(), to))
			if err != nil {
				t.Fatal(err)
			}
			if !anchors(string(data))[fragment] {
				t.Errorf("%s: link to %s, and %s has no such heading", f.path, m[1], to)
			}
		}
		// A file that a text names in backquotes is there too; a trailing part after it may be a pattern.
		for _, m := range filePath.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root(), m[1])); err != nil {
				t.Errorf("%s: names `%s`, which is not there", f.path, m[1])
			}
		}
	}
}

// docs/dependencies.md says of each direct dependency what it is for.
func TestDependenciesAreExplained(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root(), "docs/dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string

	cmd := exec.Command("go", "list", "-m", "-f", "{{if not (or .Indirect .Main)}}{{.Path}}{{end}}", "all")
	cmd.Dir = root()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list modules: %v", err)
	}
	names = append(names, strings.Fields(string(out))...)

	for _, f := range tree(t) {
		switch {
		case path.Base(f.path) == "requirements.txt":
			for _, line := range f.lines() {
				if name, _, ok := strings.Cut(line, "=="); ok {
					names = append(names, name)
				}
			}
		case path.Base(f.path) == "package.json" && !f.under("testdata"):
			var p struct {
				Dependencies    map[string]string `json:"dependencies"`
				DevDependencies map[string]string `json:"devDependencies"`
			}
			if err := json.Unmarshal(f.data, &p); err != nil {
				t.Errorf("%s: %v", f.path, err)
			}
			for name := range p.Dependencies {
				names = append(names, name)
			}
			for name := range p.DevDependencies {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		t.Fatal("no dependencies found: this test does not see them")
	}
	for _, name := range names {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/dependencies.md does not say what `%s` is for, its licence, and why this one", name)
		}
	}
}
