package format

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// Decoded is one kernel record as a row: what Kind says is valid.
type Decoded struct {
	Kind    EventKind
	IO      IO
	Socket  Socket
	Process Process
	Chunk   Chunk
	More    uint16 // of an IO: how many chunks follow
}

// EventKind is the kind of a kernel record. Numbers are those of event.h.
type EventKind uint16

// The kinds.
const (
	EventIO     EventKind = 1
	EventIOMore EventKind = 2
	EventSock   EventKind = 3
	EventProc   EventKind = 4
)

// Chunk is payload of an IO past what its own record held.
type Chunk struct {
	Time    KTime
	CPU     uint16
	TID     TID
	Socket  SocketID
	Offset  uint32 // in the captured bytes of the call
	Payload []byte
}

// Sizes of the structs of event.h and the offsets that are read before a record is decoded.
const (
	eventHeaderSize = 32
	ioEventSize     = 96
	ioMoreSize      = 48
	sockEventSize   = 160
	procEventSize   = 96

	kindOffset = 30 // event_header.kind
	cpuOffset  = 28 // event_header.cpu
	moreOffset = 94 // io_event.more
)

// eventHead is what the journal has to know of a record without decoding it.
type eventHead struct {
	kind EventKind
	time KTime
	tid  TID
	cpu  uint16
}

func readEventHead(ev []byte) (h eventHead, err error) {
	if len(ev) < eventHeaderSize {
		return h, fmt.Errorf("a record of %d bytes is shorter than its header", len(ev))
	}
	le := binary.LittleEndian
	return eventHead{EventKind(le.Uint16(ev[30:])), KTime(le.Uint64(ev)), TID(le.Uint32(ev[24:])), le.Uint16(ev[28:])}, nil
}

// DecodeEvent turns one kernel record into a row. Its payload aliases ev. Nothing is allocated but the arguments of a
// process.
func DecodeEvent(ev []byte, d *Decoded) error {
	h, err := readEventHead(ev)
	if err != nil {
		return err
	}
	size := map[EventKind]int{EventIO: ioEventSize, EventIOMore: ioMoreSize, EventSock: sockEventSize, EventProc: procEventSize}[h.kind]
	if size == 0 {
		return fmt.Errorf("a record of kind %d is unknown", h.kind)
	}
	if len(ev) < size {
		return fmt.Errorf("a record of kind %d has %d bytes, fewer than %d", h.kind, len(ev), size)
	}
	d.Kind = h.kind
	le := binary.LittleEndian
	pid := PID(le.Uint32(ev[20:]))
	duration := func(flags IOFlags, at int) time.Duration {
		if flags&IONoEntry != 0 {
			return -1
		}
		return time.Duration(le.Uint64(ev[at:]))
	}
	micros := func(at int) time.Duration { return time.Duration(le.Uint32(ev[at:])) * time.Microsecond }
	switch h.kind {
	case EventIO:
		flags := IOFlags(le.Uint16(ev[84:]))
		d.IO = IO{
			Time: h.time, CPU: h.cpu, PID: pid, TID: h.tid, Duration: duration(flags, 32),
			Socket: SocketID(le.Uint64(ev[40:])), Inode: Inode(le.Uint64(ev[48:])), Ret: int64(le.Uint64(ev[56:])),
			Seq: Seq(le.Uint32(ev[64:])), SRTT: micros(68), RTTVar: micros(72), Captured: le.Uint32(ev[76:]),
			FD: FD(le.Uint32(ev[80:])), Flags: flags, Call: Call(ev[86]), Dir: Direction(ev[87]), Cut: Cut(ev[88]),
			Family: ev[89], LPort: le.Uint16(ev[90:]), RPort: le.Uint16(ev[92:]), Payload: ev[size:],
		}
		d.More = le.Uint16(ev[94:])
		if int(d.IO.Captured) != len(d.IO.Payload) {
			return fmt.Errorf("an io record says %d payload bytes and has %d", d.IO.Captured, len(d.IO.Payload))
		}
	case EventIOMore:
		d.Chunk = Chunk{Time: h.time, CPU: h.cpu, TID: h.tid, Socket: SocketID(le.Uint64(ev[32:])), Offset: le.Uint32(ev[40:]), Payload: ev[size:]}
		if n := le.Uint32(ev[44:]); int(n) != len(d.Chunk.Payload) {
			return fmt.Errorf("an io_more record says %d payload bytes and has %d", n, len(d.Chunk.Payload))
		}
	case EventSock:
		flags := IOFlags(le.Uint16(ev[116:]))
		d.Socket = Socket{
			Time: h.time, CPU: h.cpu, PID: pid, TID: h.tid,
			Socket: SocketID(le.Uint64(ev[32:])), Inode: Inode(le.Uint64(ev[40:])), NetNS: le.Uint64(ev[48:]),
			Duration: duration(flags, 56), Ret: int64(le.Uint64(ev[64:])),
			SndSeq: Seq(le.Uint32(ev[72:])), RcvSeq: Seq(le.Uint32(ev[76:])), RcvNxt: Seq(le.Uint32(ev[80:])), SndUna: Seq(le.Uint32(ev[84:])),
			SRTT: micros(88), RTTVar: micros(92), Retrans: le.Uint32(ev[96:]), Lost: le.Uint32(ev[100:]),
			SegsIn: le.Uint32(ev[104:]), SegsOut: le.Uint32(ev[108:]), FD: FD(le.Uint32(ev[112:])), Flags: flags,
			Op: SockOp(ev[122]), Role: Role(ev[123]), Family: ev[124], OldState: TCPState(ev[125]), NewState: TCPState(ev[126]), Protocol: ev[127],
			Local:  Endpoint{address(ev[124], ev[128:144]), le.Uint16(ev[118:])},
			Remote: Endpoint{address(ev[124], ev[144:160]), le.Uint16(ev[120:])},
		}
	case EventProc:
		op := ProcOp(ev[76])
		d.Process = Process{
			Time: h.time, PID: pid, TID: h.tid, Start: le.Uint64(ev[32:]), CgroupID: le.Uint64(ev[40:]),
			PPID: PID(le.Uint32(ev[48:])), UID: le.Uint32(ev[52:]), PidNS: uint64(le.Uint32(ev[56:])), MntNS: uint64(le.Uint32(ev[60:])),
			NetNS: uint64(le.Uint32(ev[64:])), Op: op, ArgsCut: ev[77] != 0, Target: true,
			Comm: cstring(ev[80:96]),
		}
		if op == ProcExit {
			d.Process.ExitStatus = le.Uint32(ev[68:])
		}
		n := le.Uint32(ev[72:])
		if int(n) != len(ev)-size {
			return fmt.Errorf("a process record says %d bytes of arguments and has %d", n, len(ev)-size)
		}
		d.Process.Args = splitArgs(ev[size:])
	}
	return nil
}

// address reads an address as event.h keeps it; unknown (all zero with no family) is the zero Addr.
func address(family uint8, b []byte) netip.Addr {
	switch family {
	case 2: // AF_INET
		return netip.AddrFrom4([4]byte(b))
	case 10: // AF_INET6
		return netip.AddrFrom16([16]byte(b))
	}
	return netip.Addr{}
}

func cstring(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// splitArgs splits what execve(2) was given: arguments end with NUL, but for a last one that was cut.
func splitArgs(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	var args []string
	for len(b) > 0 && len(args) < maxArgs {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return append(args, string(b))
		}
		args = append(args, string(b[:i]))
		b = b[i+1:]
	}
	return args
}
