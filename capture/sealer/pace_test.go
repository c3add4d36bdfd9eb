//go:build linux && (amd64 || arm64)

package sealer

import (
	"testing"
	"time"
)

// fakePace is a pace over made readings: each says how many of 100 ticks were idle since the one before.
func fakePace(idle []uint64, priority func() bool) (p *pace, rests *int) {
	rests = new(int)
	var now cpuTime
	p = &pace{
		read: func() (cpuTime, bool) {
			if len(idle) == 0 {
				return now, false
			}
			now.idle += idle[0]
			now.all += 100
			idle = idle[1:]
			return now, true
		},
		idle:  priority,
		sleep: func(time.Duration) { *rests++ },
	}
	return p, rests
}

func TestPace(t *testing.T) {
	always, never := func() bool { return true }, func() bool { return false }
	for name, c := range map[string]struct {
		idle     []uint64
		priority func() bool
		want     int
	}{
		"others leave time":                     {[]uint64{30}, always, 0},
		"the worker takes what is left":         {[]uint64{6}, always, 0},
		"busy, then not":                        {[]uint64{1, 2, 9, 10}, always, 3},
		"busy, at the priority of all":          {[]uint64{0}, never, 0},
		"what the CPUs do cannot be read":       {nil, always, 0},
		"busy for ever":                         {make([]uint64, 100), always, maxRests},
		"busy until the reading fails":          {[]uint64{0, 0}, always, 2},
		"busy until the recorder is in a hurry": {[]uint64{0, 0, 0, 0, 0}, turns(true, true, false), 2},
	} {
		p, rests := fakePace(c.idle, c.priority)
		told := 0
		p.rest(func() { told++ })
		if *rests != c.want || told != c.want {
			t.Errorf("%s: %d rests, told of %d, want %d", name, *rests, told, c.want)
		}
	}
}

// A worker that has just been started looks before it works.
func TestPaceBegins(t *testing.T) {
	always, never := func() bool { return true }, func() bool { return false }
	for name, c := range map[string]struct {
		idle     []uint64
		priority func() bool
		want     int
	}{
		"others leave time":                    {[]uint64{30}, always, 1},
		"they leave a little, which is theirs": {[]uint64{6, 12}, always, 2},
		"busy, then not":                       {[]uint64{1, 2, 9, 10}, always, 4},
		"at the priority of all":               {[]uint64{0}, never, 0},
	} {
		p, rests := fakePace(c.idle, c.priority)
		p.young = true
		p.rest(func() {})
		if *rests != c.want {
			t.Errorf("%s: %d rests, want %d", name, *rests, c.want)
		}
		if p.rest(func() {}); *rests != c.want {
			t.Errorf("%s: it rested again at once", name)
		}
	}
}

func turns(all ...bool) func() bool {
	return func() bool {
		one := all[0]
		all = all[1:]
		return one
	}
}

func TestReadCPUTime(t *testing.T) {
	first, ok := readCPUTime()
	if !ok || first.idle == 0 || first.all <= first.idle {
		t.Fatalf("%+v, %t", first, ok)
	}
	deadline := time.Now().Add(5 * time.Second)
	for now := first; now.all == first.all; now, _ = readCPUTime() {
		if time.Now().After(deadline) {
			t.Fatal("the CPUs' time stands still")
		}
	}
}
