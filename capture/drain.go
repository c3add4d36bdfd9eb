//go:build linux && (amd64 || arm64)

package capture

import (
	"encoding/binary"
	"errors"
	"sync/atomic"
	"time"

	"github.com/ebpf-reel/reel/capture/profile"
	"github.com/ebpf-reel/reel/format"
)

const (
	// waitLimit is how late a record may be taken out of its ring when no wake-up mark was passed.
	waitLimit = 50 * time.Millisecond
	// flushEvery is how often what was taken is handed to the file: by then it outlasts the recorder's death.
	flushEvery = 100 * time.Millisecond

	kindOffset = 30 // of event_header.kind in event.h
)

// drainer moves records from the rings to the sink. It is the hot path: it looks at the kind of a record and at nothing else,
// and allocates nothing but for records of processes, which are rare.
type drainer struct {
	kernel Kernel
	sink   Sink
	clock  Clock
	procs  *describer
	// observer is what trigger rules have on this path; nil: nothing, and the path costs what it does without.
	observer *observer
	profile  *profile.Profiler // nil: there are no samples
	probing  *probing          // nil: no probes on libraries

	take    func(ev []byte) error // method value, made once
	decoded format.Decoded        // of the record of a process
	flushed format.KTime
	unsaved bool // something was taken since

	// Read by other goroutines. One add for each drain, not for each event.
	events [format.EventKinds]atomic.Uint64 // by kind; 0: any other
	exits  atomic.Uint64                    // processes that ended
	counts [format.EventKinds]uint64        // of the drain that runs

	exited chan struct{} // holds one token when a process has ended since it was read
}

func newDrainer(kernel Kernel, sink Sink, clock Clock, procs *describer) *drainer {
	d := &drainer{kernel: kernel, sink: sink, clock: clock, procs: procs, exited: make(chan struct{}, 1), flushed: clock.Now()}
	d.take = d.takeEvent
	return d
}

// run drains until stop is closed or something fails.
func (d *drainer) run(stop <-chan struct{}) error {
	hurry()
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := d.kernel.Wait(waitLimit); err != nil {
			return err
		}
		if _, err := d.turn(); err != nil {
			return err
		}
	}
}

// turn takes what is in the rings now and returns how many records that were.
func (d *drainer) turn() (int, error) {
	n, err := d.kernel.Drain(d.take)
	for kind, count := range d.counts {
		if count > 0 {
			d.events[kind].Add(count)
			d.counts[kind] = 0
		}
	}
	if err != nil {
		return n, err
	}
	d.unsaved = d.unsaved || n > 0
	if now := d.clock.Now(); d.unsaved && now.Sub(d.flushed) >= flushEvery {
		d.flushed, d.unsaved = now, false
		return n, d.sink.Flush()
	}
	return n, nil
}

func (d *drainer) takeEvent(ev []byte) error {
	kind := format.EventKind(0)
	if len(ev) >= kindOffset+2 {
		kind = format.EventKind(binary.LittleEndian.Uint16(ev[kindOffset:]))
	}
	if kind >= format.EventKinds {
		kind = 0
	}
	d.counts[kind]++
	if (kind == format.EventSample || kind == format.EventBlock) && d.profile != nil {
		d.profile.Take(ev)
		return nil
	}
	if d.observer != nil {
		d.observer.see(kind, ev)
	}
	switch kind {
	case format.EventProc:
		return d.process(ev)
	case format.EventIO:
		if err := d.probing.handshake(ev); err != nil {
			return err
		}
	case format.EventSock:
		d.probing.socket(ev)
	case format.EventTLSKey:
		return d.probing.key(ev)
	case format.EventMapped:
		d.probing.mapped(eventPID(ev))
		return nil
	}
	return d.sink.AppendEvent(ev)
}

// process stores the record of a process as a row that names its container, and notices ends.
func (d *drainer) process(ev []byte) error {
	if format.DecodeEvent(ev, &d.decoded) != nil {
		return d.sink.AppendEvent(ev) // a reader says what is wrong with it
	}
	p := &d.decoded.Process
	d.procs.learn(p, d.decoded.SeenPID)
	d.procs.take(p)
	if d.profile != nil {
		d.profile.Process(p)
	}
	d.probing.saw(p)
	if p.Op == format.ProcExit {
		if d.observer != nil {
			d.observer.exited(p)
		}
		d.exits.Add(1)
		select {
		case d.exited <- struct{}{}:
		default:
		}
	}
	err := d.sink.AppendRow(p)
	var unfit *format.RowError
	if errors.As(err, &unfit) {
		return d.sink.AppendEvent(ev)
	}
	return err
}

// total returns how many records were taken so far.
func (d *drainer) total() (n uint64) {
	for kind := range d.events {
		n += d.events[kind].Load()
	}
	return n
}
