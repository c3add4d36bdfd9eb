package format

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unsafe"

	"github.com/ebpf-reel/reel/format/wire"
)

// Decoded is one kernel record as a row. What Kind says is valid: IO with More (EventIO, EventDgram), Chunk, Socket (EventSock,
// EventUnix), Process, TCP, TLS or TLSKey.
type Decoded struct {
	Kind    EventKind
	IO      IO
	More    uint16 // chunks that follow the IO on its CPU
	Chunk   Chunk
	Socket  Socket
	Process Process
	TCP     TCP
	TLS     TLS
	TLSKey  TLSKey // its bytes alias the Decoded
	SeenPID PID    // of Process, in the pid namespace that the recorder sees; 0: that is the initial one, or it has none there

	event wire.Event
}

// EventKind is the kind of a kernel record: enum event_kind of event.h.
type EventKind uint16

// The kinds.
const (
	EventIO     EventKind = wire.EventIO
	EventIOMore EventKind = wire.EventIOMore
	EventSock   EventKind = wire.EventSock
	EventProc   EventKind = wire.EventProc
	EventTCP    EventKind = wire.EventTCP
	EventTLS    EventKind = wire.EventTLS
	EventDgram  EventKind = wire.EventDgram
	EventUnix   EventKind = wire.EventUnix
	EventTLSKey EventKind = wire.EventTLSKey
	EventMapped EventKind = wire.EventMapped // for the recorder alone: it is no row
	EventBlock  EventKind = wire.EventBlock  // as EventSample
	EventSample EventKind = wire.EventSample // never in a journal: the recorder makes rows of it
)

// EventKinds bounds the kinds: all are below it.
const EventKinds = EventMapped + 1

// Chunk is payload of an IO past what its own record held.
type Chunk struct {
	Time    KTime // of the IO, as are CPU and TID
	CPU     uint16
	TID     TID
	Socket  SocketID
	Offset  uint32 // of the chunk in the captured bytes of the call
	Payload []byte
}

// Where the fields lie that appending looks at: the Go structs have the layout of the C structs.
const (
	timeOffset = unsafe.Offsetof(wire.EventHeader{}.TimeNS)
	pidOffset  = unsafe.Offsetof(wire.EventHeader{}.PID)
	tidOffset  = unsafe.Offsetof(wire.EventHeader{}.TID)
	cpuOffset  = unsafe.Offsetof(wire.EventHeader{}.CPU)
	kindOffset = unsafe.Offsetof(wire.EventHeader{}.Kind)
	moreOffset = unsafe.Offsetof(wire.IOEvent{}.More)
)

// eventHead is what orders a kernel record.
type eventHead struct {
	kind EventKind
	time KTime
	tid  TID
	cpu  uint16
}

func readEventHead(ev []byte) (h eventHead, err error) {
	if len(ev) < wire.EventHeaderSize {
		return h, fmt.Errorf("a record of %d bytes is shorter than its header", len(ev))
	}
	return eventHead{
		kind: EventKind(binary.LittleEndian.Uint16(ev[kindOffset:])),
		time: KTime(binary.LittleEndian.Uint64(ev[timeOffset:])),
		tid:  TID(binary.LittleEndian.Uint32(ev[tidOffset:])),
		cpu:  binary.LittleEndian.Uint16(ev[cpuOffset:]),
	}, nil
}

// DecodeEvent turns one kernel record into a row. The payload aliases ev. Only the strings of a process are allocated.
func DecodeEvent(ev []byte, d *Decoded) error {
	if err := wire.Decode(ev, &d.event); err != nil {
		return err
	}
	d.Kind = EventKind(d.event.Kind)
	switch d.Kind {
	case EventIO:
		d.io(&d.event.IO)
	case EventDgram:
		d.io(&d.event.IO)
		d.IO.Remote = endpoint(d.event.IO.Family, &d.event.Peer, d.event.IO.Rport).Addr
	case EventIOMore:
		m := &d.event.More
		d.Chunk = Chunk{Time: KTime(m.H.TimeNS), CPU: m.H.CPU, TID: TID(m.H.TID), Socket: SocketID(m.Sock), Offset: m.Offset, Payload: d.event.Payload}
	case EventSock:
		d.socket(&d.event.Sock)
	case EventProc:
		d.process(&d.event.Proc)
	case EventTCP:
		d.tcp(&d.event.TCP)
	case EventTLSKey:
		d.tlsKey(&d.event.TLSKey)
	case EventTLS:
		d.tls(&d.event.TLS)
	case EventUnix:
		d.unix(&d.event.Unix)
	}
	return nil
}

func (d *Decoded) io(e *wire.IOEvent) {
	d.More = e.More
	d.IO = IO{
		Time:     KTime(e.H.TimeNS),
		Duration: callTime(e.DurationNS, IOFlags(e.Flags)),
		CPU:      e.H.CPU,
		PID:      PID(e.H.PID),
		TID:      TID(e.H.TID),
		FD:       FD(e.FD),
		Socket:   SocketID(e.Sock),
		Inode:    Inode(e.Inode),
		Call:     Call(e.Call),
		Dir:      Direction(e.Dir),
		Family:   e.Family,
		Flags:    IOFlags(e.Flags),
		Cut:      Cut(e.Cut),
		Ret:      e.Ret,
		Seq:      Seq(e.Seq),
		SRTT:     fromMicros(e.SrttUS),
		RTTVar:   fromMicros(e.RttvarUS),
		Captured: e.CapturedLen,
		LPort:    e.Lport,
		RPort:    e.Rport,
		Payload:  d.event.Payload,
	}
}

func (d *Decoded) socket(e *wire.SockEvent) {
	d.Socket = Socket{
		Time:     KTime(e.H.TimeNS),
		Duration: callTime(e.DurationNS, IOFlags(e.Flags)),
		CPU:      e.H.CPU,
		PID:      PID(e.H.PID),
		TID:      TID(e.H.TID),
		FD:       FD(e.FD),
		Socket:   SocketID(e.Sock),
		Inode:    Inode(e.Inode),
		NetNS:    e.Netns,
		Op:       SockOp(e.Op),
		Role:     Role(e.Role),
		Family:   e.Family,
		Protocol: e.Protocol,
		OldState: TCPState(e.OldState),
		NewState: TCPState(e.NewState),
		Flags:    IOFlags(e.Flags),
		Ret:      e.Ret,
		Local:    endpoint(e.Family, &e.Laddr, e.Lport),
		Remote:   endpoint(e.Family, &e.Raddr, e.Rport),
		SndSeq:   Seq(e.SndSeq),
		RcvSeq:   Seq(e.RcvSeq),
		RcvNxt:   Seq(e.RcvNxt),
		SndUna:   Seq(e.SndUna),
		SRTT:     fromMicros(e.SrttUS),
		RTTVar:   fromMicros(e.RttvarUS),
		Retrans:  e.TotalRetrans,
		Lost:     e.LostOut,
		SegsIn:   e.SegsIn,
		SegsOut:  e.SegsOut,

		BytesAcked:    e.BytesAcked,
		BytesReceived: e.BytesReceived,
		SndWnd:        e.SndWnd,
		RcvWnd:        e.RcvWnd,
		Cwnd:          e.SndCwnd,
		MSS:           e.Mss,
		Interface:     e.Ifindex,
		Error:         e.Error,
		RTTMin:        fromMicros(e.RttMinUS),
		FileRefs:      uint32(e.FileRefs),
	}
}

func (d *Decoded) unix(e *wire.UnixEvent) {
	const afUnix = 1
	local := min(int(e.LocalLen), len(d.event.Payload))
	d.Socket = Socket{
		Time:      KTime(e.H.TimeNS),
		Duration:  callTime(e.DurationNS, IOFlags(e.Flags)),
		CPU:       e.H.CPU,
		PID:       PID(e.H.PID),
		TID:       TID(e.H.TID),
		FD:        FD(e.FD),
		Socket:    SocketID(e.Sock),
		Inode:     Inode(e.Inode),
		NetNS:     e.Netns,
		Op:        SockOp(e.Op),
		Role:      Role(e.Role),
		Family:    afUnix,
		NewState:  TCPState(e.State),
		Flags:     IOFlags(e.Flags),
		Ret:       e.Ret,
		Local:     Endpoint{Path: unixPath(d.event.Payload[:local])},
		Remote:    Endpoint{Path: unixPath(d.event.Payload[local:])},
		SndSeq:    Seq(e.SndSeq),
		RcvSeq:    Seq(e.RcvSeq),
		RcvNxt:    Seq(e.RcvSeq),
		SndUna:    Seq(e.SndSeq),
		Type:      SockType(e.Type),
		Peer:      SocketID(e.PeerSock),
		PeerInode: Inode(e.PeerInode),
		PeerPID:   PID(e.PeerPID),
		FileRefs:  e.FileRefs,
	}
	if d.Socket.Op != SockShutdown {
		d.Socket.OldState = d.Socket.NewState
	}
}

// unixPath is sun_path as text, as ss(8) shows it: a file's name ends with NUL, an abstract one begins with it and may hold more.
func unixPath(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if b[0] != 0 {
		return cstring(b)
	}
	return strings.ReplaceAll(string(b), "\x00", "@")
}

func (d *Decoded) process(e *wire.ProcEvent) {
	tail := d.event.Tail()
	d.SeenPID = PID(e.SeenPID)
	d.Process = Process{
		Time:       KTime(e.H.TimeNS),
		Op:         ProcOp(e.Op),
		PID:        PID(e.H.PID),
		TID:        TID(e.H.TID),
		PPID:       PID(e.PPID),
		Start:      e.StartNS,
		UID:        e.UID,
		Comm:       cstring(e.Comm[:]),
		Exe:        exePath(tail.Exe, e.Flags),
		Args:       splitArgs(tail.Args),
		ArgsCut:    e.ArgsCut != 0,
		CgroupID:   e.CgroupID,
		Cgroup:     cgroupPath(tail.Cgroup, tail.CgroupV1, e),
		PidNS:      uint64(e.PIDNS),
		MntNS:      uint64(e.MntNS),
		NetNS:      uint64(e.NetNS),
		ExitStatus: e.ExitCode,
		Target:     true,
		NSPID:      PID(e.NSPID),
	}
}

func callTime(ns uint64, flags IOFlags) time.Duration {
	if flags&IONoEntry != 0 {
		return -1
	}
	return time.Duration(ns)
}

func fromMicros(us uint32) time.Duration { return time.Duration(us) * time.Microsecond }

// endpoint reads an address as event.h keeps it. Without an address or a port an internet socket is not bound yet.
func endpoint(family uint8, addr *[16]byte, port uint16) Endpoint {
	const (
		afInet  = 2
		afInet6 = 10
	)
	switch {
	case port == 0 && *addr == [16]byte{}:
		return Endpoint{}
	case family == afInet:
		return Endpoint{Addr: netip.AddrFrom4([4]byte(addr[:4])), Port: port}
	case family == afInet6:
		return Endpoint{Addr: netip.AddrFrom16(*addr), Port: port}
	}
	return Endpoint{}
}

func cstring(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// splitArgs splits what execve(2) was given: each argument ends with NUL, but for a last one that was cut.
func splitArgs(b []byte) []string {
	var args []string
	for len(b) > 0 && len(args) < maxArgs {
		arg, rest, _ := bytes.Cut(b, []byte{0})
		args = append(args, string(arg))
		b = rest
	}
	return args
}
