//go:build linux && (amd64 || arm64)

package bpf

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format/wire"
)

func unixEvents(events []wire.Event, ops ...uint8) (out []wire.Event) {
	for _, e := range events {
		if e.Kind == wire.EventUnix && slices.Contains(ops, e.Unix.Op) {
			out = append(out, e)
		}
	}
	return out
}

func unixPaths(e wire.Event) (local, remote string) {
	return string(e.Payload[:e.Unix.LocalLen]), string(e.Payload[e.Unix.LocalLen:])
}

// TestUnixSockets holds that every call is recorded with its bytes and its place, and that both ends name each other.
func TestUnixSockets(t *testing.T) {
	steps, events := record(t, Options{Snaplen: 4096, Salt: 1}, "unix", "v4")
	checkSteps(t, steps, events)
	for _, e := range ios(t, events) {
		if e.IO.Family != unix.AF_UNIX || e.IO.SrttUS != 0 || e.IO.Lport != 0 {
			t.Errorf("recorded %+v", e.IO)
		}
	}
	connects, accepts := unixEvents(events, wire.SockConnect), unixEvents(events, wire.SockAccept)
	if len(connects) != 3 || len(accepts) != 2 {
		t.Fatalf("%d connects, %d accepts, want 3 and 2", len(connects), len(accepts))
	}
	for i, a := range accepts {
		c := connects[i]
		_, to := unixPaths(c)
		at, _ := unixPaths(a)
		if to != at || len(to) < 10 || (i == 1) != (to[0] == 0) {
			t.Errorf("connected to %q, accepted at %q", to, at)
		}
		if c.Unix.PeerSock != a.Unix.Sock || a.Unix.PeerSock != c.Unix.Sock || a.Unix.PeerInode != c.Unix.Inode || c.Unix.Sock == 0 {
			t.Errorf("%+v\n%+v\nare not each other's peer", c.Unix, a.Unix)
		}
		if c.Unix.Role != wire.RoleClient || a.Unix.Role != wire.RoleServer || c.Unix.Type != unix.SOCK_STREAM || c.Unix.PeerPID != c.Unix.H.PID ||
			a.Unix.PeerPID != c.Unix.H.PID || c.Unix.State != 1 {
			t.Errorf("%+v\n%+v", c.Unix, a.Unix)
		}
	}
	if _, to := unixPaths(connects[2]); connects[2].Unix.Ret != -int64(unix.ENOENT) || !bytes.HasSuffix([]byte(to), []byte("/none\x00")) {
		t.Errorf("the connect that failed: %+v to %q", connects[2].Unix, to)
	}
	pairs := unixEvents(events, wire.SockPair)
	if len(pairs) != 6 {
		t.Fatalf("%d ends of pairs, want 6", len(pairs))
	}
	for i, want := range []uint8{1, 1, 2, 2, 5, 5} {
		e, other := pairs[i].Unix, pairs[i^1].Unix
		if e.Type != want || e.PeerSock != other.Sock || e.PeerInode != other.Inode || e.Inode == 0 {
			t.Errorf("end %d of a pair: %+v", i, e)
		}
	}
}

// TestUDP holds that each datagram has its length and its peer, and that those of DNS have their bytes.
func TestUDP(t *testing.T) {
	for _, family := range []string{"v4", "v6"} {
		t.Run(family, func(t *testing.T) {
			steps, events := record(t, Options{Snaplen: 4096, Salt: 1}, "udp", family)
			checkSteps(t, steps, events)
			loopback := netip.MustParseAddr("127.0.0.1")
			if family == "v6" {
				loopback = netip.IPv6Loopback()
			}
			for i, e := range ios(t, events) {
				peer := netip.AddrFrom16(e.Peer)
				if family == "v4" {
					peer = netip.AddrFrom4([4]byte(e.Peer[:4]))
				}
				if s := steps[i]; e.Kind != wire.EventDgram || peer != loopback || int(e.IO.Rport) != s.Thread {
					t.Errorf("datagram %d (%s): kind %d, peer %v port %d, want %v port %d", i, s.Note, e.Kind, peer, e.IO.Rport, loopback, s.Thread)
				}
			}
			for _, s := range socks(events, wire.SockSeen) {
				if s.Protocol != unix.IPPROTO_UDP || s.SndSeq != 1 || s.RcvSeq != 1 || s.SrttUS != 0 || s.SegsIn != 0 {
					t.Errorf("seen: %+v", s)
				}
			}
		})
	}
}

// TestUrgentByte holds that an urgent byte has its number in the stream, and that the read behind it says so.
func TestUrgentByte(t *testing.T) {
	steps, events := record(t, Options{Snaplen: 4096, Salt: 1}, "oob", "v4")
	got := ios(t, events)
	if len(got) != len(steps) {
		t.Fatalf("%d calls recorded, want %d", len(got), len(steps))
	}
	next := map[uint8]uint32{}
	for i, s := range steps {
		e := got[i]
		if e.IO.Ret != s.Ret || e.IO.Flags&(wire.IOOOB|wire.IOPeek) != s.Flags || !bytes.Equal(e.Payload, s.Payload) {
			t.Errorf("call %d (%s): ret %d flags %#x, want ret %d flags %#x", i, s.Note, e.IO.Ret, e.IO.Flags, s.Ret, s.Flags)
		}
		if want := next[e.IO.Dir]; s.Note == "behind the mark" && e.IO.Seq != want+1 || s.Note != "behind the mark" && want != 0 && e.IO.Seq != want {
			t.Errorf("call %d (%s): sequence number %d after %d", i, s.Note, e.IO.Seq, want)
		}
		next[e.IO.Dir] = e.IO.Seq
		if e.IO.Flags&wire.IOPeek == 0 {
			next[e.IO.Dir] += uint32(e.IO.Ret)
		}
	}
}

// TestZerocopy holds that bytes sent by MSG_ZEROCOPY are recorded when they are sent, and its completion not at all.
func TestZerocopy(t *testing.T) {
	steps, events := record(t, Options{Snaplen: 4096, Salt: 1}, "zerocopy", "v4")
	checkSteps(t, steps, events)
}

// TestCloses holds that each descriptor that is dropped has its row, and that the last of a socket is told apart.
func TestCloses(t *testing.T) {
	steps, events := record(t, Options{Snaplen: 4096, Salt: 1}, "closes", "v4")
	type drop struct {
		fd   int
		refs int64
	}
	var got, want []drop
	for _, s := range steps {
		want = append(want, drop{s.FD, s.Ret})
	}
	for _, e := range events {
		switch {
		case e.Kind == wire.EventUnix && e.Unix.Op == wire.SockClose:
			got = append(got, drop{int(e.Unix.FD), int64(e.Unix.FileRefs)})
		case e.Kind == wire.EventSock && e.Sock.Op == wire.SockClose && e.Sock.NewState != 10: // not the listener that made the pair
			got = append(got, drop{int(e.Sock.FD), int64(e.Sock.FileRefs)})
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("descriptors dropped, with references:\n%v, want\n%v\n%+v", got, want, steps)
	}
}
