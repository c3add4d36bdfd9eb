//go:build linux && (amd64 || arm64)

package capture

import (
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/format"
)

// describer adds what only user space can read about programs that targets start: path, cgroup path. It works beside the hot
// path and may fall behind it: then it counts whom it did not describe.
type describer struct {
	proc  Proc
	clock Clock
	sink  Sink

	// starts are the exact start times of living targets, as the kernel side gives them; /proc cuts them to a Tick. With the
	// exact one, every row of a process has the same identity.
	mu     sync.Mutex
	starts map[format.PID]uint64

	queue  chan wanted
	missed atomic.Uint64 // ended, or came too fast
	hidden atomic.Uint64 // did not let us read all
}

type wanted struct {
	pid   format.PID
	start uint64 // as the kernel side says: exact
}

// describeQueue bounds the programs that wait for their description.
const describeQueue = 1024

func newDescriber(proc Proc, clock Clock, sink Sink) *describer {
	return &describer{proc: proc, clock: clock, sink: sink, starts: map[format.PID]uint64{}, queue: make(chan wanted, describeQueue)}
}

// began remembers when a process began.
func (d *describer) began(pid format.PID, start uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.starts[pid] = start
}

// ended forgets a process.
func (d *describer) ended(pid format.PID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.starts, pid)
}

// exact returns the start time that the kernel side knows for a process, if start is what /proc makes of it; else start.
func (d *describer) exact(pid format.PID, start uint64) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.starts[pid]; cut(known) == cut(start) {
		return known
	}
	return start
}

func cut(start uint64) uint64 { return start / uint64(procfs.Tick) }

// want asks for a description. It never waits.
func (d *describer) want(pid format.PID, start uint64) {
	select {
	case d.queue <- wanted{pid, start}:
	default:
		d.missed.Add(1)
	}
}

// run describes until the queue is closed.
func (d *describer) run() error {
	for w := range d.queue {
		row, err := d.proc.Describe(w.pid)
		switch {
		case errors.Is(err, fs.ErrPermission):
			d.hidden.Add(1)
		case err != nil:
			d.missed.Add(1)
			continue
		}
		if cut(row.Start) != cut(w.start) { // another process has this id by now
			d.missed.Add(1)
			continue
		}
		row.Start = w.start
		row.Time = d.clock.Now()
		row.Target = true
		if err := d.append(&row); err != nil {
			return err
		}
	}
	return nil
}

// append stores a row. One that cannot be stored is counted; it does not end the capture.
func (d *describer) append(row format.Row) error {
	err := d.sink.AppendRow(row)
	var unfit *format.RowError
	if errors.As(err, &unfit) {
		d.missed.Add(1)
		return nil
	}
	return err
}
