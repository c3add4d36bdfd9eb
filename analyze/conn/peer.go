package conn

import (
	"encoding/binary"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// maxChain bounds the connections of one pair of endpoints that are kept for joining: honest ones are two, plus a few that
// have ended a moment ago.
const maxChain = 16

// address takes the addresses of a row and looks for the other end.
func (t *Table) address(c *Conn, r *format.Socket) {
	if c.has(flagIndexed) {
		return
	}
	c.set(flagSocketRow)
	c.NetNS = r.NetNS
	if r.Family == familyUnix {
		t.addressUnix(c, r)
		return
	}
	if r.Protocol == protocolUDP {
		c.set(flagUDP)
	}
	if r.Local.Addr.IsValid() && !r.Local.Addr.IsUnspecified() {
		c.Local.Addr = r.Local.Addr.Unmap()
	}
	if r.Remote.Addr.IsValid() && !r.Remote.Addr.IsUnspecified() {
		c.Remote.Addr = r.Remote.Addr.Unmap()
	}
	if r.Local.Port != 0 {
		c.Local.Port = r.Local.Port
	}
	if r.Remote.Port != 0 {
		c.Remote.Port = r.Remote.Port
	}
	if c.Local.Addr.IsValid() && c.Remote.Addr.IsValid() && c.Local.Port != 0 && c.Remote.Port != 0 {
		t.join(c)
	}
}

// join looks for the other end of c, and files c for its sake. The other end has the same endpoints the other way round, in
// the same network namespace; addresses other than loopback are believed across namespaces too.
func (t *Table) join(c *Conn) {
	var best *Conn
	for o := t.tuples[tuple(c.Remote, c.Local)]; o != nil; o = o.nextTuple {
		if o == c || o.PeerID != 0 || o.Local != c.Remote || o.Remote != c.Local {
			continue
		}
		if o.NetNS != c.NetNS && o.NetNS != 0 && c.NetNS != 0 && c.Local.Addr.IsLoopback() {
			continue
		}
		if best == nil || better(o, best, c) {
			best = o
		}
	}
	if best != nil {
		t.pair(c, best)
	}
	key := tuple(c.Local, c.Remote)
	n := 0
	for o := t.tuples[key]; o != nil; o = o.nextTuple {
		n++
	}
	if n < maxChain {
		c.nextTuple = t.tuples[key]
		t.tuples[key] = c
	}
	c.set(flagIndexed)
}

// pair notes that two connections are the ends of one.
func (t *Table) pair(a, b *Conn) {
	a.peer, b.peer = b, a
	a.PeerID, b.PeerID = b.ID, a.ID
	if a.PeerBy == facts.PeerByNothing {
		a.PeerBy, b.PeerBy = facts.PeerByEndpoints, facts.PeerByEndpoints
	}
	a.PeerImage, b.PeerImage = b.Image, a.Image
	t.infer(a)
	t.infer(b)
	t.handler.Joined(a, b)
	t.handler.Joined(b, a)
}

// better reports whether o is a better other end of c than b: same namespace, still open, newer.
func better(o, b, c *Conn) bool {
	if x, y := o.NetNS == c.NetNS, b.NetNS == c.NetNS; x != y {
		return x
	}
	if x, y := o.has(flagFinished), b.has(flagFinished); x != y {
		return y
	}
	return o.ID > b.ID
}

func (t *Table) unindex(c *Conn) {
	if !c.has(flagIndexed) {
		return
	}
	key := tuple(c.Local, c.Remote)
	if t.tuples[key] == c {
		if c.nextTuple == nil {
			delete(t.tuples, key)
		} else {
			t.tuples[key] = c.nextTuple
		}
		return
	}
	for o := t.tuples[key]; o != nil; o = o.nextTuple {
		if o.nextTuple == c {
			o.nextTuple = c.nextTuple
			return
		}
	}
}

// tuple hashes two endpoints (FNV-1a by words; chains compare in full).
func tuple(a, b format.Endpoint) uint64 {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	for _, e := range [...]format.Endpoint{a, b} {
		addr := e.Addr.As16()
		h = (h ^ binary.LittleEndian.Uint64(addr[:8])) * prime
		h = (h ^ binary.LittleEndian.Uint64(addr[8:])) * prime
		h = (h ^ uint64(e.Port)) * prime
		h ^= h >> 29
	}
	return h
}
