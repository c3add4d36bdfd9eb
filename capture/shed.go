//go:build linux && (amd64 || arm64)

package capture

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/ebpf-reel/reel/format"
)

// shedder leaves out payload while sealing is too far behind (DESIGN D3): the disk would fill with journals. Calls, lengths
// and times stay exact, and each row says that it was cut for this reason.
type shedder struct {
	level   atomic.Uint32 // 0: nothing is left out; 1: payload
	periods uint64        // how often level rose
	scratch []byte
}

// Offsets in struct io_event of event.h; a test compares them with what package format decodes.
const (
	sizeOffset     = 16
	capturedOffset = 76
	cutOffset      = 88
	moreOffset     = 94
	ioEventSize    = 96
)

// update sets the level by the state of the sink: up when it asks for it, down when it is well below.
func (s *shedder) update(stats format.WriterStats) {
	switch {
	case stats.Shed && s.level.Load() == 0:
		s.level.Store(1)
		s.periods++
	case !stats.Pressed && s.level.Load() > 0:
		s.level.Store(0)
	}
}

// strip returns the record without its payload, valid until the next call; nil when nothing remains.
func (s *shedder) strip(kind format.EventKind, ev []byte) []byte {
	switch {
	case kind == format.EventIOMore:
		return nil
	case kind != format.EventIO || len(ev) <= ioEventSize:
		return ev
	}
	s.scratch = append(s.scratch[:0], ev[:ioEventSize]...)
	binary.LittleEndian.PutUint32(s.scratch[sizeOffset:], ioEventSize)
	binary.LittleEndian.PutUint32(s.scratch[capturedOffset:], 0)
	binary.LittleEndian.PutUint16(s.scratch[moreOffset:], 0)
	s.scratch[cutOffset] = byte(format.CutShed)
	return s.scratch
}
