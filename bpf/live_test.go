//go:build linux && (amd64 || arm64)

package bpf

import (
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format/wire"
)

// conversationOf writes a message of four calls of 3,000 bytes from one end of a new connection to the other, with what is set
// before, and after two of the calls. It returns the io events of the writes.
func conversationOf(t *testing.T, o *Objects, before, between func()) []wire.Event {
	t.Helper()
	p := &player{family: unix.AF_INET}
	client, server := p.pair()
	defer unix.Close(client)
	defer unix.Close(server)
	message, buf := pattern(3000, 1), make([]byte, 4096)
	before()
	for i := range 4 {
		if i == 2 {
			between()
		}
		if _, err := unix.Write(client, message); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(message); {
			got, err := unix.Read(server, buf)
			if err != nil {
				t.Fatal(err)
			}
			n += got
		}
	}
	var writes []wire.Event
	for _, e := range ios(t, ordered(collect(t, o))) {
		if int(e.IO.FD) == client && e.IO.Dir == wire.DirWrite {
			writes = append(writes, e)
		}
	}
	return writes
}

// TestLiveSettings holds that what is set while the programs run holds from the next call on, and that each row says why bytes are missing.
func TestLiveSettings(t *testing.T) {
	o := attached(t, Options{Snaplen: 4096})
	if err := o.AddTarget(uint32(os.Getpid())); err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	snaplen := func(n uint32) func() { return func() { must(o.SetSnaplen(n)) } }
	shed := func(level ShedLevel) func() { return func() { must(o.SetShed(level)) } }
	same := func() {}
	const all, budget, less = wire.CutNone, wire.CutBudget, wire.CutShed
	for _, c := range []struct {
		name            string
		before, between func()
		bytes           []int
		cuts            []uint8
	}{
		{"as loaded", same, same, []int{3000, 1096, 256, 256}, []uint8{all, budget, budget, budget}},
		{"full in the middle of a message", same, snaplen(SnapFull), []int{3000, 1096, 3000, 3000}, []uint8{all, budget, all, all}},
		{"and back", same, snaplen(4096), []int{3000, 3000, 256, 256}, []uint8{all, all, budget, budget}},
		{"larger in the middle of a message", same, snaplen(8192), []int{3000, 1096, 2192, 256}, []uint8{all, budget, budget, budget}},
		{"smaller than what is shed to", snaplen(16), shed(ShedBodies), []int{16, 16, 16, 16}, []uint8{budget, budget, budget, budget}},
		{"bodies", snaplen(4096), same, []int{512, 64, 64, 64}, []uint8{less, less, less, less}},
		{"bodies, and recovered", same, shed(ShedNone), []int{512, 64, 256, 256}, []uint8{less, less, budget, budget}},
		{"bodies of full", func() { snaplen(SnapFull)(); shed(ShedBodies)() }, shed(ShedNone), []int{512, 64, 3000, 3000}, []uint8{less, less, all, all}},
		{"heads", shed(ShedHeads), shed(ShedStacks), []int{0, 0, 0, 0}, []uint8{less, less, less, less}},
		{"rows", shed(ShedNone), shed(ShedIO), []int{3000, 3000}, []uint8{all, all}},
		{"rows, and recovered", same, shed(ShedNone), []int{3000, 3000}, []uint8{all, all}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var bytes []int
			var cuts []uint8
			for _, e := range conversationOf(t, o, c.before, c.between) {
				bytes, cuts = append(bytes, len(e.Payload)), append(cuts, e.IO.Cut)
				if e.IO.Ret != 3000 || e.IO.Flags&wire.IOOffsetValid == 0 {
					t.Errorf("a write of 3000 bytes is recorded as %+v", e.IO)
				}
			}
			if !slices.Equal(bytes, c.bytes) || !slices.Equal(cuts, c.cuts) {
				t.Errorf("recorded %d bytes, cut %d; want %d, cut %d", bytes, cuts, c.bytes, c.cuts)
			}
		})
	}
	counted, err := o.Counters()
	must(err)
	// Two conversations shed the rows of two writes and of their reads, which are as many or more.
	if counted.ShedBytes != 2*2*2*3000 || counted.ShedCalls < 8 {
		t.Errorf("%d calls, %d bytes were counted instead of recorded; want at least 8, %d", counted.ShedCalls, counted.ShedBytes, 2*2*2*3000)
	}
	noLoss(t, o)
}
