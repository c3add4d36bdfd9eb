package wire

import "encoding/binary"

// Structs of event.h grow at their end, before the bytes that follow them, and journals keep them as the kernel side wrote
// them. So a record says by itself how long its struct is: its size less the bytes that it says follow.

// layout is what a record of one kind looks like.
type layout struct {
	size     int   // of the struct today
	released []int // what it was in earlier schema versions, the shortest first
	tail     int   // offset of the u32 that counts the bytes after the struct; 0: none follow
	extra    int   // bytes that always follow, before those
}

// addressSize is what stands between the struct and the payload of a datagram: its peer's address.
const addressSize = 16

var layouts = [...]layout{
	EventIO:     {size: IOEventSize, released: []int{96}, tail: 76},
	EventIOMore: {size: IOMoreEventSize, released: []int{48}, tail: 44},
	EventSock:   {size: SockEventSize, released: []int{160}},
	EventProc:   {size: ProcEventSize, released: []int{96}, tail: 72},
	EventTCP:    {size: TCPEventSize},
	EventTLSKey: {size: TLSKeyEventSize},
	EventDgram:  {size: IOEventSize, tail: 76, extra: addressSize},
	EventUnix:   {size: UnixEventSize, tail: 108},
	EventTLS:    {size: TLSEventSize, tail: 80},
	EventSample: {size: SampleEventSize, tail: 40},
	EventBlock:  {size: BlockEventSize, tail: 56},
}

// biggest is the size of the biggest struct.
const biggest = max(IOEventSize, IOMoreEventSize, SockEventSize, ProcEventSize, TCPEventSize, UnixEventSize, TLSKeyEventSize, SampleEventSize, TLSEventSize, BlockEventSize)

func layoutOf(kind uint16) *layout {
	if int(kind) >= len(layouts) || layouts[kind].size == 0 {
		return nil
	}
	return &layouts[kind]
}

// split returns the size of the struct that the record ev begins with; 0 if it is none of this kind.
func (l *layout) split(ev []byte) int {
	tail := uint64(l.extra)
	if l.tail > 0 {
		if len(ev) < l.tail+4 {
			return 0
		}
		tail += uint64(binary.LittleEndian.Uint32(ev[l.tail:]))
	}
	if uint64(len(ev)) == uint64(l.size)+tail {
		return l.size
	}
	for _, size := range l.released {
		if uint64(len(ev)) == uint64(size)+tail {
			return size
		}
	}
	return 0
}
