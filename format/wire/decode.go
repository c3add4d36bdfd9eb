package wire

import "fmt"

// Event is one record of a ring, decoded. Of IO, More, Sock, Proc, TCP, TLS, TLSKey, Unix and Sample the one that Kind names is valid (EventDgram: IO and
// Peer); the others hold what an earlier Decode left there.
type Event struct {
	Kind    uint16 // EventIO, EventIOMore, EventSock, EventProc, EventTCP, EventTLS, EventTLSKey, EventDgram, EventUnix or EventSample
	IO      IOEvent
	More    IOMoreEvent
	Sock    SockEvent
	Proc    ProcEvent
	TCP     TCPEvent
	Unix    UnixEvent
	TLSKey  TLSKeyEvent
	Sample  SampleEvent
	Block   BlockEvent
	TLS     TLSEvent
	Peer    [addressSize]byte // address of a datagram's peer, as sock_event.raddr; zero: unknown
	Payload []byte            // what follows the struct, an alias of the bytes decoded: io or tls payload, argv with NULs, or two paths
}

// Header returns the header of the event, whatever its kind.
func (e *Event) Header() *EventHeader {
	switch e.Kind {
	case EventIOMore:
		return &e.More.H
	case EventSock:
		return &e.Sock.H
	case EventProc:
		return &e.Proc.H
	case EventTCP:
		return &e.TCP.H
	case EventTLSKey:
		return &e.TLSKey.H
	case EventUnix:
		return &e.Unix.H
	case EventSample:
		return &e.Sample.H
	case EventBlock:
		return &e.Block.H
	case EventTLS:
		return &e.TLS.H
	}
	return &e.IO.H
}

// A DecodeError says why bytes are no event.
type DecodeError struct {
	Kind   uint16 // as the header says; 0 if there is none
	Size   int    // of the bytes given
	Reason string
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("event of kind %d in %d bytes: %s", e.Kind, e.Size, e.Reason)
}

// Decode decodes one event, as bpf.Objects.Drain delivers it: bytes past header.size are ignored. It allocates nothing
// unless it fails, and then by a *DecodeError; *e is then undefined. Records that an older reel wrote are decoded too.
func Decode(ev []byte, e *Event) error {
	e.Payload = nil
	if len(ev) < EventHeaderSize {
		return &DecodeError{0, len(ev), "shorter than its header"}
	}
	var h EventHeader
	h.decode(ev)
	e.Kind = h.Kind
	if h.Size < EventHeaderSize || uint64(h.Size) > uint64(len(ev)) {
		return &DecodeError{h.Kind, len(ev), fmt.Sprintf("its header says %d bytes", h.Size)}
	}
	ev = ev[:h.Size:h.Size]
	l := layoutOf(h.Kind)
	if l == nil {
		return &DecodeError{h.Kind, len(ev), "unknown kind"}
	}
	fixed := l.split(ev)
	if fixed == 0 {
		return &DecodeError{h.Kind, len(ev), fmt.Sprintf("its struct has %d bytes, and what it says of those after it is not true", l.size)}
	}
	if tail := fixed + l.extra; tail < len(ev) {
		e.Payload = ev[tail:]
	}
	if h.Kind == EventDgram {
		e.Peer = [addressSize]byte(ev[fixed:])
	}
	if fixed < l.size {
		// Written by an older reel: fields that it did not know are zero.
		var whole [biggest]byte
		copy(whole[:], ev[:fixed])
		ev = whole[:l.size]
	}
	switch h.Kind {
	case EventIO, EventDgram:
		e.IO.decode(ev)
	case EventIOMore:
		e.More.decode(ev)
	case EventSock:
		e.Sock.decode(ev)
	case EventProc:
		e.Proc.decode(ev)
	case EventTCP:
		e.TCP.decode(ev)
	case EventTLSKey:
		e.TLSKey.decode(ev)
	case EventUnix:
		e.Unix.decode(ev)
	case EventSample:
		e.Sample.decode(ev)
	case EventBlock:
		e.Block.decode(ev)
	case EventTLS:
		e.TLS.decode(ev)
	}
	return nil
}
