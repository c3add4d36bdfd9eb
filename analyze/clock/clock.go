// Package clock turns the clock rows of a reel into a function from kernel time to wall time, with its error bound (DESIGN D7).
package clock

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"github.com/ebpf-reel/reel/format"
)

const (
	// maxRows bounds what is kept: above, every other row goes. Rows every 5 s fill it in a week.
	maxRows = 1 << 17
	// A wall clock that NTP slews runs off by up to 500 ppm (adjtimex(2)); what differs more was set.
	slewPPM = 500
	// stepSlack is what two honest readings may differ by besides: scheduling between the reads that Width does not show.
	stepSlack = time.Millisecond
	// freePPM bounds the drift of a clock beyond the outermost rows.
	freePPM = 100
)

// Builder collects clock rows.
type Builder struct {
	rows   []format.Clock
	stride int // every stride-th row is kept
	skip   int
}

// Add takes a row; order does not matter as long as there are fewer than a hundred thousand.
func (b *Builder) Add(r *format.Clock) {
	if b.skip > 0 {
		b.skip--
		return
	}
	b.stride = max(b.stride, 1)
	b.skip = b.stride - 1
	b.rows = append(b.rows, *r)
	if len(b.rows) < maxRows {
		return
	}
	b.sort()
	kept := b.rows[:0]
	for i := 0; i < len(b.rows); i += 2 {
		kept = append(kept, b.rows[i])
	}
	b.rows = kept
	b.stride *= 2
}

func (b *Builder) sort() {
	slices.SortFunc(b.rows, func(x, y format.Clock) int {
		return cmp.Or(cmp.Compare(x.Time, y.Time), cmp.Compare(x.Width, y.Width), cmp.Compare(x.Realtime, y.Realtime))
	})
}

// Timeline returns the conversion by the rows so far.
func (b *Builder) Timeline() *Timeline {
	b.sort()
	b.rows = slices.CompactFunc(b.rows, func(x, y format.Clock) bool { return x.Time == y.Time })
	return &Timeline{rows: b.rows}
}

// Timeline converts kernel time to wall time. The zero value knows no wall time.
type Timeline struct {
	rows []format.Clock // by Time, all different
	last int            // where the last lookup ended: lookups come nearly in order
}

// Step is a jump of the wall clock between two rows.
type Step struct {
	After, Before format.KTime // it lies between these
	By            time.Duration
}

// offset is wall time less kernel time.
func offset(r *format.Clock) time.Duration { return time.Duration(int64(r.Realtime) - int64(r.Time)) }

// stepped returns how far the wall clock jumped between two rows; 0 when drift and slew explain the difference.
func stepped(a, b *format.Clock) time.Duration {
	by := offset(b) - offset(a)
	slack := b.Time.Sub(a.Time)/1_000_000*slewPPM + a.Width + b.Width + stepSlack
	if by > slack || by < -slack {
		return by
	}
	return 0
}

// Known reports whether there is any clock row.
func (l *Timeline) Known() bool { return len(l.rows) > 0 }

// Steps returns the jumps of the wall clock, in order.
func (l *Timeline) Steps() []Step {
	var out []Step
	for i := 1; i < len(l.rows); i++ {
		if by := stepped(&l.rows[i-1], &l.rows[i]); by != 0 {
			out = append(out, Step{After: l.rows[i-1].Time, Before: l.rows[i].Time, By: by})
		}
	}
	return out
}

// Wall returns the wall time of t and the bound of its error. ok is false when the reel has no clock rows.
//
// Between two rows it is interpolated; between two rows that a step lies between, the earlier row's offset holds and the
// bound is the size of the step; beyond the outermost rows the nearest row's offset holds and the bound grows by 100 ppm.
func (l *Timeline) Wall(t format.KTime) (w format.WallTime, bound time.Duration, ok bool) {
	if len(l.rows) == 0 {
		return 0, 0, false
	}
	i := l.find(t)
	switch {
	case i < 0:
		r := &l.rows[0]
		return wall(t, offset(r)), r.Width + r.Time.Sub(t)/1_000_000*freePPM, true
	case i == len(l.rows)-1:
		r := &l.rows[i]
		return wall(t, offset(r)), r.Width + t.Sub(r.Time)/1_000_000*freePPM, true
	}
	a, b := &l.rows[i], &l.rows[i+1]
	if by := stepped(a, b); by != 0 {
		return wall(t, offset(a)), max(by, -by) + a.Width, true
	}
	part := float64(t-a.Time) / float64(b.Time-a.Time)
	drift := offset(b) - offset(a)
	return wall(t, offset(a)+time.Duration(part*float64(drift))), max(a.Width, b.Width), true
}

func wall(t format.KTime, off time.Duration) format.WallTime {
	return format.WallTime(int64(t) + int64(off))
}

// find returns the last row at or before t; -1 none.
func (l *Timeline) find(t format.KTime) int {
	if i := l.last; i < len(l.rows) && l.rows[i].Time <= t && (i+1 == len(l.rows) || t < l.rows[i+1].Time) {
		return i
	}
	i := sort.Search(len(l.rows), func(i int) bool { return l.rows[i].Time > t }) - 1
	l.last = max(i, 0)
	return i
}
