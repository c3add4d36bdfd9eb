package e2e

import (
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// TestOverrunIsMarked overruns a ring of two pages per CPU. What is lost is lost, but the analysis knows where: connections
// without a gap equal nginx's log, and elsewhere each missing or incomplete exchange is covered by a gap of its connection.
func TestOverrunIsMarked(t *testing.T) {
	needRoot(t)
	n := startNginx(t, 2, startBackend(t))
	d := startDriver(t, driverSpec{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)), Conns: 24, Requests: 24000})
	r := record(t, "-p", strconv.Itoa(n.pid()), "--ring-bytes", "8192")
	d.run(t, 2*time.Minute)
	lines := n.quit(t)
	t.Log(r.stop(t))
	a := analyzeElsewhere(t, r.dir)
	if a.Summary.LostEvents == 0 {
		t.Fatal("nothing was lost: the ring is not tiny enough for this test to say anything")
	}

	byPort := map[int]map[string]logLine{} // requests carry a number of their own
	for _, l := range lines {
		if byPort[l.Port] == nil {
			byPort[l.Port] = map[string]logLine{}
		}
		byPort[l.Port][l.URI] = l
	}
	exchanges := map[facts.ConnID][]facts.Exchange{}
	for _, e := range a.Exchanges {
		exchanges[e.Conn] = append(exchanges[e.Conn], e)
	}
	seen := map[int]bool{}
	var whole, gapped int
	var missing uint64
	bad := newComplaints(t)
	for _, c := range a.Connections {
		if c.Role == format.RoleClient || int(c.Local.Port) != n.port {
			continue
		}
		port := int(c.Remote.Port)
		if seen[port] {
			bad.addf("the connection from port %d is there twice", port)
		}
		seen[port] = true
		want := byPort[port]
		gaps := c.Gaps[0]+c.Gaps[1] > 0 || c.Lost[0]+c.Lost[1] > 0
		complete := 0
		for _, e := range exchanges[c.ID] {
			if e.Missing&^allowed != 0 {
				if !gaps {
					bad.addf("port %d: %s %s is incomplete (%b) on a connection without a gap", port, e.Method, e.Target, e.Missing)
				}
				continue
			}
			complete++
			l, ok := want[e.Target]
			if !ok {
				bad.addf("port %d: %s %s is complete, and not in nginx's log", port, e.Method, e.Target)
			} else if diff := logDiff(l, e); diff != "" {
				bad.addf("port %d: %s %s: %s", port, e.Method, e.Target, diff)
			}
		}
		if gaps {
			gapped++
			missing += uint64(len(want) - complete)
			continue
		}
		whole++
		if complete != len(want) {
			bad.addf("port %d: %d of %d exchanges on a connection without a gap", port, complete, len(want))
		}
	}
	for port, want := range byPort {
		if !seen[port] {
			gapped++
			missing += uint64(len(want))
		}
	}
	// A ring that runs full makes the recorder record less: calls that it counted instead are told as well, and those whose heads it left out.
	shed, headless := a.Summary.Overhead.ShedCalls, uint64(0)
	for _, e := range a.Ledger {
		if e.Name == "cut_shed" {
			headless = e.Count
		}
	}
	if missing > a.Summary.LostEvents+shed+headless {
		bad.addf("%d exchanges are missing or incomplete, more than the %d lost events, the %d calls that were only counted and the %d without their bytes", missing, a.Summary.LostEvents, shed, headless)
	}
	lost := false
	for _, e := range a.Ledger {
		lost = lost || e.Severity == facts.DataLoss && e.Count == a.Summary.LostEvents
	}
	if !lost {
		bad.addf("the ledger has no entry with the %d lost events", a.Summary.LostEvents)
	}
	bad.report()
	t.Logf("%d events lost; %d connections whole, %d with gaps; %d exchanges missing or incomplete of %d", a.Summary.LostEvents, whole, gapped,
		missing, len(lines))
}

// TestKilledRecorder ends the recorder with SIGKILL ten times in the middle of traffic: the reel opens, says that it is
// unclean, and holds every exchange that nginx logged up to one flush interval before.
func TestKilledRecorder(t *testing.T) {
	needRoot(t)
	for i := range 10 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			n := startNginx(t, 1, startBackend(t))
			d := startDriver(t, driverSpec{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)), Conns: 4, Requests: 400000})
			r := record(t, "-p", strconv.Itoa(n.pid()), "--segment-bytes", "4194304")
			d.gate.Close()
			// By nginx's own clock, so that more than a flush interval of traffic is due.
			waitFor(t, time.Minute, "nginx has served for a while", func() bool {
				lines := n.log(t)
				return len(lines) > 5000 && lines[len(lines)-1].Msec-lines[0].Msec > 1.3+0.13*float64(i)
			})
			r.kill()
			killed := time.Now()
			d.kill()
			lines := n.quit(t)
			a := analyzeReel(t, r.dir)
			if a.Summary.Clean {
				t.Error("the reel says that it ended cleanly")
			}
			type request struct {
				port int
				uri  string
			}
			got := map[request]facts.Exchange{} // by URI: each has a number of its own
			for _, e := range serverView(t, a, n.port) {
				got[request{int(e.Remote.Port), e.Target}] = e
			}
			limit := float64(killed.UnixMilli())/1000 - 1 // the default flush interval
			due, lost := 0, uint64(0)
			bad := newComplaints(t)
			for _, l := range lines {
				if l.Msec > limit {
					continue
				}
				due++
				e, ok := got[request{l.Port, l.URI}]
				if !ok || e.Missing&^allowed != 0 {
					if lost++; lost > a.Summary.LostEvents { // what the rings lost under this load is another test's business
						bad.addf("port %d: %s was logged %.3f s before the kill, and is not in the reel", l.Port, l.URI, float64(killed.UnixMilli())/1000-l.Msec)
					}
					continue
				}
				if diff := logDiff(l, e); diff != "" {
					bad.addf("port %d: %s: %s", l.Port, l.URI, diff)
				}
			}
			bad.report()
			if due < 1000 {
				t.Errorf("only %d exchanges were due: too few to say anything", due)
			}
			reel(t, 0, "verify", r.dir)
		})
	}
}
