package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// document is a part of docs/benchmarks.md in the making.
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

func (p *document) markdown() string {
	var b strings.Builder
	for _, s := range p.sections {
		fmt.Fprintf(&b, "\n## %s\n\n", s.title)
		if s.about != "" {
			fmt.Fprintf(&b, "%s\n\n", s.about)
		}
		fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(s.head, " | "), strings.Repeat("---|", len(s.head)))
		for _, r := range s.rows {
			fmt.Fprintf(&b, "| %s |%s\n", strings.Join(r, " | "), strings.Repeat(" |", len(s.head)-len(r)))
		}
	}
	fmt.Fprintf(&b, "\nMeasured on %s, in %s: %s.\n", p.start.UTC().Format("2006-01-02"), time.Since(p.start).Round(time.Second), p.machine)
	return b.String()
}

// page is docs/benchmarks.md: what people wrote, and parts between marks that are made.
type page struct{ text string }

func openPage(name string) (*page, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &page{}, nil
	}
	return &page{string(text)}, err
}

// replace puts a part in the place of the one that the page has, or at its end.
func (p *page) replace(name, part string) error {
	begin, end := "<!-- made: "+name+" -->\n", "<!-- end: "+name+" -->\n"
	head, rest, found := strings.Cut(p.text, begin)
	if !found {
		p.text = strings.TrimRight(p.text, "\n") + "\n\n" + begin + part + end
		return nil
	}
	_, tail, whole := strings.Cut(rest, end)
	if !whole {
		return fmt.Errorf("the page has no %q", strings.TrimSpace(end))
	}
	p.text = head + begin + part + end + tail
	return nil
}

func (p *page) store(name string) error { return os.WriteFile(name, []byte(p.text), 0o644) }

func mib(bytes float64) string { return fmt.Sprintf("%.0f", bytes/(1<<20)) }
