//go:build linux && (amd64 || arm64)

package bpf

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ebpf-reel/reel/format/wire"
)

// TestTCPTrouble lets a server and a client meet loss, a closed port, a close that resets, and a peer that does not read, and
// holds what the programs say against the kernel's counters of the namespaces, nftables' counter and tshark's reading of the wire.
func TestTCPTrouble(t *testing.T) {
	n := newNamespaces(t)
	n.in(n.b, "nft", "add table ip lossy; add counter ip lossy dropped; "+
		"add chain ip lossy in { type filter hook input priority 0; }; "+
		"add rule ip lossy in tcp dport 7000 ip length > 1000 numgen random mod 50 < 1 counter name dropped drop")
	o := attached(t, Options{Snaplen: 0})
	server := n.start(n.b, "testdata/tcp.py", "server")
	client := n.start(n.a, "testdata/tcp.py", "client")
	for _, p := range []*peer{server, client} {
		if err := o.AddTarget(p.pid()); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Snapshot(func([]byte) {}); err != nil { // the server listens already
		t.Fatal(err)
	}
	pcap := n.sniff(n.a)

	// Another process has the CPUs, so that timers and interrupts fire while it is current.
	burn(t)
	server.order("transfer")
	if got := client.do("transfer"); got != "3000000" {
		t.Errorf("the server received %s bytes", got)
	}
	server.answer()
	client.do("refused")
	server.order("accept")
	client.do("abort")
	server.answer()
	server.do("read")
	server.order("accept")
	client.do("fill")
	server.answer()
	var events []wire.Event
	until(t, "a window of zero", func() bool {
		events = append(events, collect(t, o)...)
		return len(tcps(events, wire.TCPOpWindowClosed, wire.DirWrite)) >= 3
	})
	server.order("read")
	client.do("finish")
	server.answer()
	until(t, "the end of all connections", func() bool {
		return strings.Count(n.in(n.a, "ss", "-Htan", "state", "connected", "exclude", "time-wait"), "\n") == 0 &&
			strings.Count(n.in(n.b, "ss", "-Htan", "state", "connected", "exclude", "time-wait"), "\n") == 0
	})
	events = ordered(append(events, collect(t, o)...))
	noLoss(t, o)
	packets := pcap()

	sockets := map[uint64]*wire.SockEvent{} // as they are at that time: ids are used again
	netns := map[string]uint64{}
	wrong := 0
	for i := range events {
		if s := &events[i].Sock; events[i].Kind == wire.EventSock {
			sockets[s.Sock] = s
		}
		e := &events[i].TCP
		if events[i].Kind != wire.EventTCP {
			continue
		}
		s := sockets[e.Sock]
		if s == nil || e.H.PID != 0 || e.Netns != s.Netns || s.Lport != 0 && (e.Lport != s.Lport || e.Rport != s.Rport) { // 0: not bound yet, at SYN_SENT
			if wrong++; wrong < 3 {
				t.Errorf("%+v is not about the socket %+v", e, s)
			}
		}
		switch [4]byte(e.Laddr[:4]) {
		case [4]byte{10, 77, 0, 1}:
			netns[n.a] = e.Netns
		case [4]byte{10, 77, 0, 2}:
			netns[n.b] = e.Netns
		}
	}

	sum := func(ns string, op, dir uint8) (segs uint64) {
		for _, e := range tcps(events, op, dir) {
			if e.Netns == netns[ns] && (op != wire.TCPOpRetransmit || e.Value == 0) { // else it was not sent: the first is in the device's queue still
				segs += uint64(e.Segs)
			}
		}
		return segs
	}
	if got, want := sum(n.a, wire.TCPOpRetransmit, wire.DirWrite), n.counter(n.a, "TcpRetransSegs"); got != want || want == 0 {
		t.Errorf("%d segments sent again, the kernel counts %d", got, want)
	}
	fast := uint64(0)
	for _, e := range tcps(events, wire.TCPOpRetransmit, wire.DirWrite) {
		if e.Value != 0 {
			continue
		}
		if e.Cause == wire.TCPCauseFast {
			fast += uint64(e.Segs)
		}
		if e.Cause == wire.TCPCauseUnknown || e.Len == 0 && e.TCPFlags&1 == 0 {
			t.Errorf("%+v", e)
		}
	}
	if want := n.counter(n.a, "TcpExtTCPFastRetrans"); fast != want {
		t.Errorf("%d segments sent again fast, the kernel counts %d", fast, want)
	}
	dropped := uint64(0)
	for _, e := range tcps(events, wire.TCPOpDrop, wire.DirRead) {
		if reason(e) == "NETFILTER_DROP" {
			dropped++
			if e.Len == 0 {
				t.Errorf("%+v has no data", e)
			}
		}
	}
	if want := n.nftCounter(n.b, "dropped"); dropped != want || want == 0 {
		t.Errorf("%d segments dropped by the filter, nftables counts %d", dropped, want)
	}
	if got, want := sum(n.a, wire.TCPOpResetSent, wire.DirWrite), n.counter(n.a, "TcpOutRsts"); got != want || want == 0 {
		t.Errorf("%d resets sent, the kernel counts %d", got, want)
	}
	for _, e := range tcps(events, wire.TCPOpResetSent, wire.DirWrite) {
		if e.Netns == netns[n.a] && reason(e) != "TCP_STATE" {
			t.Errorf("a reset was sent by reason %q (%d)", reason(e), e.Value)
		}
	}
	if refused := packets("tcp.flags.reset == 1 && ip.src == 10.77.0.2"); sum(n.a, wire.TCPOpResetReceived, wire.DirRead) != uint64(refused) {
		t.Errorf("%d resets received, %d on the wire", sum(n.a, wire.TCPOpResetReceived, wire.DirRead), refused)
	}
	if aborted := packets("tcp.flags.reset == 1 && ip.src == 10.77.0.1"); sum(n.b, wire.TCPOpResetReceived, wire.DirRead) != uint64(aborted) || aborted == 0 {
		t.Errorf("%d resets received by the server, %d on the wire", sum(n.b, wire.TCPOpResetReceived, wire.DirRead), aborted)
	}
	closed := 0
	for _, e := range tcps(events, wire.TCPOpWindowClosed, wire.DirWrite) {
		if e.Netns == netns[n.a] {
			closed++
		}
	}
	if want := packets("tcp.window_size_value == 0 && tcp.flags.reset == 0 && ip.src == 10.77.0.2"); closed != want || want == 0 {
		t.Errorf("the peer's window was closed in %d segments, on the wire in %d", closed, want)
	}
	if len(tcps(events, wire.TCPOpWindowOpened, wire.DirWrite)) == 0 || len(tcps(events, wire.TCPOpWindowClosed, wire.DirRead)) == 0 {
		t.Error("the end of a window of zero, or the reader's own, is not seen")
	}
	for _, s := range socks(events, wire.SockState) {
		if s.OldState == 2 && s.NewState == 7 && s.Error != 111 { // SYN_SENT to CLOSE: ECONNREFUSED
			t.Errorf("a refused connection has errno %d", s.Error)
		}
	}
}

func tcps(events []wire.Event, op, dir uint8) (found []*wire.TCPEvent) {
	for i := range events {
		if e := &events[i]; e.Kind == wire.EventTCP && e.TCP.Op == op && e.TCP.Dir == dir {
			found = append(found, &e.TCP)
		}
	}
	return found
}

func reason(e *wire.TCPEvent) string {
	name, _, _ := strings.Cut(string(e.Reason[:]), "\x00")
	return name
}

// burn lets a process that is no target run whenever a CPU is free, until the test ends.
func burn(t *testing.T) {
	for range 2 {
		cmd := exec.Command("nice", "-n", "19", "sh", "-c", "while :; do :; done")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also if the test is killed
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
	}
}

// sniff records what passes a namespace's wire. The function ends it; the function that that one returns counts the packets
// that a display filter of tshark chooses.
func (n *namespaces) sniff(ns string) func() func(filter string) int {
	file := filepath.Join(n.t.TempDir(), "wire.pcap")
	cmd := exec.Command("ip", "netns", "exec", ns, "tcpdump", "-i", "wire", "-U", "--immediate-mode", "-B", "65536", "-s", "128", "-w", file)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { cmd.Process.Kill() })
	if _, err := stderr.Read(make([]byte, 1)); err != nil { // "listening on"
		n.t.Fatal(err)
	}
	return func() func(string) int {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			n.t.Fatal(err)
		}
		cmd.Wait()
		return func(filter string) int {
			out := n.run("tshark", "-r", file, "-Y", filter, "-T", "fields", "-e", "frame.number")
			packets := 0
			for _, line := range strings.Split(out, "\n") {
				if _, err := strconv.Atoi(strings.TrimSpace(line)); err == nil { // tshark as root warns
					packets++
				}
			}
			return packets
		}
	}
}

// nftCounter reads a named counter of the table "lossy".
func (n *namespaces) nftCounter(ns, name string) uint64 {
	var list struct {
		Nftables []struct {
			Counter *struct {
				Name    string
				Packets uint64
			}
		}
	}
	if err := json.Unmarshal([]byte(n.in(ns, "nft", "-j", "list", "counters")), &list); err != nil {
		n.t.Fatal(err)
	}
	for _, c := range list.Nftables {
		if c.Counter != nil && c.Counter.Name == name {
			return c.Counter.Packets
		}
	}
	n.t.Fatalf("nftables has no counter %s", name)
	return 0
}
