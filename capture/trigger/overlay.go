package trigger

import (
	"slices"

	"github.com/ebpf-reel/reel/format"
)

// Overlay says which snaplen holds while firings ask for more than the capture was started with: the largest of those that
// have not run out. The zero value has none.
type Overlay struct{ spans []span }

type span struct {
	bytes uint32
	until format.KTime
}

// Add asks for bytes of each message until a time.
func (o *Overlay) Add(bytes uint32, until format.KTime) {
	o.spans = append(o.spans, span{bytes, until})
}

// At returns the largest snaplen asked for at now, and when that may change; 0, 0 when none is.
func (o *Overlay) At(now format.KTime) (bytes uint32, next format.KTime) {
	o.spans = slices.DeleteFunc(o.spans, func(s span) bool { return s.until <= now })
	for _, s := range o.spans {
		bytes = max(bytes, s.bytes)
		if next == 0 || s.until < next {
			next = s.until
		}
	}
	return bytes, next
}
