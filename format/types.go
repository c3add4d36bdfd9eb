package format

import (
	"net/netip"
	"time"
)

// KTime is a point on CLOCK_MONOTONIC in nanoseconds, as bpf_ktime_get_ns gives it. It means nothing outside the boot
// that it was read in: Clock rows turn it into wall time.
type KTime int64

// Sub returns t-u.
func (t KTime) Sub(u KTime) time.Duration { return time.Duration(t - u) }

// Add returns t+d.
func (t KTime) Add(d time.Duration) KTime { return t + KTime(d) }

// WallTime is nanoseconds since the Unix epoch (CLOCK_REALTIME).
type WallTime int64

// Time converts w to a time.Time in UTC.
func (w WallTime) Time() time.Time { return time.Unix(0, int64(w)).UTC() }

// PID is a process (thread group) id in the initial pid namespace.
type PID uint32

// TID is a thread id in the initial pid namespace.
type TID uint32

// FD is a file descriptor of one process; -1 is none.
type FD int32

// SocketID names a live socket of one boot: a salted hash of the address of its struct sock. The kernel reuses addresses,
// so a SocketID alone is not the identity of a connection (DESIGN D2): SocketID, Inode and birth time are.
type SocketID uint64

// Inode is the number of a socket in sockfs; 0 is none (a connection that was not accepted yet).
type Inode uint64

// SockType is the type of an AF_UNIX socket; 0 on others, whose protocol tells.
type SockType uint8

// The types, as socket(2) numbers them.
const (
	SockStream    SockType = 1
	SockDgram     SockType = 2
	SockSeqpacket SockType = 5
)

// Seq numbers a byte of a stream: a TCP sequence number, or one that the probe counts from 1. It wraps at 2^32.
type Seq uint32

// Sub returns the signed distance from u to s on the sequence circle (RFC 9293 §3.4).
func (s Seq) Sub(u Seq) int32 { return int32(s - u) }

// Call is the read/write-like system call of an IO row. Numbers are those of bpf/include/event.h.
type Call uint8

// The calls. See enum io_call in event.h.
const (
	CallRead     Call = 1
	CallReadv    Call = 2
	CallRecvfrom Call = 3
	CallRecvmsg  Call = 4
	CallRecvmmsg Call = 5
	CallWrite    Call = 6
	CallWritev   Call = 7
	CallSendto   Call = 8
	CallSendmsg  Call = 9
	CallSendmmsg Call = 10
	CallSendfile Call = 11
	CallSplice   Call = 12
	CallPreadv2  Call = 13
	CallPwritev2 Call = 14
)

// Direction is which way the bytes of an IO row went.
type Direction uint8

// The directions.
const (
	Read  Direction = 1 // socket to process
	Write Direction = 2 // process to socket
)

// Cut says why an IO row holds fewer bytes than were moved.
type Cut uint8

// The reasons. Kernel-side ones are those of event.h; from CutPolicy on they are the recorder's.
const (
	CutNone     Cut = 0
	CutBudget   Cut = 1
	CutNoCopy   Cut = 2
	CutFault    Cut = 3
	CutLimit    Cut = 4
	CutShed     Cut = 5
	CutLost     Cut = 6
	CutProtocol Cut = 7  // the payload of this protocol is not recorded: UDP other than DNS
	CutPolicy   Cut = 16 // --payload: the sealed reel does not keep these bytes
	// CutDamaged: the bytes were recorded, and the reel's payload file is missing or corrupt. Readers set it, no reel holds it.
	CutDamaged Cut = 17
)

// IOFlags are properties of one call.
type IOFlags uint16

// The flags. See enum io_flag in event.h.
const (
	IOBlocked     IOFlags = 1
	IOPeek        IOFlags = 2
	IONoEntry     IOFlags = 4
	IOEOF         IOFlags = 8
	IOMsgStart    IOFlags = 16
	IOTrunc       IOFlags = 32
	IONonblock    IOFlags = 64
	IOOffsetValid IOFlags = 128
	IOMasked      IOFlags = 256 // the recorder replaced credentials in the payload by '*' (D15)
	IOOOB         IOFlags = 512
	IOZerocopy    IOFlags = 1024
	IODgram       IOFlags = 2048
	IOSameCall    IOFlags = 4096
	IOKTLS        IOFlags = 8192
)

// SockOp is what happened to a socket.
type SockOp uint8

// The operations. See enum sock_op in event.h.
const (
	SockConnect  SockOp = 1
	SockAccept   SockOp = 2
	SockClose    SockOp = 3
	SockShutdown SockOp = 4
	SockState    SockOp = 5
	SockSeen     SockOp = 6
	SockSnapshot SockOp = 7
	SockListen   SockOp = 8
	SockPair     SockOp = 9
	// A message grew beyond the size that a trigger names: Ret is its bytes so far.
	SockLongRead  SockOp = 16
	SockLongWrite SockOp = 17
)

// Role is which end of a connection a socket is.
type Role uint8

// The roles.
const (
	RoleUnknown Role = 0
	RoleClient  Role = 1
	RoleServer  Role = 2
)

// ProcOp is what happened to a process.
type ProcOp uint8

// The operations. See enum proc_op in event.h.
const (
	ProcFork     ProcOp = 1
	ProcExec     ProcOp = 2
	ProcExit     ProcOp = 3
	ProcSnapshot ProcOp = 4
	ProcRename   ProcOp = 5 // it gave itself another name: the rest is as before
)

// Endpoint is one end of a connection. The zero value is unknown.
type Endpoint struct {
	Addr netip.Addr
	Port uint16
	Path string `json:",omitempty"` // of an AF_UNIX socket, instead of the others: its file, or "@" and its abstract name
}

func (e Endpoint) String() string {
	if e.Path != "" {
		return "unix:" + e.Path
	}
	if !e.Addr.IsValid() {
		return "?"
	}
	return netip.AddrPortFrom(e.Addr, e.Port).String()
}

// IsValid reports whether the endpoint is known.
func (e Endpoint) IsValid() bool { return e.Addr.IsValid() || e.Path != "" }

// TriggerOp is what a row says of a trigger rule.
type TriggerOp uint8

// The operations.
const (
	TriggerArmed    TriggerOp = 1 // the rule is in force from here on
	TriggerFired    TriggerOp = 2 // its condition came to hold
	TriggerActed    TriggerOp = 3 // an action of a firing was done
	TriggerFailed   TriggerOp = 4 // an action of a firing was not done
	TriggerSilenced TriggerOp = 5 // at the end: it did not fire, being silent after a firing
)

// TCPState is a state of a TCP socket (include/net/tcp_states.h).
type TCPState uint8

var tcpStates = []string{"NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
	"CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV", "BOUND_INACTIVE"}

// The states that code asks for.
const (
	TCPEstablished TCPState = 1
	TCPSynSent     TCPState = 2
	TCPSynRecv     TCPState = 3
	TCPFinWait1    TCPState = 4
	TCPFinWait2    TCPState = 5
	TCPTimeWait    TCPState = 6
	TCPClose       TCPState = 7
	TCPCloseWait   TCPState = 8
	TCPLastAck     TCPState = 9
	TCPListen      TCPState = 10
	TCPClosing     TCPState = 11
	TCPNewSynRecv  TCPState = 12
)

// String returns the kernel's name without TCP_: "ESTABLISHED".
func (s TCPState) String() string {
	return nameOf(tcpStates, "TCP", uint8(s))
}
