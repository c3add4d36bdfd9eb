package meta

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The top level is fixed (docs/architecture.md): what comes new finds its place inside.
var topLevel = []string{
	".ci", ".gitignore", ".golangci.yml", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "analyze", "bpf", "capture",
	"cmd", "docs", "format", "go.mod", "go.sum", "report", "scripts", "testdata",
}

func TestTopLevelIsFixed(t *testing.T) {
	for _, f := range tree(t) {
		top, _, _ := strings.Cut(f.path, "/")
		if !slices.Contains(topLevel, top) {
			t.Errorf("%s: the top level is fixed to %v", f.path, topLevel)
		}
	}
}

const maxLines = 700

func TestOneIdeaPerFile(t *testing.T) {
	limits := map[string]int{"Makefile": 100, "analyze/pipeline.go": 150}
	for _, f := range tree(t) {
		limit, special := limits[f.path]
		switch {
		case special:
		case strings.HasPrefix(f.path, "bpf/prog/") && f.ext(".c"):
			limit = 120 // program files are hook tables: the logic is in bpf/include
		case f.generated() || f.under("testdata") || f.under("dist"):
			continue
		case f.ext(".go", ".c", ".h", ".ts", ".tsx", ".js", ".mjs", ".css", ".py", ".sh", ".html"):
			limit = maxLines
		default:
			continue
		}
		if n := len(f.lines()); n > limit {
			t.Errorf("%s: %d lines, at most %d: it carries two ideas", f.path, n, limit)
		}
	}
}

func TestKernelSideCarriesItsLicence(t *testing.T) {
	for _, f := range tree(t) {
		if f.under("testdata") || !f.text() {
			continue
		}
		first := f.lines()[0]
		has := strings.Contains(first, "SPDX-License-Identifier:")
		if kernel := strings.HasPrefix(f.path, "bpf/") && f.ext(".c", ".h"); kernel && !has {
			t.Errorf("%s: the first line of a C file is its SPDX licence (GPL-only kernel functions need it)", f.path)
		} else if !kernel && has {
			t.Errorf("%s: LICENSE holds for all but the C files: no SPDX line here", f.path)
		}
	}
}

// Loss is counted in the one helper that reserves ring space (DESIGN D6); a second caller would lose without a trace.
func TestRingSpaceIsReservedInOneFile(t *testing.T) {
	var in []string
	for _, f := range tree(t) {
		if strings.HasPrefix(f.path, "bpf/") && f.ext(".c", ".h") && !f.generated() && bytes.Contains(f.data, []byte("bpf_ringbuf_reserve")) {
			in = append(in, f.path)
		}
	}
	if len(in) != 1 {
		t.Errorf("bpf_ringbuf_reserve is called in %v, want exactly one file", in)
	}
}

// What belongs to the machine that a file was written on, not to the project. The strings are split so that this file does
// not hold them itself.
var foreign = []string{
	"/work" + "/", "/tmp" + "/reel", "/root" + "/",
	"proxy." + "golang.org", "sum." + "golang.org", "registry." + "npmjs.org", "pypi" + ".org", "pythonhosted" + ".org",
	"deb." + "debian.org", "security." + "debian.org", "repo1." + "maven.org", "repo.maven." + "apache.org", "crates" + ".io",
}

func TestNoTraceOfOneMachine(t *testing.T) {
	for _, f := range tree(t) {
		for _, s := range foreign {
			if i := bytes.Index(f.data, []byte(s)); i >= 0 {
				t.Errorf("%s: holds %q at byte %d, which means nothing on another machine", f.path, s, i)
			}
		}
	}
}

func TestNothingIsLeftToDo(t *testing.T) {
	mark := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	for _, f := range tree(t) {
		if !f.text() || f.under("testdata") || f.generated() || f.under("dist") || !f.ext(".go", ".c", ".h", ".ts", ".tsx", ".js", ".py", ".sh", ".md") {
			continue
		}
		for i, line := range f.lines() {
			if m := mark.FindString(line); m != "" {
				t.Errorf("%s:%d: %s: do it, or say in docs that it is not done", f.path, i+1, m)
			}
		}
	}
}

// The jobs of the Makefile explain themselves in `make help`.
func TestMakeTargetsAreDocumented(t *testing.T) {
	target := regexp.MustCompile(`^[a-z][a-z-]*:`)
	documented := 0
	for _, f := range tree(t) {
		if f.path != "Makefile" {
			continue
		}
		for i, line := range f.lines() {
			if !target.MatchString(line) {
				continue
			}
			documented++
			if !strings.Contains(line, "## ") {
				t.Errorf("Makefile:%d: a target without its ## line", i+1)
			}
		}
	}
	if documented < 10 {
		t.Errorf("the Makefile has %d targets, want at least 10", documented)
	}
}

// Corpus seeds are named after the case that they hold.
func TestFuzzSeedsAreNamed(t *testing.T) {
	hash := regexp.MustCompile(`^[0-9a-f]{16}$`)
	for _, f := range tree(t) {
		if strings.Contains(f.path, "testdata/fuzz/") && hash.MatchString(path.Base(f.path)) {
			t.Errorf("%s: name the seed after the case it holds", f.path)
		}
	}
}
