package e2e

import (
	"cmp"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// key finds an exchange in all three accounts: nginx's log, the driver's and the analysis. Ephemeral ports of one run may
// be used twice, so the connections of one port are told apart by Nth.
type key struct {
	Port int // of the client
	Nth  int // connection of that port, from 0
	N    int // request on the connection, from 1
}

func (k key) String() string { return fmt.Sprintf("port %d/%d #%d", k.Port, k.Nth, k.N) }

// byKey numbers the connections of each port in the order that conn gives (a serial number or time of the connection).
func byKey[T any](t *testing.T, all []T, port, n func(T) int, conn func(T) int64) map[key]T {
	t.Helper()
	serials := map[int][]int64{}
	for _, x := range all {
		p, c := port(x), conn(x)
		if i, found := slices.BinarySearch(serials[p], c); !found {
			serials[p] = slices.Insert(serials[p], i, c)
		}
	}
	out := make(map[key]T, len(all))
	for _, x := range all {
		nth, _ := slices.BinarySearch(serials[port(x)], conn(x))
		k := key{port(x), nth, n(x)}
		if _, twice := out[k]; twice {
			t.Fatalf("%v twice in one account", k)
		}
		out[k] = x
	}
	return out
}

func logByKey(t *testing.T, lines []logLine) map[key]logLine {
	return byKey(t, lines, func(l logLine) int { return l.Port }, func(l logLine) int { return l.N }, func(l logLine) int64 { return l.Conn })
}

// serverView are the exchanges that nginx served; clientView those that the driver made.
func serverView(t *testing.T, a *analysis, port int) map[key]facts.Exchange {
	t.Helper()
	var mine []facts.Exchange
	for _, e := range a.Exchanges {
		if e.Role == format.RoleServer && int(e.Local.Port) == port {
			mine = append(mine, e)
		}
	}
	return byKey(t, mine, func(e facts.Exchange) int { return int(e.Remote.Port) }, func(e facts.Exchange) int { return int(e.Index) },
		func(e facts.Exchange) int64 { return int64(e.Conn) })
}

// A response that the analysis could not give to a request is an exchange of its own; unasked counts them.
func clientView(t *testing.T, a *analysis, port int) (view map[key]facts.Exchange, unasked int) {
	t.Helper()
	var mine []facts.Exchange
	for _, e := range a.Exchanges {
		if e.Role == format.RoleClient && int(e.Remote.Port) == port {
			mine = append(mine, e)
		}
	}
	slices.SortFunc(mine, func(a, b facts.Exchange) int {
		return cmp.Or(cmp.Compare(a.Conn, b.Conn), cmp.Compare(a.Index, b.Index))
	})
	requests := mine[:0]
	n := map[facts.ConnID]uint32{}
	for _, e := range mine {
		if e.Missing&facts.NoRequest != 0 {
			unasked++
			continue
		}
		n[e.Conn]++
		e.Index = n[e.Conn]
		requests = append(requests, e)
	}
	mine = requests
	view = byKey(t, mine, func(e facts.Exchange) int { return int(e.Local.Port) }, func(e facts.Exchange) int { return int(e.Index) },
		func(e facts.Exchange) int64 { return int64(e.Conn) })
	return view, unasked
}

// compareLog holds the server's view against nginx's log: none missing, none extra, the same values.
func compareLog(t *testing.T, want map[key]logLine, got map[key]facts.Exchange) {
	t.Helper()
	bad := newComplaints(t)
	var late int
	for k, l := range want {
		e, ok := got[k]
		if !ok {
			bad.addf("%v: %s %s is in nginx's log, not in the analysis", k, l.Method, l.URI)
			continue
		}
		if diff := logDiff(l, e); diff != "" {
			bad.addf("%v: %s %s: %s (missing %b, anomalies %v)", k, l.Method, l.URI, diff, e.Missing, e.Anomalies)
		}
		// request_time is counted on nginx's cached clock, which moves once per turn of its event loop and is cut to
		// milliseconds at both ends: under load a turn takes some milliseconds.
		if d := math.Abs(l.Time*1000 - float64(e.Duration)/1e6); d > 5 {
			late++
			if d > 250 {
				bad.addf("%v: %s %s: duration %v, nginx's request_time %.3f s", k, l.Method, l.URI, e.Duration, l.Time)
			}
		}
	}
	for k, e := range got {
		if _, ok := want[k]; !ok {
			bad.addf("%v: %s %s is in the analysis, not in nginx's log (status %d, missing %b)", k, e.Method, e.Target, e.Status, e.Missing)
		}
	}
	if late > max(len(want)/50, 8) { // a machine that other work shares delays a few
		bad.addf("%d of %d durations are more than 5 ms away from nginx's request_time", late, len(want))
	}
	bad.report()
}

// allowed is what an exchange may lack: bytes past the budget. When a read took several chunks at once, chunk sizes lie in
// the cut, and the length of the content is what was seen of it; the length on the wire, which nginx logs, is exact.
const allowed = facts.RequestCut | facts.ResponseCut | facts.LengthUnknown

// logDiff compares one line with one exchange. nginx counts the interim response among the bytes sent.
func logDiff(l logLine, e facts.Exchange) string {
	const interim = uint64(len("HTTP/1.1 100 Continue\r\n\r\n"))
	sent := e.Response.WireBytes
	if slices.Contains(e.Interim, 100) { // WireBytes counts the final response alone
		sent += interim
	}
	switch {
	case e.Method != l.Method:
		return fmt.Sprintf("method %q, logged %q", e.Method, l.Method)
	case e.Target != l.URI:
		return fmt.Sprintf("target %q, logged %q", e.Target, l.URI)
	case e.Status != l.Status:
		return fmt.Sprintf("status %d, logged %d", e.Status, l.Status)
	case e.Request.WireBytes != l.Length:
		return fmt.Sprintf("request of %d bytes, request_length %d", e.Request.WireBytes, l.Length)
	case sent != l.Sent:
		return fmt.Sprintf("response of %d bytes, bytes_sent %d", sent, l.Sent)
	case sent-e.Response.HeadBytes != l.Body:
		return fmt.Sprintf("response without head %d bytes, body_bytes_sent %d", sent-e.Response.HeadBytes, l.Body)
	case int(e.PID) != l.PID:
		return fmt.Sprintf("served by pid %d, logged %d", e.PID, l.PID)
	case e.Missing&^allowed != 0:
		return fmt.Sprintf("incomplete: %b", e.Missing)
	}
	return ""
}

// compareSent holds the client's view against the driver's own account. The driver's clock readings enclose the calls that
// moved the bytes, so its interval encloses the exchange's.
func compareSent(t *testing.T, want map[key]sent, got map[key]facts.Exchange, unasked int) {
	t.Helper()
	bad := newComplaints(t)
	hidden := 0
	for k, s := range want {
		e, ok := got[k]
		if !ok {
			bad.addf("%v: %s %s was sent, and is not in the analysis", k, s.Method, s.Target)
			continue
		}
		end := int64(e.Start) + int64(e.Duration)
		if s.Hidden && e.Missing == facts.NoResponse|facts.ResponseCut && e.Method == s.Method && e.Target == s.Target {
			hidden++
			continue
		}
		switch {
		case e.Method != s.Method || e.Target != s.Target || e.Status != s.Status:
			bad.addf("%v: %s %s %d, sent %s %s %d", k, e.Method, e.Target, e.Status, s.Method, s.Target, s.Status)
		case e.Response.WireBytes != uint64(s.Wire) || e.Response.BodyBytes != uint64(s.Body):
			bad.addf("%v: %s %s: response of %d bytes, body %d; received %d, %d", k, s.Method, s.Target, e.Response.WireBytes, e.Response.BodyBytes, s.Wire, s.Body)
		case e.Missing&^allowed != 0:
			bad.addf("%v: %s %s: incomplete: %b", k, s.Method, s.Target, e.Missing)
		case int64(e.Start) < s.Start || end > s.End:
			bad.addf("%v: %s %s: [%d, %d] is not inside the client's [%d, %d]", k, s.Method, s.Target, e.Start, end, s.Start, s.End)
		}
	}
	for k, e := range got {
		if _, ok := want[k]; !ok {
			bad.addf("%v: %s %s is in the analysis and was never sent", k, e.Method, e.Target)
		}
	}
	if unasked > hidden {
		bad.addf("%d responses without a request, for %d requests whose response a cut may hold", unasked, hidden)
	}
	bad.report()
}

// sentByKey numbers the driver's exchanges; those from before the capture are not expected, but they count in N.
func sentByKey(t *testing.T, all []sent) map[key]sent {
	t.Helper()
	start := map[int]int64{}
	return byKey(t, all, func(s sent) int { return s.Port }, func(s sent) int { return s.N }, func(s sent) int64 {
		// The driver lists its connections one after the other: a new one of the same port starts at N 1.
		if s.N == 1 {
			start[s.Port] = s.Start
		}
		return start[s.Port]
	})
}

// complaints prints the first few differences and the number of all.
type complaints struct {
	t     *testing.T
	lines []string
	n     int
}

func newComplaints(t *testing.T) *complaints { t.Helper(); return &complaints{t: t} }

func (c *complaints) addf(format string, args ...any) {
	if c.n++; len(c.lines) < 20 {
		c.lines = append(c.lines, fmt.Sprintf(format, args...))
	}
}

func (c *complaints) report() {
	c.t.Helper()
	for _, l := range c.lines {
		c.t.Error(l)
	}
	if c.n > len(c.lines) {
		c.t.Errorf("… and %d more", c.n-len(c.lines))
	}
}

// dropEarly drops what was exchanged on connections before the capture began, and renumbers the rest as the analysis sees it.
func dropEarly(lines []logLine, early map[int]bool) []logLine {
	var out []logLine
	for _, l := range lines {
		if early[l.Port] {
			if l.N == 1 {
				continue
			}
			l.N--
		}
		out = append(out, l)
	}
	return out
}

// dropEarlySent is dropEarly for the driver's account; early are the ports of connections older than the capture.
func dropEarlySent(all []sent) (rest []sent, early map[int]bool) {
	early = map[int]bool{}
	for _, s := range all {
		if s.Early {
			early[s.Port] = true
			continue
		}
		if early[s.Port] {
			s.N--
		}
		rest = append(rest, s)
	}
	return rest, early
}

// TestNginxLogIsTheOracle is the main job: each line of nginx's log is one exchange of the analysis with the same values,
// and each request that the client sent is one exchange of its own side.
func TestNginxLogIsTheOracle(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		name   string
		host   string
		early  bool
		reload bool
		n      int
	}{
		{"IPv4", "127.0.0.1", false, false, 20000},
		{"IPv6", "::1", false, false, 4000},
		{"connections older than the capture", "127.0.0.1", true, false, 4000},
		{"workers forked after the start", "::1", false, true, 4000},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := startNginx(t, 2, startBackend(t))
			d := startDriver(t, driverSpec{Addr: net.JoinHostPort(c.host, strconv.Itoa(n.port)), Conns: 16, Requests: c.n, Odd: 12, Early: c.early})
			r := record(t, "-p", fmt.Sprintf("%d,%d", n.pid(), d.pid()))
			if c.reload {
				n.reload(t)
			}
			all, early := dropEarlySent(d.run(t, 2*time.Minute))
			lines := dropEarly(n.quit(t), early)
			t.Log(r.stop(t))
			a := analyzeElsewhere(t, r.dir)
			if a.Summary.LostEvents != 0 {
				t.Errorf("%d events lost with the default buffers", a.Summary.LostEvents)
			}
			compareLog(t, logByKey(t, lines), serverView(t, a, n.port))
			view, unasked := clientView(t, a, n.port)
			compareSent(t, sentByKey(t, all), view, unasked)
		})
	}
}
