package budget

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format"
)

const start = format.KTime(1e12)

// world is a recorder whose load the test says, and which costs less with each level.
type world struct {
	g    *Governor
	r    Reading
	seen []change
	stop *Stop
}

type change struct {
	at       time.Duration // since the start
	from, to Level
	cause    Cause
}

func newWorld(l Limits) *world {
	w := &world{g: New(l, start), r: Reading{Time: start, FreeDisk: 1 << 40, FreeMemory: 1 << 40}}
	w.g.Observe(w.r)
	return w
}

func (w *world) note(d Decision) {
	if d.Changed() {
		w.seen = append(w.seen, change{w.r.Time.Sub(start), d.From, d.To, d.Cause})
	}
	if d.Stop != nil && w.stop == nil {
		w.stop = d.Stop
	}
}

// second lets a second pass that costs cpu and rate at level None, and less above.
func (w *world) second(cpu Share, rate Bytes) {
	part := map[Level]float64{None: 1, Bodies: 0.6, Heads: 0.4, IO: 0.05}[w.g.Level()]
	w.r.Time += format.KTime(time.Second)
	w.r.CPU += time.Duration(float64(cpu) * part * 1e9)
	w.r.Journal += Bytes(float64(rate) * part)
	w.note(w.g.Observe(w.r))
}

func levels(seen []change) (out []Level) {
	for _, c := range seen {
		out = append(out, c.to)
	}
	return out
}

func TestShedsInOrderUntilTheBudgetHolds(t *testing.T) {
	for _, c := range []struct {
		cpu  Share
		want []Level
	}{
		{0.19, nil},
		{0.3, []Level{Bodies}},
		{0.45, []Level{Bodies, Heads}},
		{2, []Level{Bodies, Heads, IO}},
	} {
		w := newWorld(Limits{CPU: 0.2})
		for range 14 {
			w.second(c.cpu, 0)
		}
		if got := levels(w.seen); !slices.Equal(got, c.want) {
			t.Errorf("%v of CPU for a budget of 20 %%: levels %d, want %d", c.cpu, got, c.want)
		}
		if w.stop != nil {
			t.Errorf("it stops: %v", w.stop)
		}
	}
}

// A seal takes a core for a second or two; that is within a budget over ten.
func TestShortPeaksAreNoOverload(t *testing.T) {
	w := newWorld(Limits{CPU: 0.2, Rate: 10 << 20})
	for i := range 300 {
		cpu, rate := Share(0.02), Bytes(1<<20)
		if i%10 == 0 {
			cpu, rate = 1.7, 90<<20
		}
		w.second(cpu, rate)
	}
	if len(w.seen) != 0 {
		t.Errorf("it sheds: %v", w.seen)
	}
}

func TestRecoversStepByStep(t *testing.T) {
	w := newWorld(Limits{Rate: 1 << 20})
	for range 20 {
		w.second(0, 100<<20)
	}
	if w.g.Level() != IO {
		t.Fatalf("level %d under 100 times the rate", w.g.Level())
	}
	calmAt := w.r.Time.Sub(start)
	w.seen = nil
	for range 60 {
		w.second(0, 1000)
	}
	if got := levels(w.seen); !slices.Equal(got, []Level{Heads, Bodies, None}) {
		t.Fatalf("it recovers by %d", got)
	}
	if first := w.seen[0].at - calmAt; first < Hold || first > 2*Hold+2*time.Second {
		t.Errorf("the first level is taken back after %v", first)
	}
}

// An overload that lasts makes the recorder try ever more rarely, and never forget that it sheds.
func TestTriesMoreRarelyWhileTheOverloadLasts(t *testing.T) {
	w := newWorld(Limits{CPU: 0.2})
	for range 3600 {
		w.second(0.3, 0) // within the budget at Bodies, above it without; not calm at Bodies: 18 %
	}
	if len(w.seen) != 1 {
		t.Errorf("at 90 %% of the budget it tries: %v", w.seen)
	}
	w = newWorld(Limits{CPU: 0.2})
	for range 3600 {
		w.second(0.22, 0) // calm at Bodies (13 %), above it without
	}
	var pauses []time.Duration
	for i, c := range w.seen[1:] {
		if c.to < c.from {
			pauses = append(pauses, c.at-w.seen[i].at)
		}
	}
	if len(pauses) < 5 || pauses[0] > 2*Hold || pauses[len(pauses)-1] < MaxHold || !slices.IsSorted(pauses) {
		t.Errorf("pauses before a try: %v", pauses)
	}
	if len(w.seen) > 40 {
		t.Errorf("%d changes in an hour", len(w.seen))
	}
	for range 3600 {
		w.second(0.01, 0)
	}
	if w.g.Level() != None || w.g.hold != Hold {
		t.Errorf("after an hour of calm: level %d, hold %v", w.g.Level(), w.g.hold)
	}
}

func TestCauses(t *testing.T) {
	limits := Limits{CPU: 0.2, Rate: 1 << 20, Memory: 100 << 20, Disk: 1 << 30, MinFreeDisk: 1 << 30, MinFreeMemory: 64 << 20, Load: 2}
	for _, c := range []struct {
		name  string
		set   func(r *Reading)
		times int // readings like this
		level Level
		stop  Cause
		why   string
	}{
		{"nothing", func(r *Reading) {}, 30, None, "", ""},
		{"loss", func(r *Reading) { r.Lost = 7 }, 1, Bodies, "", "7 records"},
		{"loss that goes on", func(r *Reading) { r.Lost++ }, 30, IO, "", "found no room"},
		{"sealing behind", func(r *Reading) { r.SealingBehind, r.SealingBusy, r.Unsealed = true, true, 512<<20 }, 60, Bodies, "", "512.0 MiB of the journal"},
		{"sealing ever more behind", func(r *Reading) { r.SealingBehind, r.SealingBusy, r.Unsealed = true, true, r.Unsealed+1<<20 }, 60, IO, "", "not sealed"},
		{"sealing busy", func(r *Reading) { r.SealingBusy, r.Unsealed = true, 256<<20 }, 60, None, "", ""},
		{"memory", func(r *Reading) { r.Memory = 101 << 20 }, 1, Bodies, "", "101.0 MiB of memory, 100.0 MiB are allowed (--max-memory)"},
		{"memory that does not fall", func(r *Reading) { r.Memory = 101 << 20 }, 30, IO, CauseMemory, "--max-memory"},
		{"disk", func(r *Reading) { r.Reel = 1 << 30 }, 1, None, CauseDisk, "the reel takes 1.0 GiB, 1.0 GiB are allowed (--max-disk)"},
		{"disk within the next second", func(r *Reading) { r.Reel += 100 << 20 }, 10, None, CauseDisk, "--max-disk"},
		{"disk before that", func(r *Reading) { r.Reel += 100 << 20 }, 9, None, "", ""},
		{"free disk", func(r *Reading) { r.FreeDisk = 1<<30 - 1 }, 1, None, CauseFreeDisk, "--min-free-disk"},
		{"free disk that sealing takes", func(r *Reading) { r.FreeDisk, r.Reserve = 1<<30+5, 6 }, 1, None, CauseFreeDisk, "--min-free-disk"},
		{"just enough free disk", func(r *Reading) { r.FreeDisk = 1 << 30 }, 30, None, "", ""},
		{"free memory for a moment", func(r *Reading) { r.FreeMemory = 63 << 20 }, 1, None, "", ""},
		{"free memory", func(r *Reading) { r.FreeMemory = 63 << 20 }, 2, None, CauseFreeMemory, "63.0 MiB of memory are free, 64.0 MiB are to stay free (--min-free-memory)"},
		{"no free memory", func(r *Reading) { r.FreeMemory = 1 << 20 }, 1, None, CauseFreeMemory, "--min-free-memory"},
		{"load", func(r *Reading) { r.Load = 2.1 }, 1, None, CauseLoad, "the load is 2.1 per core, 2.0 are allowed (--max-load)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(limits)
			var why []string
			for range c.times {
				w.r.Time += format.KTime(time.Second)
				c.set(&w.r)
				d := w.g.Observe(w.r)
				w.note(d)
				if d.Changed() {
					why = append(why, d.Why)
				}
			}
			if w.g.Level() != c.level {
				t.Errorf("level %d, want %d", w.g.Level(), c.level)
			}
			switch {
			case w.stop == nil && c.stop != "":
				t.Errorf("it goes on, want a stop: %s", c.stop)
			case w.stop != nil && w.stop.Cause != c.stop:
				t.Errorf("it stops: %+v, want %q", w.stop, c.stop)
			case w.stop != nil:
				why = append(why, w.stop.Why)
			}
			if all := strings.Join(why, "\n"); !strings.Contains(all, c.why) || c.why == "" && all != "" {
				t.Errorf("it says %q, want %q", all, c.why)
			}
		})
	}
}

func TestNoLimitNoDecision(t *testing.T) {
	w := newWorld(Limits{})
	for range 100 {
		w.r.FreeDisk, w.r.FreeMemory, w.r.Load, w.r.Memory, w.r.Reel = 0, 0, 99, 1<<40, 1<<50
		w.second(64, 1<<33)
	}
	if len(w.seen) != 0 || w.stop != nil {
		t.Errorf("%v, %v", w.seen, w.stop)
	}
}

func TestRingsAreAnsweredAtOnce(t *testing.T) {
	w := newWorld(Limits{})
	look := func(after time.Duration, fill float64) Level {
		w.r.Time = w.r.Time.Add(after)
		w.note(w.g.ObserveRing(w.r.Time, fill))
		return w.g.Level()
	}
	if l := look(10*time.Second, 0.74); l != None {
		t.Errorf("level %d at 74 %%", l)
	}
	if l := look(50*time.Millisecond, 0.76); l != Bodies {
		t.Errorf("level %d at 76 %%", l)
	}
	if l := look(50*time.Millisecond, 1); l != Bodies {
		t.Errorf("level %d before the last could show its effect", l)
	}
	if l := look(200*time.Millisecond, 0.9); l != Heads {
		t.Errorf("level %d at 90 %% after that", l)
	}
	for range 15 {
		w.second(0, 0)
		look(0, 0.3) // neither high nor calm
	}
	if w.g.Level() != Heads {
		t.Error("it recovers while rings are a third full")
	}
	for range 12 {
		w.second(0, 0)
		look(0, 0.2)
	}
	if w.g.Level() != Bodies {
		t.Errorf("level %d after 12 s of calm", w.g.Level())
	}
}

// TestProperties holds for any sequence of readings: levels rise one by one and in order, nothing is taken back within Hold of a
// change, and calm that lasts brings everything back.
func TestProperties(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		limits := Limits{CPU: 0.2, Rate: 1 << 20, Memory: 100 << 20}
		w := newWorld(limits)
		check := func() {
			t.Helper()
			for i, c := range w.seen {
				from, to := slices.Index(steps, c.from), slices.Index(steps, c.to)
				if from < 0 || to < 0 || to-from != 1 && from-to != 1 {
					t.Fatalf("seed %d: from level %d to %d", seed, c.from, c.to)
				}
				if i > 0 && w.seen[i-1].to != c.from {
					t.Fatalf("seed %d: change %d begins at %d, the last ended at %d", seed, i, c.from, w.seen[i-1].to)
				}
				if to < from && i > 0 && c.at-w.seen[i-1].at < Hold {
					t.Fatalf("seed %d: a level is taken back %v after the last change", seed, c.at-w.seen[i-1].at)
				}
				if to > from && c.cause == "" || to < from && c.cause != "" {
					t.Fatalf("seed %d: change %+v", seed, c)
				}
				if i > 0 && to > from && w.seen[i-1].to > w.seen[i-1].from && c.at-w.seen[i-1].at < RingSettle {
					t.Fatalf("seed %d: two levels within %v", seed, c.at-w.seen[i-1].at)
				}
			}
		}
		mood := 0.0
		for range 600 {
			if rnd.IntN(20) == 0 {
				mood = rnd.Float64() * rnd.Float64() * 4
			}
			for range rnd.IntN(6) {
				w.r.Time += format.KTime(rnd.IntN(200)) * 1e6
				w.note(w.g.ObserveRing(w.r.Time, rnd.Float64()*mood/3))
			}
			w.r.Memory = Bytes(mood * float64(50<<20) * rnd.Float64())
			if rnd.Float64() < mood/40 {
				w.r.Lost += rnd.Uint64N(100)
			}
			w.r.SealingBusy = rnd.Float64() < mood/8
			w.r.SealingBehind = w.r.SealingBusy && rnd.IntN(2) == 0
			w.r.Unsealed = Bytes(rnd.Uint64N(1 << 30))
			w.second(Share(mood*rnd.Float64()), Bytes(mood*rnd.Float64()*1e6))
		}
		check()
		w.r.Memory, w.r.SealingBusy, w.r.SealingBehind, w.r.Unsealed = 0, false, false, 0
		for range len(steps) * int(MaxHold/time.Second) {
			w.second(0.001, 10)
		}
		check()
		if w.g.Level() != None {
			t.Fatalf("seed %d: level %d after lasting calm", seed, w.g.Level())
		}
	}
}

// The same readings give the same decisions.
func TestDeterministic(t *testing.T) {
	run := func() string {
		w := newWorld(Limits{CPU: 0.1, Rate: 1000})
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 500 {
			w.second(Share(rnd.Float64()), Bytes(rnd.IntN(3000)))
		}
		return fmt.Sprint(w.seen)
	}
	if a, b := run(), run(); a != b {
		t.Errorf("%s\n%s", a, b)
	}
}
