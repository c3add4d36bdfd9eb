//go:build linux && (amd64 || arm64)

package capture

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// FlightConfig makes a capture a flight recorder: the disk holds the last of what happened, and nothing is sealed but what a
// snap keeps.
type FlightConfig struct {
	Time  time.Duration // that is kept, as far as Bytes allow; 0: as much as fits
	Bytes int64         // of disk; 0: 512 MiB
}

// SnapRequest asks a flight recorder to keep what its ring holds.
type SnapRequest struct {
	Dir    string        // the reel to make; "": a name beside the ring, with the time
	Before time.Duration // the request; 0: all that the ring holds
	After  time.Duration // the request
	Reason string        // for the manifest
	// OnBegin is called when what the ring held cannot be lost any more, OnDone when the reel is sealed, or is not, which err
	// says. Both may be nil, and are called by a goroutine of the recorder.
	OnBegin func(Snap)
	OnDone  func(Snap, error)
}

// Snap is a snap as its requester sees it.
type Snap struct {
	Dir      string
	Reason   string
	Window   time.Duration // that it covers, or will
	Complete bool          // the ring reached back as far as was asked for
}

const (
	// maxSnaps bounds the snaps at work: each holds disk that the ring has let go of.
	maxSnaps = 8
	// maxAfter bounds the time that a snap waits for its end.
	maxAfter = time.Hour
	// lateness is how long after its time a record may still be on its way from its ring.
	lateness = 2 * waitLimit
)

// flight makes snaps of the ring of a recording, while that goes on. Its methods may be called from several goroutines; those of a nil
// flight refuse.
type flight struct {
	ring   *format.FlightRecorder
	clock  Clock
	dir    string                             // of the ring, absolute
	finish func() error                       // appends what sockets and clocks say at the end of a window
	worker func(dir string) format.SealWorker // seals the snap in dir in a process of its own; nil: none can

	mu      sync.Mutex
	running int
	ended   bool
	workers []format.SealWorker // of the snaps that are sealed now
	stop    chan struct{}       // closed when the recording ends: windows end too
	windows sync.WaitGroup      // snaps whose window is open
	seals   sync.WaitGroup      // snaps at work
	made    []Snap
}

func newFlight(ring *format.FlightRecorder, clock Clock, dir string, finish func() error) (*flight, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return &flight{ring: ring, clock: clock, dir: abs, finish: finish, stop: make(chan struct{})}, nil
}

// snap begins a snap. What the ring holds is safe when it returns; the rest is done in the background, and told by req.OnDone. Errors:
// *SnapError, *format.ExistsError, *SnapFailedError.
func (f *flight) snap(req SnapRequest) (Snap, error) {
	if f == nil {
		return Snap{}, &SnapError{"this capture is no flight recorder: start one with --ring"}
	}
	if req.After < 0 || req.Before < 0 || req.After > maxAfter {
		return Snap{}, &SnapError{fmt.Sprintf("a window of %v before and %v after is not possible: neither is negative, and the latter at most %v", req.Before, req.After, maxAfter)}
	}
	f.mu.Lock()
	switch {
	case f.ended:
		f.mu.Unlock()
		return Snap{}, &SnapError{"the flight recorder is ending: reel recover makes a reel of its ring"}
	case f.running >= maxSnaps:
		f.mu.Unlock()
		return Snap{}, &SnapError{fmt.Sprintf("%d snaps are at work already: wait until one is sealed", maxSnaps)}
	}
	f.running++
	f.windows.Add(1)
	f.seals.Add(1)
	f.mu.Unlock()
	now, err := f.clock.Read()
	var pending *format.PendingSnap
	dir := req.Dir
	if err == nil {
		info := format.Snap{Reason: req.Reason, When: now.Realtime, Asked: now.Time, Before: req.Before, After: req.After}
		pending, dir, err = f.begin(dir, info)
	}
	if err != nil {
		f.windows.Done()
		f.done()
		if exists := (*format.ExistsError)(nil); !errors.As(err, &exists) {
			err = &SnapFailedError{Err: err}
		}
		return Snap{}, err
	}
	s := Snap{Dir: dir, Reason: req.Reason, Window: now.Time.Sub(pending.Window()) + req.After}
	s.Complete = req.Before == 0 || s.Window >= req.Before+req.After
	if req.OnBegin != nil {
		req.OnBegin(s)
	}
	go f.complete(pending, req, s)
	return s, nil
}

// Snap is snap for a trigger: it returns when the reel is sealed.
func (f *flight) Snap(before, after time.Duration, reason string) (dir string, err error) {
	done := make(chan error, 1)
	s, err := f.snap(SnapRequest{Before: before, After: after, Reason: reason, OnDone: func(_ Snap, err error) { done <- err }})
	if err != nil {
		return "", err
	}
	return s.Dir, <-done
}

// begin makes the reel under the name that was asked for, or under one that is free.
func (f *flight) begin(dir string, info format.Snap) (*format.PendingSnap, string, error) {
	if dir != "" {
		p, err := f.ring.BeginSnap(dir, info)
		return p, dir, err
	}
	base := strings.TrimSuffix(strings.TrimSuffix(f.dir, ".flight"), ".reel") + info.When.Time().Local().Format("-snap-20060102-150405")
	for n := 1; ; n++ {
		name := base + ".reel"
		if n > 1 {
			name = fmt.Sprintf("%s-%d.reel", base, n)
		}
		p, err := f.ring.BeginSnap(name, info)
		if exists := (*format.ExistsError)(nil); errors.As(err, &exists) && n < 1000 {
			continue
		}
		return p, name, err
	}
}

// complete waits for the end of the window, and seals the snap.
func (f *flight) complete(p *format.PendingSnap, req SnapRequest, s Snap) {
	defer f.done()
	err := f.window(p, req.After)
	f.windows.Done()
	if err == nil {
		err = f.seal(p, s.Dir)
	} else {
		err = errors.Join(err, p.Abandon())
	}
	if err == nil {
		f.mu.Lock()
		f.made = append(f.made, s)
		f.mu.Unlock()
	} else {
		err = &SnapBrokenError{Dir: s.Dir, Err: err}
	}
	if req.OnDone != nil {
		req.OnDone(s, err)
	}
}

// seal has a process of its own seal the snap, when the CPUs are idle, and at once when the recording ends.
func (f *flight) seal(p *format.PendingSnap, dir string) error {
	if f.worker == nil {
		_, err := p.Seal(nil, f.rest)
		return err
	}
	worker := f.worker(dir)
	f.mu.Lock()
	f.workers = append(f.workers, worker)
	f.mu.Unlock()
	sealed := make(chan struct{})
	hurried := start(func() error {
		select {
		case <-f.stop:
			worker.Hurry(true)
		case <-sealed:
		}
		return nil
	})
	_, err := p.Seal(worker, f.rest)
	close(sealed)
	_ = hurried.result()
	worker.Close()
	f.mu.Lock()
	f.workers = slices.DeleteFunc(f.workers, func(w format.SealWorker) bool { return w == worker })
	f.mu.Unlock()
	return err
}

// helpers are the processes that seal snaps now.
func (f *flight) helpers() (pids []format.PID) {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.workers {
		pids = append(pids, w.Helpers()...)
	}
	return pids
}

// window ends the window of a snap: after a time, or when the recording ends.
func (f *flight) window(p *format.PendingSnap, after time.Duration) error {
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.stop:
	}
	err := f.finish()
	to := f.clock.Now()
	// What happened until now is in the rings of the kernel side: the drain takes it within a moment.
	late := time.NewTimer(lateness)
	defer late.Stop()
	<-late.C
	return firstOf(p.Finish(to), err)
}

// rest lets a seal sleep as long as it has worked, while the recording goes on: it takes half of a core at most
// (docs/decisions/002-sealer-pace.md).
func (f *flight) rest(worked time.Duration) {
	timer := time.NewTimer(worked)
	defer timer.Stop()
	select {
	case <-f.stop:
	case <-timer.C:
	}
}

func (f *flight) done() {
	f.mu.Lock()
	f.running--
	f.mu.Unlock()
	f.seals.Done()
}

// end refuses new snaps, and returns when all windows have ended: before the drain stops.
func (f *flight) end() {
	if f == nil {
		return
	}
	f.mu.Lock()
	if !f.ended {
		f.ended = true
		close(f.stop)
	}
	f.mu.Unlock()
	f.windows.Wait()
}

// wait returns when all snaps are sealed, and which were.
func (f *flight) wait() []Snap {
	if f == nil {
		return nil
	}
	f.seals.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made
}
