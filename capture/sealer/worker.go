//go:build linux && (amd64 || arm64)

package sealer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ebpf-reel/reel/format"
)

const (
	lookEvery = 500 * time.Millisecond // at a worker that is waited for
	// stoppedFor is how long a worker may be stopped (SIGSTOP, a debugger) before another takes its place.
	stoppedFor = 2 * time.Second
	// silentFor is how long a worker of normal priority may take for one block of rows, which takes it some 50 ms.
	silentFor = time.Minute
	// endsWithin is how long a worker that has nothing to do may take to end.
	endsWithin = 2 * time.Second

	maxComplaint = 2 << 10 // bytes of a worker's standard error that are told
)

// goneError means that a worker ended, or had to be ended, before it had answered.
type goneError struct {
	replaced bool // by one of another priority
	what     string
}

func (e *goneError) Error() string { return e.what }

// worker is one process that seals.
type worker struct {
	cmd       *exec.Cmd
	requests  *json.Encoder
	in        io.Closer
	answers   chan answer
	complaint complaint
	done      chan struct{} // closed when it has ended and was waited for

	priority sync.Mutex  // guards changes of it
	normal   atomic.Bool // it is that of other processes
	replaced atomic.Bool // it was ended to be started with another priority
}

// start starts a worker. The thread that does waits for it: the kernel takes the end of the thread for the end of the parent
// (PR_SET_PDEATHSIG).
func start(cfg Config, idle bool) (*worker, error) {
	word := wordNormal
	if idle {
		word = wordIdle
	}
	args := append(slices.Clone(cfg.Reexec), word, strconv.Itoa(os.Getpid()), cfg.Dir)
	// The program that runs, whatever its name leads to by now.
	w := &worker{cmd: exec.Command("/proc/self/exe", args...), answers: make(chan answer, 1), done: make(chan struct{})}
	w.normal.Store(!idle)
	w.cmd.Args[0] = os.Args[0]
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	w.cmd.Stderr = &w.complaint
	in, err := w.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.in, w.requests = in, json.NewEncoder(in)
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := w.cmd.Start()
		started <- err
		if err == nil {
			w.listen(out)
			_ = w.cmd.Wait() // how it ended is in ProcessState
			close(w.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return w, nil
}

// listen reads answers until there are none any more. One of no sense ends the worker.
func (w *worker) listen(out io.Reader) {
	defer close(w.answers)
	lines := json.NewDecoder(out)
	for {
		var a answer
		err := lines.Decode(&a)
		if err != nil {
			_ = w.cmd.Process.Kill() // it has ended, or it should
			return
		}
		w.answers <- a
	}
}

func (w *worker) pid() format.PID { return format.PID(w.cmd.Process.Pid) }

// seal has one journal sealed. *goneError means that the worker is no more.
func (w *worker) seal(number int) (format.Segment, error) {
	if err := w.requests.Encode(request{Journal: number}); err != nil {
		return format.Segment{}, w.gone("")
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	heard, stopped := time.Now(), time.Time{}
	for {
		select {
		case a, ok := <-w.answers:
			switch {
			case !ok:
				return format.Segment{}, w.gone("")
			case a.Segment != nil:
				return *a.Segment, nil
			case a.Failed != nil:
				return format.Segment{}, a.Failed.err()
			case a.Ready:
				w.hasSetPriority()
			}
			heard = time.Now()
		case now := <-look.C:
			switch {
			case !w.isStopped():
				stopped = time.Time{}
			case stopped.IsZero():
				stopped = now
			case now.Sub(stopped) >= stoppedFor:
				return format.Segment{}, w.gone("was stopped (SIGSTOP or a debugger): it was ended")
			}
			if !w.normal.Load() {
				heard = now // it waits for a CPU that nobody else wants: that may take any time
			}
			if now.Sub(heard) > silentFor {
				return format.Segment{}, w.gone(fmt.Sprintf("did nothing for %v: it was ended", silentFor))
			}
		}
	}
}

// gone makes sure that the worker has ended, before another may touch its files, and says how: why is the recorder's reason.
func (w *worker) gone(why string) error {
	_ = w.cmd.Process.Kill() // it may have ended
	for range w.answers {
		continue // what it still said does not matter
	}
	<-w.done
	if why == "" {
		why = "ended before its time"
		if status, ok := w.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			why = fmt.Sprintf("was killed by signal %d (%v)", status.Signal(), status.Signal())
		}
		if said := w.complaint.String(); said != "" {
			why += ": " + said
		}
	}
	return &goneError{replaced: w.replaced.Load(), what: why}
}

// prioritize makes the worker idle or normal; one that cannot be is ended, since it would wait for ever on a busy node.
func (w *worker) prioritize(idle bool) {
	w.priority.Lock()
	defer w.priority.Unlock()
	w.set(idle)
}

// hasSetPriority is called when the worker has set the priority that it was started with: what was wanted meanwhile is set again.
func (w *worker) hasSetPriority() {
	w.priority.Lock()
	defer w.priority.Unlock()
	if w.normal.Load() {
		w.set(false)
	}
}

func (w *worker) set(idle bool) {
	err := setIdle(w.cmd.Process.Pid, idle)
	switch {
	case err == nil:
		w.normal.Store(!idle)
	case !idle:
		w.replaced.Store(true)
		_ = w.cmd.Process.Kill()
	}
}

// isStopped reports whether the process is stopped, by a signal or a tracer (proc_pid_stat(5)).
func (w *worker) isStopped() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.cmd.Process.Pid))
	if err != nil {
		return false
	}
	at := bytes.LastIndexByte(text, ')') + 2
	return at < len(text) && (text[at] == 'T' || text[at] == 't')
}

// end ends a worker that has nothing to do.
func (w *worker) end() {
	_ = w.in.Close()
	timer := time.NewTimer(endsWithin)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C:
		_ = w.gone("")
	}
}

// complaint keeps the first bytes of what a worker writes to its standard error: of a panic, its reason.
type complaint struct {
	mu   sync.Mutex
	text []byte
}

// Write takes all and keeps what there is room for.
func (t *complaint) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p[:min(len(p), maxComplaint-len(t.text))]...)
	return len(p), nil
}

func (t *complaint) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	line, _, _ := strings.Cut(strings.TrimSpace(string(t.text)), "\n")
	return line
}
