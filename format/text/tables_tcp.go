package text

import (
	"time"

	"github.com/ebpf-reel/reel/format"
)

var tcpColumns = []column{
	required(word(named("op", "an event: retransmit, synack, drop, reset_sent, reset_received, window_closed or window_opened", format.ParseTCPOp,
		func(r *format.TCP) *format.TCPOp { return &r.Op }), format.ParseTCPOp)),
	named("cause", "why a segment was sent again: fast, timeout, probe, after_timeout or handshake", format.ParseTCPCause,
		func(r *format.TCP) *format.TCPCause { return &r.Cause }),
	named("dir", "write: out, or the peer's window; read: in, or the own window", format.ParseDirection,
		func(r *format.TCP) *format.Direction { return &r.Dir }),
	hexNumber("sock", func(r *format.TCP) *format.SocketID { return &r.Socket }),
	number("inode", func(r *format.TCP) *format.Inode { return &r.Inode }),
	number("netns", func(r *format.TCP) *uint64 { return &r.NetNS }),
	number("cpu", func(r *format.TCP) *uint16 { return &r.CPU }),
	endpoint("local", func(r *format.TCP) *format.Endpoint { return &r.Local }),
	endpoint("remote", func(r *format.TCP) *format.Endpoint { return &r.Remote }),
	withDefault(numberNamed("family", "inet or inet6", format.FamilyName, format.ParseFamily, tcpFamily), tcpFamily, "inet",
		func(*format.TCP) uint8 { return familyInet }),
	named("state", "a TCP state", format.ParseTCPState, func(r *format.TCP) *format.TCPState { return &r.State }),
	named("ca", "open, disorder, cwr, recovery or loss", format.ParseCAState, func(r *format.TCP) *format.CAState { return &r.CAState }),
	named("flags", "names with | between, like PSH|ACK", format.ParseSegmentFlags, func(r *format.TCP) *format.SegmentFlags { return &r.Flags }),
	quoted("reason", func(r *format.TCP) *string { return &r.Reason }),
	integer("value", func(r *format.TCP) *int64 { return &r.Value }),
	number("seq", func(r *format.TCP) *format.Seq { return &r.Seq }),
	number("bytes", func(r *format.TCP) *uint32 { return &r.Bytes }),
	withDefault(number("segs", tcpSegs), tcpSegs, "1", func(*format.TCP) uint32 { return 1 }),
	duration("srtt", func(r *format.TCP) *time.Duration { return &r.SRTT }),
	number("cwnd", func(r *format.TCP) *uint32 { return &r.Cwnd }),
	number("ssthresh", func(r *format.TCP) *uint32 { return &r.Ssthresh }),
	number("snd_wnd", func(r *format.TCP) *uint32 { return &r.SndWnd }),
	number("rcv_wnd", func(r *format.TCP) *uint32 { return &r.RcvWnd }),
	number("retrans", func(r *format.TCP) *uint32 { return &r.Retrans }),
	number("lost", func(r *format.TCP) *uint32 { return &r.Lost }),
}

func tcpFamily(r *format.TCP) *uint8 { return &r.Family }
func tcpSegs(r *format.TCP) *uint32  { return &r.Segs }
