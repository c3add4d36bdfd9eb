package exchange

import (
	"time"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/http1"
	"github.com/ebpf-reel/reel/format"
)

// span is a call and the place of its bytes in the stream that the parser was given.
type span struct {
	from, to uint64
	call     facts.Call
	ordinal  uint32
}

// callLog are the calls of one direction whose bytes a message may still claim. Of a message of more calls than are kept, those
// in the middle are only summed up.
type callLog struct {
	spans  []span
	most   int // that are kept: at least two
	folded struct {
		calls       uint32
		time        time.Duration
		blocked     uint32
		blockedTime time.Duration
		to          uint64
	}
}

// leastCalls are kept whatever the configuration says: sums need those that are not whole yet.
const leastCalls = 2

func (l *callLog) reset(most int) {
	l.spans, l.most = l.spans[:0], max(most, leastCalls)
	l.folded.calls = 0
}

// add takes the bytes from..to, moved by the call of ch.
func (l *callLog) add(d conn.Dir, ch *conn.Chunk, from, to uint64) {
	if n := len(l.spans); n > 0 && l.spans[n-1].ordinal == ch.Call {
		l.spans[n-1].to = to // TLS gives the records of one call one by one
		return
	}
	if len(l.spans) >= l.most {
		l.fold()
	}
	dir, moved := format.Write, ch.Moved
	if d == conn.In {
		dir = format.Read
	}
	if moved == 0 {
		moved = to - from
	}
	l.spans = append(l.spans, span{from, to, facts.Call{By: ch.By, Dir: dir, PID: ch.PID, TID: ch.TID, Start: ch.Start, End: ch.End,
		Bytes: moved, Blocked: ch.Blocked, SRTT: ch.SRTT}, ch.Call})
}

// fold makes room: the oldest call of the second half goes.
func (l *callLog) fold() {
	f, at := &l.folded, l.most/2
	if f.calls == 0 {
		f.time, f.blocked, f.blockedTime = 0, 0, 0
	}
	s := &l.spans[at]
	f.to = s.to
	f.calls++
	took := s.call.End.Sub(s.call.Start)
	f.time += took
	if s.call.Blocked {
		f.blocked++
		f.blockedTime += took
	}
	l.spans = append(l.spans[:at], l.spans[at+1:]...)
}

// begin forgets the calls that end before a message that begins at offset.
func (l *callLog) begin(offset uint64) {
	n := 0
	for n < len(l.spans) && l.spans[n].to <= offset {
		n++
	}
	if n == 0 {
		return
	}
	if l.folded.to <= offset {
		l.folded.calls = 0
	}
	if n == len(l.spans) {
		l.spans = l.spans[:0]
		return
	}
	l.spans = append(l.spans[:0], l.spans[n:]...)
}

// sum gives out what the calls of m did, and the calls themselves if they are to be kept.
func (l *callLog) sum(out *facts.Message, m *http1.Message, keep bool) {
	from, to := m.Offset, m.Offset+m.WireBytes
	out.CallTime, out.Blocked, out.BlockedTime, out.LeftCalls = 0, 0, 0, 0
	out.Syscalls = out.Syscalls[:0]
	for i := range l.spans {
		s := &l.spans[i]
		if s.to <= from || s.from >= to {
			continue
		}
		took := s.call.End.Sub(s.call.Start)
		out.CallTime += took
		if s.call.Blocked {
			out.Blocked++
			out.BlockedTime += took
		}
		if keep {
			out.Syscalls = append(out.Syscalls, s.call)
		}
	}
	if f := &l.folded; f.calls > 0 && f.to <= to {
		out.CallTime += f.time
		out.Blocked += f.blocked
		out.BlockedTime += f.blockedTime
		out.LeftCalls = f.calls
		f.calls = 0
	}
	l.begin(to)
}
