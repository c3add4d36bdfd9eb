//go:build linux && (amd64 || arm64)

package bpf

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format/wire"
)

// ordered sorts events by time; those of one CPU keep their order.
func ordered(events []wire.Event) []wire.Event {
	slices.SortStableFunc(events, func(a, b wire.Event) int {
		x, y := a.Header().TimeNS, b.Header().TimeNS
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return events
}

// ios returns the io events, with their continuations joined to their payload.
func ios(t *testing.T, events []wire.Event) []wire.Event {
	t.Helper()
	var out []wire.Event
	more := map[string]int{} // pieces by (tid, time)
	key := func(h *wire.EventHeader) string { return fmt.Sprint(h.TID, h.TimeNS) }
	pieces := map[string][]wire.Event{}
	for _, e := range events {
		if e.Kind == wire.EventIOMore {
			pieces[key(&e.More.H)] = append(pieces[key(&e.More.H)], e)
			more[key(&e.More.H)]++
		}
	}
	for _, e := range events {
		if e.Kind != wire.EventIO && e.Kind != wire.EventDgram {
			continue
		}
		k := key(&e.IO.H)
		if more[k] != int(e.IO.More) {
			t.Errorf("a call announces %d continuations, %d came", e.IO.More, more[k])
		}
		for _, piece := range pieces[k] {
			if int(piece.More.Offset) != len(e.Payload) || piece.More.Sock != e.IO.Sock {
				t.Errorf("a continuation at %d of socket %x follows %d bytes of socket %x", piece.More.Offset, piece.More.Sock, len(e.Payload), e.IO.Sock)
			}
			e.Payload = append(e.Payload, piece.Payload...)
		}
		out = append(out, e)
	}
	return out
}

// checkSteps holds that the io events are the steps, one by one, and that each byte has the offset that follows from them.
func checkSteps(t *testing.T, steps []step, events []wire.Event) {
	t.Helper()
	got := ios(t, events)
	next := map[[3]uint64]uint32{} // sequence number that follows, by socket and direction
	for i, s := range steps {
		if i >= len(got) {
			t.Fatalf("%d io events for %d calls; the first without one: %+v", len(got), len(steps), brief(s))
		}
		e := &got[i]
		io := &e.IO
		name := fmt.Sprintf("call %d (%s)", i, s.Note)
		if io.Call != s.Call || io.Dir != s.Dir || int(io.FD) != s.FD || io.Ret != s.Ret {
			t.Fatalf("%s: recorded call %d dir %d fd %d ret %d, made %+v", name, io.Call, io.Dir, io.FD, io.Ret, brief(s))
		}
		if io.Flags&s.Flags != s.Flags {
			t.Errorf("%s: flags %#x, want %#x among them", name, io.Flags, s.Flags)
		}
		if unwanted := io.Flags & (wire.IOPeek | wire.IOEOF | wire.IOTrunc | wire.IONoEntry | wire.IOOOB | wire.IOZerocopy | wire.IODgram | wire.IOSameCall | wire.IOKTLS) &^ s.Flags; unwanted != 0 {
			t.Errorf("%s: flags %#x are set", name, unwanted)
		}
		if s.Cut != 255 && io.Cut != s.Cut {
			t.Errorf("%s: cut %d, want %d", name, io.Cut, s.Cut)
		}
		if !bytes.HasPrefix(s.Payload, e.Payload) && s.Payload != nil {
			t.Errorf("%s: %d bytes recorded are not the first of those moved", name, len(e.Payload))
		}
		if s.Cut == wire.CutNone && len(e.Payload) != len(s.Payload) {
			t.Errorf("%s: %d bytes recorded of %d", name, len(e.Payload), len(s.Payload))
		}
		if s.Cut == wire.CutNoCopy && len(e.Payload) != 0 {
			t.Errorf("%s: %d bytes recorded that never were in the process", name, len(e.Payload))
		}
		if io.Flags&wire.IOOffsetValid == 0 {
			t.Errorf("%s: no offset", name)
		}
		k := [3]uint64{io.Sock, io.Inode, uint64(io.Dir)}
		if want, seen := next[k]; seen && io.Ret >= 0 && io.Seq != want {
			t.Errorf("%s: sequence number %d, want %d", name, io.Seq, want)
		}
		next[k] = io.Seq
		if io.Ret > 0 && io.Flags&wire.IOPeek == 0 {
			next[k] += uint32(io.Ret)
		}
	}
	for _, e := range got[len(steps):] {
		t.Errorf("recorded, never made: %+v", e.IO)
	}
}

func brief(s step) step {
	s.Payload = s.Payload[:min(len(s.Payload), 16)]
	return s
}

func TestIO(t *testing.T) {
	for _, family := range []string{"v4", "v6"} {
		for _, name := range []string{"calls", "vectors", "edges", "nocopy"} {
			t.Run(family+"/"+name, func(t *testing.T) {
				steps, events := record(t, Options{Snaplen: 4096, Salt: 1}, name, family)
				checkSteps(t, steps, events)
				want := uint8(unix.AF_INET)
				if family == "v6" {
					want = unix.AF_INET6
				}
				for _, e := range ios(t, events) {
					if e.IO.Family != want {
						t.Errorf("family %d, want %d", e.IO.Family, want)
					}
				}
			})
		}
	}
}

func TestLargeCallsGoOnInFurtherRecords(t *testing.T) {
	steps, events := record(t, Options{Snaplen: SnapFull}, "large", "v4")
	checkSteps(t, steps, events)
}

func TestMetadataOnly(t *testing.T) {
	steps, events := record(t, Options{Snaplen: 0}, "budget", "v4")
	for i := range steps {
		steps[i].Cut = wire.CutBudget
	}
	checkSteps(t, steps, events)
	for _, e := range ios(t, events) {
		if len(e.Payload) != 0 {
			t.Fatalf("%d bytes recorded with snaplen 0", len(e.Payload))
		}
	}
}

// TestBudget holds that a message's first bytes are kept whole, and the first 256 bytes of each later call of it.
func TestBudget(t *testing.T) {
	steps, events := record(t, Options{Snaplen: 4096}, "budget", "v4")
	for i := range steps {
		steps[i].Cut = 255
	}
	checkSteps(t, steps, events)
	var client []int
	var starts []bool
	fd := steps[0].FD
	for _, e := range ios(t, events) {
		if int(e.IO.FD) == fd && e.IO.Dir == wire.DirWrite {
			client = append(client, len(e.Payload))
			starts = append(starts, e.IO.Flags&wire.IOMsgStart != 0)
		}
	}
	if want := []int{3000, 1096, 256, 256, 3000, 1096, 256, 256}; !slices.Equal(client, want) {
		t.Errorf("bytes recorded of each write: %d, want %d", client, want)
	}
	if want := []bool{true, false, false, false, true, false, false, false}; !slices.Equal(starts, want) {
		t.Errorf("starts of messages: %v, want %v", starts, want)
	}
}

// TestFault holds that what lies before a missing page is kept, and that the cut says why there is no more.
func TestFault(t *testing.T) {
	steps, events := record(t, Options{Snaplen: 16384}, "hole", "v4")
	var writes []wire.Event
	for _, e := range ios(t, events) {
		if e.IO.Dir == wire.DirWrite {
			writes = append(writes, e)
		}
	}
	if len(writes) != len(steps) {
		t.Fatalf("%d writes, want %d", len(writes), len(steps))
	}
	for i, s := range steps {
		e := writes[i]
		if e.IO.Cut != wire.CutFault || e.IO.Ret != s.Ret || !bytes.Equal(e.Payload, s.Payload) {
			t.Errorf("write %d: cut %d, moved %d of %d, kept %d bytes of %d", i, e.IO.Cut, e.IO.Ret, s.Ret, len(e.Payload), len(s.Payload))
		}
	}
}
