package format

import (
	"encoding/binary"

	"github.com/ebpf-reel/reel/format/wire"
)

// chunkTracker counts the chunks of calls that are still to come, so that a rotation does not part them from their io.
type chunkTracker struct {
	more []uint16 // per CPU: chunks that belong to its last io and have not come yet
	open int      // sum of more
}

// track takes a record that is appended.
func (c *chunkTracker) track(kind EventKind, ev []byte) {
	if kind != EventIO && kind != EventIOMore {
		return
	}
	cpu := int(binary.LittleEndian.Uint16(ev[cpuOffset:]))
	if cpu >= len(c.more) {
		c.more = append(c.more, make([]uint16, cpu+1-len(c.more))...)
	}
	switch {
	case kind == EventIOMore:
		if c.more[cpu] > 0 {
			c.more[cpu]--
			c.open--
		}
	case len(ev) >= wire.IOEventSize:
		n := binary.LittleEndian.Uint16(ev[moreOffset:])
		c.open += int(n) - int(c.more[cpu])
		c.more[cpu] = n
	}
}

// forget gives up waiting: a new journal begins.
func (c *chunkTracker) forget() {
	clear(c.more)
	c.open = 0
}
