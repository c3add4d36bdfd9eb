//go:build linux && (amd64 || arm64)

package capture

import (
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/ebpf-reel/reel/capture/container"
	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/format"
)

// describer adds what only user space can read: the names of containers, and of programs what the kernel side could not say
// of them. It works beside the hot path and may fall behind it: then it counts whom it did not describe.
type describer struct {
	proc       Proc
	clock      Clock
	sink       Sink
	containers *containers

	// starts are the exact start times of living targets, as the kernel side gives them; /proc cuts them to a Tick. With the
	// exact one, every row of a process has the same identity.
	mu     sync.Mutex
	starts map[format.PID]uint64

	queue  chan wanted
	missed atomic.Uint64 // ended, or came too fast
	hidden atomic.Uint64 // did not let us read all
}

// wanted is work for the describer: a program, or a container if it has one.
type wanted struct {
	pid   format.PID
	start uint64 // as the kernel side says: exact

	container container.Identity
	cgroup    string
	uid       uint32 // whose container it is, if no root's
}

// describeQueue bounds the programs that wait for their description.
const describeQueue = 1024

func newDescriber(proc Proc, clock Clock, sink Sink, c *containers) *describer {
	return &describer{proc: proc, clock: clock, sink: sink, containers: c, starts: map[format.PID]uint64{}, queue: make(chan wanted, describeQueue)}
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

// learn takes in the ids of a process that has just come, or ended.
func (d *describer) learn(p *format.Process, seen format.PID) {
	l, inside := d.proc.(learner)
	switch {
	case !inside:
	case p.Op == format.ProcExit:
		l.Forget(p.PID)
	case seen != 0:
		l.Learn(procfs.IDs{PID: p.PID, Seen: seen, Start: p.Start})
	}
}

// take completes the row of a record of the kernel side by what its cgroup says, and asks for what is missing. It never waits.
func (d *describer) take(p *format.Process) {
	id, named := d.containers.identify(p)
	if !named {
		d.want(wanted{container: id, cgroup: p.Cgroup, uid: p.UID})
	}
	switch p.Op {
	case format.ProcFork:
		d.began(p.PID, p.Start)
	case format.ProcExec:
		d.began(p.PID, p.Start)
		if p.Exe == "" || p.Cgroup == "" { // by a kernel whose paths cannot be walked
			d.want(wanted{pid: p.PID, start: p.Start})
		}
	case format.ProcExit:
		d.ended(p.PID)
	}
}

func (d *describer) want(w wanted) {
	select {
	case d.queue <- w:
	default:
		d.missed.Add(1)
	}
}

// run describes until the queue is closed.
func (d *describer) run() error {
	for w := range d.queue {
		if w.container != (container.Identity{}) {
			if err := d.describeContainer(w.container, w.uid, w.cgroup); err != nil {
				return err
			}
			continue
		}
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
		d.containers.identify(&row)
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
