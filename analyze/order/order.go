// Package order turns rows that come nearly in order into rows in causal order, with bounded memory (DESIGN D8).
//
// A reel's rows are sorted by the time at which each event was complete. That is not the order in which things happened: a
// thread may be taken off its CPU between the moment its write moved bytes and the moment the call returned, and another
// thread of the same process may read the answer meanwhile. So a write counts from its entry, everything else from its
// exit: what a call wrote was written after it began, and what a call read was there before it ended.
//
// A [Window] keeps rows for a span of the recording's time and gives them out sorted by that time, ties broken by their
// content. Any order of the same rows that stays within the span gives the same result.
package order

import (
	"container/heap"
	"math"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// Limits bound a Window. Zero fields take the defaults.
type Limits struct {
	Span  time.Duration // how far a row may be out of order (100 ms)
	Rows  int           // kept at a time (64 Ki)
	Bytes int           // payload kept at a time (32 MiB)
}

func (l Limits) withDefaults() Limits {
	if l.Span <= 0 {
		l.Span = 100 * time.Millisecond
	}
	if l.Rows <= 0 {
		l.Rows = 1 << 16
	}
	if l.Bytes <= 0 {
		l.Bytes = 32 << 20
	}
	return l
}

// keptBuffer bounds the payload buffer that a free slot keeps.
const keptBuffer = 8 << 10

// slot holds a copy of one row. It is kept for another of its kind: a window holds many, and the kinds differ in size.
type slot struct {
	key format.KTime
	row format.Row // *format.IO, *format.Socket, *format.TCP or *format.TLS
	buf []byte
}

// Window reorders IO, Socket, TCP and TLS rows.
type Window struct {
	limits Limits
	emit   func(at format.KTime, row format.Row) error

	newest format.KTime // the greatest key so far
	last   format.KTime // key of the row that was given out last
	any    bool

	// run holds rows that came in order, late those that did not: both give their smallest first.
	run   []*slot
	first int // of run
	late  lateHeap
	bytes int
	free  struct{ io, socket, tcp, tls []*slot }

	tooLate, shortened uint64
}

// New returns a Window that gives rows to emit: valid until emit returns, at is the row's causal time and never decreases,
// but for rows that came too late.
func New(l Limits, emit func(at format.KTime, row format.Row) error) *Window {
	return &Window{limits: l.withDefaults(), emit: emit, newest: math.MinInt64, last: math.MinInt64}
}

// TooLate returns how many rows came later than the window reaches.
func (w *Window) TooLate() uint64 { return w.tooLate }

// Shortened returns how many rows were given out early, since the window was full.
func (w *Window) Shortened() uint64 { return w.shortened }

// Time returns the causal time of a row. span bounds how far before its exit a write is placed, half a window, so that a write
// that blocked for long is still given out in order.
func causalTime(row format.Row, span time.Duration) format.KTime {
	switch r := row.(type) {
	case *format.IO:
		if r.Dir == format.Write && r.Duration > 0 {
			return sub(r.Time, min(r.Duration, span/2))
		}
	case *format.TLS:
		if r.Dir == format.Write && r.Duration > 0 {
			return sub(r.Time, min(r.Duration, span/2))
		}
	}
	return row.At()
}

// sub returns t-d, not below the smallest time.
func sub(t format.KTime, d time.Duration) format.KTime {
	if t < math.MinInt64+format.KTime(d) {
		return math.MinInt64
	}
	return t - format.KTime(d)
}

// Push takes the next row; it is copied. Rows other than IO, Socket, TCP and TLS are ignored.
func (w *Window) Push(row format.Row) error {
	var s *slot
	switch r := row.(type) {
	case *format.IO:
		s = take(&w.free.io)
		kept, ok := s.row.(*format.IO)
		if !ok {
			kept = new(format.IO)
			s.row = kept
		}
		*kept = *r
		s.buf = append(s.buf[:0], r.Payload...)
		kept.Payload = s.buf
	case *format.Socket:
		s = take(&w.free.socket)
		kept, ok := s.row.(*format.Socket)
		if !ok {
			kept = new(format.Socket)
			s.row = kept
		}
		*kept = *r
	case *format.TCP:
		s = take(&w.free.tcp)
		kept, ok := s.row.(*format.TCP)
		if !ok {
			kept = new(format.TCP)
			s.row = kept
		}
		*kept = *r
	case *format.TLS:
		s = take(&w.free.tls)
		kept, ok := s.row.(*format.TLS)
		if !ok {
			kept = new(format.TLS)
			s.row = kept
		}
		*kept = *r
		s.buf = append(s.buf[:0], r.Payload...)
		kept.Payload = s.buf
	default:
		return nil
	}
	s.key = causalTime(row, w.limits.Span)
	w.bytes += len(s.buf)
	if n := len(w.run); n == w.first || !less(s, w.run[n-1]) {
		w.run = append(w.run, s)
	} else {
		heap.Push(&w.late, s)
	}
	w.newest = max(w.newest, row.At())
	return w.drain()
}

// Flush gives out what is left.
func (w *Window) Flush() error {
	for w.len() > 0 {
		if err := w.pop(); err != nil {
			return err
		}
	}
	return nil
}

func (w *Window) len() int { return len(w.run) - w.first + len(w.late) }

func (w *Window) drain() error {
	limit := sub(w.newest, w.limits.Span)
	for {
		s := w.head()
		if s == nil {
			return nil
		}
		if s.key > limit {
			if w.len() <= w.limits.Rows && w.bytes <= w.limits.Bytes {
				return nil
			}
			w.shortened++
		}
		if err := w.pop(); err != nil {
			return err
		}
	}
}

// head returns the smallest row; nil when there is none.
func (w *Window) head() *slot {
	var s *slot
	if w.first < len(w.run) {
		s = w.run[w.first]
	}
	if len(w.late) > 0 && (s == nil || less(w.late[0], s)) {
		s = w.late[0]
	}
	return s
}

func (w *Window) pop() error {
	s := w.head()
	if len(w.late) > 0 && s == w.late[0] {
		heap.Pop(&w.late)
	} else {
		w.run[w.first] = nil
		w.first++
		if w.first >= 1024 && w.first*2 > len(w.run) {
			n := copy(w.run, w.run[w.first:])
			clear(w.run[n:])
			w.run, w.first = w.run[:n], 0
		}
	}
	w.bytes -= len(s.buf)
	if w.any && s.key < w.last {
		w.tooLate++
	}
	w.any, w.last = true, max(w.last, s.key)
	err := w.emit(s.key, s.row)
	if cap(s.buf) > keptBuffer {
		s.buf = nil
	}
	switch s.row.(type) {
	case *format.IO:
		w.free.io = append(w.free.io, s)
	case *format.Socket:
		w.free.socket = append(w.free.socket, s)
	case *format.TCP:
		w.free.tcp = append(w.free.tcp, s)
	case *format.TLS:
		w.free.tls = append(w.free.tls, s)
	}
	return err
}

// take returns a slot that is free, or a new one.
func take(free *[]*slot) *slot {
	n := len(*free)
	if n == 0 {
		return new(slot)
	}
	s := (*free)[n-1]
	*free = (*free)[:n-1]
	return s
}

type lateHeap []*slot

func (h lateHeap) Len() int           { return len(h) }
func (h lateHeap) Less(i, j int) bool { return less(h[i], h[j]) }
func (h lateHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *lateHeap) Push(x any)        { *h = append(*h, x.(*slot)) }
func (h *lateHeap) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return s
}
