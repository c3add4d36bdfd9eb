package clock_test

import (
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze/clock"
	"github.com/ebpf-reel/reel/format"
)

const epoch = format.WallTime(1_700_000_000_000_000_000)

// row is a reading at t seconds whose wall clock is off by d.
func row(t float64, d time.Duration) *format.Clock {
	k := format.KTime(t * 1e9)
	return &format.Clock{Time: k, Realtime: epoch + format.WallTime(k) + format.WallTime(d), Width: time.Microsecond}
}

func timeline(rows ...*format.Clock) *clock.Timeline {
	var b clock.Builder
	for i := len(rows) - 1; i >= 0; i-- { // order does not matter
		b.Add(rows[i])
	}
	return b.Timeline()
}

func TestWall(t *testing.T) {
	drift := timeline(row(10, 0), row(20, 2*time.Millisecond), row(30, 2*time.Millisecond))
	stepped := timeline(row(10, 0), row(20, -2*time.Second), row(30, -2*time.Second))
	for _, c := range []struct {
		name  string
		l     *clock.Timeline
		at    float64
		off   time.Duration
		bound time.Duration
	}{
		{"on a row", drift, 10, 0, time.Microsecond},
		{"between rows it is interpolated", drift, 15, time.Millisecond, time.Microsecond},
		{"before the first the bound grows by 100 ppm", drift, 0, 0, time.Millisecond + time.Microsecond},
		{"after the last too", drift, 40, 2 * time.Millisecond, time.Millisecond + time.Microsecond},
		{"between rows that a step lies between, the bound is the step", stepped, 19, 0, 2*time.Second + time.Microsecond},
		{"behind the step all is well", stepped, 25, -2 * time.Second, time.Microsecond},
	} {
		w, bound, ok := c.l.Wall(format.KTime(c.at * 1e9))
		want := epoch + format.WallTime(c.at*1e9) + format.WallTime(c.off)
		if !ok || w != want || bound != c.bound {
			t.Errorf("%s: %d ± %v, %v; want %d ± %v", c.name, w-epoch, bound, ok, want-epoch, c.bound)
		}
	}
	if _, _, ok := new(clock.Timeline).Wall(5); ok {
		t.Error("a reel without clock rows has no wall time")
	}
}

func TestSteps(t *testing.T) {
	if s := timeline(row(10, 0), row(20, 4*time.Millisecond)).Steps(); len(s) != 0 {
		t.Errorf("slewing is no step: %+v", s)
	}
	s := timeline(row(10, 0), row(20, time.Hour), row(30, time.Hour)).Steps()
	if len(s) != 1 || s[0].By != time.Hour || s[0].After != 10e9 || s[0].Before != 20e9 {
		t.Errorf("%+v", s)
	}
}

// A capture of months keeps a bounded number of rows, and its times stay good.
func TestManyRows(t *testing.T) {
	var b clock.Builder
	const n = 1_000_000
	for i := range n {
		b.Add(row(float64(i)*5, 0))
	}
	l := b.Timeline()
	for _, at := range []float64{0, 12345, 5 * n / 2, 5*n - 5} {
		if w, bound, _ := l.Wall(format.KTime(at * 1e9)); w != epoch+format.WallTime(at*1e9) || bound > 10*time.Millisecond {
			t.Errorf("at %v s: off by %d, bound %v", at, w-epoch-format.WallTime(at*1e9), bound)
		}
	}
}
