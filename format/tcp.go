package format

import (
	"net/netip"
	"time"

	"github.com/ebpf-reel/reel/format/wire"
)

// TCP is something that the kernel's TCP did on a socket: it sent a segment again, dropped one, sent or received a reset, or
// met a window of zero bytes. It has no process: the task that ran at that moment has nothing to do with it.
type TCP struct {
	Time     KTime
	CPU      uint16
	Socket   SocketID // for TCPSynAck the listening socket
	Inode    Inode    // 0: not accepted so far
	NetNS    uint64
	Op       TCPOp
	Cause    TCPCause  // of a segment that is sent again
	Dir      Direction // Write: the segment went out, or the peer's window is closed; Read: it came in, or our window is
	State    TCPState
	CAState  CAState
	Flags    SegmentFlags // of the segment
	Family   uint8        // AF_*
	Value    int64        // of a drop or a reset the kernel's number of the reason; of a retransmission 0 or -errno
	Reason   string       // the kernel's name of Value, less its prefix; "" none
	Local    Endpoint
	Remote   Endpoint
	Seq      Seq           // of the segment's first byte; 0 unknown
	Bytes    uint32        // of data in the segment
	Segs     uint32        // segments that the row is about
	SRTT     time.Duration // 0 unknown
	Cwnd     uint32        // segments
	Ssthresh uint32        // segments
	SndWnd   uint32        // bytes that the peer takes
	RcvWnd   uint32        // bytes that this end takes
	Retrans  uint32        // segments sent again so far, over the life of the socket
	Lost     uint32        // segments thought lost now
}

// Table returns TableTCP.
func (*TCP) Table() TableID { return TableTCP }

// At returns the time of the row.
func (r *TCP) At() KTime { return r.Time }

// TCPOp is what TCP did.
type TCPOp uint8

// The operations. See enum tcp_op in event.h.
const (
	TCPRetransmit    TCPOp = 1
	TCPSynAck        TCPOp = 2 // a SYN-ACK was sent again
	TCPDrop          TCPOp = 3
	TCPResetSent     TCPOp = 4
	TCPResetReceived TCPOp = 5
	TCPWindowClosed  TCPOp = 6
	TCPWindowOpened  TCPOp = 7
)

// TCPCause says why a segment was sent again.
type TCPCause uint8

// The causes. See enum tcp_cause in event.h.
const (
	CauseUnknown      TCPCause = 0
	CauseFast         TCPCause = 1
	CauseTimeout      TCPCause = 2
	CauseProbe        TCPCause = 3
	CauseAfterTimeout TCPCause = 4
	CauseHandshake    TCPCause = 5
)

// CAState is the state of congestion avoidance: TCP_CA_* of include/uapi/linux/tcp.h.
type CAState uint8

// SegmentFlags are those of a TCP header (RFC 9293 §3.1).
type SegmentFlags uint8

var tcpOpNames = []string{"", "retransmit", "synack", "drop", "reset_sent", "reset_received", "window_closed", "window_opened"}

var tcpCauseNames = []string{"none", "fast", "timeout", "probe", "after_timeout", "handshake"}

var caStateNames = []string{"open", "disorder", "cwr", "recovery", "loss"}

// segmentFlagNames are in the order of their bits.
var segmentFlagNames = []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"}

// String returns "retransmit", "drop", ...
func (o TCPOp) String() string { return nameOf(tcpOpNames, "TCP_OP", uint8(o)) }

// ParseTCPOp is the inverse of TCPOp.String.
func ParseTCPOp(s string) (TCPOp, error) {
	n, err := parseName(tcpOpNames, "TCP_OP", s)
	return TCPOp(n), err
}

// String returns "fast", "timeout", ...
func (c TCPCause) String() string { return nameOf(tcpCauseNames, "CAUSE", uint8(c)) }

// ParseTCPCause is the inverse of TCPCause.String.
func ParseTCPCause(s string) (TCPCause, error) {
	n, err := parseName(tcpCauseNames, "CAUSE", s)
	return TCPCause(n), err
}

// String returns "open", "recovery", ...
func (s CAState) String() string { return nameOf(caStateNames, "CA", uint8(s)) }

// ParseCAState is the inverse of CAState.String.
func ParseCAState(s string) (CAState, error) {
	n, err := parseName(caStateNames, "CA", s)
	return CAState(n), err
}

// String returns the names of the flags in the order of their bits, joined by "|": "PSH|ACK"; "" when none is set.
func (f SegmentFlags) String() string { return joinNames(segmentFlagNames, uint16(f)) }

// ParseSegmentFlags is the inverse of SegmentFlags.String. Names may come in any order.
func ParseSegmentFlags(s string) (SegmentFlags, error) {
	n, err := parseNames(segmentFlagNames, "flag of a TCP header", s)
	return SegmentFlags(n), err
}

var tcpTable = table[TCP]{
	id:   TableTCP,
	time: func(r *TCP) KTime { return r.Time },
	cpu:  func(r *TCP) uint16 { return r.CPU },
	cols: []column[TCP]{
		number("time_ns", "when it happened", delta, func(r *TCP) *KTime { return &r.Time }),
		number("cpu", "that it ran on", dict, func(r *TCP) *uint16 { return &r.CPU }),
		number("socket", "id of the socket, unique while it lives; of a synack the listening one", dict, func(r *TCP) *SocketID { return &r.Socket }),
		number("inode", "of the socket's file; 0 before accept", dict, func(r *TCP) *Inode { return &r.Inode }),
		number("netns", "inode of the network namespace", dict, func(r *TCP) *uint64 { return &r.NetNS }),
		enum("op", "what happened", func(r *TCP) *TCPOp { return &r.Op }, TCPOp.String, ParseTCPOp),
		enum("cause", "why a segment was sent again", func(r *TCP) *TCPCause { return &r.Cause }, TCPCause.String, ParseTCPCause),
		enum("direction", "write: the segment went out, or the peer's window is closed; read: it came in, or the own window is",
			func(r *TCP) *Direction { return &r.Dir }, Direction.String, ParseDirection),
		enum("state", "TCP state of the socket", func(r *TCP) *TCPState { return &r.State }, TCPState.String, ParseTCPState),
		enum("ca_state", "state of congestion avoidance", func(r *TCP) *CAState { return &r.CAState }, CAState.String, ParseCAState),
		enum("segment_flags", "of the segment's header, joined by |", func(r *TCP) *SegmentFlags { return &r.Flags }, SegmentFlags.String, ParseSegmentFlags),
		enum("family", "address family", func(r *TCP) *uint8 { return &r.Family }, FamilyName, ParseFamily),
		number("value", "of a drop or a reset the kernel's number of the reason; of a retransmission 0 or minus errno", dict, func(r *TCP) *int64 { return &r.Value }),
		text("reason", "the kernel's name of that number, less its prefix", func(r *TCP) *string { return &r.Reason }),
		addr("local_addr", "this end", func(r *TCP) *netip.Addr { return &r.Local.Addr }),
		number("local_port", "this end", dict, func(r *TCP) *uint16 { return &r.Local.Port }),
		addr("remote_addr", "the other end", func(r *TCP) *netip.Addr { return &r.Remote.Addr }),
		number("remote_port", "the other end", dict, func(r *TCP) *uint16 { return &r.Remote.Port }),
		number("seq", "TCP sequence number of the segment's first byte; 0 unknown", delta, func(r *TCP) *Seq { return &r.Seq }),
		number("bytes", "of data in the segment", dict, func(r *TCP) *uint32 { return &r.Bytes }),
		number("segs", "segments that the row is about", dict, func(r *TCP) *uint32 { return &r.Segs }),
		micros("srtt_us", "smoothed round trip time", func(r *TCP) *time.Duration { return &r.SRTT }),
		number("cwnd_segs", "congestion window", dict, func(r *TCP) *uint32 { return &r.Cwnd }),
		number("ssthresh_segs", "slow start threshold", dict, func(r *TCP) *uint32 { return &r.Ssthresh }),
		number("send_window_bytes", "that the peer takes", dict, func(r *TCP) *uint32 { return &r.SndWnd }),
		number("receive_window_bytes", "that this end takes", dict, func(r *TCP) *uint32 { return &r.RcvWnd }),
		number("retrans_segs", "segments sent again so far, over the socket's life", dict, func(r *TCP) *uint32 { return &r.Retrans }),
		number("lost_segs", "segments thought lost now", dict, func(r *TCP) *uint32 { return &r.Lost }),
	},
}

func (d *Decoded) tcp(e *wire.TCPEvent) {
	d.TCP = TCP{
		Time:     KTime(e.H.TimeNS),
		CPU:      e.H.CPU,
		Socket:   SocketID(e.Sock),
		Inode:    Inode(e.Inode),
		NetNS:    e.Netns,
		Op:       TCPOp(e.Op),
		Cause:    TCPCause(e.Cause),
		Dir:      Direction(e.Dir),
		State:    TCPState(e.State),
		CAState:  CAState(e.CaState),
		Flags:    SegmentFlags(e.TCPFlags),
		Family:   e.Family,
		Value:    e.Value,
		Reason:   cstring(e.Reason[:]),
		Local:    endpoint(e.Family, &e.Laddr, e.Lport),
		Remote:   endpoint(e.Family, &e.Raddr, e.Rport),
		Seq:      Seq(e.Seq),
		Bytes:    e.Len,
		Segs:     e.Segs,
		SRTT:     fromMicros(e.SrttUS),
		Cwnd:     e.SndCwnd,
		Ssthresh: e.SndSsthresh,
		SndWnd:   e.SndWnd,
		RcvWnd:   e.RcvWnd,
		Retrans:  e.TotalRetrans,
		Lost:     e.LostOut,
	}
}
