package conn

import (
	"math"

	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/format"
)

// Errors of io calls that say how a connection ended. Numbers are Linux' own on every architecture that reel records.
const (
	errEPIPE        = 32
	errECONNABORTED = 103
	errECONNRESET   = 104
	errETIMEDOUT    = 110
	errEALREADY     = 114
	errEINPROGRESS  = 115
	errEISCONN      = 106
)

// maxMoved is the most that one call can move (MAX_RW_COUNT, include/linux/fs.h, with pages of 4 KiB, is a little less).
const maxMoved = 1<<31 - 1

// io takes one read/write-like call.
func (t *Table) io(r *format.IO) {
	if r.Dir != format.Read && r.Dir != format.Write {
		return
	}
	c := t.ofIO(r)
	d := Dir(r.Dir - format.Read)
	t.datagram(c, r)
	to := t.toPeer(c, r)
	// Of a call that moved several messages, each has a row: it is one call.
	if r.Flags&format.IOSameCall == 0 {
		to.Calls[d]++
	}
	if r.Duration > 0 && r.Flags&format.IOSameCall == 0 {
		to.CallTime[d] = min(to.CallTime[d], math.MaxInt64-r.Duration) + r.Duration
	}
	if r.SRTT > 0 {
		c.SRTT = r.SRTT
		c.transport.rtt(r.SRTT)
	}
	t.owner(c, r.PID, r.Time)
	t.owner(to, r.PID, r.Time)
	if r.Flags&format.IOMasked != 0 {
		t.ledger.Add(ledger.Masked, 1, c.where(r.Time))
	}
	if r.Ret < 0 {
		to.failed(-r.Ret)
		return
	}
	if r.Flags&format.IOPeek != 0 {
		return // the bytes will be read again
	}
	if r.Ret > maxMoved {
		t.ledger.Add(ledger.StreamImpossible, 1, c.where(r.Time))
		return
	}
	t.measure(c, d, r)
	if c.has(flagFinished) {
		c.Bytes[d] += uint64(r.Ret)
		t.overlapping(c, d, r, r.Ret)
		return
	}
	c.End, to.End = max(c.End, r.Time), max(to.End, r.Time)
	if r.Ret == 0 && r.Flags&format.IOEOF == 0 {
		return
	}
	if d == In {
		c.transport.more.opened(In, r.Time) // what is read makes room again
	}
	t.order(c, d, r)
}

// failed notes what an error says of the connection.
func (c *Conn) failed(errno int64) {
	switch errno {
	case errECONNRESET, errECONNABORTED, errETIMEDOUT:
		c.set(flagReset)
	case errEPIPE:
	default:
		return
	}
	c.Errno = uint16(errno)
}

// take uses a row that is in its place.
func (t *Table) take(c *Conn, d Dir, r *format.IO, over int64) {
	if r.Ret > 0 {
		t.deliver(c, d, r, over)
	}
	if r.Flags&format.IOEOF != 0 && d == In {
		c.set(flagFinReceived)
		s := &c.dirs[In]
		if !s.ended {
			s.ended = true
			t.chunk = Chunk{Start: entry(r), End: r.Time, PID: r.PID, TID: r.TID, Call: c.nextCall(), Seq: s.seq, SeqValid: s.known}
			t.handler.End(c, In, FIN, &t.chunk)
		}
	}
}

func (t *Table) countCut(c *Conn, r *format.IO, missing int64) {
	if missing <= 0 {
		return
	}
	name, ok := ledger.Cut(r.Cut)
	if !ok {
		name = ledger.CutUnknown
	}
	t.ledger.AddBytes(name, 1, uint64(missing), c.where(r.Time))
}

// socket takes one event of a socket's life.
func (t *Table) socket(r *format.Socket) {
	if t.listening(r) {
		return
	}
	if r.Op == format.SockAccept && r.Ret < 0 {
		return // no connection came of it
	}
	c := t.ofSocket(r)
	if c == nil {
		return
	}
	if c.Inode == 0 {
		c.Inode = r.Inode
	}
	if r.SRTT > 0 {
		c.SRTT = r.SRTT
	}
	c.counters(r)
	if c.has(flagFinished) {
		switch {
		case r.Op == format.SockClose:
			c.End = max(c.End, r.Time)
		case r.Op == format.SockState && r.NewState == format.TCPClose:
			c.closeTime(r)
			c.set(flagDead)
		}
		return
	}
	t.address(c, r)
	if r.Op == format.SockState {
		t.state(c, r)
		return
	}
	t.owner(c, r.PID, r.Time)
	if r.Op != format.SockShutdown && r.NewState != 0 {
		c.enter(r.NewState)
	}
	switch r.Op {
	case format.SockConnect:
		t.connected(c, r)
	case format.SockAccept:
		c.SawStart = true
		c.Connect = r.Duration
		if x := c.transport.more; x != nil && x.established != 0 {
			x.AcceptWait = max(r.Time.Sub(x.established), 0)
		}
		c.set(flagConnected)
		c.role(format.RoleServer, ByAccept)
	case format.SockPair:
		c.SawStart = true
		c.set(flagConnected | flagPair)
	case format.SockSnapshot, format.SockSeen:
		c.set(flagConnected)
		c.roleBefore(r)
	}
	c.sequence(r)
	t.translated(c)
	switch r.Op {
	case format.SockShutdown:
		if r.Ret == 0 && r.NewState != 0 { // SHUT_WR or SHUT_RDWR
			c.set(flagFinSent)
			t.finSent(c)
		}
	case format.SockClose:
		t.closed(c, r)
	}
	t.infer(c)
}

// connected takes a call of connect(2).
func (t *Table) connected(c *Conn, r *format.Socket) {
	c.role(format.RoleClient, ByConnect)
	c.SawStart = true
	if begin := before(r.Time, r); begin < c.Start && !c.has(flagAnyIO) {
		c.Start = begin
	}
	switch -r.Ret {
	case 0:
		c.set(flagConnected)
		if c.Connect < 0 {
			c.Connect = r.Duration
		}
	case errEINPROGRESS, errEALREADY, errEISCONN:
		// The handshake goes on by itself, or is over: the state change says when.
	default:
		c.Errno = uint16(-r.Ret)
		if c.Connect < 0 {
			c.Connect = r.Duration
		}
	}
}

// enter notes a state that is already there: what it implies was before.
func (c *Conn) enter(s format.TCPState) {
	c.tcp = s
	switch s {
	case format.TCPEstablished:
		c.set(flagConnected)
	case format.TCPFinWait1, format.TCPFinWait2:
		c.set(flagConnected | flagFinSent)
	case format.TCPCloseWait:
		c.set(flagConnected | flagFinReceived)
	case format.TCPLastAck, format.TCPClosing, format.TCPTimeWait:
		c.set(flagConnected | flagFinSent | flagFinReceived)
	}
}

// state takes a change of state.
func (t *Table) state(c *Conn, r *format.Socket) {
	if r.OldState != 0 && c.has(flagConnected) {
		c.enter(r.OldState)
	}
	c.tcp = r.NewState
	c.sequence(r)
	switch r.NewState {
	case format.TCPSynSent:
		c.SawStart = true
		c.role(format.RoleClient, ByConnect)
	case format.TCPSynRecv, format.TCPEstablished:
		if r.OldState == format.TCPSynSent {
			c.role(format.RoleClient, ByConnect)
			if c.Connect < 0 {
				c.Connect = r.Time.Sub(c.Start)
			}
		} else {
			c.role(format.RoleServer, ByAccept)
		}
		c.SawStart = true
		if r.NewState == format.TCPEstablished {
			c.set(flagConnected)
			if r.OldState == format.TCPSynRecv {
				c.transport.detail().established = r.Time
			}
		}
	case format.TCPFinWait1, format.TCPLastAck:
		c.fin.at, c.fin.tid = r.Time, r.TID
		c.End = max(c.End, r.Time)
		t.finSent(c)
		c.enter(r.NewState)
	case format.TCPClose:
		t.dead(c, r)
	default:
		c.enter(r.NewState)
	}
	t.translated(c)
	t.infer(c)
}

// finSent ends what c writes: its rows, which count from the entry of their calls, have all come.
func (t *Table) finSent(c *Conn) {
	t.giveUpOn(c, Out)
	t.tail(c, Out)
	t.end(c, Out, FIN)
}

// dead takes the change to CLOSE: no more segments. What waits in the receive queue can still be read as long as a
// descriptor is open: a peer's FIN in FIN_WAIT2 gets here with the response unread.
func (t *Table) dead(c *Conn, r *format.Socket) {
	c.closeTime(r)
	if r.OldState == format.TCPSynSent && !c.has(flagConnected) {
		if c.Errno == 0 {
			c.Errno = r.Error // of a connect that did not wait
		}
		if c.Connect < 0 {
			c.Connect = max(r.Time.Sub(c.Start), 0)
		}
	}
	switch r.OldState {
	case format.TCPEstablished, format.TCPCloseWait:
		c.set(flagReset) // by either side: an orderly end goes through FIN_WAIT1 or LAST_ACK
		c.fin.at, c.fin.tid = r.Time, r.TID
	case format.TCPFinWait1:
		c.set(flagReset)
	case format.TCPFinWait2, format.TCPLastAck, format.TCPClosing, format.TCPTimeWait:
		c.set(flagFinSent | flagFinReceived)
	}
	c.set(flagDead)
	c.SawEnd = true
	c.End = max(c.End, r.Time)
	if c.has(flagFDClosed) || !c.has(flagConnected) && c.Role != format.RoleClient {
		t.finish(c)
		return
	}
	t.closeLater(c, later(t.now, t.limits.Closing))
}

// closed takes a descriptor that was dropped. The row says whether it was the last; in older reels it was if the socket changed
// its state inside the call, by this thread, or had ended before; else other descriptors may live.
func (t *Table) closed(c *Conn, r *format.Socket) {
	c.End = max(c.End, r.Time)
	if r.FileRefs > 1 {
		return // another descriptor, or a call under way in another thread, keeps it open
	}
	c.CloseCall = max(r.Duration, 0) // the last one that is seen is the one that closed
	if r.FileRefs == 1 {
		c.SawEnd = true
		c.set(flagFDClosed)
		t.finish(c)
		return
	}
	inside := c.fin.at != 0 && c.fin.tid == r.TID && c.fin.at >= before(r.Time, r) && c.fin.at <= r.Time
	switch {
	case inside:
		c.SawEnd = true
		c.set(flagFDClosed)
		t.finish(c)
	case c.has(flagDead):
		c.set(flagFDClosed)
		t.finish(c)
	default:
		// Without state changes (their hook may be refused), or when the FIN was sent before: wait for a sign of life.
		c.SawEnd = true
		if c.has(flagFinSent) {
			c.set(flagFDClosed)
		}
		t.closeLater(c, later(t.now, t.limits.Closing))
	}
}

// owner notes the first process that used c.
func (t *Table) owner(c *Conn, pid format.PID, at format.KTime) {
	if c.PID != 0 || pid == 0 {
		return
	}
	c.PID = pid
	c.Image = t.procs.At(pid, at)
	if c.peer != nil {
		c.peer.PeerImage = c.Image
		t.handler.Joined(c.peer, c)
	}
}
