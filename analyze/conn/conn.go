// Package conn turns socket, io and tcp rows into connections and their two byte streams, with explicit holes.
//
// A connection is a socket, from its birth to its end, whoever uses it: several processes may share it (fork, dup,
// SCM_RIGHTS), and closing one descriptor ends nothing while others live (DESIGN D2). The kernel reuses the addresses of its
// sockets, so identity is socket id, inode and birth; see identity.go.
//
// Each io row carries the TCP sequence number of its first byte, so a stream's offsets are exact and what is missing is
// known to the byte: see stream.go. Calls of several threads may end in another order than their bytes; hold.go waits for
// the missing one, a bounded time.
//
// Roles are found in this order, and RoleBy says which: connect(2) or accept(2) of the connection itself ("connect",
// "accept"); a listener of the reel on its local port, or on its remote one if that is on this host ("listener"); the role
// of the other end ("peer"); an HTTP request or a TLS ClientHello read or written ("first bytes"); a local port below 1024
// against one above, or the remote the same way round ("port").
package conn

import (
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/process"
	"github.com/ebpf-reel/reel/analyze/protocol"
	"github.com/ebpf-reel/reel/format"
)

// Dir is a direction of a connection: the index of the pairs in facts.Connection.
type Dir uint8

// The directions.
const (
	In  Dir = 0 // read by the process
	Out Dir = 1 // written by the process
)

// Other returns the other direction.
func (d Dir) Other() Dir { return 1 - d }

// Ending says how a direction ended.
type Ending uint8

// The endings.
const (
	Open   Ending = 0 // not yet: the reel, or the analysis' memory, ended before it
	FIN    Ending = 1 // orderly
	Closed Ending = 2 // the process closed before the peer had ended
	Reset  Ending = 3 // aborted
)

// Chunk is what one call moved in one direction.
type Chunk struct {
	Start, End format.KTime // of the call
	PID        format.PID
	TID        format.TID
	Call       uint32 // ordinal on the connection
	Turn       bool   // the first bytes of this direction after bytes of the other
	By         format.Call
	Blocked    bool          // the thread left its CPU inside the call
	Moved      uint64        // bytes on the socket, ciphertext and bytes that were counted before included; 0: as Bytes and Cut
	SRTT       time.Duration // of the socket at the end of the call; 0 unknown
	Seq        format.Seq
	SeqValid   bool
	Bytes      []byte // the first bytes moved, whose content is in the reel; valid during the call
	Cut        uint64 // bytes that follow, moved by the same call, whose content is not
}

// Handler receives the streams. All calls of one connection come in causal order.
type Handler interface {
	// Data: the next bytes of a direction.
	Data(c *Conn, d Dir, ch *Chunk)
	// Lost: n bytes of a direction were moved by calls that are not in the reel; -1 if nobody knows how many. at has the times
	// between which that happened, and no bytes.
	Lost(c *Conn, d Dir, n int64, at *Chunk)
	// End: nothing more comes in this direction.
	End(c *Conn, d Dir, how Ending, at *Chunk)
	// Closed: both directions have ended. The connection's numbers are final but for rows that come very late.
	Closed(c *Conn)
	// Gone: the connection is complete, and forgotten after the call.
	Gone(c *Conn) error
	// Joined: the other end of c was found to be other.
	Joined(c, other *Conn)
}

// PlaintextHandler takes what was said inside TLS, as the library's own calls tell it.
type PlaintextHandler interface {
	// Plaintext: bytes of the plaintext of a direction. ch is as if a system call had moved them, but that its Seq is not valid;
	// offset counts the session's bytes of that direction before these.
	Plaintext(c *Conn, d Dir, session format.SessionID, offset uint64, ch *Chunk)
}

// Conn is one end of one connection.
type Conn struct {
	ID     facts.ConnID
	Socket format.SocketID
	Inode  format.Inode
	NetNS  uint64
	Local  format.Endpoint
	Remote format.Endpoint
	PID    format.PID     // first process that used it; 0 none did
	Image  *process.Image // its program then; nil as long as PID is 0
	Role   format.Role
	RoleBy RoleBy
	Proto  Proto

	PeerID    facts.ConnID
	PeerBy    facts.PeerBy
	AskedPort uint16         // that the client connected to, when it was translated on the way; 0: it was not
	PeerImage *process.Image // nil unknown

	Start, End       format.KTime
	SawStart, SawEnd bool
	Errno            uint16
	Connect          time.Duration
	SRTT             time.Duration
	Retrans          uint32
	Calls            [2]uint64
	Bytes            [2]uint64
	Captured         [2]uint64
	Lost             [2]uint64
	Gaps             [2]uint32
	CallTime         [2]time.Duration
	Exchanges        uint64
	Upgrade          string // what it went over to after HTTP/1
	transport        transport

	TLS *facts.TLS // nil: no ClientHello was seen

	Metrics   *facts.Calls  // nil: no call moved bytes
	CloseCall time.Duration // of the close(2) that dropped the last descriptor; -1 unknown

	// Layer, State and Flow belong to those who decrypt the streams, who read them, and who fold the numbers.
	Layer any
	State any
	Flow  any

	dirs    [2]stream
	calls   uint32
	lastDir Dir
	flags   flag
	tcp     format.TCPState // last known
	fin     struct {        // the last change of state that closing a socket makes
		at  format.KTime
		tid format.TID
	}
	hold      *hold
	peer      *Conn  // as long as both are kept
	peers     *peers // of a UDP socket that talks to several
	firstOut  bool   // of UDP: the first datagram was sent
	nextTuple *Conn  // in the table's chain
	started   uint64 // key in the table's index by first sequence numbers; 0 none
	activity  uint32
}

type flag uint16

const (
	flagAnyIO     flag = 1 << iota
	flagSocketRow      // a row with addresses was seen
	flagConnected      // it was established at some time
	flagFinSent
	flagFinReceived
	flagReset
	flagFDClosed // the last descriptor was closed
	flagDead     // the kernel's state is CLOSE
	flagClosing  // in the table's queue of sockets that wait for a last row
	flagFinished // Closed was called
	flagIndexed
	flagUnix // an AF_UNIX socket
	flagUDP
	flagPair         // of socketpair(2): neither end is client or server
	flagLocalGuessed // the local address is no row's: see meet
)

func (c *Conn) has(f flag) bool { return c.flags&f != 0 }
func (c *Conn) set(f flag)      { c.flags |= f }

// Peer returns the other end as long as it is kept; nil otherwise.
func (c *Conn) Peer() *Conn { return c.peer }

// Begun reports whether direction d is seen from its first byte on, or that byte is known to be lost: what comes first
// starts the stream.
func (c *Conn) Begun(d Dir) bool { return c.dirs[d].fromStart }

// Resent returns the segments that were sent again since c was first seen.
func (c *Conn) Resent() uint32 {
	if x := c.transport.more; x != nil {
		return c.Retrans - min(x.before, c.Retrans)
	}
	return c.Retrans
}

// Proto is what the first bytes of a connection show.
type Proto uint8

// The protocols.
const (
	TCP   Proto = 0 // nothing that is known
	HTTP  Proto = 1
	HTTP2 Proto = 2
	TLS   Proto = 3
	HTTPS Proto = 4
	UDP   Proto = 5 // datagrams of which nothing is known
	DNS   Proto = 6 // datagrams from or to port 53
	Unix  Proto = 7 // an AF_UNIX socket, on which nothing that is known is spoken
)

// named is the Proto of the first protocol that package protocol names.
const named Proto = 16

// Named returns the Proto of a protocol that package protocol recognised.
func Named(n protocol.Name) Proto { return named + Proto(n) }

var protoNames = [...]string{"tcp", "http", "http2", "tls", "https", "udp", "dns", "unix"}

func (p Proto) String() string {
	if p >= named {
		return protocol.Name(p - named).String()
	}
	return protoNames[min(int(p), len(protoNames)-1)]
}

// Protocol is what the connection speaks: Proto is what was seen of it, behind TLS if that was decrypted.
func (c *Conn) Protocol() Proto {
	if c.Proto == TCP && c.TLS == nil {
		return c.carrier()
	}
	if c.TLS != nil {
		switch c.Proto {
		case HTTP:
			return HTTPS
		case TCP:
			return TLS
		}
	}
	return c.Proto
}

// Facts fills f with what is known of c. Wall times are left to the caller.
func (c *Conn) Facts(f *facts.Connection) {
	*f = facts.Connection{
		ID: c.ID, Peer: c.PeerID, PeerBy: c.PeerBy, Socket: c.Socket, Inode: c.Inode, NetNS: c.NetNS, PID: c.PID,
		Role: c.Role, RoleBy: c.RoleBy.String(), Local: c.Local, Remote: c.Remote, Protocol: c.Protocol().String(),
		Start: c.Start, End: c.End, SawStart: c.SawStart, SawEnd: c.SawEnd, Errno: c.Errno, Connect: c.Connect, SRTT: c.SRTT,
		Retrans: c.Resent(), Calls: c.Calls, Bytes: c.Bytes, Captured: c.Captured, Lost: c.Lost, Gaps: c.Gaps,
		CallTime: c.CallTime, Exchanges: c.Exchanges, Upgrade: c.Upgrade, TCP: c.Transport(), Metrics: c.Metrics, CloseCall: c.CloseCall,
	}
	if c.TLS != nil {
		f.TLS = *c.TLS
	} else if c.Proto == TLS {
		f.TLS.Unread = facts.UnreadNoHandshake
	}
	if c.Image != nil {
		f.Process = c.Image.Name()
	}
}
