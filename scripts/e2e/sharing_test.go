package e2e

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// said waits until the process has printed what a pattern finds, and returns its groups.
func (p *proc) said(t *testing.T, pattern string) (groups []string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	waitFor(t, 30*time.Second, fmt.Sprintf("%v prints %q", p.cmd.Args, pattern), func() bool {
		groups = re.FindStringSubmatch(p.out.String())
		if groups == nil && !p.running() {
			t.Fatalf("%v ended early:\n%s", p.cmd.Args, p.out.String())
		}
		return groups != nil
	})
	return groups
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// askKept sends requests on one connection, each after the response to the one before, and returns the client's port.
func askKept(t *testing.T, port, requests int) int {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for i := range requests {
		if _, err := fmt.Fprintf(conn, "GET /%d HTTP/1.1\r\nHost: e2e\r\n\r\n", i); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		resp.Body.Close()
	}
	return conn.LocalAddr().(*net.TCPAddr).Port
}

// hands are the rows of one connection of the server, by the port of its client.
type hands struct {
	calls  map[format.PID]int // reads and writes of bytes, by process
	closes []format.Socket
	socket map[format.SocketID]bool
}

func handsOf(t *testing.T, dir string, client int) (h hands, listenerCloses []format.Socket) {
	t.Helper()
	r, err := format.Open(dir, format.OpenOptions{Filter: format.NoFilter{}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	h = hands{calls: map[format.PID]int{}, socket: map[format.SocketID]bool{}}
	for row, err := range r.Rows(format.RowsOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		switch row := row.(type) {
		case *format.IO:
			if int(row.RPort) == client && row.Ret > 0 {
				h.calls[row.PID]++
				h.socket[row.Socket] = true
			}
		case *format.Socket:
			switch {
			case row.Op != format.SockClose:
			case int(row.Remote.Port) == client:
				h.closes = append(h.closes, *row)
				h.socket[row.Socket] = true
			case row.NewState == format.TCPListen:
				listenerCloses = append(listenerCloses, *row)
			}
		}
	}
	return h, listenerCloses
}

// TestConnectionsChangeHands: a connection that is passed by SCM_RIGHTS, and one that a child inherits across fork and exec, stay one
// connection each: every process's calls are on it, its exchanges are whole, and only the last descriptor ends it.
func TestConnectionsChangeHands(t *testing.T) {
	needRoot(t)
	turns, gate, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	server := startWith(t, turns, nil, need(t, "python3", "python3"), "testdata/sharing.py")
	turns.Close()
	ready := server.said(t, `ready (\d+) (\d+)`)
	port, worker := number(t, ready[1]), format.PID(number(t, ready[2]))
	parent := format.PID(server.pid())
	r := record(t, "-p", strconv.Itoa(server.pid()))

	turn := func(name string) int {
		if _, err := fmt.Fprintln(gate, name); err != nil {
			t.Fatal(err)
		}
		return askKept(t, port, 3)
	}
	passed := turn("pass")
	inherited := turn("inherit")
	child := format.PID(number(t, server.said(t, `child (\d+)`)[1]))
	gate.Close()
	server.wait(t, 30*time.Second, 0)
	r.wait(t, time.Minute, 0)

	a := analyzeReel(t, r.dir)
	for _, e := range a.Ledger {
		if e.Severity >= facts.DataLoss {
			t.Errorf("ledger: %s ×%d (%s)", e.Name, e.Count, e.Example)
		}
	}
	for _, c := range []struct {
		name   string
		client int
		calls  map[format.PID]int
		last   format.PID // closes the last descriptor
		first  format.PID
	}{
		{"passed", passed, map[format.PID]int{parent: 1, worker: 5}, worker, parent},
		{"inherited", inherited, map[format.PID]int{child: 6}, child, child},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, listenerCloses := handsOf(t, r.dir, c.client)
			if len(h.socket) != 1 {
				t.Errorf("it has the ids %v, want one", h.socket)
			}
			if !maps.Equal(h.calls, c.calls) {
				t.Errorf("calls by process %v, want %v", h.calls, c.calls)
			}
			if n := len(h.closes); n < 2 {
				t.Fatalf("%d descriptors were dropped: %+v", n, h.closes)
			}
			for i, row := range h.closes {
				last := i == len(h.closes)-1
				if last != (row.FileRefs == 1) || last && row.PID != c.last {
					t.Errorf("descriptor %d of %d: dropped by process %d with %d references", i, len(h.closes), row.PID, row.FileRefs)
				}
			}
			var of []facts.Connection
			for _, conn := range a.Connections {
				if int(conn.Remote.Port) == c.client {
					of = append(of, conn)
				}
			}
			if len(of) != 1 || of[0].Exchanges != 3 || of[0].Lost != [2]uint64{} || !of[0].SawStart || !of[0].SawEnd {
				t.Fatalf("connections: %+v", of)
			}
			for _, e := range a.Exchanges {
				want := c.first
				if e.Index > 1 {
					want = c.last
				}
				if int(e.Remote.Port) == c.client && (e.Missing != 0 || e.PID != want || e.Status != 200) {
					t.Errorf("exchange %d: process %d, want %d: %+v", e.Index, e.PID, want, e)
				}
			}
			// The child's program does not get the listener, which is marked FD_CLOEXEC.
			if c.name == "inherited" && !slices.ContainsFunc(listenerCloses, func(row format.Socket) bool { return row.PID == child && row.FileRefs > 1 }) {
				t.Errorf("exec closes no listener of the child %d: %+v", child, listenerCloses)
			}
		})
	}
}
