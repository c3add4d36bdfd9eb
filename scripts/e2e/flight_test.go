package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// keepAlive is a client with one connection that asks again and again, each time for another target.
type keepAlive struct {
	conn net.Conn
	in   *bufio.Reader
	n    int
}

func dialKeepAlive(t *testing.T, n *nginx) *keepAlive {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &keepAlive{conn: conn, in: bufio.NewReader(conn)}
}

func (k *keepAlive) port() int { return k.conn.LocalAddr().(*net.TCPAddr).Port }

// ask sends one request and reads its response, which has no body.
func (k *keepAlive) ask() error {
	k.n++
	if _, err := fmt.Fprintf(k.conn, "GET /204?%d HTTP/1.1\r\nHost: e2e\r\nAuthorization: Bearer t0k3n-of-the-old\r\n\r\n", k.n); err != nil {
		return err
	}
	for {
		line, err := k.in.ReadString('\n')
		if err != nil {
			return err
		}
		if line == "\r\n" {
			return nil
		}
	}
}

// traffic asks on all connections, and on a new one each time, until stop is closed.
func traffic(t *testing.T, n *nginx, old []*keepAlive) (stop func()) {
	t.Helper()
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(4 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			for _, k := range old {
				if err := k.ask(); err != nil {
					t.Errorf("an old connection: %v", err)
					return
				}
			}
			conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)))
			if err != nil {
				t.Errorf("a new connection: %v", err)
				return
			}
			short := &keepAlive{conn: conn, in: bufio.NewReader(conn)}
			if err := short.ask(); err != nil {
				t.Errorf("a new connection: %v", err)
			}
			conn.Close()
		}
	})
	return sync.OnceFunc(func() { close(quit); done.Wait() })
}

// flightRecorder starts a flight recorder of nginx.
func flightRecorder(t *testing.T, n *nginx, more ...string) *recording {
	t.Helper()
	return record(t, append([]string{"-p", strconv.Itoa(n.pid())}, more...)...)
}

// TestSnapHoldsWhatTheLogSays: connections and processes that are older than the ring, and a window cut out of it: each request that
// nginx logged inside the window is an exchange with its addresses, role and owner, nothing is claimed lost, and what a kill
// leaves of the ring is recovered to the same.
func TestSnapHoldsWhatTheLogSays(t *testing.T) {
	needRoot(t)
	n := startNginx(t, 1, startBackend(t))
	before := dialKeepAlive(t, n) // older than the recorder
	if err := before.ask(); err != nil {
		t.Fatal(err)
	}
	r := flightRecorder(t, n, "--ring", "1s", "--ring-size", "4MiB")
	old := []*keepAlive{before, dialKeepAlive(t, n)} // the second is older than the ring, soon
	stop := traffic(t, n, old)
	defer stop()
	wrapped(t, r, 24)

	out := filepath.Join(t.TempDir(), "snap.reel")
	reel(t, 0, "snap", r.dir, "--last", "700ms", "--after", "300ms", "--reason", "a test", "-o", out)
	if text := reel(t, 2, "snap", r.dir, "-o", out); !strings.Contains(text, "exists already") {
		t.Errorf("a snap of the same name: %s", text)
	}
	reel(t, 0, "verify", out)
	info := reel(t, 0, "info", out)
	for _, want := range []string{"ended cleanly", "a test: 700 ms before and 300 ms after"} {
		if !strings.Contains(info, want) {
			t.Errorf("info does not say %q:\n%s", want, info)
		}
	}

	// A kill, and what it leaves.
	r.kill()
	stop()
	if text := reel(t, 2, "snap", r.dir); !strings.Contains(text, "has ended: reel recover") {
		t.Errorf("a snap of a recorder that was killed: %s", text)
	}
	reel(t, 0, "recover", r.dir, "--strict")
	reel(t, 0, "verify", r.dir)
	lines := n.quit(t)
	checkWindow(t, n, out, lines, old, true)
	checkWindow(t, n, r.dir, lines, old, false)
	for _, dir := range []string{out, r.dir} {
		for name, data := range tree(t, dir) {
			if strings.Contains(string(data), "t0k3n-of-the-old") {
				t.Errorf("%s holds the token", name)
			}
		}
	}
}

// wrapped waits until a ring has dropped a number of journals.
func wrapped(t *testing.T, r *recording, journals int) {
	t.Helper()
	waitFor(t, time.Minute, "the ring wraps", func() bool {
		if !r.running() {
			t.Fatalf("the recorder ended:\n%s", r.out.String())
		}
		names, _ := filepath.Glob(filepath.Join(r.dir, "journal-*.log"))
		slices.Sort(names)
		if len(names) < 2 {
			return false
		}
		first, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(names[1]), "journal-"), ".") // the first is the state
		number, err := strconv.Atoi(first)
		return err == nil && number > journals
	})
}

// checkWindow compares a reel with nginx's log, in the middle of the window. whole says that the window had an end that the recorder knew.
func checkWindow(t *testing.T, n *nginx, dir string, lines []logLine, old []*keepAlive, whole bool) {
	t.Helper()
	a := analyzeElsewhere(t, dir)
	s := a.Summary
	// nginx logs with a clock of 1 ms resolution that it updates once a loop.
	const edge = 0.05
	from, to := float64(s.Start)/1e9+edge, float64(s.End)/1e9-edge
	if !whole {
		to -= 0.25 // what a kill loses
	}
	conns := map[facts.ConnID]facts.Connection{}
	for _, c := range a.Connections {
		conns[c.ID] = c
	}
	got := map[string]facts.Exchange{}
	for _, e := range a.Exchanges {
		got[fmt.Sprintf("%d %s", conns[e.Conn].Remote.Port, e.Target)] = e
	}
	bad := newComplaints(t)
	compared := map[int]int{}
	for _, l := range lines {
		if l.Msec < from || l.Msec > to {
			continue
		}
		compared[l.Port]++
		e, ok := got[fmt.Sprintf("%d %s", l.Port, l.URI)]
		c := conns[e.Conn]
		switch {
		case !ok:
			bad.addf("port %d: %s of %.3f is not in %s", l.Port, l.URI, l.Msec, filepath.Base(dir))
		case e.Status != l.Status || e.Missing != 0:
			bad.addf("port %d: %s has status %d and lacks %v", l.Port, l.URI, e.Status, e.Missing)
		case e.Role != format.RoleServer || int(c.PID) != l.PID || c.Process != "nginx":
			bad.addf("port %d: %s is of %v %d, not of %d, role %v", l.Port, l.URI, c.Process, c.PID, l.PID, e.Role)
		case c.Local.String() != net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)) || c.Remote.String() != net.JoinHostPort("127.0.0.1", strconv.Itoa(l.Port)):
			bad.addf("port %d: %s goes from %v to %v", l.Port, l.URI, c.Remote, c.Local)
		}
	}
	bad.report()
	for _, k := range old {
		if compared[k.port()] < 20 {
			t.Errorf("%s: %d requests of the old connection from port %d lie in the window", filepath.Base(dir), compared[k.port()], k.port())
		}
	}
	if len(compared) < 20 {
		t.Errorf("%s: requests of %d connections lie in the window", filepath.Base(dir), len(compared))
	}
	for _, l := range a.Ledger {
		switch l.Name {
		case "state_carried":
			if l.Count < 4 {
				t.Errorf("%s: %d sockets and processes are carried", filepath.Base(dir), l.Count)
			}
			continue
		case "stream_tail_lost":
			if !whole {
				continue // the kill
			}
		}
		if l.Severity >= facts.DataLoss {
			t.Errorf("%s: the ledger says %+v", filepath.Base(dir), l)
		}
	}
}

// TestFlightRecorderIsBounded: at full load a ring that wraps many times never takes more of the disk than it may, while snaps overlap
// each other and the end of the recorder; a signal makes one too. Each of them is whole.
func TestFlightRecorderIsBounded(t *testing.T) {
	needRoot(t)
	const bound = 16 << 20
	n := startNginx(t, 2, startBackend(t))
	old := dialKeepAlive(t, n)
	r := flightRecorder(t, n, "--ring-size", strconv.Itoa(bound))
	if err := old.ask(); err != nil {
		t.Fatal(err)
	}
	wrk := start(t, nil, need(t, "wrk", "wrk"), "-t", "1", "-c", "32", "-d", "5s", fmt.Sprintf("http://127.0.0.1:%d/204", n.port))
	var most atomic.Int64
	quit := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			most.Store(max(most.Load(), diskUse(r.dir)))
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	})
	wrapped(t, r, 64)
	scratch := t.TempDir()
	var snaps sync.WaitGroup
	for i := range 3 {
		snaps.Go(func() {
			out := filepath.Join(scratch, fmt.Sprintf("snap%d.reel", i))
			cmd := exec.Command(reelBin, "snap", r.dir, "--after", fmt.Sprintf("%dms", 100*i), "-o", out)
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("snap %d: %v\n%s", i, err, text)
			}
		})
	}
	r.signal(t, syscall.SIGUSR2)
	waitFor(t, 20*time.Second, "SIGUSR2 begins a snap", func() bool { return strings.Contains(r.out.String(), "keeping the last") })
	snaps.Wait()
	wrk.wait(t, time.Minute, 0)
	last := filepath.Join(scratch, "last.reel")
	ending := start(t, nil, reelBin, "snap", r.dir, "--after", "1h", "-o", last) // ended by the end of the recorder
	waitFor(t, 20*time.Second, "the last snap begins", func() bool { return strings.Contains(ending.out.String(), "keeping the last") })
	text := r.stop(t)
	ending.wait(t, time.Minute, 0)
	close(quit)
	watch.Wait()
	if m := most.Load(); m > bound || m < bound/2 {
		t.Errorf("the ring of %d bytes took up to %d", bound, m)
	}
	reels, err := filepath.Glob(filepath.Join(scratch, "*.reel"))
	if err != nil {
		t.Fatal(err)
	}
	named, err := filepath.Glob(strings.TrimSuffix(r.dir, ".reel") + "-snap-*.reel")
	if err != nil || len(named) != 1 || len(reels) != 4 {
		t.Fatalf("snaps %v and %v, %v\n%s", reels, named, err, text)
	}
	for _, dir := range append(reels, named...) {
		reel(t, 0, "verify", dir)
		a := analyzeElsewhere(t, dir)
		i := slices.IndexFunc(a.Connections, func(c facts.Connection) bool { return int(c.Remote.Port) == old.port() })
		if dir != last && (len(a.Exchanges) < 1000 || i < 0 && oldIsKnown(t, dir, old.port()) == 0) {
			t.Errorf("%s has %d exchanges, and the old connection: %v", filepath.Base(dir), len(a.Exchanges), i >= 0)
		}
	}
	reel(t, 0, "recover", r.dir)
	reel(t, 0, "verify", r.dir)
}

// oldIsKnown counts the rows of a connection that did nothing in the window.
func oldIsKnown(t *testing.T, dir string, port int) int {
	t.Helper()
	return strings.Count(reel(t, 0, "dump", dir, "--table", "socket"), fmt.Sprintf("remote=127.0.0.1:%d", port))
}

// diskUse is what the files of a directory take of the disk, in bytes.
func diskUse(dir string) (n int64) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		var st syscall.Stat_t
		if syscall.Stat(filepath.Join(dir, e.Name()), &st) == nil {
			n += st.Blocks * 512
		}
	}
	return n
}

// TestFlightRecorderOnAFullDisk: a snap to a disk that is full fails by one sentence, and the recorder goes on; a ring whose disk is
// filled by others ends, and is recovered once there is room.
func TestFlightRecorderOnAFullDisk(t *testing.T) {
	needRoot(t)
	small, disk := tmpfs(t, "1m"), tmpfs(t, "7m")
	n := startNginx(t, 1, startBackend(t))
	ring := filepath.Join(disk, "ring.flight")
	r := flightRecorder(t, n, "--ring-size", "5MiB", "-w", ring)
	r.dir = ring
	old := dialKeepAlive(t, n)
	stop := traffic(t, n, []*keepAlive{old})
	defer stop()
	wrk := start(t, nil, need(t, "wrk", "wrk"), "-t", "1", "-c", "4", "-d", "20s", fmt.Sprintf("http://127.0.0.1:%d/204", n.port))
	wrapped(t, r, 20)
	if text := reel(t, 5, "snap", ring, "-o", filepath.Join(small, "snap.reel")); !strings.Contains(text, "no space left") {
		t.Errorf("a snap to a full disk says %s", text)
	}
	if !r.running() {
		t.Fatalf("the recorder ended with the snap:\n%s", r.out.String())
	}
	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	text := r.wait(t, 30*time.Second, 5)
	if !strings.Contains(text, "no space left") {
		t.Errorf("the recorder says\n%s", text)
	}
	wrk.kill()
	stop()
	if text := reel(t, 5, "recover", ring); !strings.Contains(text, "no space left to write") || !strings.Contains(text, "nothing is lost") {
		t.Errorf("recovering on a full disk says %s", text)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	reel(t, 0, "recover", ring)
	reel(t, 0, "verify", ring)
	a := analyzeElsewhere(t, ring)
	if len(a.Exchanges) < 500 {
		t.Errorf("%d exchanges are left", len(a.Exchanges))
	}
}

func tmpfs(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("reel-e2e", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// fill writes until nothing fits any more.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
}
