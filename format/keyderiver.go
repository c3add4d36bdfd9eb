package format

import (
	"encoding/binary"

	"github.com/ebpf-reel/reel/format/wire"
)

// KeyDeriver turns master secrets of TLS 1.2 into the keys of records while they are recorded: a master secret could resume its
// session, so none may reach the disk (DESIGN D18). It is built from analyze and handed in by cmd, since capture holds no protocol
// knowledge. It must not keep bytes that it is given, or hold state without a bound. It is not safe for concurrent use.
type KeyDeriver interface {
	// Handshake takes the first bytes of a call that moved a handshake record in the clear.
	Handshake(pid PID, socket SocketID, b []byte) []TLSKey
	// Master takes a row with the label TLSMaster. Both return rows to store, of none of which it is known that a connection
	// uses them: that is for the analysis to prove.
	Master(row *TLSKey) []TLSKey
	// Dropped returns how many master secrets found no handshake.
	Dropped() uint64
}

// MovesHandshake returns the process, the socket and the first bytes of a kernel record of kind EventIO, if they begin a
// handshake record of TLS in the clear. The bytes alias ev.
func MovesHandshake(ev []byte) (pid PID, socket SocketID, b []byte, ok bool) {
	const handshake = 22 // RFC 8446 §5.1
	if len(ev) <= wire.IOEventSize+1 || ev[wire.IOEventSize] != handshake || ev[wire.IOEventSize+1] != 3 {
		return 0, 0, nil, false
	}
	captured := uint64(binary.LittleEndian.Uint32(ev[ioCaptured:]))
	if captured > uint64(len(ev)-wire.IOEventSize) {
		return 0, 0, nil, false
	}
	return PID(binary.LittleEndian.Uint32(ev[pidOffset:])), SocketID(binary.LittleEndian.Uint64(ev[ioSock:])), ev[wire.IOEventSize : wire.IOEventSize+captured], true
}
