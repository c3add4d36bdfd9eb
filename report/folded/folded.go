// Package folded turns a profile into folded stacks, the lines that flame graph tools share: frames joined by ";", a space, a number.
package folded

import (
	"bufio"
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// Write writes a line for each stack of each process, in alphabetical order. The numbers are samples, or microseconds where the
// profile has no period. Kernel functions end with "_[k]", those of code that a process made with "_[j]", as stackcollapse-perf.pl
// marks them.
func Write(w io.Writer, p *facts.Profile) error {
	sums := map[string]uint64{}
	var line strings.Builder
	for i := range p.Stacks {
		s := &p.Stacks[i]
		line.Reset()
		line.WriteString(clean(s.Process))
		for _, l := range s.Frames {
			f := &p.Functions[p.Locations[l].Function]
			line.WriteByte(';')
			line.WriteString(clean(f.Name))
			switch {
			case f.Kind == format.FrameKernel:
				line.WriteString("_[k]")
			case f.Module >= 0 && p.Modules[f.Module].Kind == format.ModuleJIT:
				line.WriteString("_[j]")
			}
		}
		if p.Period > 0 {
			sums[line.String()] += s.Count
		} else {
			sums[line.String()] += uint64(s.Time.Microseconds())
		}
	}
	type entry struct {
		stack string
		n     uint64
	}
	lines := make([]entry, 0, len(sums))
	for stack, n := range sums {
		lines = append(lines, entry{stack, n})
	}
	slices.SortFunc(lines, func(a, b entry) int { return cmp.Compare(a.stack, b.stack) })
	out := bufio.NewWriter(w)
	for _, l := range lines {
		_, _ = out.WriteString(l.stack) // Flush returns the error
		_ = out.WriteByte(' ')
		_, _ = out.WriteString(strconv.FormatUint(l.n, 10))
		_ = out.WriteByte('\n')
	}
	return out.Flush()
}

// clean takes out of a name what would end it.
func clean(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ';':
			return ':'
		case r < ' ' || r == 0x7f:
			return '?'
		}
		return r
	}, name)
}
