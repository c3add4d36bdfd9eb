//go:build linux && (amd64 || arm64)

package capture

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/budget"
)

// keeper keeps the budget: it hands readings to the governor, and what that decides to the kernel side and to the reel.
type keeper struct {
	kernel Kernel
	clock  Clock
	note   func(name NoteName, count uint64, detail string)

	mu       sync.Mutex
	governor *budget.Governor
	stop     *budget.Stop // not nil: the capture is to end
	changed  bool         // the level, since the last beat
	rows     bool         // there was a time without rows: ShedCalls are worth asking for
	highest  budget.Level
	noted    bpf.Counters // ShedCalls and ShedBytes that notes have told of

	busy  atomic.Bool   // a ring could fill within a few seconds
	level atomic.Uint32 // budget.Level, for whoever does not want to wait
}

func newKeeper(kernel Kernel, clock Clock, limits budget.Limits, note func(NoteName, uint64, string)) *keeper {
	return &keeper{kernel: kernel, clock: clock, note: note, governor: budget.New(limits, clock.Now())}
}

// observe decides by a reading.
func (k *keeper) observe(r budget.Reading) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.governor.Observe(r)
	if d.Stop != nil && k.stop == nil {
		k.stop = d.Stop
	}
	return k.apply(d)
}

// ringLook is how often the rings are looked at: a ring of a busy node takes a few of these to fill. While little is recorded
// that would only keep a CPU awake: then it is ringGlance.
const (
	ringLook   = 50 * time.Millisecond
	ringGlance = 500 * time.Millisecond
)

// watchRings decides by how full the rings are, until stop is closed. It has a goroutine of its own: the one that drains may be
// kept from it, by a disk that makes writers wait, just when the rings fill.
func (k *keeper) watchRings(stop <-chan struct{}) error {
	look := time.NewTimer(ringLook)
	defer look.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-look.C:
		}
		if k.busy.Load() {
			look.Reset(ringLook)
		} else {
			look.Reset(ringGlance)
		}
		if err := k.ring(k.kernel.Fill()); err != nil {
			return err
		}
	}
}

func (k *keeper) ring(fill float64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.apply(k.governor.ObserveRing(k.clock.Now(), fill))
}

// apply makes a decision real. The lock is held.
func (k *keeper) apply(d budget.Decision) error {
	if !d.Changed() {
		return nil
	}
	if err := k.kernel.SetShed(bpf.ShedLevel(d.To)); err != nil {
		return err
	}
	k.level.Store(uint32(d.To))
	k.changed = true
	k.busy.Store(true)
	k.highest = max(k.highest, d.To)
	name := NoteShed
	if d.To < d.From {
		name = NoteShedLess
	}
	k.note(name, 1, fmt.Sprintf("level %d (%v left out): %s", d.To, d.To, d.Why))
	if d.To == budget.IO {
		k.rows = true
	}
	if d.From == budget.IO {
		return k.noteCalls()
	}
	return nil
}

// noteCalls says how many calls have no rows since it was last said. The lock is held.
func (k *keeper) noteCalls() error {
	if !k.rows {
		return nil
	}
	c, err := k.kernel.Counters()
	if err != nil {
		return err
	}
	calls, bytes := c.ShedCalls-k.noted.ShedCalls, c.ShedBytes-k.noted.ShedBytes
	k.noted = c
	k.note(NoteShedCalls, calls, fmt.Sprintf("they moved %d bytes", bytes))
	return nil
}

// end says what is to be said at the end, and returns the highest level.
func (k *keeper) end() (budget.Level, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.highest, k.noteCalls()
}

// shedCalls returns how many calls have no rows, and what they moved.
func (k *keeper) shedCalls() (s shed, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.rows {
		return s, nil
	}
	c, err := k.kernel.Counters()
	return shed{c.ShedCalls, c.ShedBytes}, err
}

// shed is what was counted instead of recorded.
type shed struct{ calls, bytes uint64 }

// stopped returns why the capture is to end; nil while it is not.
func (k *keeper) stopped() *budget.Stop {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stop
}

// takeChanged reports whether the level has changed since it was last asked.
func (k *keeper) takeChanged() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	changed := k.changed
	k.changed = false
	return changed
}

// completeLimits fills in the limits that protect the node, and refuses a capture that they would end at once. parent is where the
// reel will be.
func completeLimits(l budget.Limits, g Gauges, parent string, rings uint64) (budget.Limits, budget.Reading, error) {
	var r budget.Reading
	free, size, err := g.Disk(parent)
	if err != nil {
		return l, r, nil //nolint:nilerr // it is not there: whoever makes the reel says so better
	}
	memory, all, err := g.Memory()
	if err != nil {
		return l, r, err
	}
	load, err := g.Load()
	if err != nil {
		return l, r, err
	}
	l = l.Complete(budget.Node{Disk: budget.Bytes(size), Memory: budget.Bytes(all), Rings: budget.Bytes(rings)})
	r.FreeDisk, r.FreeMemory, r.Load = budget.Bytes(free), budget.Bytes(memory), load
	if stop := l.Refusal(r); stop != nil {
		return l, r, &RefusedError{Why: "the node is too short of what a capture takes: " + stop.Why, Do: remedies[stop.Cause]}
	}
	return l, r, nil
}

var remedies = map[budget.Cause]string{
	budget.CauseFreeDisk:   "free some, write the reel (-w) to another disk, or lower the limit",
	budget.CauseFreeMemory: "free some, or lower the limit",
	budget.CauseLoad:       "wait, or raise the limit",
}
