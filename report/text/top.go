package text

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report/visible"
)

// usage is what a function took: by itself, and with all that it called.
type usage struct {
	function    int32
	self, total time.Duration
	count       uint64
}

// Top prints the n functions with most time of their own, with half the width of the 95 % interval of its share.
func Top(w io.Writer, p *facts.Profile, n int) error {
	all := make([]usage, len(p.Functions))
	seen := map[int32]int{}
	for i := range p.Stacks {
		s := &p.Stacks[i]
		for j, l := range s.Frames {
			f := p.Locations[l].Function
			u := &all[f]
			u.function = f
			if last, ok := seen[f]; !ok || last != i { // recursion counts once
				seen[f] = i
				u.total += s.Time
			}
			if j == len(s.Frames)-1 {
				u.self += s.Time
				u.count += s.Count
			}
		}
	}
	slices.SortFunc(all, func(a, b usage) int {
		return cmp.Or(cmp.Compare(b.self, a.self), cmp.Compare(b.total, a.total), cmp.Compare(p.Functions[a.function].Name, p.Functions[b.function].Name))
	})
	var b strings.Builder
	fmt.Fprintf(&b, "%10s  %-14s  %10s  %7s  %s\n", "self", "share", "total", "share", "function (module)")
	for _, u := range all[:min(n, len(all))] {
		if u.total == 0 {
			break
		}
		f := &p.Functions[u.function]
		name := visible.Text(f.Name)
		if f.Module >= 0 {
			name += " (" + visible.Text(p.Modules[f.Module].Path) + ")"
		}
		fmt.Fprintf(&b, "%10s  %-14s  %10s  %6.2f%%  %s\n", round(u.self), shareOf(p, u.self), round(u.total), 100*float64(u.total)/float64(max(p.Time, 1)), name)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// shareOf is a share of the profile's time; of samples, which are drawn, with its error (binomial).
func shareOf(p *facts.Profile, d time.Duration) string {
	share := float64(d) / float64(max(p.Time, 1))
	if p.Period == 0 || p.Counts == 0 {
		return fmt.Sprintf("%5.2f%%", 100*share)
	}
	return fmt.Sprintf("%5.2f%% ±%.2f", 100*share, 196*math.Sqrt(share*(1-share)/float64(p.Counts)))
}

func round(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.String()
}
