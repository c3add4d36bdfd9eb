package conn

import (
	"net/netip"
	"slices"

	"github.com/ebpf-reel/reel/format"
)

// A UDP socket may talk to many: a resolver to several servers, a server to all its clients. Each peer is a connection of its own, which has
// the datagrams to and from it. The probe counts the bytes of a socket, whoever they go to, so order and loss belong to the socket:
// the connection of the first peer, its head, has the streams, and what is lost.

// peers are the connections of a socket but for its head.
type peers struct {
	head *Conn
	of   map[netip.AddrPort]*Conn // nil but for the head
}

// datagram takes what an io row alone says of its socket: the family, and the peer of a datagram. A socket is named by its first peer.
func (t *Table) datagram(c *Conn, r *format.IO) {
	if r.Family == familyUnix {
		c.set(flagUnix)
		return
	}
	if r.Flags&format.IODgram == 0 {
		return
	}
	c.set(flagUDP)
	if !c.Remote.Addr.IsValid() && hasPeer(r) {
		c.Remote.Addr, c.Remote.Port = r.Remote.Unmap(), r.RPort
	}
	t.meet(c)
}

func hasPeer(r *format.IO) bool {
	return r.Remote.IsValid() && !r.Remote.IsUnspecified() && r.RPort != 0
}

// spoken notes who sent the first datagram: the client, if nothing else tells.
func (c *Conn) spoken(d Dir) {
	if c.has(flagUDP) && !c.has(flagAnyIO) {
		c.firstOut = d == Out
	}
}

// toPeer returns the connection that a row of c's socket belongs to: c itself, unless it is of another peer.
func (t *Table) toPeer(c *Conn, r *format.IO) *Conn {
	if !c.has(flagUDP) || r.Family == familyUnix || !hasPeer(r) || c.has(flagFinished) {
		return c
	}
	addr := r.Remote.Unmap()
	if addr == c.Remote.Addr && r.RPort == c.Remote.Port {
		return c
	}
	key := netip.AddrPortFrom(addr, r.RPort)
	if c.peers == nil {
		c.peers = &peers{of: make(map[netip.AddrPort]*Conn)}
	}
	if p := c.peers.of[key]; p != nil {
		return p
	}
	p := t.add(c.Socket, c.Inode, entry(r))
	p.peers = &peers{head: c}
	p.Local, p.NetNS = c.Local, c.NetNS
	if c.has(flagLocalGuessed) {
		p.Local.Addr = netip.Addr{}
	}
	p.Remote.Addr, p.Remote.Port = addr, r.RPort
	p.set(flagUDP | c.flags&flagSocketRow)
	if c.peers == nil { // making room for p has ended c
		return p
	}
	c.peers.of[key] = p
	t.meet(p)
	return p
}

// meet looks for the other end of a socket that is bound to any address: of a datagram from loopback it is loopback as well.
func (t *Table) meet(c *Conn) {
	if c.has(flagIndexed) || !c.has(flagSocketRow) || c.Local.Port == 0 || c.Remote.Port == 0 {
		return
	}
	if !c.Local.Addr.IsValid() && c.Remote.Addr.IsLoopback() {
		c.Local.Addr = c.Remote.Addr
		c.set(flagLocalGuessed)
	}
	if c.Local.Addr.IsValid() && c.Remote.Addr.IsValid() {
		t.join(c)
	}
}

// dismiss ends the connections of a socket's other peers, which have no end of their own, and takes c out of those of its head.
func (t *Table) dismiss(c *Conn) {
	if c.peers == nil {
		return
	}
	if head := c.peers.head; head != nil {
		if head.peers != nil {
			delete(head.peers.of, netip.AddrPortFrom(c.Remote.Addr, c.Remote.Port))
		}
		c.peers = nil
		return
	}
	rest := make([]*Conn, 0, len(c.peers.of))
	for _, p := range c.peers.of {
		rest = append(rest, p)
	}
	c.peers = nil
	slices.SortFunc(rest, byID)
	for _, p := range rest {
		if !p.has(flagSocketRow) && c.has(flagSocketRow) {
			p.NetNS = c.NetNS
			p.set(flagSocketRow)
		}
		p.SawEnd = c.SawEnd
		t.finish(p)
	}
}

// Datagrams reports whether c is of UDP: what it moves has boundaries, and is no stream.
func (c *Conn) Datagrams() bool { return c.has(flagUDP) }
