package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// docs/cli.md has a section for every command of the binary, which names every option and shows every example.
func TestDocsNameEveryCommandAndOption(t *testing.T) {
	docs, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, section := range strings.Split(string(docs), "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		sections[title] = body
	}
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			check(sub)
		}
		if !cmd.Runnable() || cmd.Parent() == nil {
			return
		}
		section, ok := sections[cmd.CommandPath()]
		if !ok {
			t.Errorf("docs/cli.md has no section ## %s", cmd.CommandPath())
			return
		}
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !strings.Contains(section, "--"+f.Name) {
				t.Errorf("docs/cli.md, section %s, does not name --%s", cmd.CommandPath(), f.Name)
			}
			if f.Shorthand != "" && f.Name != "help" && !strings.Contains(section, "`-"+f.Shorthand+"`") {
				t.Errorf("docs/cli.md, section %s, does not name -%s", cmd.CommandPath(), f.Shorthand)
			}
		})
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.Contains(section, "    "+line+"\n") {
				t.Errorf("docs/cli.md, section %s, does not show: %s", cmd.CommandPath(), line)
			}
		}
	}
	check(newRootCommand())
}

// Every option of a section exists, so that the page does not promise what the binary has not.
func TestDocsPromiseNoOtherOption(t *testing.T) {
	docs, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	root := newRootCommand()
	for _, section := range strings.Split(string(docs), "\n## reel ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		cmd, _, err := root.Find(strings.Fields(title))
		if err != nil || cmd == root {
			t.Errorf("docs/cli.md describes reel %s, which does not exist", title)
			continue
		}
		for line := range strings.SplitSeq(body, "\n") {
			cells := strings.Split(line, "|")
			if len(cells) < 3 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`-") {
				continue
			}
			for _, word := range strings.FieldsFunc(cells[1], func(r rune) bool { return strings.ContainsRune(" `,", r) }) {
				if name, ok := strings.CutPrefix(word, "--"); ok && name != "" && cmd.Flag(name) == nil {
					t.Errorf("docs/cli.md, reel %s, describes --%s, which does not exist", title, name)
				}
			}
		}
	}
}
