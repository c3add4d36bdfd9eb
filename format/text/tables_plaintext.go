package text

import (
	"math"
	"time"

	"github.com/ebpf-reel/reel/format"
)

var tlsColumns = []column{
	required(word(field("dir", "a direction, < for read or > for write", func(r *format.TLS) *format.Direction { return &r.Dir }, appendDirection, parseDirection), parseArrow)),
	written(word(withDefault(named("call", "a function: read, read_ex, write, write_ex or sendfile", format.ParseTLSCall, tlsCall), tlsCall,
		"read or write, by direction", defaultTLSCall), format.ParseTLSCall)),
	withDefault(named("lib", "openssl, gnutls or go", format.ParseTLSLibrary, tlsLibrary), tlsLibrary, "openssl",
		func(*format.TLS) format.TLSLibrary { return format.TLSOpenSSL }),
	hexNumber("session", func(r *format.TLS) *format.SessionID { return &r.Session }),
	number("pid", func(r *format.TLS) *format.PID { return &r.PID }),
	withDefault(number("tid", tlsTID), tlsTID, "pid", func(r *format.TLS) format.TID { return format.TID(r.PID) }),
	hexNumber("sock", func(r *format.TLS) *format.SocketID { return &r.Socket }),
	number("inode", func(r *format.TLS) *format.Inode { return &r.Inode }),
	number("cpu", func(r *format.TLS) *uint16 { return &r.CPU }),
	duration("dur", func(r *format.TLS) *time.Duration { return &r.Duration }),
	named("flags", "names with | between, like NESTED|SAME_CALL", format.ParseTLSFlags, func(r *format.TLS) *format.TLSFlags { return &r.Flags }),
	number("off", func(r *format.TLS) *uint64 { return &r.Offset }),
	written(withDefault(integer("ret", tlsRet), tlsRet, "length of the payload", func(r *format.TLS) int64 { return int64(len(r.Payload)) })),
	withDefault(number("captured", tlsCaptured), tlsCaptured, "length of the payload",
		func(r *format.TLS) uint32 { return uint32(min(len(r.Payload), math.MaxUint32)) }),
	named("cut", "why bytes are missing: budget, no_copy, fault, limit, shed or policy", format.ParseCut,
		func(r *format.TLS) *format.Cut { return &r.Cut }),
	payloadColumn(func(r *format.TLS) *[]byte { return &r.Payload }),
}

func tlsCall(r *format.TLS) *format.TLSCall       { return &r.Call }
func tlsLibrary(r *format.TLS) *format.TLSLibrary { return &r.Library }
func tlsTID(r *format.TLS) *format.TID            { return &r.TID }
func tlsRet(r *format.TLS) *int64                 { return &r.Ret }
func tlsCaptured(r *format.TLS) *uint32           { return &r.Captured }

func defaultTLSCall(r *format.TLS) format.TLSCall {
	if r.Dir == format.Write {
		return format.TLSWrite
	}
	return format.TLSRead
}
