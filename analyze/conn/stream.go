package conn

import (
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/format"
)

// maxJump is the largest number of bytes that can be called lost: a greater distance on the circle of sequence numbers is a
// jump of unknown length, since a stream that lost more may have gone round it any number of times.
const maxJump = 1 << 30

// stream is one direction: where it is, and how far the kernel says that it went.
//
// How the kernel numbers bytes, and what follows for the numbers in socket rows (net/ipv4/tcp.c):
//   - write_seq is the next byte to be written; sending a FIN takes one number. The change of state to FIN_WAIT1 or LAST_ACK
//     comes before that, so its row is exact; later rows are one too high.
//   - copied_seq is the next byte to be read; reading the end of file takes one number. It equals rcv_nxt after that, which
//     it cannot before when a FIN was received.
//
// In io rows the probe has put that right already.
type stream struct {
	seq       format.Seq // of the next byte
	last      format.Seq // the furthest that a socket row shows the stream
	at        format.KTime
	tid       format.TID // that moved the last bytes
	known     bool       // seq is
	soft      bool       // seq comes from a socket row that may have been ahead of a call in flight
	lastKnown bool
	fromStart bool
	unplaced  bool // the kernel encrypts: it numbers the bytes of records, and calls move others
	ended     bool
}

// begin fixes the number of the stream's first byte.
func (s *stream) begin(seq format.Seq) {
	if !s.known {
		s.seq, s.known, s.fromStart = seq, true, true
	}
}

// reached notes that the stream went up to seq. A row of a stream that no call has been seen of also says where it begins,
// unless a call in flight was ahead of it.
func (s *stream) reached(seq format.Seq) {
	if !s.known {
		s.seq, s.known, s.soft = seq, true, true
	}
	if !s.lastKnown || seq.Sub(s.last) > 0 {
		s.last, s.lastKnown = seq, true
	}
}

// ahead returns how many bytes lie between what was seen and seq; negative when seq lies before.
func (s *stream) ahead(seq format.Seq) int64 { return int64(seq.Sub(s.seq)) }

// sequence takes what a socket row says about both streams.
func (c *Conn) sequence(r *format.Socket) {
	if r.SndSeq == 0 && r.RcvSeq == 0 && r.RcvNxt == 0 {
		return // not a TCP socket, or not connected
	}
	if r.Family == familyUnix || r.Protocol == protocolUDP {
		c.counted(r)
		return
	}
	snd, rcv := r.SndSeq, r.RcvSeq
	state := r.NewState
	if r.Op == format.SockShutdown {
		state = c.tcp // NewState says how
	}
	if c.finCounted(r) {
		snd--
	}
	if c.has(flagFinReceived) && r.RcvSeq == r.RcvNxt {
		rcv--
	}
	switch {
	case state == format.TCPSynSent:
		c.dirs[Out].begin(snd) // the peer has not said yet where it begins
		return
	case r.Op == format.SockConnect && r.Ret == 0, r.Op == format.SockAccept,
		r.Op == format.SockState && state == format.TCPEstablished:
		if !c.has(flagAnyIO) {
			c.dirs[Out].begin(snd)
			c.dirs[In].begin(rcv)
		}
	}
	c.dirs[Out].reached(snd)
	c.dirs[In].reached(rcv)
}

// counted takes what the probe counted of a socket that has no sequence numbers of its own: from 1, in each direction.
func (c *Conn) counted(r *format.Socket) {
	switch r.Op {
	case format.SockConnect, format.SockAccept, format.SockPair:
		if !c.has(flagAnyIO) && r.SndSeq == 1 && r.RcvSeq == 1 {
			c.dirs[Out].begin(r.SndSeq)
			c.dirs[In].begin(r.RcvSeq)
		}
	case format.SockSeen:
		if c.has(flagAnyIO) {
			return // the probe had forgotten the socket, and counts anew
		}
	}
	c.dirs[Out].reached(r.SndSeq)
	c.dirs[In].reached(r.RcvSeq)
}

// finCounted reports whether the row's SndSeq is one beyond the last byte.
func (c *Conn) finCounted(r *format.Socket) bool {
	switch r.Op {
	case format.SockShutdown:
		return r.Ret == 0 && r.NewState != 0 || c.has(flagFinSent)
	case format.SockState:
		return c.has(flagFinSent) && r.NewState != format.TCPFinWait1 && r.NewState != format.TCPLastAck
	}
	// The state is that of the moment at which the numbers were read: for close(2), before it closed.
	return c.has(flagFinSent) && r.NewState != format.TCPEstablished && r.NewState != format.TCPCloseWait
}

// place is where an io row belongs, as seen from the bytes before it.
type place uint8

const (
	fits    place = iota // right behind them
	ahead                // calls before it are missing, or late
	overlap              // it begins inside them
)

// locate compares a row with its stream.
func (c *Conn) locate(d Dir, r *format.IO) (place, int64) {
	s := &c.dirs[d]
	if r.Flags&format.IOOffsetValid == 0 {
		return fits, 0
	}
	if !s.known {
		s.seq, s.known = r.Seq, true
	}
	gap := s.ahead(r.Seq)
	if s.soft && gap < 0 && -gap < maxJump {
		s.seq, gap = r.Seq, 0
	}
	if gap == 1 && d == In && r.Flags&format.IOOOB != 0 {
		s.seq, gap = r.Seq, 0 // the urgent byte, which no ordinary read gets
	}
	switch {
	case gap == 0:
		return fits, 0
	case gap > 0:
		return ahead, gap
	}
	return overlap, -gap
}

// deliver gives a row to the handler. The row fits, or overlaps what was delivered by over bytes.
func (t *Table) deliver(c *Conn, d Dir, r *format.IO, over int64) {
	s := &c.dirs[d]
	n := r.Ret
	s.soft = false
	to := t.toPeer(c, r)
	to.Bytes[d] += uint64(n)
	have := min(int64(len(r.Payload)), n)
	t.countCut(to, r, n-have)
	if over > 0 {
		t.overlapping(c, d, r, over)
		if over >= n {
			return
		}
	}
	switch {
	case r.Flags&format.IOKTLS != 0:
		s.unplaced = true
	case r.Flags&format.IOOffsetValid == 0:
		t.ledger.Add(ledger.StreamNoOffset, 1, c.where(r.Time))
	}
	ch := &t.chunk
	*ch = Chunk{
		Start: entry(r), End: r.Time, PID: r.PID, TID: r.TID, Call: to.nextCall(), Turn: !to.has(flagAnyIO) || to.lastDir != d,
		By: r.Call, Blocked: r.Flags&format.IOBlocked != 0, Moved: uint64(n), SRTT: r.SRTT,
		Seq: s.seq, SeqValid: s.known,
	}
	if over > 0 {
		// Whose bytes these are is not certain: none is used.
		ch.Cut = uint64(n - over)
	} else {
		ch.Bytes, ch.Cut = r.Payload[:have], uint64(n-have)
		to.Captured[d] += uint64(have)
	}
	if c.has(flagUnix) && r.Flags&format.IODgram == 0 && r.TID != s.tid && s.tid != 0 && entry(r) < s.at {
		t.ledger.AddBytes(ledger.StreamUnordered, 1, uint64(n), c.where(r.Time))
	}
	s.seq += format.Seq(uint32(n - over))
	s.at, s.tid = r.Time, r.TID
	to.spoken(d)
	to.lastDir = d
	to.set(flagAnyIO)
	if s.ended {
		s.ended = false // bytes behind an end: the end was not one
	}
	if to != c {
		c.set(flagAnyIO)
		c.nextCall() // its socket is in use
	}
	t.handler.Data(to, d, ch)
}

// overlapping counts a row whose first over bytes were delivered, or counted as lost, before.
func (t *Table) overlapping(c *Conn, d Dir, r *format.IO, over int64) {
	n := uint64(min(over, r.Ret))
	late := min(n, c.Lost[d])
	c.Lost[d] -= late
	if late > 0 {
		t.ledger.AddBytes(ledger.StreamLate, 1, late, c.where(r.Time))
	}
	if n > late {
		t.ledger.AddBytes(ledger.StreamOverlap, 1, n-late, c.where(r.Time))
		c.Bytes[d] -= n - late // a byte is in one place only
	}
}

// lose tells the handler that n bytes are missing before the time at; -1 if nobody knows how many.
func (t *Table) lose(c *Conn, d Dir, n int64, at format.KTime, name ledger.Name) {
	s := &c.dirs[d]
	c.Gaps[d]++
	bytes := uint64(max(n, 0))
	c.Lost[d] += bytes
	t.ledger.AddBytes(name, 1, bytes, c.where(at))
	ch := &t.chunk
	*ch = Chunk{Start: max(s.at, c.Start), End: at, Call: c.nextCall(), Turn: c.has(flagAnyIO) && c.lastDir != d, Seq: s.seq, SeqValid: s.known}
	s.seq += format.Seq(uint32(bytes))
	s.soft = false
	c.lastDir = d
	c.set(flagAnyIO)
	t.handler.Lost(c, d, n, ch)
}

func (c *Conn) nextCall() uint32 {
	c.calls++
	return c.calls
}

// entry returns when a call began, as far as known.
func entry(r *format.IO) format.KTime {
	if r.Duration <= 0 || r.Time < format.KTime(r.Duration) {
		return r.Time
	}
	return r.Time - format.KTime(r.Duration)
}
