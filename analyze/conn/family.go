package conn

import "github.com/ebpf-reel/reel/format"

// What tells sockets without TCP apart: numbers of Linux.
const (
	familyUnix  = 1
	protocolUDP = 17
	portDNS     = 53
)

// addressUnix takes the paths of an AF_UNIX socket, and joins it to its other end. Paths do not tell who belongs together, but
// the kernel does: the row names the peer's socket.
func (t *Table) addressUnix(c *Conn, r *format.Socket) {
	c.set(flagUnix)
	if r.Local.Path != "" {
		c.Local.Path = r.Local.Path
	}
	if r.Remote.Path != "" {
		c.Remote.Path = r.Remote.Path
	}
	o := t.live[r.Peer]
	if r.Peer == 0 || o == nil || o == c || c.PeerID != 0 || o.PeerID != 0 || !o.has(flagUnix) {
		return
	}
	if o.Inode != r.PeerInode && o.Inode != 0 && r.PeerInode != 0 {
		return // another socket has that address now
	}
	t.pair(c, o)
}

// carrier names what carries a connection whose content shows nothing.
func (c *Conn) carrier() Proto {
	switch {
	case c.has(flagUnix):
		return Unix
	case c.has(flagUDP) && (c.Local.Port == portDNS || c.Remote.Port == portDNS):
		return DNS
	case c.has(flagUDP):
		return UDP
	}
	return TCP
}
