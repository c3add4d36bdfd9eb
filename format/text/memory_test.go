package text

import (
	"io"
	"runtime"
)

// repeated is a text of n equal lines that never lies in memory.
type repeated struct {
	head, line, rest []byte
	n                int
	begun            bool
}

func (r *repeated) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		switch {
		case !r.begun:
			r.begun, r.rest = true, r.head
		case r.n > 0:
			r.n--
			r.rest = r.line
		default:
			return 0, io.EOF
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// heapPeak counts bytes and looks at the live heap now and then.
type heapPeak struct {
	bytes, next int64
	max         uint64
}

func (h *heapPeak) Write(p []byte) (int, error) {
	if h.bytes += int64(len(p)); h.bytes >= h.next {
		h.next = h.bytes + 64<<20
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		h.max = max(h.max, s.HeapAlloc)
	}
	return len(p), nil
}
