//go:build linux && (amd64 || arm64)

package bpf

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format/wire"
)

// TestLossIsCounted overruns a ring of one page and holds that what the programs tried is what was received or counted as
// lost, and that the jumps of header.seq add up to the loss.
func TestLossIsCounted(t *testing.T) {
	o := attached(t, Options{Snaplen: 4096, RingBytes: os.Getpagesize()})
	p := start(t, "flood", "v4")
	if err := o.AddTarget(p.pid()); err != nil {
		t.Fatal(err)
	}
	p.proceed()
	done := make(chan struct{})
	go func() { p.finish(); close(done) }()
	type account struct{ received, jumps, last uint64 }
	cpus := map[uint16]*account{}
	take := func() {
		_, err := o.Drain(func(ev []byte) error {
			var e wire.Event
			if err := wire.Decode(ev, &e); err != nil {
				return err
			}
			h := e.Header()
			a := cpus[h.CPU]
			if a == nil {
				a = &account{}
				cpus[h.CPU] = a
			}
			a.received++
			a.jumps += h.Seq - a.last - 1 // wraps and comes back should two numbers be swapped (emit.h)
			a.last = h.Seq
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if err := o.Wait(time.Millisecond); err != nil {
			t.Fatal(err)
		}
		take()
	}
	take()

	var received, lost uint64
	loss, err := o.Loss()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range loss {
		a := cpus[uint16(l.CPU)]
		if a == nil {
			a = &account{}
		}
		if a.received != l.Captured {
			t.Errorf("CPU %d: %d records received, %d counted", l.CPU, a.received, l.Captured)
		}
		if after := l.Captured + l.Lost - a.last; a.jumps+after != l.Lost { // after: lost since the last record received
			t.Errorf("CPU %d: numbers jump over %d records and end %d early, %d are counted as lost", l.CPU, a.jumps, after, l.Lost)
		}
		if l.Lost > 0 && l.LostBytes < l.Lost*wire.IOEventSize {
			t.Errorf("CPU %d: %d records of %d bytes lost", l.CPU, l.Lost, l.LostBytes)
		}
		received += a.received
		lost += l.Lost
	}
	if received+lost < 2*floodCalls {
		t.Errorf("%d received and %d lost, of at least %d calls", received, lost, 2*floodCalls)
	}
	if lost == 0 || received == 0 {
		t.Errorf("%d received, %d lost: the ring was not overrun", received, lost)
	}
}

// TestDrain holds that a record that is refused stays in the ring, and that draining allocates nothing.
func TestDrain(t *testing.T) {
	o := attached(t, Options{Snaplen: 4096})
	p := start(t, "flood", "v4")
	if err := o.AddTarget(p.pid()); err != nil {
		t.Fatal(err)
	}
	p.proceed()
	p.finish()
	full := errors.New("no room")
	n, err := o.Drain(func([]byte) error { return full })
	if n != 0 || !errors.Is(err, full) {
		t.Errorf("%d delivered, error %v", n, err)
	}
	total := 0
	count := func([]byte) error { total++; return nil }
	if allocs := testing.AllocsPerRun(1, func() { _, _ = o.Drain(count) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	captured := uint64(0)
	loss, err := o.Loss()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range loss {
		captured += l.Captured
	}
	if uint64(total) != captured || total == 0 {
		t.Errorf("%d events drained, %d captured", total, captured)
	}
}

// TestWait holds that a ring that fills wakes its reader long before the timeout.
func TestWait(t *testing.T) {
	o := attached(t, Options{Snaplen: 4096, RingBytes: 1 << 20})
	p := start(t, "flood", "v4")
	if err := o.AddTarget(p.pid()); err != nil {
		t.Fatal(err)
	}
	p.proceed()
	began := time.Now()
	if err := o.Wait(patience); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took >= patience {
		t.Errorf("woken after %v", took)
	}
	if n, err := o.Drain(func([]byte) error { return nil }); n == 0 || err != nil {
		t.Errorf("%d events, %v", n, err)
	}
	p.finish()
}

// TestBoundedExit records with the program for kernels without bpf_loop.
func TestBoundedExit(t *testing.T) {
	have := haveLoop
	haveLoop = func() bool { return false }
	defer func() { haveLoop = have }()
	steps, events := record(t, Options{Snaplen: 4096}, "calls", "v4")
	checkSteps(t, steps, events)
	for _, scenario := range []string{"vectors", "large"} {
		steps, events = record(t, Options{Snaplen: SnapFull}, scenario, "v4")
		checkSteps(t, steps, events)
	}
}
