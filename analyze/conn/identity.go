package conn

import (
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/format"
)

// Which connection a row belongs to. A socket id names a live socket only; what tells its successors apart:
//   - the inode, when both have one. A connection that was not accepted yet has none, and gets it at accept.
//   - the endpoints, when one has no inode.
//   - a birth (CLOSE to SYN_SENT, SYN_RECV to ESTABLISHED) after an established or ended connection: the same socket
//     may be connected again.

// ofIO returns the connection of an io row.
func (t *Table) ofIO(r *format.IO) *Conn {
	c := t.live[r.Socket]
	if c != nil {
		switch {
		case c.Inode == r.Inode, r.Inode == 0:
			return c
		case c.Inode == 0 && samePort(c.Local.Port, r.LPort) && samePort(c.Remote.Port, r.RPort) && !c.has(flagFinished):
			c.Inode = r.Inode // accepted, by a call that was not seen
			return c
		}
		t.replaced(c)
	}
	c = t.create(r.Socket, r.Inode, entry(r))
	c.Local.Port, c.Remote.Port = r.LPort, r.RPort
	return c
}

// ofSocket returns the connection of a socket row; nil when it belongs to none that is kept.
func (t *Table) ofSocket(r *format.Socket) *Conn {
	c := t.live[r.Socket]
	begins := r.Time
	if r.Op == format.SockConnect || r.Op == format.SockClose || r.Op == format.SockShutdown {
		begins = before(r.Time, r)
	}
	if c != nil {
		same := c.isSocket(r)
		switch {
		case same && !birth(r):
			return c
		case same && !c.has(flagConnected|flagDead|flagFinished|flagAnyIO):
			return c
		case same:
			c.SawEnd = true // its socket is connected again: it was disconnected
		case isEnd(r) && (begins <= c.Start || c.has(flagFinished)):
			t.ledger.Add(ledger.SocketUnattributed, 1, ledger.Where{At: r.Time, Socket: r.Socket, PID: r.PID})
			return nil // a call that outlived its socket
		}
		t.replaced(c)
	} else if isEnd(r) && (r.Op != format.SockClose || r.NewState == format.TCPClose) {
		// Of a connection that is complete already, or that nothing else is known of.
		t.ledger.Add(ledger.SocketUnattributed, 1, ledger.Where{At: r.Time, Socket: r.Socket})
		return nil
	}
	return t.create(r.Socket, r.Inode, begins)
}

// replaced ends a connection whose socket id another socket has now.
func (t *Table) replaced(c *Conn) {
	if c.has(flagFinished) {
		return
	}
	if c.has(flagFinSent | flagReset) {
		c.SawEnd = true // only its last row is missing, or late
	}
	if !c.SawEnd {
		t.ledger.Add(ledger.SocketReused, 1, c.where(t.now))
	}
	t.finish(c)
}

// isSocket reports whether a row is of c's socket.
func (c *Conn) isSocket(r *format.Socket) bool {
	if c.Inode != 0 && r.Inode != 0 {
		return c.Inode == r.Inode
	}
	if c.has(flagDead) && c.Inode != 0 {
		return false // a dead socket has no events, but for calls that have its inode
	}
	return samePort(c.Local.Port, r.Local.Port) && samePort(c.Remote.Port, r.Remote.Port) &&
		sameAddr(c.Local, r.Local) && sameAddr(c.Remote, r.Remote)
}

func samePort(a, b uint16) bool { return a == b || a == 0 || b == 0 }

func sameAddr(a, b format.Endpoint) bool {
	if !a.Addr.IsValid() || !b.Addr.IsValid() || a.Addr.IsUnspecified() || b.Addr.IsUnspecified() {
		return true
	}
	return a.Addr.Unmap() == b.Addr.Unmap()
}

// birth reports whether a row is the beginning of a connection. A socket that has a file was never born by its peer's SYN: it
// was accepted since (TCP Fast Open).
func birth(r *format.Socket) bool {
	if r.Op != format.SockState {
		return false
	}
	switch r.NewState {
	case format.TCPSynSent:
		return true
	case format.TCPSynRecv:
		return r.Inode == 0
	case format.TCPEstablished:
		return r.Inode == 0 && (r.OldState == format.TCPSynRecv || r.OldState == format.TCPNewSynRecv)
	}
	return false
}

// isEnd reports whether a row says nothing but that a connection ends.
func isEnd(r *format.Socket) bool {
	switch r.Op {
	case format.SockClose, format.SockShutdown:
		return true
	case format.SockState:
		switch r.NewState {
		case format.TCPClose, format.TCPFinWait1, format.TCPFinWait2, format.TCPTimeWait, format.TCPCloseWait, format.TCPLastAck, format.TCPClosing:
			return true
		}
	}
	return false
}

// before returns when the call of a row began.
func before(at format.KTime, r *format.Socket) format.KTime {
	if r.Duration <= 0 || at < format.KTime(r.Duration) {
		return at
	}
	return at - format.KTime(r.Duration)
}
