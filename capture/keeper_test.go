//go:build linux && (amd64 || arm64)

package capture

import (
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/budget"
	"github.com/ebpf-reel/reel/capture/gauge"
	"github.com/ebpf-reel/reel/format"
)

// fakeGauges are readings that no machine can be made to have at will. Each second is told by its number.
type fakeGauges struct {
	second int
	usage  func(second int) gauge.Usage
	memory func(second int) uint64
	disk   func(second int) uint64
	load   func(second int) float64
}

const plenty = 1 << 40

func (g *fakeGauges) Usage([]format.PID) (gauge.Usage, error) {
	g.second++
	if g.usage == nil {
		return gauge.Usage{}, nil
	}
	return g.usage(g.second), nil
}

func (g *fakeGauges) Memory() (free, total uint64, err error) {
	if g.memory == nil {
		return plenty, plenty, nil
	}
	return g.memory(g.second), plenty, nil
}

func (g *fakeGauges) Disk(string) (free, size uint64, err error) {
	if g.disk == nil {
		return plenty, plenty, nil
	}
	return g.disk(g.second), plenty, nil
}

func (g *fakeGauges) Load() (float64, error) {
	if g.load == nil {
		return 0, nil
	}
	return g.load(g.second), nil
}

// fastClock lets a second pass with each tick, of which there are ticks.
type fastClock struct {
	now   atomic.Int64 // format.KTime
	ticks int
}

func clockAt(now format.KTime, ticks int) *fastClock {
	c := &fastClock{ticks: ticks}
	c.now.Store(int64(now))
	return c
}

func (c *fastClock) pass(d time.Duration) { c.now.Add(int64(d)) }

func (c *fastClock) Now() format.KTime { return format.KTime(c.now.Load()) }

func (c *fastClock) Read() (format.Clock, error) { return format.Clock{Time: c.Now()}, nil }

func (c *fastClock) Tick(time.Duration) (<-chan time.Time, func()) {
	ch, stop := make(chan time.Time), make(chan struct{})
	go func() {
		for range c.ticks {
			select {
			case ch <- time.Time{}:
			case <-stop:
				return
			}
		}
	}()
	return ch, func() { close(stop) }
}

// secondsOf records a fake world for that many seconds, or until its budget ends it.
func secondsOf(t *testing.T, seconds int, limits budget.Limits, g *fakeGauges) (*Summary, *fakeKernel, *fakeSink, error) {
	t.Helper()
	k, s := &fakeKernel{}, &fakeSink{}
	p := fakePorts(k, s)
	clock := clockAt(1e12, seconds)
	p.clock, p.gauges = clock, g
	cfg := fakeConfig(t)
	cfg.Duration = 0
	cfg.Limits = limits
	ended := false
	cfg.OnProgress = func(Progress) { // on the capture's own goroutine
		clock.pass(time.Second)
		if g.second > seconds && !ended {
			ended = true
			_ = k.RemoveTarget(4711)
		}
	}
	sum, err := record(t.Context(), cfg, p)
	return sum, k, s, err
}

func (s *fakeSink) notesNamed(name NoteName) (details []string) {
	for _, row := range s.rows {
		if n, ok := row.(*format.Note); ok && n.Name == string(name) {
			details = append(details, n.Detail)
		}
	}
	return details
}

// Readings lead to levels of the kernel side, and each change is in the reel with its time, cause and reading.
func TestBudgetShedsAndRecovers(t *testing.T) {
	busy := 20 * time.Second
	sum, k, s, err := secondsOf(t, 120, budget.Limits{CPU: 0.2}, &fakeGauges{usage: func(second int) gauge.Usage {
		return gauge.Usage{CPU: min(time.Duration(second)*time.Second, busy) + time.Duration(second)*time.Millisecond, Memory: 30 << 20}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Reason != ReasonTargets || sum.Shed != budget.IO || k.shed != bpf.ShedNone {
		t.Errorf("it ended as %s, shed up to level %d, the kernel side is at %d", sum.Reason, sum.Shed, k.shed)
	}
	if raised := s.notesNamed(NoteShed); len(raised) != 3 || !strings.Contains(raised[0], "level 1 (bodies left out): ") ||
		!strings.Contains(raised[0], "% of one core over 10s, 20 % are allowed (--max-cpu)") || !strings.HasPrefix(raised[2], "level 4 (bodies, heads and the rows of reads and writes left out): ") {
		t.Errorf("rises: %q", raised)
	}
	if less := s.notesNamed(NoteShedLess); len(less) != 3 || !strings.HasPrefix(less[2], "level 0 (nothing left out): all readings were calm for ") {
		t.Errorf("falls: %q", less)
	}
	var levels []uint8
	for _, row := range s.rows {
		if beat, ok := row.(*format.Heartbeat); ok && (len(levels) == 0 || levels[len(levels)-1] != beat.ShedLevel) {
			levels = append(levels, beat.ShedLevel)
		}
	}
	if !slices.Equal(levels, []uint8{0, 1, 2, 4, 2, 1, 0}) {
		t.Errorf("levels in heartbeats: %d", levels)
	}
}

func TestBreakersEndTheCapture(t *testing.T) {
	small := func(from int) func(int) uint64 {
		return func(second int) uint64 {
			if second < from {
				return plenty
			}
			return 1000
		}
	}
	for _, c := range []struct {
		name   string
		limits budget.Limits
		g      *fakeGauges
		reason Reason
		why    string
	}{
		{"free disk", budget.Limits{MinFreeDisk: 1 << 20}, &fakeGauges{disk: small(5)}, ReasonNode, "1000 B of disk are free, 1.0 MiB are to stay free (--min-free-disk)"},
		{"free memory", budget.Limits{}, &fakeGauges{memory: small(5)}, ReasonNode, "1000 B of memory are free, 256.0 MiB are to stay free (--min-free-memory)"},
		{"load", budget.Limits{Load: 2}, &fakeGauges{load: func(second int) float64 { return float64(second) / 2 }}, ReasonNode, "the load is 2.5 per core, 2.0 are allowed (--max-load)"},
		{"own memory", budget.Limits{Memory: 50 << 20}, &fakeGauges{usage: func(int) gauge.Usage { return gauge.Usage{Memory: 60 << 20} }}, ReasonNode, "the recorder takes 60.0 MiB of memory, 50.0 MiB are allowed (--max-memory)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sum, k, s, err := secondsOf(t, 60, c.limits, c.g)
			node, ok := as[*NodeError](err)
			if !ok || sum == nil || sum.Reason != c.reason || !sum.Clean || !strings.HasPrefix(node.Error(), c.why) {
				t.Fatalf("%v, %+v", err, sum)
			}
			if stopped := s.notesNamed(NoteStopped); len(stopped) != 1 || stopped[0] != string(c.reason)+": "+c.why {
				t.Errorf("the note says %q", stopped)
			}
			if !s.closed || !k.closed {
				t.Error("kernel or sink stay open")
			}
		})
	}
}

// An incident is load: unless asked for, it is not even looked at.
func TestLoadIsOnlyWatchedIfAsked(t *testing.T) {
	sum, _, _, err := secondsOf(t, 5, budget.Limits{}, &fakeGauges{load: func(int) float64 { return 500 }})
	if err != nil || sum.Reason != ReasonTargets {
		t.Errorf("%v, %+v", err, sum)
	}
}

func TestShortNodeIsRefused(t *testing.T) {
	p := fakePorts(&fakeKernel{}, &fakeSink{})
	p.gauges = &fakeGauges{disk: func(int) uint64 { return 1 << 20 }}
	p.load = func(bpf.Options) (Kernel, error) {
		t.Error("the kernel side is loaded for nothing")
		return nil, errors.New("no")
	}
	_, err := record(t.Context(), fakeConfig(t), p)
	if refused, ok := as[*RefusedError](err); !ok || refused.Error() != "the node is too short of what a capture takes: 1.0 MiB of disk are free, 1.0 GiB are to stay free (--min-free-disk): free some, write the reel (-w) to another disk, or lower the limit" {
		t.Errorf("it says %v", err)
	}
}

// The reel's size ends the capture as its duration would.
func TestReelOfItsSize(t *testing.T) {
	k, s := &fakeKernel{}, &fakeSink{}
	p := fakePorts(k, s)
	p.gauges = &fakeGauges{}
	cfg := fakeConfig(t)
	cfg.Duration = 0
	cfg.Limits.Disk = 100 << 20
	cfg.OnProgress = func(Progress) { s.stats.SealedBytes += 30 << 20; s.stats.UnsealedBytes = 5 << 20 }
	p.clock = clockAt(0, 100)
	sum, err := record(t.Context(), cfg, p)
	// 65 MiB, of which 5 may be there twice for a moment, and 30 more by the next look.
	if err != nil || sum.Reason != ReasonDisk || !strings.HasPrefix(sum.Stop.Why, "the reel takes 65.0 MiB, 100.0 MiB are allowed") {
		t.Errorf("%v, %+v", err, sum.Stop)
	}
}

// A ring that fills is answered without waiting for the second to be over.
func TestFullRingSheds(t *testing.T) {
	k, s := &fakeKernel{fill: 0.9}, &fakeSink{}
	p := fakePorts(k, s)
	p.gauges = &fakeGauges{}
	cfg := fakeConfig(t)
	cfg.Duration = 1500 * time.Millisecond
	sum, err := record(t.Context(), cfg, p)
	if err != nil || sum.Shed != budget.IO || k.shed != bpf.ShedIO {
		t.Errorf("%v, level %d, the kernel side is at %d", err, sum.Shed, k.shed)
	}
	if raised := s.notesNamed(NoteShed); len(raised) != 3 || !strings.Contains(raised[0], "a ring was 90 % full") {
		t.Errorf("rises: %q", raised)
	}
}

// What is counted instead of recorded is said when rows come back, and at the end, and adds up.
func TestShedCallsAreSaid(t *testing.T) {
	k := &fakeKernel{}
	notes := map[string]uint64{}
	keep := newKeeper(k, clockAt(0, 0), budget.Limits{}, func(name NoteName, count uint64, detail string) {
		if name == NoteShedCalls && count > 0 {
			notes[detail] += count
		}
	})
	change := func(from, to budget.Level, calls uint64) {
		t.Helper()
		k.counters.ShedCalls, k.counters.ShedBytes = calls, 10*calls
		if err := keep.apply(budget.Decision{From: from, To: to}); err != nil {
			t.Fatal(err)
		}
	}
	change(budget.Heads, budget.IO, 0)
	change(budget.IO, budget.Heads, 5)
	change(budget.Heads, budget.IO, 5)
	k.counters.ShedCalls, k.counters.ShedBytes = 12, 120
	if got, err := keep.shedCalls(); got != (shed{12, 120}) || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if highest, err := keep.end(); highest != budget.IO || err != nil {
		t.Errorf("level %d, %v", highest, err)
	}
	if len(notes) != 2 || notes["they moved 50 bytes"] != 5 || notes["they moved 70 bytes"] != 7 {
		t.Errorf("notes: %v", notes)
	}
}

// The levels of the budget are those of the kernel side.
func TestLevelsAreTheKernels(t *testing.T) {
	for ours, theirs := range map[budget.Level]bpf.ShedLevel{
		budget.None: bpf.ShedNone, budget.Bodies: bpf.ShedBodies, budget.Heads: bpf.ShedHeads, budget.Stacks: bpf.ShedStacks, budget.IO: bpf.ShedIO,
	} {
		if uint8(ours) != uint8(theirs) {
			t.Errorf("level %d is %d in the kernel", ours, theirs)
		}
	}
}

// timedKernel runs programs at a share of a core, and counts their time while it is asked to.
type timedKernel struct {
	fakeKernel
	clock  *fastClock
	share  float64
	last   format.KTime
	ran    time.Duration
	open   bool
	opened int
}

func (k *timedKernel) pass() {
	if k.open {
		k.ran += time.Duration(k.share * float64(k.clock.Now().Sub(k.last)))
	}
	k.last = k.clock.Now()
}

func (k *timedKernel) RunTime() (time.Duration, error) { k.pass(); return k.ran, nil }

func (k *timedKernel) CountRunTime() (io.Closer, error) {
	k.pass()
	k.open, k.opened = true, k.opened+1
	return k, nil
}

func (k *timedKernel) Close() error { k.pass(); k.open = false; return nil }

func TestProgramTimeIsSampled(t *testing.T) {
	clock := clockAt(1e9, 0)
	k := &timedKernel{clock: clock, share: 0.05}
	p := newProgramTimer(k)
	p.always = false
	p.begin(clock.Now())
	if total, measured := p.estimate(clock.Now()); total != -1 || measured != 0 {
		t.Errorf("before anything was measured: %v of %v", total, measured)
	}
	for second := 1; second <= 120; second++ {
		clock.pass(time.Second)
		if second == 75 {
			k.share = 0.1
			p.soon() // the level has changed
		}
		p.tick(clock.Now(), 50*uint64(second), false)
	}
	total, measured := p.estimate(clock.Now())
	// Windows begin at 0, 30, 60, 75 s, where the share doubles, and 105; each is a second. The share is taken to be what it was
	// until the window that shows it as another.
	if want := time.Duration(75*0.05*1e9 + 45*0.1*1e9); (total-want).Abs() > 100*time.Millisecond || measured != 5*time.Second || k.opened != 5 {
		t.Errorf("%v, measured for %v in %d windows; want %v", total, measured, k.opened, want)
	}
	p.tick(clock.Now(), 0, true)
	if k.open {
		t.Error("the kernel goes on counting")
	}
}

// A capture that is shorter than a window is measured as a whole.
func TestProgramTimeOfAShortCapture(t *testing.T) {
	clock := clockAt(1e9, 0)
	k := &timedKernel{clock: clock, share: 0.5}
	p := newProgramTimer(k)
	p.always = false
	p.begin(clock.Now())
	clock.pass(200 * time.Millisecond)
	p.tick(clock.Now(), 0, true)
	if total, measured := p.estimate(clock.Now()); total != 100*time.Millisecond || measured != 200*time.Millisecond || k.open {
		t.Errorf("%v, measured for %v", total, measured)
	}
	clock.pass(time.Hour)
	p.tick(clock.Now(), 0, false)
	if k.open {
		t.Error("it measures after the end")
	}
}

// What the programs take follows what the targets do, within seconds.
func TestProgramTimeFollowsTheLoad(t *testing.T) {
	clock := clockAt(1e9, 0)
	k := &timedKernel{clock: clock}
	p := newProgramTimer(k)
	p.always = false
	p.begin(clock.Now())
	calls := uint64(0)
	for second := 1; second <= 100; second++ {
		clock.pass(time.Second)
		k.share = 0
		if second > 10 && second <= 20 { // a burst of ten seconds
			k.share = 0.4
			calls += 50_000
		}
		k.pass()
		p.tick(clock.Now(), calls, false)
	}
	total, _ := p.estimate(clock.Now())
	if want := 4 * time.Second; total < want/2 || total > 2*want {
		t.Errorf("it says %v, the programs ran for %v", total, want)
	}
	if k.opened > 8 {
		t.Errorf("%d windows in 100 s", k.opened)
	}
}
