//go:build linux && (amd64 || arm64)

package bpf

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format/wire"
)

// ssStates are the names that ss gives to TCP's states.
var ssStates = map[string]uint8{"ESTAB": 1, "SYN-SENT": 2, "FIN-WAIT-1": 4, "FIN-WAIT-2": 5, "CLOSE-WAIT": 8, "LISTEN": 10}

// ss lists the TCP sockets of a namespace as ss sees them: state, both ends, inode.
func (n *namespaces) ss(ns string) (list []string) {
	n.t.Helper()
	inode := regexp.MustCompile(` ino:(\d+)`)
	for _, line := range strings.Split(strings.TrimSpace(n.in(ns, "ss", "-Htane")), "\n") {
		f := strings.Fields(line)
		if len(f) < 5 || ssStates[f[0]] == 0 {
			continue // a warning about cgroups
		}
		ino := "0"
		if m := inode.FindStringSubmatch(line); m != nil {
			ino = m[1]
		}
		list = append(list, fmt.Sprintf("%d %s %s %s", ssStates[f[0]], f[3], strings.Replace(f[4], "0.0.0.0:*", "0.0.0.0:0", 1), ino))
	}
	slices.Sort(list)
	return list
}

// found lists what a snapshot found, in the same form.
func found(t *testing.T, o *Objects) (list []string, sockets []wire.SockEvent) {
	t.Helper()
	add := func(e wire.Event) {
		if e.Kind != wire.EventSock {
			return
		}
		s := &e.Sock
		addr := func(a [16]byte, port uint16) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[:4])), port)
		}
		list = append(list, fmt.Sprintf("%d %v %v %d", s.NewState, addr(s.Laddr, s.Lport), addr(s.Raddr, s.Rport), s.Inode))
		sockets = append(sockets, *s)
	}
	if err := o.Snapshot(func(ev []byte) { add(decoded(t, ev)) }); err != nil {
		t.Fatal(err)
	}
	for _, e := range collect(t, o) { // connections in accept queues come through the rings
		add(e)
	}
	slices.Sort(list)
	return list, sockets
}

// TestStateAtStart holds that a snapshot finds what ss finds: sockets that are established, listening, half closed, on the way, in
// an accept queue, in the file table of a thread of its own, all in another network namespace than this one.
func TestStateAtStart(t *testing.T) {
	n := newNamespaces(t)
	n.in(n.b, "nft", "add table ip wall; add chain ip wall in { type filter hook input priority 0; }; add rule ip wall in tcp dport 7002 drop")
	p := n.start(n.a, "testdata/state.py")
	p.do("states")
	o := attached(t, Options{})
	if err := o.AddTarget(p.pid()); err != nil {
		t.Fatal(err)
	}
	got, sockets := found(t, o)
	got = slices.Compact(got) // the thread's own table has a copy of each descriptor
	want := n.ss(n.a)
	if !slices.Equal(got, want) {
		t.Errorf("found:\n%s\nss finds:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	queued, states := 0, map[uint8]bool{}
	for _, s := range sockets {
		states[s.NewState] = true
		if s.Inode == 0 {
			queued++
			if s.Role != wire.RoleServer || s.H.PID != 0 {
				t.Errorf("a connection in the accept queue: %+v", s)
			}
		} else if s.H.PID != p.pid() {
			t.Errorf("a socket of process %d, want %d", s.H.PID, p.pid())
		}
		if s.NewState != 10 && s.Lport == 7000 && s.Role != wire.RoleServer {
			t.Errorf("the server's end has role %d", s.Role)
		}
	}
	if queued != 20 || len(states) != len(ssStates)-1 { // FIN_WAIT1 ends at once
		t.Errorf("%d connections in the queue, want 20; states %v", queued, states)
	}
}

// TestFiftyThousandSockets takes targets that hold 50,000 sockets, as many processes as their limit of files asks for: all are
// found; and with a table that has no room for them, what has no place in it is counted, and found all the same.
func TestFiftyThousandSockets(t *testing.T) {
	const count = 50_000
	n := newNamespaces(t)
	n.in(n.a, "sysctl", "-q", "net.ipv4.ip_local_port_range=10000 65000")
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	each := min(count, (int(min(limit.Max, 1<<20))-200)&^1)
	var holders []*peer
	for left := count; left > 0; left -= each {
		p := n.start(n.a, "testdata/state.py")
		p.do(fmt.Sprintf("many %d %d", min(each, left), 7100+len(holders)))
		holders = append(holders, p)
	}
	sockets := count + len(holders) // and those that listen
	for _, room := range []uint32{0, 10_000} {
		resize = map[string]uint32{}
		if room > 0 {
			resize["sockets"] = room
		}
		o := attached(t, Options{})
		resize = nil
		for _, p := range holders {
			if err := o.AddTarget(p.pid()); err != nil {
				t.Fatal(err)
			}
		}
		if got, _ := found(t, o); len(got) != sockets {
			t.Errorf("%d sockets found, want %d", len(got), sockets)
		}
		var tracked uint64
		var key, value []byte
		for entries := o.maps["sockets"].Iterate(); entries.Next(&key, &value); {
			tracked++
		}
		c, err := o.Counters()
		if err != nil {
			t.Fatal(err)
		}
		full := uint64(0)
		if room > 0 {
			full = uint64(sockets) - uint64(room)
		}
		if c.SocketsFull != full || tracked != uint64(sockets)-full {
			t.Errorf("room for %d: %d sockets tracked, %d found no place, want %d", room, tracked, c.SocketsFull, full)
		}
	}
}
