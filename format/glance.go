package format

import (
	"encoding/binary"
	"unsafe"

	"github.com/ebpf-reel/reel/format/wire"
)

// The functions here read single facts of a kernel record without decoding the rest: a recorder asks while it drains.

// Where the fields lie that a HeadCall is made of.
const (
	ioDuration = unsafe.Offsetof(wire.IOEvent{}.DurationNS)
	ioSock     = unsafe.Offsetof(wire.IOEvent{}.Sock)
	ioInode    = unsafe.Offsetof(wire.IOEvent{}.Inode)
	ioRet      = unsafe.Offsetof(wire.IOEvent{}.Ret)
	ioCaptured = unsafe.Offsetof(wire.IOEvent{}.CapturedLen)
	ioFlags    = unsafe.Offsetof(wire.IOEvent{}.Flags)
	ioDir      = unsafe.Offsetof(wire.IOEvent{}.Dir)
	ioLPort    = unsafe.Offsetof(wire.IOEvent{}.Lport)
	ioRPort    = unsafe.Offsetof(wire.IOEvent{}.Rport)
)

// ReadHeadCall reads what a HeadWatcher sees out of a kernel record of kind EventIO, without decoding the rest. The bytes
// alias ev. It reports false when the record is not whole.
func ReadHeadCall(ev []byte, c *HeadCall) bool {
	if len(ev) < wire.IOEventSize {
		return false
	}
	captured := uint64(binary.LittleEndian.Uint32(ev[ioCaptured:]))
	if captured > uint64(len(ev)-wire.IOEventSize) {
		return false
	}
	*c = HeadCall{
		PID:    PID(binary.LittleEndian.Uint32(ev[pidOffset:])),
		Time:   KTime(binary.LittleEndian.Uint64(ev[timeOffset:])),
		Socket: SocketID(binary.LittleEndian.Uint64(ev[ioSock:])),
		Inode:  Inode(binary.LittleEndian.Uint64(ev[ioInode:])),
		Dir:    Direction(ev[ioDir]),
		Flags:  IOFlags(binary.LittleEndian.Uint16(ev[ioFlags:])),
		LPort:  binary.LittleEndian.Uint16(ev[ioLPort:]),
		RPort:  binary.LittleEndian.Uint16(ev[ioRPort:]),
		Moved:  int64(binary.LittleEndian.Uint64(ev[ioRet:])),
		Bytes:  ev[wire.IOEventSize : wire.IOEventSize+captured],
	}
	c.Duration = callTime(binary.LittleEndian.Uint64(ev[ioDuration:]), c.Flags)
	return true
}

// Where the fields lie that say what was sent again.
const (
	tcpValue = unsafe.Offsetof(wire.TCPEvent{}.Value)
	tcpSegs  = unsafe.Offsetof(wire.TCPEvent{}.Segs)
	tcpOp    = unsafe.Offsetof(wire.TCPEvent{}.Op)
)

// Retransmitted returns how many segments a kernel record of kind EventTCP says that a target sent again; 0 when it is about
// something else, or the attempt failed.
func Retransmitted(ev []byte) uint64 {
	if len(ev) <= int(tcpOp) {
		return 0
	}
	if op := TCPOp(ev[tcpOp]); op != TCPRetransmit && op != TCPSynAck || int64(binary.LittleEndian.Uint64(ev[tcpValue:])) < 0 {
		return 0
	}
	return max(1, uint64(binary.LittleEndian.Uint32(ev[tcpSegs:])))
}

// Where the fields lie that say that a socket is gone.
const (
	sockSock     = unsafe.Offsetof(wire.SockEvent{}.Sock)
	sockOp       = unsafe.Offsetof(wire.SockEvent{}.Op)
	sockNewState = unsafe.Offsetof(wire.SockEvent{}.NewState)
)

// IsLongMessage reports whether a kernel record of kind EventSock is SockLongRead or SockLongWrite.
func IsLongMessage(ev []byte) bool {
	if len(ev) <= int(sockOp) {
		return false
	}
	op := SockOp(ev[sockOp])
	return op == SockLongRead || op == SockLongWrite
}

// SocketGone reports whether a kernel record of kind EventSock is the end of a connection, and of which.
func SocketGone(ev []byte) (SocketID, bool) {
	if len(ev) <= int(sockNewState) || SockOp(ev[sockOp]) != SockState || TCPState(ev[sockNewState]) != TCPClose {
		return 0, false
	}
	return SocketID(binary.LittleEndian.Uint64(ev[sockSock:])), true
}
