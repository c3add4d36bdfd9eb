//go:build linux && (amd64 || arm64)

package sealer

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ebpf-reel/reel/format"
)

const (
	// maxTries is how often one journal is begun: one that ends its worker each time is left to the end of the capture.
	maxTries = 3
	// firstWait is what passes before a worker is started again; it doubles with each that ends without having sealed a journal.
	firstWait = 100 * time.Millisecond
	longest   = 10 * time.Second
)

// Config says how the worker is started.
type Config struct {
	Dir string // the reel
	// Reexec are the arguments with which this program, run again, calls Work with what follows them and with the filter of the reel.
	Reexec []string
	// OnTrouble is told of each worker that ended, or had to be ended, before its time: in a few words. It may be called at any time
	// until Close returns. nil: nobody is.
	OnTrouble func(Trouble)
}

// Trouble is what befell a worker.
type Trouble struct {
	PID  format.PID // 0: it could not be started
	What string     // "was killed by signal 9 (killed)"
}

func (t Trouble) String() string {
	if t.PID == 0 {
		return "it " + t.What
	}
	return fmt.Sprintf("process %d %s", t.PID, t.What)
}

// Process seals in a process of its own: a format.SealWorker. It is started with the first journal, and anew when it ends before
// its time.
type Process struct {
	cfg Config

	failures int // workers in a row that ended before they had sealed anything; only Seal

	mu      sync.Mutex
	worker  *worker // nil: none
	hurry   bool
	aborted bool
	closed  chan struct{} // by Close, and so that Seal does not wait on
	rushed  chan struct{} // closed while hurry is on
}

// New makes a Process. Nothing is started.
func New(cfg Config) *Process {
	return &Process{cfg: cfg, closed: make(chan struct{}), rushed: make(chan struct{})}
}

// Seal has the worker make the segment of a journal.
func (p *Process) Seal(number int) (format.Segment, error) {
	for try := 1; ; try++ {
		w, err := p.ready()
		if errors.Is(err, errAborted) {
			return format.Segment{}, &format.WorkerError{Journal: number, Err: err}
		}
		if err != nil {
			p.trouble(Trouble{What: fmt.Sprintf("could not be started (%v): segments are sealed by the recorder itself", err)})
			return format.Segment{}, &format.WorkerError{Journal: number, Unusable: true, Err: err}
		}
		seg, err := w.seal(number)
		var gone *goneError
		if !errors.As(err, &gone) {
			p.failures = 0
			return seg, err
		}
		p.forget(w)
		if p.isAborted() {
			continue
		}
		if gone.replaced {
			try--
			continue
		}
		p.failures++
		p.trouble(Trouble{PID: w.pid(), What: gone.Error()})
		if try == maxTries || p.pause() != nil {
			return format.Segment{}, &format.WorkerError{Journal: number, Err: err}
		}
	}
}

func (p *Process) trouble(t Trouble) {
	if p.cfg.OnTrouble != nil {
		p.cfg.OnTrouble(t)
	}
}

// pause waits before the next worker is started: one that ends at once, again and again, must not cost more than sealing does. When
// sealing is behind there is no time to wait.
func (p *Process) pause() error {
	wait := min(firstWait<<min(p.failures-1, 10), longest)
	p.mu.Lock()
	rushed := p.rushed
	p.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-rushed:
	case <-p.closed:
		return errClosed
	}
	return nil
}

var (
	errClosed  = errors.New("sealer: closed")
	errAborted = errors.New("sealer: aborted")
)

// Abort ends the worker at once. What it has done of its journal is thrown away, and no other is started.
func (p *Process) Abort() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.aborted = true
	if p.worker != nil {
		_ = p.worker.cmd.Process.Kill()
	}
}

func (p *Process) isAborted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.aborted
}

// ready returns a worker that takes requests.
func (p *Process) ready() (*worker, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.aborted {
		return nil, errAborted
	}
	if p.worker != nil {
		return p.worker, nil
	}
	w, err := start(p.cfg, !p.hurry)
	if err != nil {
		return nil, err
	}
	p.worker = w
	return w, nil
}

func (p *Process) forget(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.worker == w {
		p.worker = nil
	}
}

// Hurry gives the worker the priority of other processes, or takes it away. Where it cannot be given to one that runs, that one is
// ended, and the next is started with it: what it has done of its journal is done again.
func (p *Process) Hurry(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on == p.hurry {
		return
	}
	p.hurry = on
	if on {
		close(p.rushed)
	} else {
		p.rushed = make(chan struct{})
	}
	if p.worker != nil {
		p.worker.prioritize(!on)
	}
}

// Helpers returns the worker's pid while there is one.
func (p *Process) Helpers() []format.PID {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.worker == nil {
		return nil
	}
	return []format.PID{p.worker.pid()}
}

// Close ends the worker and waits until it is gone.
func (p *Process) Close() {
	p.mu.Lock()
	w := p.worker
	p.worker = nil
	p.mu.Unlock()
	close(p.closed)
	if w != nil {
		w.end()
	}
}
