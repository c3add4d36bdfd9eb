package format

import "github.com/ebpf-reel/reel/format/wire"

// KeyDeriver turns master secrets of TLS 1.2 into the keys of records while they are recorded: a master secret could resume its
// session, so none may reach the disk (DESIGN D18). It is built from analyze and handed in by cmd, since capture holds no protocol
// knowledge. It must not keep bytes that it is given, or hold state without a bound. It is not safe for concurrent use.
type KeyDeriver interface {
	// Handshake takes a call whose bytes begin a handshake record in the clear, and while Waits says so any other.
	Handshake(c *HeadCall) []TLSKey
	// Waits reports whether the rest of a record is to come: libraries read its header first.
	Waits() bool
	// Master takes a row with the label TLSMaster. Both return rows to store, of none of which it is known that a connection
	// uses them: that is for the analysis to prove.
	Master(row *TLSKey) []TLSKey
	// Dropped returns how many master secrets found no handshake.
	Dropped() uint64
}

// BeginsHandshake reports whether the bytes of a kernel record of kind EventIO begin a handshake record of TLS in the clear.
func BeginsHandshake(ev []byte) bool {
	const handshake = 22 // RFC 8446 §5.1
	return len(ev) > wire.IOEventSize+1 && ev[wire.IOEventSize] == handshake && ev[wire.IOEventSize+1] == 3
}
