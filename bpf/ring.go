//go:build linux && (amd64 || arm64)

package bpf

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// A ring is the reader's side of one BPF ring buffer (kernel/bpf/ringbuf.c).
//
// The kernel offers a page with the reader's position, a page with the writer's position, and the data twice in a row, so
// that a record that wraps is contiguous. We map the data once, since each page mapped counts as resident memory, and join the
// one record that wraps in each round. Positions count bytes and never wrap. A record is an 8-byte header and its data,
// rounded up to 8 bytes; the header's length has a bit while the writer is still at it, and a bit when it gave it up.
type ring struct {
	cpu      int
	m        *ebpf.Map
	consumer []byte // page of the reader's position
	producer []byte // page of the writer's position, and the data
	data     []byte
	mask     uint64
	joined   []byte        // the last record that wraps
	peak     atomic.Uint64 // bytes that waited at the fullest look since Fill
}

const (
	recordHeader  = 8
	recordBusy    = 1 << 31
	recordDiscard = 1 << 30

	// releaseBytes is how much is read before the space is given back: each time takes the writer's cache line.
	releaseBytes = 64 << 10
	// trimmedSize is where event_header keeps its size (include/event.h); compared with the objects' BTF by a test.
	sizeOffset = 16
	headerSize = 32
)

func openRing(m *ebpf.Map, cpu int, bytes int) (_ *ring, err error) {
	r := &ring{cpu: cpu, m: m, mask: uint64(bytes) - 1}
	r.consumer, err = unix.Mmap(m.FD(), 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the ring of CPU %d: %w", cpu, err)
	}
	r.producer, err = unix.Mmap(m.FD(), int64(pageSize), pageSize+bytes, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map the ring of CPU %d: %w", cpu, err), r.close())
	}
	r.data = r.producer[pageSize:]
	return r, nil
}

func (r *ring) close() error {
	var errs []error
	if r.consumer != nil {
		errs = append(errs, unix.Munmap(r.consumer))
	}
	if r.producer != nil {
		errs = append(errs, unix.Munmap(r.producer))
	}
	return errors.Join(append(errs, r.m.Close())...)
}

func position(page []byte) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&page[0])) }

// drain calls fn with each record that is complete now. A record for which fn fails stays in the ring.
func (r *ring) drain(fn func([]byte) error) (n int, err error) {
	at := position(r.consumer).Load()
	end := position(r.producer).Load() // acquire: what was written before is seen
	released := at
	r.see(end - at)
	for at < end {
		start := at & r.mask
		length := (*atomic.Uint32)(unsafe.Pointer(&r.data[start])).Load()
		if length&recordBusy != 0 {
			break
		}
		size := uint64(length &^ (recordBusy | recordDiscard))
		next := at + (recordHeader+size+7)&^7
		if next > end || size > r.mask {
			err = fmt.Errorf("ring of CPU %d: a record of %d bytes at %d does not fit", r.cpu, size, at)
			break
		}
		if length&recordDiscard == 0 {
			if err = fn(trim(r.record(start+recordHeader, size))); err != nil {
				break
			}
			n++
		}
		at = next
		if at-released >= releaseBytes {
			position(r.consumer).Store(at)
			released = at
		}
	}
	if at != released {
		position(r.consumer).Store(at)
	}
	return n, err
}

// see remembers the most that waited.
func (r *ring) see(waiting uint64) {
	for {
		peak := r.peak.Load()
		if waiting <= peak || r.peak.CompareAndSwap(peak, waiting) {
			return
		}
	}
}

// waiting is how many bytes wait now.
func (r *ring) waiting() uint64 {
	at := position(r.consumer).Load() // first: what is read meanwhile only makes it more
	return position(r.producer).Load() - at
}

// Fill returns how full the fullest ring is, from 0 to 1: now, or at any Drain since the last call. It may be called while
// another goroutine drains.
func (o *Objects) Fill() float64 {
	fill := 0.0
	for _, r := range o.rings.rings {
		most := max(r.peak.Swap(0), r.waiting())
		fill = max(fill, float64(most)/float64(r.mask+1))
	}
	return min(fill, 1)
}

// record returns the bytes from start on, which may lie behind the end of the data: it begins anew there.
func (r *ring) record(start, size uint64) []byte {
	if end := start + size; end <= uint64(len(r.data)) {
		return r.data[start:end]
	}
	start = min(start, uint64(len(r.data)))
	head := r.data[start:]
	r.joined = append(append(r.joined[:0], head...), r.data[:size-uint64(len(head))]...)
	return r.joined
}

// trim cuts a record to the size that its event_header states: the programs reserve more than they fill.
func trim(record []byte) []byte {
	if len(record) < headerSize {
		return record
	}
	size := *(*uint32)(unsafe.Pointer(&record[sizeOffset]))
	if size < headerSize || uint64(size) > uint64(len(record)) {
		return record
	}
	return record[:size:size]
}

// A ringSet is the ring of every online CPU, and the way to wait for them.
type ringSet struct {
	rings  []*ring
	epoll  int
	events []unix.EpollEvent
}

// openRings makes a ring for each CPU that is online and puts it into the map of rings. A CPU that comes up later has
// none: what happens there is lost, and counted.
func openRings(outer *ebpf.Map, bytes uint32) (_ *ringSet, err error) {
	cpus, err := onlineCPUs()
	if err != nil {
		return nil, err
	}
	s := &ringSet{epoll: -1, events: make([]unix.EpollEvent, len(cpus))}
	defer func() {
		if err != nil {
			_ = s.close()
		}
	}()
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("wait for rings: %w", err)
	}
	for _, cpu := range cpus {
		m, err := ebpf.NewMap(&ebpf.MapSpec{Name: "ring", Type: ebpf.RingBuf, MaxEntries: bytes})
		if err != nil {
			return nil, explain(fmt.Sprintf("make a ring of %d bytes for CPU %d", bytes, cpu), err)
		}
		r, err := openRing(m, cpu, int(bytes))
		if err != nil {
			return nil, err
		}
		s.rings = append(s.rings, r)
		if err := outer.Put(uint32(cpu), m); err != nil {
			return nil, explain(fmt.Sprintf("install the ring of CPU %d", cpu), err)
		}
		ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(m.FD())}
		if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, m.FD(), &ev); err != nil {
			return nil, fmt.Errorf("wait for rings: %w", err)
		}
	}
	return s, nil
}

func (s *ringSet) close() error {
	var errs []error
	for _, r := range s.rings {
		errs = append(errs, r.close())
	}
	if s.epoll >= 0 {
		errs = append(errs, unix.Close(s.epoll))
	}
	return errors.Join(errs...)
}

// Drain calls fn with every event that is complete in the rings now, CPU by CPU, each CPU's in the order of their
// header.seq, and returns how many it delivered. The bytes are valid only during the call; nothing is copied or allocated.
// If fn fails, Drain returns its error, and the event stays in the ring.
func (o *Objects) Drain(fn func(ev []byte) error) (n int, err error) {
	for _, r := range o.rings.rings {
		k, err := r.drain(fn)
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Wait returns when the programs have written an eighth of some ring since it was last woken, or after timeout. Most
// records wake nobody: call Drain after each Wait, whatever ended it, with a timeout that bounds how late they may come.
func (o *Objects) Wait(timeout time.Duration) error {
	_, err := unix.EpollWait(o.rings.epoll, o.rings.events, int(timeout.Milliseconds()))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("wait for rings: %w", err)
	}
	return nil
}
