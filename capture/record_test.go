//go:build linux && (amd64 || arm64)

package capture

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// curl asks a URL and returns what it says that it sent and received, byte by byte (--trace): the oracle.
func curl(t *testing.T, trace string) (sent, received []byte) {
	t.Helper()
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	var to *[]byte
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "=> Send"):
			to = &sent
		case strings.HasPrefix(line, "<= Recv"):
			to = &received
		case strings.HasPrefix(line, "=="):
			to = nil
		case to != nil && len(line) > 6 && line[4] == ':':
			// "0000: 47 45 54 20 2f …  GET /…": sixteen bytes a line
			columns := line[6:]
			columns = columns[:min(len(columns), 48)]
			b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimRight(columns, " \n"), " ", ""))
			if err != nil {
				t.Fatalf("%s: %q: %v", trace, line, err)
			}
			*to = append(*to, b...)
		}
	}
	return sent, received
}

func curlArgs(trace, url string) []string {
	return []string{"curl", "-s", "-S", "--max-time", "20", "-o", os.DevNull, "--trace", trace, "-H", "Authorization: Basic cGxhbnRlZA==", url, "-o", os.DevNull, url + "?second"}
}

func expectBytes(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if len(want) == 0 {
		t.Fatalf("%s: the oracle has no bytes", what)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: the reel has %d bytes, curl says %d; first difference at %d", what, len(got), len(want), firstDifference(got, want))
	}
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func TestRecordsEveryByteOfAProcess(t *testing.T) {
	for _, bind := range []string{"127.0.0.1", "::1"} {
		t.Run(bind, func(t *testing.T) {
			server := serve(t, bind, "python3")
			cfg := config(t)
			cfg.PIDs = []format.PID{server.pid()}
			r := begin(t, cfg)
			trace := filepath.Join(t.TempDir(), "trace")
			run(t, curlArgs(trace, server.url))
			got := r.end(t)

			sent, received := curl(t, trace)
			expectBytes(t, "server reads", got.moved(server.pid(), format.Read), sent)
			expectBytes(t, "server writes", got.moved(server.pid(), format.Write), received)
			if !bytes.Contains(received, server.body) {
				t.Error("curl did not receive the file")
			}
			for _, s := range got.sockets {
				if s.Op == format.SockAccept && s.Local.Addr.String() != bind {
					t.Errorf("accept on %v, want %s", s.Local, bind)
				}
			}
			checkReceipt(t, r.summary, got)
		})
	}
}

func run(t *testing.T, args []string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// checkReceipt holds what every reel of a clean capture has.
func checkReceipt(t *testing.T, s *Summary, got *recorded) {
	t.Helper()
	if !got.manifest.Clean || len(got.problems) > 0 || !s.Clean {
		t.Errorf("the reel is not clean: %v", got.problems)
	}
	if n := uint64(len(got.io)); s.Events[format.EventIO] != n {
		t.Errorf("the summary counts %d reads and writes, the reel has %d", s.Events[format.EventIO], n)
	}
	captured := map[uint16]uint64{}
	for _, ring := range got.rings {
		captured[ring.CPU] = ring.Captured
	}
	var sum uint64
	for _, n := range captured {
		sum += n
	}
	if sum != s.Total() {
		t.Errorf("the rings committed %d records, %d were taken", sum, s.Total())
	}
	if len(got.clocks) < 2 || len(got.beats) < 2 {
		t.Fatalf("%d clock rows and %d heartbeats, want both at start and end", len(got.clocks), len(got.beats))
	}
	first, last := got.clocks[0], got.clocks[len(got.clocks)-1]
	for _, row := range got.io {
		if row.Time < first.Time || row.Time > last.Time {
			t.Errorf("a call at %d lies outside of the clocks %d to %d", row.Time, first.Time, last.Time)
		}
	}
	if off := time.Since(last.Realtime.Time()); off < 0 || off > time.Minute {
		t.Errorf("the last clock row is %v ago", off)
	}
	if last.Width <= 0 || last.Width > 10*time.Millisecond {
		t.Errorf("the clocks were read within %v", last.Width)
	}
	if beat := got.beats[len(got.beats)-1]; beat.Events != s.Total() || beat.LostEvents != s.Lost || beat.RSS < 1<<20 || beat.RecorderCPU <= 0 || beat.JournalBytes == 0 {
		t.Errorf("the last heartbeat is %+v", beat)
	}
	if len(got.hooks) == 0 {
		t.Error("the reel does not say what was attached")
	}
	for _, h := range got.hooks {
		if !h.Attached || h.Purpose == "" || h.Error != "" {
			t.Errorf("hook %+v", h)
		}
	}
	if n := got.note(NoteStopped); n == nil || n.Detail != string(s.Reason) {
		t.Errorf("the note on the end is %+v, want %q", n, s.Reason)
	}
}

func TestRecordsEveryByteOfACommand(t *testing.T) {
	needRoot(t)
	server := serve(t, "127.0.0.1", "python3")
	trace := filepath.Join(t.TempDir(), "trace")
	cfg := config(t)
	cfg.Command = curlArgs(trace, server.url)
	r := begin(t, cfg)
	got := r.wait(t) // by itself

	pid := r.ready.Targets[0].PID
	sent, received := curl(t, trace)
	expectBytes(t, "curl writes", got.moved(pid, format.Write), sent)
	expectBytes(t, "curl reads", got.moved(pid, format.Read), received)
	checkReceipt(t, r.summary, got)
	if r.summary.Reason != ReasonCommand || r.summary.CommandRuns || !r.summary.Command.Exited() || r.summary.Command.ExitStatus() != 0 {
		t.Errorf("the summary says %+v", r.summary)
	}

	// Its life is there from its exec to its exit, and nothing of the process that held its place.
	var ops []format.ProcOp
	for _, p := range got.processes {
		if p.PID != pid {
			t.Errorf("a process row of %d (%s %q)", p.PID, p.Comm, p.Args)
			continue
		}
		ops = append(ops, p.Op)
		if p.Comm != "curl" {
			t.Errorf("a process row says %q %q", p.Comm, p.Args)
		}
		if p.Op == format.ProcExec && strings.Join(p.Args, " ") != strings.Join(cfg.Command, " ") {
			t.Errorf("exec of %q, want %q", p.Args, cfg.Command)
		}
	}
	if len(ops) < 2 || ops[0] != format.ProcExec || ops[len(ops)-1] != format.ProcExit {
		t.Errorf("process rows %v, want exec first and exit last", ops)
	}
}

// ownName copies this program to a name that no process has which is not the test's.
func ownName(t *testing.T) (path, comm string) {
	t.Helper()
	from, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	comm = fmt.Sprintf("reel-%d-%d", os.Getpid()%10000, time.Now().UnixNano()%1000)
	path = filepath.Join(t.TempDir(), comm)
	if err := os.WriteFile(path, data, 0o700); err != nil {
		t.Fatal(err)
	}
	return path, comm
}

func TestRecordsByName(t *testing.T) {
	program, comm := ownName(t)
	first := serveAs(t, program)
	other := serve(t, "127.0.0.1", "python3") // not called so
	cfg := config(t)
	cfg.Comms = []string{comm}
	r := begin(t, cfg)
	trace := filepath.Join(t.TempDir(), "trace")
	run(t, curlArgs(trace, first.url))
	run(t, curlArgs(filepath.Join(t.TempDir(), "other"), other.url))
	sent, received := curl(t, trace)

	// The service is restarted: another process gets the name, and is no child of a target.
	first.kill()
	second := serveAs(t, program)
	waitFor(t, "the new process is a target", func() bool {
		run(t, []string{"curl", "-s", "-o", os.DevNull, second.url})
		select {
		case <-r.done:
			t.Fatalf("the capture ended: %v %v", r.summary.Reason, r.err)
		default:
		}
		return isTarget(r, second.pid())
	})
	late := filepath.Join(t.TempDir(), "late")
	run(t, curlArgs(late, second.url))
	got := r.end(t)

	expectBytes(t, "reads", got.moved(first.pid(), format.Read), sent)
	expectBytes(t, "writes", got.moved(first.pid(), format.Write), received)
	lateSent, _ := curl(t, late)
	if all := got.moved(second.pid(), format.Read); !bytes.HasSuffix(all, lateSent) {
		t.Errorf("the restarted process read %d bytes, the last %d should be curl's", len(all), len(lateSent))
	}
	if n := got.note(NoteTargetLate); n == nil || !strings.Contains(n.Detail, fmt.Sprint(second.pid())) {
		t.Errorf("the note on the late process is %+v", n)
	}
	for _, row := range got.io {
		if row.PID != first.pid() && row.PID != second.pid() {
			t.Fatalf("a call of process %d, which is not called %s", row.PID, comm)
		}
	}
}

// isTarget looks into the reel that is being written: a row of the process's description says that it was made a target.
func isTarget(r *running, pid format.PID) bool {
	reel, err := format.Open(r.cfg.Dir, format.OpenOptions{Filter: format.NoFilter{}})
	if err != nil {
		return false
	}
	defer reel.Close()
	for row, err := range reel.Rows(format.RowsOptions{Tables: []format.TableID{format.TableProcess}}) {
		if err != nil {
			return false
		}
		if p, ok := row.(*format.Process); ok && p.PID == pid {
			return true
		}
	}
	return false
}

func TestTakesDescendants(t *testing.T) {
	needRoot(t)
	// A shell whose child is a shell whose child is the server: all there before the capture.
	script := `"$@" & wait`
	server := serve(t, "127.0.0.1", "python3", "sh", "-c", `sh -c '"$@" & wait' sh "$@" & wait`, "sh")
	cfg := config(t)
	cfg.PIDs = []format.PID{server.pid()}
	r := begin(t, cfg)
	if len(r.ready.Targets) != 3 {
		t.Errorf("targets are %v, want two shells and the server", r.ready.Targets)
	}
	python := r.ready.Targets[len(r.ready.Targets)-1]
	trace := filepath.Join(t.TempDir(), "trace")
	run(t, curlArgs(trace, server.url))
	got := r.end(t)
	sent, _ := curl(t, trace)
	expectBytes(t, "the grandchild reads", got.moved(python.PID, format.Read), sent)
	for _, p := range got.processes {
		if p.PID == python.PID && p.Target && (p.PPID != r.ready.Targets[1].PID || !strings.Contains(p.Exe, "python3") || p.Start == 0 || p.NetNS == 0 || p.Cgroup == "") {
			t.Errorf("the grandchild is %+v", p)
		}
	}

	// And of a command, whose descendants come later.
	trace = filepath.Join(t.TempDir(), "trace")
	cfg = config(t)
	cfg.Command = append([]string{"sh", "-c", script, "sh", "sh", "-c", script, "sh"}, curlArgs(trace, server.url)...)
	r = begin(t, cfg)
	got = r.wait(t)
	sent, _ = curl(t, trace)
	var pid format.PID
	for _, p := range got.processes {
		if p.Op == format.ProcExec && p.Comm == "curl" {
			pid = p.PID
		}
	}
	expectBytes(t, "the command's grandchild writes", got.moved(pid, format.Write), sent)
}

// A command that leaves a child behind is recorded until that has ended too.
func TestCommandEndsWithItsDescendants(t *testing.T) {
	server := serve(t, "127.0.0.1", "python3")
	trace := filepath.Join(t.TempDir(), "trace")
	cfg := config(t)
	orphan := `(while kill -0 $$ 2>/dev/null; do :; done; exec "$@") & exit 3` // runs curl once its parent is gone
	cfg.Command = append([]string{"sh", "-c", orphan, "sh"}, curlArgs(trace, server.url)...)
	r := begin(t, cfg)
	got := r.wait(t)
	if !r.summary.Command.Exited() || r.summary.Command.ExitStatus() != 3 {
		t.Errorf("the command ended with %v, want exit code 3", r.summary.Command)
	}
	sent, _ := curl(t, trace)
	found := false
	for _, p := range got.processes {
		if p.Op == format.ProcExec && p.Comm == "curl" {
			expectBytes(t, "the orphan writes", got.moved(p.PID, format.Write), sent)
			found = true
		}
	}
	if !found {
		t.Error("the orphan's exec is not in the reel")
	}
}

// A connection that was open before the capture has its addresses and its place in the stream from the start on, and at the
// end its sequence numbers say that nothing is missing.
func TestSnapshotsOpenSockets(t *testing.T) {
	server := serve(t, "::1", "python3")
	client := helper(t, "client", server.url)
	ask := func(n int) {
		fmt.Fprintln(client.in)
		waitFor(t, "the client has an answer", func() bool { return len(client.words()) >= n })
	}
	ask(1)
	cfg := config(t)
	cfg.PIDs = []format.PID{client.pid(), server.pid()}
	r := begin(t, cfg)
	ask(2)
	ask(3)
	got := r.end(t)

	var open []format.Socket
	listening := 0
	for _, s := range got.sockets {
		switch {
		case s.Op == format.SockSnapshot && s.PID == client.pid():
			open = append(open, s)
		case s.Op == format.SockListen && s.PID == server.pid():
			listening++
		case s.Op == format.SockConnect:
			t.Error("the client connected again: the test shows nothing")
		}
	}
	if listening == 0 {
		t.Error("the server's listening socket is not in the reel")
	}
	if len(open) != 2 {
		t.Fatalf("the client's connection was listed %d times, want at the start and at the end", len(open))
	}
	if !strings.Contains(server.url, open[0].Remote.String()) || open[0].Local.Port == 0 {
		t.Errorf("the client's connection is %v to %v, want it to %s", open[0].Local, open[0].Remote, server.url)
	}
	var moved [3]uint32
	for _, row := range got.io {
		if row.Socket == open[0].Socket && row.Ret > 0 {
			moved[row.Dir] += uint32(row.Ret)
		}
	}
	if d := uint32(open[1].SndSeq - open[0].SndSeq); d == 0 || d != moved[format.Write] {
		t.Errorf("the sequence numbers say that %d bytes were sent, the calls %d", d, moved[format.Write])
	}
	if d := uint32(open[1].RcvSeq - open[0].RcvSeq); d == 0 || d != moved[format.Read] {
		t.Errorf("the sequence numbers say that %d bytes were read, the calls %d", d, moved[format.Read])
	}
}

func TestTwoCapturesAtOnce(t *testing.T) {
	server := serve(t, "127.0.0.1", "python3")
	one, two := config(t), config(t)
	one.PIDs = []format.PID{server.pid()}
	two.PIDs = one.PIDs
	two.Snaplen = 16
	a, b := begin(t, one), begin(t, two)
	trace := filepath.Join(t.TempDir(), "trace")
	run(t, curlArgs(trace, server.url))
	gotA, gotB := a.end(t), b.end(t)
	sent, received := curl(t, trace)
	expectBytes(t, "the first", gotA.moved(server.pid(), format.Read), sent)
	expectBytes(t, "the first", gotA.moved(server.pid(), format.Write), received)
	if n := gotB.note(NoteRecorderBeside); n == nil {
		t.Error("the second does not say that there is another")
	}
	if len(gotA.io) != len(gotB.io) {
		t.Errorf("the first recorded %d calls, the second %d", len(gotA.io), len(gotB.io))
	}
	for _, row := range gotB.io {
		if len(row.Payload) > 16 && row.Flags&format.IOMsgStart == 0 {
			t.Errorf("the second kept %d bytes of a call", len(row.Payload))
		}
	}
}

func TestEndsWithItsTargets(t *testing.T) {
	server := serve(t, "127.0.0.1", "python3")
	cfg := config(t)
	cfg.PIDs = []format.PID{server.pid()}
	r := begin(t, cfg)
	server.kill()
	got := r.wait(t)
	if r.summary.Reason != ReasonTargets {
		t.Errorf("it ended because %s", r.summary.Reason)
	}
	if n := got.note(NoteTargetExited); n == nil || n.Count != 1 {
		t.Errorf("the note on the end of processes is %+v", n)
	}
}

func TestEndsAfterItsDuration(t *testing.T) {
	server := serve(t, "127.0.0.1", "python3")
	cfg := config(t)
	cfg.PIDs = []format.PID{server.pid()}
	cfg.Duration = 2200 * time.Millisecond
	r := begin(t, cfg)
	got := r.wait(t)
	if r.summary.Reason != ReasonDuration || r.summary.Duration < cfg.Duration {
		t.Errorf("it ended after %v because %s", r.summary.Duration, r.summary.Reason)
	}
	if len(got.beats) < 4 { // start, 1 s, 2 s, end
		t.Errorf("%d heartbeats in %v", len(got.beats), r.summary.Duration)
	}
	for i := range got.beats[1:] {
		if d := got.beats[i+1].Time.Sub(got.beats[i].Time); d > 1500*time.Millisecond {
			t.Errorf("two heartbeats are %v apart", d)
		}
	}
}

// Ports are a filter of sockets, not of processes.
func TestRecordsOnlyPorts(t *testing.T) {
	wanted, other := serve(t, "127.0.0.1", "python3"), serve(t, "127.0.0.1", "python3")
	cfg := config(t)
	cfg.PIDs = []format.PID{wanted.pid(), other.pid()}
	var port uint16
	if _, err := fmt.Sscanf(wanted.url, "http://127.0.0.1:%d/", &port); err != nil {
		t.Fatal(err)
	}
	cfg.Ports = []uint16{port}
	r := begin(t, cfg)
	for _, s := range []*fileServer{wanted, other} {
		run(t, []string{"curl", "-s", "-o", os.DevNull, s.url})
	}
	got := r.end(t)
	if len(got.moved(wanted.pid(), format.Write)) == 0 || len(got.moved(other.pid(), format.Write)) != 0 {
		t.Errorf("recorded %d bytes of the wanted port and %d of another", len(got.moved(wanted.pid(), format.Write)), len(got.moved(other.pid(), format.Write)))
	}
}
