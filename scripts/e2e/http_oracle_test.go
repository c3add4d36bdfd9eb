package e2e

import (
	"math"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
)

// wirePair is an exchange as tshark pairs it from packets.
type wirePair struct {
	Stream, Port, N int
	Method, URI     string
	Status          int
	Length          int           // Content-Length of the response; -1: none
	Asked, Answered time.Duration // wall times since the epoch, of the last packet of each message
	Took            time.Duration // between these
}

// pairsOnTheWire lets tshark pair the HTTP messages of a packet capture.
func pairsOnTheWire(t *testing.T, pcap string, port int) []wirePair {
	t.Helper()
	fields := func(filter string, names ...string) [][]string {
		args := []string{"-r", pcap, "-d", "tcp.port==" + strconv.Itoa(port) + ",http", "-Y", filter, "-T", "fields", "-E", "separator=\t", "-E", "occurrence=f"}
		for _, n := range names {
			args = append(args, "-e", n)
		}
		out, err := exec.Command(need(t, "tshark", "tshark"), args...).Output()
		if err != nil {
			t.Fatalf("tshark: %v", err)
		}
		var rows [][]string
		for line := range strings.Lines(string(out)) {
			row := strings.Split(strings.TrimRight(line, "\n"), "\t")
			if len(row) != len(names) {
				t.Fatalf("tshark printed %q", line)
			}
			rows = append(rows, row)
		}
		return rows
	}
	seconds := func(s string) time.Duration {
		whole, fraction, _ := strings.Cut(s, ".")
		return time.Duration(number(t, whole))*time.Second + time.Duration(number(t, (fraction + "000000000")[:9]))
	}
	requests := map[string]*wirePair{}
	count := map[string]int{}
	for _, r := range fields("http.request", "frame.number", "frame.time_epoch", "tcp.stream", "tcp.srcport", "http.request.method", "http.request.uri") {
		count[r[2]]++
		requests[r[0]] = &wirePair{Stream: number(t, r[2]), Port: number(t, r[3]), N: count[r[2]], Method: r[4], URI: r[5], Asked: seconds(r[1])}
	}
	var all []wirePair
	for _, r := range fields("http.response", "http.request_in", "frame.time_epoch", "http.response.code", "http.content_length_header") {
		p := requests[r[0]]
		if p == nil {
			t.Fatalf("tshark names request %q of a response, which it has not", r[0])
		}
		p.Status, p.Length, p.Answered = number(t, r[2]), -1, seconds(r[1])
		if r[3] != "" {
			p.Length = number(t, r[3])
		}
		p.Took = p.Answered - p.Asked
		all = append(all, *p)
	}
	return all
}

// TestTsharkPairsTheSame: each request and response that tshark pairs from the packets of the same run is one exchange, at either end,
// with the same method, target, status and length. Times are as far as both clocks allow: a packet leaves inside of the call that
// writes it, and the last one of a response has come before the read that takes it returns.
func TestTsharkPairsTheSame(t *testing.T) {
	needRoot(t)
	n := startNginx(t, 1, startBackend(t))
	pcap := filepath.Join(t.TempDir(), "wire.pcap")
	stop := sniff(t, pcap, n.port)
	d := startDriver(t, driverSpec{Addr: "127.0.0.1:" + strconv.Itoa(n.port), Conns: 4, Requests: 400})
	r := record(t, "-p", strconv.Itoa(n.pid())+","+strconv.Itoa(d.pid()))
	made := d.run(t, time.Minute)
	stop()
	n.quit(t)
	t.Log(r.stop(t))
	a := analyzeElsewhere(t, r.dir)

	want := byKey(t, pairsOnTheWire(t, pcap, n.port), func(p wirePair) int { return p.Port }, func(p wirePair) int { return p.N }, func(p wirePair) int64 { return int64(p.Stream) })
	if len(want) < len(made) || len(made) == 0 {
		t.Fatalf("tshark has %d pairs, the driver made %d", len(want), len(made))
	}
	clients, unasked := clientView(t, a, n.port)
	servers := serverView(t, a, n.port)
	if unasked != 0 || len(clients) != len(want) || len(servers) != len(want) {
		t.Errorf("tshark has %d pairs, the analysis %d and %d exchanges (%d without a request)", len(want), len(clients), len(servers), unasked)
	}
	bad := newComplaints(t)
	defer bad.report()
	const clocks = time.Millisecond // both readings of the wall clock, and its steering between two of them
	for k, w := range want {
		for side, view := range map[string]map[key]facts.Exchange{"client": clients, "server": servers} {
			x, found := view[k]
			if !found {
				bad.addf("%v: no exchange of the %s", k, side)
				continue
			}
			if x.Method != w.Method || x.Target != w.URI || x.Status != w.Status || w.Method != "HEAD" && w.Length >= 0 && x.Response.BodyBytes != uint64(w.Length) {
				bad.addf("%v, %s: %s %s %d with %d bytes, tshark: %+v", k, side, x.Method, x.Target, x.Status, x.Response.BodyBytes, w)
			}
		}
		x := clients[k]
		if x.Duration < 0 || x.StartWall == 0 {
			bad.addf("%v: the client's times are not known: %+v", k, x)
			continue
		}
		wall := func(at int64) time.Duration { return time.Duration(int64(x.StartWall) + at - int64(x.Start)) }
		if from := wall(int64(x.Request.First)); w.Asked < from-clocks {
			bad.addf("%v: the request's packet left %v before the call that wrote it began", k, from-w.Asked)
		}
		if to := wall(int64(x.Request.Last)); x.Request.Calls == 1 && x.Request.BodyBytes == 0 && w.Asked > to+clocks {
			bad.addf("%v: the request's packet left %v after the call that wrote it returned", k, w.Asked-to)
		}
		if to := wall(int64(x.Response.Last)); w.Answered > to+clocks {
			bad.addf("%v: the response's last packet came %v after it was read", k, w.Answered-to)
		}
		if x.Request.BodyBytes == 0 && x.Duration < w.Took-time.Duration(math.Ceil(float64(w.Took)/1e4))-2*time.Microsecond {
			bad.addf("%v: the client's duration is %v, between the packets there are %v", k, x.Duration, w.Took)
		}
		if s := servers[k]; s.Duration >= 0 && s.Duration > x.Duration+2*clocks {
			bad.addf("%v: the server's duration is %v, the client's %v", k, s.Duration, x.Duration)
		}
	}
}
