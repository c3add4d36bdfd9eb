package e2e

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// wireLookup is a query and its response, as tshark reads them from a packet capture.
type wireLookup struct {
	ID, Name, Type, Code string
	Queries              int
}

var (
	dnsTypes = map[string]string{"1": "A", "28": "AAAA"}
	dnsCodes = map[string]string{"0": "NOERROR", "3": "NXDOMAIN"}
)

// lookupsOnTheWire counts the lookups of a packet capture.
func lookupsOnTheWire(t *testing.T, pcap string) map[wireLookup]int {
	t.Helper()
	out, err := exec.Command(need(t, "tshark", "tshark"), "-r", pcap, "-Y", "dns", "-T", "fields", "-E", "separator=|",
		"-e", "dns.flags.response", "-e", "dns.id", "-e", "udp.stream", "-e", "dns.qry.name", "-e", "dns.qry.type", "-e", "dns.flags.rcode").Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	open := map[string]*wireLookup{}
	all := map[wireLookup]int{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 6 {
			t.Fatalf("tshark printed %q", line)
		}
		key := strings.Join(f[1:5], "|")
		l := open[key]
		switch response := f[0] == "1" || strings.EqualFold(f[0], "true"); {
		case response && l == nil:
			t.Fatalf("a response without a query: %q", line)
		case response:
			l.Code = dnsCodes[f[5]]
			all[*l]++
			delete(open, key)
		case l != nil:
			l.Queries++
		default:
			open[key] = &wireLookup{ID: f[1], Name: strings.ToLower(f[3]), Type: dnsTypes[f[4]], Queries: 1}
		}
	}
	for _, l := range open { // the resolver asks again from another socket
		all[*l]++
	}
	return all
}

// TestLookupsAreWhatTsharkReads: the C library's resolver asks a name server in a network of their own, with a packet capture beside. Each
// query and its response are one lookup at either end, and each client of the server's one socket is a connection of its own.
func TestLookupsAreWhatTsharkReads(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"resolv.conf":   "nameserver 127.0.0.1\noptions timeout:1 attempts:3\n",
		"nsswitch.conf": "hosts: dns\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pcap := filepath.Join(dir, "lo.pcap")
	inside := start(t, nil, need(t, "unshare", "util-linux"), "--net", "--mount", "sh", "-c", fmt.Sprintf(
		`ip link set lo up && mount --bind %[1]s/resolv.conf /etc/resolv.conf && mount --bind %[1]s/nsswitch.conf /etc/nsswitch.conf && echo up && exec sleep 120`, dir))
	inside.said(t, "up")
	enter := func(args ...string) []string {
		return append([]string{"--target", fmt.Sprint(inside.pid()), "--net", "--mount", "--wd=."}, args...)
	}
	nsenter := need(t, "nsenter", "util-linux")
	server := start(t, nil, nsenter, enter(need(t, "python3", "python3"), "testdata/dns.py")...)
	server.said(t, "ready")
	dump := start(t, nil, nsenter, enter(need(t, "tcpdump", "tcpdump"), "-i", "lo", "--immediate-mode", "-U", "-w", pcap, "-Z", "root", "udp port 53")...)
	dump.said(t, "listening on lo")

	script := "for n in shop.test slow.test gone.test silent.test SHOP.test; do getent ahosts $n; done; for i in 1 2 3 4 5; do getent ahosts shop.test & done; wait"
	r := record(t, append([]string{"-p", fmt.Sprint(server.pid()), "--", nsenter}, enter("sh", "-c", script)...)...)
	summary := r.wait(t, time.Minute, 0)
	if strings.Count(summary, "10.0.0.7") == 0 {
		t.Fatalf("no name was found:\n%s", summary)
	}

	const responses = 2 * (5 + 5) // A and AAAA of each name
	waitFor(t, 30*time.Second, "the packet capture has the last response", func() bool {
		out, err := exec.Command("tshark", "-r", pcap, "-Y", "dns.flags.response == 1", "-T", "fields", "-e", "dns.id").CombinedOutput()
		if n := strings.Count(string(out), "0x"); n < responses {
			t.Logf("%d responses in the capture (%v):\n%s", n, err, out)
			return false
		}
		return true
	})
	dump.signal(t, syscall.SIGINT)
	dump.wait(t, 20*time.Second, 0)

	want := lookupsOnTheWire(t, pcap)
	a := analyzeReel(t, r.dir)
	got := map[format.Role]map[wireLookup]int{format.RoleClient: {}, format.RoleServer: {}}
	for _, l := range a.Lookups {
		if l.Missing != 0 && (l.Missing != facts.NoResponse || l.Name != "silent.test") || (l.Duration < 0) != (l.Missing != 0) || l.Name == "slow.test" && l.Duration < 100*time.Millisecond {
			t.Errorf("lookup %+v", l)
		}
		if l.Name == "shop.test" && l.Type == "A" && (l.Answers != 2 || fmt.Sprint(l.Addresses) != "[10.0.0.7 10.0.0.8]") {
			t.Errorf("lookup %+v", l)
		}
		got[l.Role][wireLookup{fmt.Sprintf("0x%04x", l.Transaction), l.Name, l.Type, l.Code, l.Queries}]++
	}
	for role, lookups := range got {
		if !maps.Equal(lookups, want) {
			t.Errorf("lookups of the %v:\n%v\non the wire:\n%v", role, lookups, want)
		}
	}
	silent := 0
	for l, n := range want {
		if l.Code == "" {
			silent += n
		}
	}
	if len(want) < 15 {
		t.Errorf("on the wire: %v", want)
	}
	// Each socket of a client is a connection at either end, and they know each other.
	ports := map[uint16]int{}
	for _, c := range a.Connections {
		if c.Protocol == "dns" && c.Role == format.RoleClient {
			ports[c.Local.Port]++
		}
	}
	clients, servers := 0, 0
	for _, c := range a.Connections {
		switch {
		case c.Protocol != "dns":
		case c.Role == format.RoleClient && c.Peer != 0:
			clients++
		case c.Role == format.RoleServer && c.Peer != 0:
			servers++
		case ports[c.Local.Port] > 1: // the kernel gave a port twice: to the server both are one peer
		default:
			t.Errorf("connection %+v (ports %v)", c, ports)
		}
	}
	if clients != servers || clients < 8 {
		t.Errorf("%d connections of clients, %d of the server", clients, servers)
	}
	for _, e := range a.Ledger {
		if e.Severity >= facts.DataLoss || strings.HasPrefix(e.Name, "dns_") && (e.Name != "dns_unanswered" || e.Count != uint64(2*silent)) {
			t.Errorf("ledger: %s ×%d (%s)", e.Name, e.Count, e.Example)
		}
	}
}
