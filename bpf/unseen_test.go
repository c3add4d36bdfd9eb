//go:build linux && (amd64 || arm64)

package bpf

import (
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format/wire"
)

// counted wants one kind counted, for one process, at least this often.
func counted(t *testing.T, o *Objects, kind UnseenKind, pid uint32, least uint64) {
	t.Helper()
	unseen, err := o.Unseen()
	if err != nil {
		t.Fatal(err)
	}
	if len(unseen) != 1 || unseen[0].Kind != kind || unseen[0].PID != pid || unseen[0].Count < least {
		t.Errorf("counted by process: %+v, want kind %d for process %d, %d times or more", unseen, kind, pid, least)
	}
}

// TestIOUring holds that calls of io_uring_enter are counted for their process: here one without a ring, which is a call all the same.
func TestIOUring(t *testing.T) {
	o := attached(t, Options{})
	if err := o.AddTarget(uint32(os.Getpid())); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if r := syscall6(unix.SYS_IO_URING_ENTER, ^uintptr(0)); r >= 0 {
			t.Fatalf("io_uring_enter without a ring: %d", r)
		}
	}
	counted(t, o, UnseenURing, uint32(os.Getpid()), 3)
}

// TestIOUringMovesBytes holds that what a ring moves on a connection is missing in exact length: the calls around it keep their
// places in the stream, and no row claims the bytes.
func TestIOUringMovesBytes(t *testing.T) {
	o := attached(t, Options{Snaplen: 4096, Salt: 1})
	p := start(t, "uring", "v4")
	if err := o.AddTarget(p.pid()); err != nil {
		t.Fatal(err)
	}
	p.proceed()
	steps := p.finish()
	got := ios(t, ordered(collect(t, o)))
	noLoss(t, o)
	if len(got) != len(steps) {
		t.Fatalf("%d calls recorded, want the %d that no ring made", len(got), len(steps))
	}
	first := map[uint8]uint32{}
	for i, e := range got {
		// Steps go by turns: a write, its read. Before round n, n messages of 100 bytes by calls and n of 1000 and more by the ring were moved.
		round := uint32(i / 2)
		if i < 2 {
			first[e.IO.Dir] = e.IO.Seq
		}
		want := first[e.IO.Dir] + round*100
		for r := range round {
			want += 1000 + r
		}
		if e.IO.Seq != want || e.IO.Flags&wire.IOOffsetValid == 0 || e.IO.Ret != 100 {
			t.Errorf("call %d: at %d, want %d: %+v", i, e.IO.Seq, want, e.IO)
		}
	}
	counted(t, o, UnseenURing, p.pid(), 6)
}

// TestMPTCP holds that calls on MPTCP sockets are counted, and that their subflows, which the kernel makes, are not taken for
// connections of the process.
func TestMPTCP(t *testing.T) {
	for _, family := range []string{"v4", "v6"} {
		t.Run(family, func(t *testing.T) {
			o := attached(t, Options{Snaplen: 4096, Salt: 1})
			p := start(t, "mptcp", family)
			if err := o.AddTarget(p.pid()); err != nil {
				t.Fatal(err)
			}
			p.proceed()
			p.finish()
			events := collect(t, o)
			if i := slices.IndexFunc(events, func(e wire.Event) bool { return e.Kind == wire.EventIO }); i >= 0 {
				t.Errorf("recorded: %+v", events[i].IO)
			}
			for _, s := range socks(events, wire.SockConnect, wire.SockAccept, wire.SockClose) {
				t.Errorf("recorded: %+v", s)
			}
			counted(t, o, UnseenMPTCP, p.pid(), 4)
		})
	}
}
