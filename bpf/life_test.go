//go:build linux && (amd64 || arm64)

package bpf

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format/wire"
)

// socks returns the sock events of some operations.
func socks(events []wire.Event, ops ...uint8) (out []wire.SockEvent) {
	for _, e := range events {
		if e.Kind == wire.EventSock && slices.Contains(ops, e.Sock.Op) {
			out = append(out, e.Sock)
		}
	}
	return out
}

func procs(events []wire.Event, op uint8) (out []wire.Event) {
	for _, e := range events {
		if e.Kind == wire.EventProc && e.Proc.Op == op {
			out = append(out, e)
		}
	}
	return out
}

func addresses(e wire.SockEvent) (local, remote netip.AddrPort) {
	n := 4
	if e.Family == 10 {
		n = 16
	}
	l, _ := netip.AddrFromSlice(e.Laddr[:n])
	r, _ := netip.AddrFromSlice(e.Raddr[:n])
	return netip.AddrPortFrom(l, e.Lport), netip.AddrPortFrom(r, e.Rport)
}

var opNames = map[uint8]string{wire.SockConnect: "connect", wire.SockAccept: "accept", wire.SockClose: "close", wire.SockShutdown: "shutdown"}

func TestLifecycle(t *testing.T) {
	for _, family := range []string{"v4", "v6"} {
		t.Run(family, func(t *testing.T) {
			steps, events := record(t, Options{Snaplen: 4096, Salt: 1}, "lifecycle", family)
			loopback := netip.MustParseAddr("127.0.0.1")
			if family == "v6" {
				loopback = netip.IPv6Loopback()
			}
			port := uint16(steps[0].Ret)
			got := socks(events, wire.SockConnect, wire.SockAccept, wire.SockClose, wire.SockShutdown)
			// The listener that finds a closed port closes it, too; it is the only close that is no step.
			got = slices.DeleteFunc(got, func(e wire.SockEvent) bool { return e.Op == wire.SockClose && e.NewState == 10 && e.Lport != port })
			if len(got) != len(steps)-1 {
				t.Fatalf("%d events for %d calls: %+v", len(got), len(steps)-1, got)
			}
			for i, s := range steps[1:] {
				e := got[i]
				local, remote := addresses(e)
				name := fmt.Sprintf("call %d (%s)", i, s.Note)
				if opNames[e.Op] != s.Note || int(e.FD) != s.FD || e.Ret != s.Ret || e.Flags&s.Flags != s.Flags {
					t.Fatalf("%s: recorded %s fd %d ret %d flags %#x, made %+v", name, opNames[e.Op], e.FD, e.Ret, e.Flags, s)
				}
				if e.Flags&wire.IONoEntry != 0 || e.DurationNS == 0 || e.DurationNS > uint64(patience) {
					t.Errorf("%s: took %v, flags %#x", name, time.Duration(e.DurationNS), e.Flags)
				}
				if e.Protocol != 6 || e.Inode == 0 || e.Sock == 0 || e.Netns == 0 {
					t.Errorf("%s: %+v", name, e)
				}
				switch s.Note {
				case "connect":
					if e.Role != wire.RoleClient || remote.Addr() != loopback {
						t.Errorf("%s: role %d, %v to %v", name, e.Role, local, remote)
					}
					if s.Ret != -111 && remote.Port() != port || remote.Port() == 0 {
						t.Errorf("%s: to port %d, want %d", name, remote.Port(), port)
					}
				case "accept":
					if e.Role != wire.RoleServer || local != netip.AddrPortFrom(loopback, port) || remote.Addr() != loopback {
						t.Errorf("%s: role %d, %v from %v", name, e.Role, local, remote)
					}
				case "shutdown":
					if e.NewState != s.Call {
						t.Errorf("%s: how %d, want %d", name, e.NewState, s.Call)
					}
				}
			}
			checkStates(t, events, port)
		})
	}
}

// checkStates holds that each end of the connections goes through its states, in order, whatever task was running.
func checkStates(t *testing.T, events []wire.Event, port uint16) {
	t.Helper()
	paths := map[uint64][]uint8{}
	roles := map[uint64]uint8{}
	listens := 0
	for _, e := range socks(events, wire.SockState, wire.SockListen) {
		if e.Op == wire.SockListen {
			if e.Lport == port {
				listens++
			}
			continue
		}
		if e.Lport != port && e.Rport != port || e.OldState == 10 {
			continue
		}
		if p := paths[e.Sock]; len(p) > 0 && p[len(p)-1] != e.OldState {
			t.Errorf("socket %x goes from %d after %d", e.Sock, e.OldState, p)
		}
		paths[e.Sock] = append(paths[e.Sock], e.NewState)
		roles[e.Sock] = e.Role
	}
	if listens != 1 {
		t.Errorf("%d times listening, want 1", listens)
	}
	clients, servers := 0, 0
	for sock, p := range paths {
		switch {
		case roles[sock] == wire.RoleClient && p[0] == 2 && p[1] == 1 && p[len(p)-1] == 7: // SYN_SENT, ESTABLISHED, ..., CLOSE
			clients++
		case roles[sock] == wire.RoleServer && p[0] == 1 && p[len(p)-1] == 7:
			servers++
		default:
			t.Errorf("socket %x of role %d goes through %d", sock, roles[sock], p)
		}
	}
	if clients != 2 || servers != 2 {
		t.Errorf("%d clients and %d servers went from birth to end, want 2 and 2", clients, servers)
	}
}

// began is when a call made its first step: a call that did not block, at its entry; one that did, when it was woken, of
// which its end is the latest bound.
func began(e wire.Event) uint64 {
	if e.IO.Flags&wire.IOBlocked != 0 {
		return e.IO.H.TimeNS
	}
	return e.IO.H.TimeNS - e.IO.DurationNS
}

func TestBlockedCalls(t *testing.T) {
	for _, name := range []string{"blocked", "reuse"} {
		t.Run(name, func(t *testing.T) {
			steps, events := record(t, Options{Snaplen: 4096}, name, "v4")
			// A blocked read may end before the write that feeds it does: in the order of the scenario, the write began first.
			got := ios(t, events)
			slices.SortStableFunc(got, func(a, b wire.Event) int { return cmp.Compare(began(a), began(b)) })
			checkSteps(t, steps, got)
			for i, s := range steps {
				if s.Thread != 0 && (got[i].IO.H.TID != uint32(s.Thread) || got[i].IO.DurationNS == 0) {
					t.Errorf("call %d: by thread %d, in %d ns, want %d", i, got[i].IO.H.TID, got[i].IO.DurationNS, s.Thread)
				}
			}
			if name == "reuse" && got[1].IO.Sock == got[3].IO.Sock {
				t.Error("the blocked read and the read after it are attributed to one socket")
			}
		})
	}
}

func TestChildrenAreTargets(t *testing.T) {
	o := attached(t, Options{Snaplen: 4096})
	p := start(t, "children", "v4")
	if err := o.AddTarget(p.pid()); err != nil {
		t.Fatal(err)
	}
	p.proceed()
	child := uint32(p.finish()[0].Ret)
	events := ordered(collect(t, o))

	at := func(pid uint32, op uint8) *wire.Event {
		t.Helper()
		var found []wire.Event
		for _, e := range procs(events, op) {
			if e.Proc.H.PID == pid {
				found = append(found, e)
			}
		}
		if len(found) != 1 {
			t.Fatalf("%d events of operation %d of process %d", len(found), op, pid)
		}
		return &found[0]
	}
	fork, exec, exit := at(child, wire.ProcFork), at(child, wire.ProcExec), at(child, wire.ProcExit)
	if fork.Proc.PPID != p.pid() {
		t.Errorf("parent %d, want %d", fork.Proc.PPID, p.pid())
	}
	if args := strings.Split(string(exec.Tail().Args), "\x00"); len(args) != 5 || args[1] != "-test.run=^$" || args[2] != "an argument" || args[3] != "" {
		t.Errorf("arguments %q", args)
	}
	// The child runs this program, in the cgroup of this test: /proc says which they are.
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if exe := joinParts(exec.Tail().Exe); exe != self {
		t.Errorf("it runs %q, /proc says %q", exe, self)
	}
	for name, e := range map[string]*wire.Event{"fork": fork, "exec": exec, "exit": exit} {
		tail := e.Tail()
		if v2, v1 := ownCgroups(t); joinParts(tail.Cgroup) != v2 || v1 != "" && joinParts(tail.CgroupV1) != v1 {
			t.Errorf("%s: cgroups %q and %q, /proc says %q and %q", name, tail.Cgroup, tail.CgroupV1, v2, v1)
		}
		if e.Proc.NSPID != e.Proc.H.PID || e.Proc.SeenPID != 0 {
			t.Errorf("%s: process %d is %d inside and %d here", name, e.Proc.H.PID, e.Proc.NSPID, e.Proc.SeenPID)
		}
	}
	if exit.Proc.ExitCode != 7<<8 {
		t.Errorf("wait status %#x, want 0x700", exit.Proc.ExitCode)
	}
	if fork.Proc.StartNS != exit.Proc.StartNS || fork.Proc.StartNS == 0 {
		t.Errorf("started at %d, and at %d when it ended", fork.Proc.StartNS, exit.Proc.StartNS)
	}
	written := 0
	for _, e := range ios(t, events) {
		if e.IO.H.PID == child && string(e.Payload) == "from the child" {
			written++
			if e.IO.H.TimeNS > exit.Proc.H.TimeNS {
				t.Error("io after the exit of its process")
			}
		}
	}
	if written != 2 {
		t.Errorf("%d calls of the child recorded, want 2", written)
	}
	if left, err := o.Targets(); err != nil || len(left) != 0 {
		t.Errorf("targets left: %v, %v", left, err)
	}
}

func TestSnapshot(t *testing.T) {
	for _, family := range []string{"v4", "v6"} {
		t.Run(family, func(t *testing.T) {
			o := attached(t, Options{Snaplen: 4096})
			p := start(t, "open", family)
			other := start(t, "open", family) // not a target
			if err := o.AddTarget(p.pid()); err != nil {
				t.Fatal(err)
			}
			var snap []wire.Event
			if err := o.Snapshot(func(ev []byte) { snap = append(snap, decoded(t, ev)) }); err != nil {
				t.Fatal(err)
			}
			p.proceed()
			steps := p.finish()
			other.proceed()
			other.finish()
			events := ordered(collect(t, o))

			if len(snap) != 3 {
				t.Fatalf("%d sockets, want 3", len(snap))
			}
			listener, client, server := snap[0].Sock, snap[1].Sock, snap[2].Sock
			if listener.Op != wire.SockListen || int(listener.FD) != steps[0].FD || int64(listener.Lport) != steps[0].Ret || listener.NewState != 10 {
				t.Errorf("listener: %+v", listener)
			}
			if client.Op != wire.SockSnapshot || int(client.FD) != steps[1].FD || int64(client.Lport) != steps[1].Ret || client.NewState != 1 {
				t.Errorf("client: %+v", client)
			}
			if server.Role != wire.RoleServer || int(server.FD) != steps[2].FD || server.Rport != client.Lport || server.H.PID != p.pid() {
				t.Errorf("server: %+v", server)
			}
			if server.RcvNxt-server.RcvSeq != 10 || client.SndSeq != server.RcvNxt {
				t.Errorf("10 bytes wait unread; the snapshot says: server %+v, client %+v", server, client)
			}
			checkSteps(t, steps[3:], events)
			if got := ios(t, events); got[0].IO.Sock != server.Sock || got[0].IO.Seq != server.RcvSeq || got[0].IO.Inode != server.Inode {
				t.Errorf("the first read is of socket %x at %d, the snapshot says %x at %d", got[0].IO.Sock, got[0].IO.Seq, server.Sock, server.RcvSeq)
			}
			if seen := socks(events, wire.SockSeen); len(seen) != 0 {
				t.Errorf("announced again: %+v", seen)
			}
			states := socks(events, wire.SockState)
			if len(states) == 0 || states[len(states)-1].NewState != 7 {
				t.Errorf("the end of the connection is not seen: %+v", states)
			}
		})
	}
}

// TestFirstSight holds that a socket without a snapshot is announced by its first io, once.
func TestFirstSight(t *testing.T) {
	steps, events := record(t, Options{Snaplen: 4096}, "open", "v4")
	checkSteps(t, steps[3:], events)
	seen := socks(events, wire.SockSeen)
	if len(seen) != 2 {
		t.Fatalf("announced %d sockets, want 2", len(seen))
	}
	local, remote := addresses(seen[1])
	if int64(local.Port()) != steps[1].Ret || int64(remote.Port()) != steps[0].Ret {
		t.Errorf("client %v to %v, want from port %d to %d", local, remote, steps[1].Ret, steps[0].Ret)
	}
}

func TestPortsFilter(t *testing.T) {
	_, events := record(t, Options{Snaplen: 4096, Ports: []uint16{1}}, "calls", "v4")
	for _, e := range events {
		if e.Kind != wire.EventProc {
			t.Errorf("recorded: %+v", e)
		}
	}
}

// joinParts makes a path of parts, the last first, each ended by NUL.
func joinParts(b []byte) string {
	parts := strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
	slices.Reverse(parts)
	return "/" + strings.Join(parts, "/")
}

// ownCgroups reads the cgroups of this process in the v2 hierarchy and in that of the v1 memory controller.
func ownCgroups(t *testing.T) (v2, v1 string) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.SplitN(strings.TrimSpace(line), ":", 3); f[1] == "" {
			v2 = f[2]
		} else if f[1] == "memory" {
			v1 = f[2]
		}
	}
	return v2, v1
}
