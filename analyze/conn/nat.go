package conn

import (
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// The other end of a connection whose addresses were translated on the way (a sidecar proxy to which traffic is redirected, a service
// address, a masqueraded one) has other endpoints. What translation leaves alone is the sequence numbers: both ends count from the
// same two, drawn by lot, which are 62 bits or so. That finds the other end whatever was translated, as long as the beginning of both is in the
// reel.

// starts returns what c's streams begin at, written and read; false: both are not known.
func (c *Conn) starts() (snd, rcv format.Seq, ok bool) {
	s := &c.dirs
	if !s[In].fromStart || !s[Out].fromStart || c.has(flagAnyIO|flagUDP|flagUnix) || !c.has(flagConnected) {
		return 0, 0, false
	}
	return s[Out].seq, s[In].seq, true
}

func startKey(snd, rcv format.Seq) uint64 { return uint64(snd)<<32 | uint64(rcv) }

// translated looks for the other end of c by the numbers that its streams begin with, and files c for its sake.
func (t *Table) translated(c *Conn) {
	if c.started != 0 {
		return
	}
	snd, rcv, ok := c.starts()
	if !ok {
		return
	}
	if c.started = startKey(snd, rcv); c.started == 0 {
		return
	}
	if o := t.started[startKey(rcv, snd)]; o != nil && o != c && o.PeerID == 0 && c.PeerID == 0 && o.Role != c.Role {
		c.PeerBy, o.PeerBy = facts.PeerBySequence, facts.PeerBySequence
		client := c
		if o.Role == format.RoleClient {
			client = o
		}
		c.AskedPort, o.AskedPort = client.Remote.Port, client.Remote.Port
		t.pair(c, o)
	}
	t.started[c.started] = c
}

// forgetStart removes c from the index.
func (t *Table) forgetStart(c *Conn) {
	if c.started != 0 && t.started[c.started] == c {
		delete(t.started, c.started)
	}
}
