//go:build linux && (amd64 || arm64)

package capture

import (
	"errors"
	"io/fs"
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
	return &describer{proc: proc, clock: clock, sink: sink, queue: make(chan wanted, describeQueue)}
}

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
		if row.Start/uint64(procfs.Tick) != w.start/uint64(procfs.Tick) { // another process has this id by now
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
