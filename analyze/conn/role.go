package conn

import (
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/process"
	"github.com/ebpf-reel/reel/format"
)

// RoleBy says how a role was found. The order is that of the package doc: a smaller one is believed before a greater one.
type RoleBy uint8

// The ways.
const (
	ByNothing    RoleBy = 0
	ByConnect    RoleBy = 1
	ByAccept     RoleBy = 2
	ByListener   RoleBy = 3
	ByPeer       RoleBy = 4
	ByFirstBytes RoleBy = 5
	ByPort       RoleBy = 6
)

func (b RoleBy) String() string {
	return [...]string{"", "connect", "accept", "listener", "peer", "first bytes", "port", ""}[b&7]
}

// role sets c's role unless it is known by something better.
func (c *Conn) role(r format.Role, by RoleBy) {
	if c.Role == format.RoleUnknown || by < c.RoleBy {
		c.Role, c.RoleBy = r, by
	}
}

// roleBefore takes the role that the recorder knows of a connection which is older than the capture, or than the window of a flight
// recorder: by connect, by accept, or by its listening socket, which of a server it does not say.
func (c *Conn) roleBefore(r *format.Socket) {
	switch r.Role {
	case format.RoleClient:
		c.role(format.RoleClient, ByConnect)
	case format.RoleServer:
		c.role(format.RoleServer, ByListener)
	}
}

// listener is a local port that a process of the reel listens on.
type listener struct {
	netns uint64
	port  uint16
}

// maxListeners bounds the ports that are kept.
const maxListeners = 1 << 16

// listening takes rows of listening sockets; false: r is of a connection.
func (t *Table) listening(r *format.Socket) bool {
	if r.Family == familyUnix {
		return r.NewState == format.TCPListen && r.Op != format.SockShutdown // it has no port to be found by
	}
	switch {
	case r.Op == format.SockListen, r.Op == format.SockState && r.NewState == format.TCPListen:
		key := listener{r.NetNS, r.Local.Port}
		if _, known := t.listeners[key]; known || len(t.listeners) < maxListeners {
			image := t.listeners[key]
			if r.Op == format.SockListen && r.PID != 0 && (image == nil || !image.Known) {
				image = t.procs.At(r.PID, r.Time)
			}
			t.listeners[key] = image
		}
		return true
	case r.Op == format.SockState && r.OldState == format.TCPListen:
		return true // its connections keep their role
	case r.Op == format.SockClose && r.NewState == format.TCPListen, r.Op == format.SockShutdown && r.OldState == format.TCPListen:
		return true
	}
	return false
}

// Listener returns the program that listens on a port of a network namespace; nil when the reel does not say.
func (t *Table) Listener(netns uint64, port uint16) *process.Image {
	return t.listeners[listener{netns, port}]
}

// infer finds the role by what is known besides connect and accept.
func (t *Table) infer(c *Conn) {
	if c.Role != format.RoleUnknown && c.RoleBy <= ByListener {
		return
	}
	if c.has(flagSocketRow) && !c.has(flagUnix) {
		if image, ok := t.listeners[listener{c.NetNS, c.Local.Port}]; ok {
			c.role(format.RoleServer, ByListener)
			if c.PID == 0 && c.Image == nil {
				c.Image = image // not accepted yet: it belongs to who listens
			}
			return
		}
		if _, ok := t.listeners[listener{c.NetNS, c.Remote.Port}]; ok && local(c) {
			c.role(format.RoleClient, ByListener)
			return
		}
	}
	if c.peer != nil && c.peer.Role != format.RoleUnknown && c.peer.RoleBy != ByPeer {
		c.role(opposite(c.peer.Role), ByPeer)
	}
}

// local reports whether both ends of c are on one host for certain.
func local(c *Conn) bool {
	return c.Remote.Addr.IsLoopback() || c.Remote.Addr.IsValid() && c.Remote.Addr == c.Local.Addr
}

func opposite(r format.Role) format.Role {
	if r == format.RoleClient {
		return format.RoleServer
	}
	return format.RoleClient
}

// Sends notes what the first bytes of c show: whether the side that wrote them (d is Out) is the client.
func (c *Conn) Sends(d Dir, clientSpeaks bool) {
	if (d == Out) == clientSpeaks {
		c.role(format.RoleClient, ByFirstBytes)
	} else {
		c.role(format.RoleServer, ByFirstBytes)
	}
}

// guess finds the role by the ports, when nothing else tells.
func (t *Table) guess(c *Conn) {
	const wellKnown = 1024
	l, r := c.Local.Port, c.Remote.Port
	switch {
	case c.Role != format.RoleUnknown || l == 0 || r == 0:
	case l < wellKnown && r >= wellKnown:
		c.role(format.RoleServer, ByPort)
	case r < wellKnown && l >= wellKnown:
		c.role(format.RoleClient, ByPort)
	}
	if c.Role == format.RoleUnknown && c.has(flagUDP) && c.has(flagAnyIO) {
		c.Sends(Out, c.firstOut)
	}
	switch {
	case c.Role == format.RoleUnknown && c.has(flagPair):
	case c.Role == format.RoleUnknown:
		t.ledger.Add(ledger.RoleUnknown, 1, c.where(c.Start))
	case c.RoleBy > ByAccept:
		t.ledger.Add(ledger.RoleInferred, 1, c.where(c.Start))
	}
}
