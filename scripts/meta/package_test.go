package meta

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The names that say nothing about what a package does.
var forbiddenNames = []string{"util", "utils", "common", "helper", "helpers", "base", "misc", "tools", "shared", "lib"}

// A package of the data path says what it makes of what; its first sentence is the map that a newcomer reads.
var (
	turnsInto  = regexp.MustCompile(`^Package \w+ turns .+ into .+\.$`)
	anyPackage = regexp.MustCompile(`^Package \w+ .+\.$`)
	anyCommand = regexp.MustCompile(`^Command [\w-]+ .+\.$`)
)

func TestEachPackageHasOneDoc(t *testing.T) {
	type pkg struct {
		name string
		docs []string // files that carry a package comment
		text string
	}
	packages := map[string]*pkg{}
	for _, f := range tree(t) {
		if !f.ext(".go") || f.generated() {
			continue
		}
		src, err := parser.ParseFile(token.NewFileSet(), f.path, f.data, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		name := strings.TrimSuffix(src.Name.Name, "_test")
		key := path.Dir(f.path) + " " + name
		if ignored(src) {
			continue
		}
		if packages[key] == nil {
			packages[key] = &pkg{name: name}
		}
		p := packages[key]
		if src.Doc != nil && strings.TrimSpace(src.Doc.Text()) != "" {
			p.docs = append(p.docs, f.path)
			p.text = src.Doc.Text()
		}
	}
	for key, p := range packages {
		dir := strings.Fields(key)[0]
		if slices.Contains(forbiddenNames, path.Base(dir)) || slices.Contains(forbiddenNames, p.name) {
			t.Errorf("%s: a package named so says nothing of what it does", dir)
		}
		if len(p.docs) != 1 {
			t.Errorf("%s: package %s has %d package docs, want exactly one %v", dir, p.name, len(p.docs), p.docs)
			continue
		}
		sentence := new(doc.Package).Synopsis(p.text)
		want := turnsInto
		switch {
		case p.name == "main":
			want = anyCommand
		case strings.HasPrefix(dir, "testdata/"):
			want = anyPackage
		}
		if !want.MatchString(sentence) {
			t.Errorf("%s: the doc's first sentence is %q, want it to match %s", p.docs[0], sentence, want)
		}
		if p.name != "main" && !strings.HasPrefix(sentence, "Package "+p.name+" ") {
			t.Errorf("%s: the doc's first sentence is %q, want it to start with \"Package %s\"", p.docs[0], sentence, p.name)
		}
	}
}

// ignored reports whether the file is never built (`//go:build ignore`).
func ignored(src *ast.File) bool {
	for _, group := range src.Comments {
		for _, c := range group.List {
			if c.Text == "//go:build ignore" {
				return true
			}
		}
	}
	return false
}

// A skip hides a feature. Only what this process may not do on this machine is skipped, and only when the caller of the
// tests allows it. (A fuzz target may turn down an input.)
func TestSkipsAreAllowedByTheCaller(t *testing.T) {
	for _, f := range tree(t) {
		if !f.ext("_test.go") || bytes.Contains(f.data, []byte("REEL_ALLOW_SKIP")) || bytes.Contains(f.data, []byte("testing.Short()")) {
			continue
		}
		files := token.NewFileSet()
		src, err := parser.ParseFile(files, f.path, f.data, 0)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		for _, decl := range src.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || strings.HasPrefix(fn.Name.Name, "Fuzz") {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
					t.Errorf("%s: skips without asking REEL_ALLOW_SKIP (or -short)", files.Position(sel.Pos()))
				}
				return true
			})
		}
	}
}

func TestNoSleepInTests(t *testing.T) {
	for _, f := range tree(t) {
		if !f.ext("_test.go") || f.under("meta") {
			continue
		}
		for i, line := range f.lines() {
			// Waiting for a condition needs a pause between two looks: such a line says what it waits for.
			if strings.Contains(line, "time.Sleep(") && !strings.Contains(line, "// poll") {
				t.Errorf("%s:%d: a test sleeps; wait for a condition with a bound (mark the pause between two looks with // poll)", f.path, i+1)
			}
		}
	}
}
