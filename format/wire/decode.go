package wire

import "fmt"

// Event is one record of a ring, decoded. Of IO, More, Sock and Proc the one that Kind names is valid; the others hold what
// an earlier Decode left there.
type Event struct {
	Kind    uint16 // EventIO, EventIOMore, EventSock or EventProc
	IO      IOEvent
	More    IOMoreEvent
	Sock    SockEvent
	Proc    ProcEvent
	Payload []byte // what follows the struct, an alias of the bytes decoded: io payload, or argv with NULs
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
// unless it fails, and then by a *DecodeError; *e is then undefined.
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
	fixed := structSize(h.Kind)
	if fixed == 0 {
		return &DecodeError{h.Kind, len(ev), "unknown kind"}
	}
	if len(ev) < fixed {
		return &DecodeError{h.Kind, len(ev), fmt.Sprintf("its struct has %d bytes", fixed)}
	}
	var payload uint32
	switch h.Kind {
	case EventIO:
		e.IO.decode(ev)
		payload = e.IO.CapturedLen
	case EventIOMore:
		e.More.decode(ev)
		payload = e.More.CapturedLen
	case EventSock:
		e.Sock.decode(ev)
	case EventProc:
		e.Proc.decode(ev)
		payload = e.Proc.ArgsLen
	}
	if uint64(len(ev)) != uint64(fixed)+uint64(payload) {
		return &DecodeError{h.Kind, len(ev), fmt.Sprintf("its struct of %d bytes says that %d follow", fixed, payload)}
	}
	if payload > 0 {
		e.Payload = ev[fixed:]
	}
	return nil
}

// structSize returns the bytes of a kind's struct; 0 if the kind is unknown.
func structSize(kind uint16) int {
	switch kind {
	case EventIO:
		return IOEventSize
	case EventIOMore:
		return IOMoreEventSize
	case EventSock:
		return SockEventSize
	case EventProc:
		return ProcEventSize
	}
	return 0
}
