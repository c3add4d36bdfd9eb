//go:build linux && (amd64 || arm64)

package capture

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/capture/capturetest"
	"github.com/ebpf-reel/reel/capture/sealer"
	"github.com/ebpf-reel/reel/format"
)

// helperEnv makes the test binary one of the processes that tests record, or a recorder to be killed.
const helperEnv = "REEL_CAPTURE_HELPER"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == heldArg {
		os.Exit(ExecHeld(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == sealArg {
		os.Exit(sealer.Work(os.Args[2:], format.NoFilter{}))
	}
	if name := os.Getenv(helperEnv); name != "" {
		if err := helpers[name](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	go func() {
		runtime.LockOSThread()
		for start := range launches {
			start()
		}
	}()
	os.Exit(m.Run())
}

// launches are done by one thread that does not end: Pdeathsig is sent when the thread that started a process ends, not when its
// process does.
var launches = make(chan func())

const (
	heldArg = "exec-held"
	sealArg = "seal-for"
)

var helpers = map[string]func(args []string) error{"client": clientHelper, "server": serverHelper, "noise": noiseHelper, "hog": hogHelper, "record": recordHelper}

// clientHelper asks a URL on one keep-alive connection, once for each line it reads, or all the time if told so; it prints the
// time at which each answer was complete.
func clientHelper(args []string) error {
	url := args[0]
	ask := func() error {
		resp, err := http.Get(url)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		resp.Body.Close()
		fmt.Println(int64(systemClock{}.Now()))
		return nil
	}
	if len(args) > 1 && args[1] == "forever" {
		for {
			if err := ask(); err != nil {
				return err
			}
		}
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if err := ask(); err != nil {
			return err
		}
	}
	return nil
}

// serverHelper answers every request with the same bytes, and says where in the words of python's server.
func serverHelper([]string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("Serving HTTP (http://%s/)\n", l.Addr())
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(fileBody())
	}))
}

// noiseHelper is a server whose answers no compression makes smaller.
func noiseHelper([]string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("Serving HTTP (http://%s/)\n", l.Addr())
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		body := make([]byte, 64<<10)
		_, _ = rand.Read(body)
		_, _ = w.Write(body)
	}))
}

// hogHelper takes so many bytes of memory until its input ends.
func hogHelper(args []string) error {
	size, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	taken := make([]byte, size)
	for i := 0; i < size; i += os.Getpagesize() {
		taken[i] = 1
	}
	fmt.Println("full")
	_, err = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(taken)
	return err
}

// recordHelper records a command line of pids into a reel until SIGINT, as cmd/reel does.
func recordHelper(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cfg := Config{SealReexec: []string{sealArg}, Dir: args[0], Snaplen: DefaultSnaplen, Filter: format.NoFilter{}, FlushInterval: 500 * time.Millisecond, SegmentBytes: 256 << 10,
		OnReady: func(Ready) { fmt.Println("recording") }}
	for _, arg := range args[1:] {
		var pid format.PID
		if _, err := fmt.Sscan(arg, &pid); err != nil {
			return err
		}
		cfg.PIDs = append(cfg.PIDs, pid)
	}
	_, err := Record(ctx, cfg)
	return err
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("REEL_ALLOW_SKIP") == "1" {
		t.Skip("needs root")
	}
	t.Fatal("this test records with eBPF and needs root; REEL_ALLOW_SKIP=1 skips it")
}

// waitFor waits for a condition with a bound.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
		time.Sleep(2 * time.Millisecond) // poll
	}
}

// process is a process of the test; it ends with the test at the latest.
type process struct {
	*exec.Cmd
	out  capturetest.Output
	in   io.WriteCloser
	done chan struct{}
}

// words returns what it printed, cut at white space.
func (p *process) words() []string { return strings.Fields(p.out.String()) }

func launch(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in = in
	started := make(chan error)
	launches <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.kill)
	return p
}

func (p *process) pid() format.PID { return format.PID(p.Process.Pid) }

func (p *process) kill() {
	if p.ended() {
		return // its group's id may be another's by now
	}
	_ = syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func helper(t *testing.T, name string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), helperEnv+"="+name)
	return launch(t, cmd)
}

// fileServer is `python3 -m http.server` on a port that it chose, serving one file of random bytes.
type fileServer struct {
	*process
	url  string
	body []byte
}

// serve starts a server by the given interpreter, below the given command if there is one.
func serve(t *testing.T, bind, python string, below ...string) *fileServer {
	t.Helper()
	dir := t.TempDir()
	s := &fileServer{body: fileBody()}
	if err := os.WriteFile(filepath.Join(dir, "file.bin"), s.body, 0o600); err != nil {
		t.Fatal(err)
	}
	args := append(below, python, "-u", "-m", "http.server", "--protocol", "HTTP/1.1", "--bind", bind, "--directory", dir, "0")
	s.process = launch(t, exec.Command(args[0], args[1:]...))
	s.awaitURL(t)
	return s
}

// serveAs starts this program, under the name of program, as a server.
func serveAs(t *testing.T, program string) *fileServer {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), helperEnv+"=server")
	s := &fileServer{process: launch(t, cmd), body: fileBody()}
	s.awaitURL(t)
	return s
}

// fileBody is bytes without a pattern that a page would repeat.
func fileBody() []byte {
	body := make([]byte, 20_000)
	for i := range body {
		body[i] = byte(i*7919>>3) | 1
	}
	return body
}

func (s *fileServer) awaitURL(t *testing.T) {
	t.Helper()
	waitFor(t, "the server listens", func() bool {
		if s.ended() {
			t.Fatalf("the server ended: %s", s.out.String())
		}
		// "Serving HTTP on ::1 port 41273 (http://[::1]:41273/) ..."
		_, rest, ok := strings.Cut(s.out.String(), "(http://")
		host, _, whole := strings.Cut(rest, "/)")
		s.url = "http://" + host + "/file.bin"
		return ok && whole
	})
}

// config of a capture of a test: every byte, nothing masked.
func config(t *testing.T) Config {
	return Config{Dir: filepath.Join(t.TempDir(), "t.reel"), Snaplen: 1 << 20, Filter: format.NoFilter{}, Payload: "snap", Tool: "reel test", Reexec: []string{heldArg}, SealReexec: []string{sealArg}}
}

// running is a capture in this process.
type running struct {
	cfg     Config
	ready   Ready
	cancel  context.CancelFunc
	done    chan struct{}
	summary *Summary
	err     error
}

// begin starts a capture and returns when it records.
func begin(t *testing.T, cfg Config) *running {
	t.Helper()
	needRoot(t)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cfg: cfg, cancel: cancel, done: make(chan struct{})}
	ready := make(chan Ready, 1)
	r.cfg.OnReady = func(now Ready) { ready <- now }
	go func() {
		defer close(r.done)
		r.summary, r.err = Record(ctx, r.cfg)
	}()
	t.Cleanup(func() { cancel(); <-r.done })
	select {
	case r.ready = <-ready:
	case <-r.done:
		t.Fatalf("the capture did not begin: %v", r.err)
	case <-time.After(time.Minute):
		t.Fatal("the capture did not begin within a minute")
	}
	return r
}

// end ends the capture and returns its rows.
func (r *running) end(t *testing.T) *recorded {
	t.Helper()
	r.cancel()
	return r.wait(t)
}

// wait waits for the capture to end by itself.
func (r *running) wait(t *testing.T) *recorded {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(time.Minute):
		t.Fatal("the capture does not end")
	}
	if r.err != nil {
		t.Fatalf("the capture ended with: %v", r.err)
	}
	if r.summary.Lost != 0 {
		t.Fatalf("%d records were lost", r.summary.Lost)
	}
	return read(t, r.cfg.Dir)
}

// recorded is what a reel holds.
type recorded struct {
	manifest   *format.Manifest
	problems   []format.Problem
	io         []format.IO
	sockets    []format.Socket
	processes  []format.Process
	clocks     []format.Clock
	beats      []format.Heartbeat
	rings      []format.Ring
	hooks      []format.Hook
	notes      []format.Note
	containers []format.Container
}

func read(t *testing.T, dir string) *recorded {
	t.Helper()
	reel, err := format.Open(dir, format.OpenOptions{Filter: format.NoFilter{}})
	if err != nil {
		t.Fatal(err)
	}
	defer reel.Close()
	got := &recorded{manifest: reel.Manifest(), problems: reel.Problems()}
	for row, err := range reel.Rows(format.RowsOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		switch row := row.(type) {
		case *format.IO:
			c := *row
			c.Payload = append([]byte(nil), row.Payload...)
			got.io = append(got.io, c)
		case *format.Socket:
			got.sockets = append(got.sockets, *row)
		case *format.Process:
			got.processes = append(got.processes, *row)
		case *format.Clock:
			got.clocks = append(got.clocks, *row)
		case *format.Heartbeat:
			got.beats = append(got.beats, *row)
		case *format.Ring:
			got.rings = append(got.rings, *row)
		case *format.Hook:
			got.hooks = append(got.hooks, *row)
		case *format.Note:
			got.notes = append(got.notes, *row)
		case *format.Container:
			got.containers = append(got.containers, *row)
		case *format.TCP, *format.Trigger:
		default:
			t.Fatalf("a row of %v", row.Table())
		}
	}
	return got
}

// moved is the bytes that one process moved in one direction, in the order of the calls.
func (r *recorded) moved(pid format.PID, dir format.Direction) []byte {
	var all []byte
	for _, row := range r.io {
		if row.PID == pid && row.Dir == dir && row.Flags&format.IOPeek == 0 {
			all = append(all, row.Payload...)
		}
	}
	return all
}

func (r *recorded) note(name NoteName) *format.Note {
	for i := range r.notes {
		if r.notes[i].Name == string(name) {
			return &r.notes[i]
		}
	}
	return nil
}

func as[T error](err error) (target T, ok bool) { ok = errors.As(err, &target); return }

// sleeper is a process that does nothing until it is ended.
func sleeper() *exec.Cmd { return exec.Command("sleep", "600") }

// threadOf returns a thread of a process that is not its first.
func threadOf(t *testing.T, pid format.PID) format.PID {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if tid, err := strconv.ParseUint(e.Name(), 10, 32); err == nil && format.PID(tid) != pid {
			return format.PID(tid)
		}
	}
	t.Fatal("the test has one thread only")
	return 0
}

func writeFile(t *testing.T, mode os.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte{0x7f, 'x'}, mode); err != nil {
		t.Fatal(err)
	}
	return name
}
