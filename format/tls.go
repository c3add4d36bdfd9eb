package format

import (
	"time"

	"github.com/ebpf-reel/reel/format/wire"
)

// TLS is plaintext that one call of a TLS library moved, or a part of it: a call of more than 16 KiB may have several rows.
type TLS struct {
	Time     KTime         // return of the call
	Duration time.Duration // of the call
	CPU      uint16
	PID      PID
	TID      TID
	Session  SessionID
	Socket   SocketID // that the session's own system calls worked on; 0: none was seen inside one of its calls
	Inode    Inode    // of that socket
	Library  TLSLibrary
	Call     TLSCall
	Dir      Direction
	Flags    TLSFlags
	Cut      Cut
	Offset   uint64 // plaintext bytes that the session moved before in this direction, since it was first seen
	Ret      int64  // bytes of plaintext that the row is about
	Captured uint32 // bytes that the kernel copied; len(Payload) may be less by policy (CutPolicy)
	Payload  []byte // the first len(Payload) of them; stored in the payload table (D4)
}

// Table returns TableTLS.
func (*TLS) Table() TableID { return TableTLS }

// At returns the time of the row.
func (r *TLS) At() KTime { return r.Time }

// SessionID names one TLS connection of one process, as far as the recorder can tell.
type SessionID uint64

// TLSCall is the function of a library.
type TLSCall uint8

// The functions. See enum tls_call in event.h.
const (
	TLSRead     TLSCall = 1
	TLSReadEx   TLSCall = 2
	TLSWrite    TLSCall = 3
	TLSWriteEx  TLSCall = 4
	TLSSendfile TLSCall = 5
)

// TLSLibrary is the library that a call was one of.
type TLSLibrary uint8

// The libraries. See enum tls_library in event.h.
const (
	TLSOpenSSL TLSLibrary = 1 // and what has its functions: BoringSSL, LibreSSL
	TLSGnuTLS  TLSLibrary = 2
	TLSGo      TLSLibrary = 3
)

// TLSFlags are properties of one row.
type TLSFlags uint16

// The flags. See enum tls_flag in event.h.
const (
	TLSNested     TLSFlags = 1  // Socket is what this call's own system calls worked on
	TLSTwoSockets TLSFlags = 2  // they worked on several: Socket is the first
	TLSSameCall   TLSFlags = 4  // further bytes of the call whose row came just before
	TLSDecrypted  TLSFlags = 16 // no call of a library: the recorder decrypted it when it finished the reel (D18)
	TLSMasked     TLSFlags = 8  // the recorder replaced credentials in the payload by '*' (D15)
)

var (
	tlsCallNames    = []string{"", "read", "read_ex", "write", "write_ex", "sendfile"}
	tlsLibraryNames = []string{"", "openssl", "gnutls", "go"}
	tlsFlagNames    = []string{"NESTED", "TWO_SOCKETS", "SAME_CALL", "MASKED", "DECRYPTED"}
)

// String returns "read", "write_ex", ...
func (c TLSCall) String() string { return nameOf(tlsCallNames, "TLS_CALL", uint8(c)) }

// ParseTLSCall is the inverse of TLSCall.String.
func ParseTLSCall(s string) (TLSCall, error) {
	n, err := parseName(tlsCallNames, "TLS_CALL", s)
	return TLSCall(n), err
}

// String returns "openssl", "gnutls", "go".
func (l TLSLibrary) String() string { return nameOf(tlsLibraryNames, "TLS_LIBRARY", uint8(l)) }

// ParseTLSLibrary is the inverse of TLSLibrary.String.
func ParseTLSLibrary(s string) (TLSLibrary, error) {
	n, err := parseName(tlsLibraryNames, "TLS_LIBRARY", s)
	return TLSLibrary(n), err
}

// String returns the names of the flags in the order of their bits, joined by "|"; "" when none is set.
func (f TLSFlags) String() string { return joinNames(tlsFlagNames, uint16(f)) }

// ParseTLSFlags is the inverse of TLSFlags.String. Names may come in any order.
func ParseTLSFlags(s string) (TLSFlags, error) {
	n, err := parseNames(tlsFlagNames, "flag of a TLS row", s)
	return TLSFlags(n), err
}

// tlsRow is a TLS and where its payload is.
type tlsRow struct {
	TLS
	ref int64 // row of the segment's payload table; -1 none
}

var tlsTable = table[tlsRow]{
	id:   TableTLS,
	time: func(r *tlsRow) KTime { return r.Time },
	cpu:  func(r *tlsRow) uint16 { return r.CPU },
	cols: []column[tlsRow]{
		number("time_ns", "when the call returned", delta, func(r *tlsRow) *KTime { return &r.Time }),
		number("duration_ns", "of the call", delta, func(r *tlsRow) *time.Duration { return &r.Duration }).or(-1),
		number("cpu", "that it ran on", dict, func(r *tlsRow) *uint16 { return &r.CPU }),
		number("pid", "process", dict, func(r *tlsRow) *PID { return &r.PID }),
		number("tid", "thread", dict, func(r *tlsRow) *TID { return &r.TID }),
		number("session", "one TLS connection of one process", dict, func(r *tlsRow) *SessionID { return &r.Session }),
		number("socket", "id of the socket that the session's own system calls worked on; 0: none was seen inside its calls", dict, func(r *tlsRow) *SocketID { return &r.Socket }),
		number("inode", "of that socket's file", dict, func(r *tlsRow) *Inode { return &r.Inode }),
		enum("library", "TLS library", func(r *tlsRow) *TLSLibrary { return &r.Library }, TLSLibrary.String, ParseTLSLibrary),
		enum("call", "function of the library", func(r *tlsRow) *TLSCall { return &r.Call }, TLSCall.String, ParseTLSCall),
		enum("direction", "read: connection to process; write: process to connection", func(r *tlsRow) *Direction { return &r.Dir }, Direction.String, ParseDirection),
		enum("flags", "properties of the row, joined by |", func(r *tlsRow) *TLSFlags { return &r.Flags }, TLSFlags.String, ParseTLSFlags),
		enum("cut", "why fewer bytes are stored than were moved", func(r *tlsRow) *Cut { return &r.Cut }, Cut.String, ParseCut),
		number("offset", "plaintext bytes that the session moved before in this direction, since it was first seen", delta, func(r *tlsRow) *uint64 { return &r.Offset }),
		number("ret", "plaintext bytes that the row is about", dict, func(r *tlsRow) *int64 { return &r.Ret }),
		number("captured_bytes", "that the kernel copied", dict, func(r *tlsRow) *uint32 { return &r.Captured }),
		number("payload_ref", "ref of the payload row; NULL: no bytes", delta, func(r *tlsRow) *int64 { return &r.ref }).or(-1),
	},
}

func (d *Decoded) tls(e *wire.TLSEvent) {
	d.TLS = TLS{
		Time:     KTime(e.H.TimeNS),
		Duration: time.Duration(e.DurationNS),
		CPU:      e.H.CPU,
		PID:      PID(e.H.PID),
		TID:      TID(e.H.TID),
		Session:  SessionID(e.Session),
		Socket:   SocketID(e.Sock),
		Inode:    Inode(e.Inode),
		Library:  TLSLibrary(e.Library),
		Call:     TLSCall(e.Call),
		Dir:      Direction(e.Dir),
		Flags:    TLSFlags(e.Flags),
		Cut:      Cut(e.Cut),
		Offset:   e.Offset,
		Ret:      e.Ret,
		Captured: e.CapturedLen,
		Payload:  d.event.Payload,
	}
}
