package main

import (
	"fmt"
	"strings"
	"time"
)

// document is docs/benchmarks.md in the making.
type document struct {
	start    time.Time
	machine  string
	sections []section
}

type section struct {
	title, about string
	head         []string
	rows         [][]string
}

func (p *document) add(s section) { p.sections = append(p.sections, s) }

const intro = `# Benchmarks

Made by %s on %s, in %s.

%s.

Read ratios, not times: the machine is shared, and each ratio is taken inside a pair of runs that stood next to each other.
`

func (p *document) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, intro, "`make bench`", p.start.UTC().Format("2006-01-02"), time.Since(p.start).Round(time.Second), p.machine)
	for _, s := range p.sections {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| %s |\n|%s\n", s.title, s.about, strings.Join(s.head, " | "), strings.Repeat("---|", len(s.head)))
		for _, r := range s.rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(r, " | "))
		}
	}
	return b.String()
}

func mib(bytes float64) string { return fmt.Sprintf("%.0f", bytes/(1<<20)) }
