package trigger

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/ebpf-reel/reel/format"
)

func TestOverlay(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var o Overlay
	want := map[format.KTime]uint32{} // by time: the largest asked for
	now := format.KTime(1)
	for range 2000 {
		if r.IntN(3) == 0 {
			bytes, until := r.Uint32(), now+format.KTime(r.IntN(20))
			if r.IntN(4) == 0 {
				bytes = math.MaxUint32
			}
			o.Add(bytes, until)
			for at := now; at < until; at++ {
				want[at] = max(want[at], bytes)
			}
		}
		bytes, next := o.At(now)
		if bytes != want[now] {
			t.Fatalf("at %d: %d bytes, want %d", now, bytes, want[now])
		}
		if (next == 0) != (bytes == 0) || next != 0 && next <= now {
			t.Fatalf("at %d: %d bytes until %d", now, bytes, next)
		}
		for at := now; at < next; at++ { // nothing changes before it says so
			if want[at] != bytes {
				t.Fatalf("at %d: %d bytes until %d, but %d at %d", now, bytes, next, want[at], at)
			}
		}
		now++
	}
}
