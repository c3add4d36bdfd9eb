//go:build linux && (amd64 || arm64)

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/capture"
	"github.com/ebpf-reel/reel/capture/capturetest"
	"github.com/ebpf-reel/reel/format"
)

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

// command is this test binary as reel (see TestMain).
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &exec.Cmd{Path: self, Args: append([]string{"reel"}, args...), Dir: t.TempDir()}
}

// started is a reel that runs.
type started struct {
	*exec.Cmd
	stderr capturetest.Output
	done   chan struct{}
}

// start runs cmd; it returns once it records.
func start(t *testing.T, cmd *exec.Cmd) *started {
	t.Helper()
	needRoot(t)
	s := &started{Cmd: cmd, done: make(chan struct{})}
	if cmd.Stderr == nil {
		cmd.Stderr = &s.stderr
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait(); close(s.done) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-s.done })
	return s
}

func (s *started) await(t *testing.T, printed func() string, what string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(printed(), what); {
		select {
		case <-s.done:
			if strings.Contains(printed(), what) {
				return
			}
			t.Fatalf("it ended (%v) and did not print %q:\n%s", s.ProcessState, what, printed())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("it did not print %q:\n%s", what, printed())
		}
		time.Sleep(2 * time.Millisecond) // poll
	}
}

func (s *started) signal(t *testing.T, signals ...syscall.Signal) {
	t.Helper()
	for _, sig := range signals {
		if err := s.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *started) wait(t *testing.T) syscall.WaitStatus {
	t.Helper()
	select {
	case <-s.done:
	case <-time.After(time.Minute):
		t.Fatalf("it does not end:\n%s", s.stderr.String())
	}
	return s.ProcessState.Sys().(syscall.WaitStatus)
}

// webServer is a server in this process, which is a target of reel here.
func webServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	return "http://" + l.Addr().String() + "/"
}

func ask(t *testing.T, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer planted-token")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

// calls reads the reel and returns its io rows' payload.
func calls(t *testing.T, dir string) (clean bool, payload []byte) {
	t.Helper()
	reel, err := format.Open(dir, format.OpenOptions{Filter: format.NoFilter{}})
	if err != nil {
		t.Fatal(err)
	}
	defer reel.Close()
	for row, err := range reel.Rows(format.RowsOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if row, ok := row.(*format.IO); ok {
			payload = append(payload, row.Payload...)
		}
	}
	return reel.Manifest().Clean, payload
}

func TestCaptureEndsAtASignal(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			url := webServer(t)
			dir := filepath.Join(t.TempDir(), "my reel")
			r := start(t, command(t, "capture", "-p", fmt.Sprint(os.Getpid()), "-w", dir))
			r.await(t, r.stderr.String, "recording")
			ask(t, url)
			r.signal(t, sig)
			if status := r.wait(t); status.ExitStatus() != 0 {
				t.Errorf("it ended with %v:\n%s", status, r.stderr.String())
			}
			for _, want := range []string{"captured ", "lost 0", "hooks ", " attached", "cost ", "reel report '" + dir + "' -o"} {
				if !strings.Contains(r.stderr.String(), want) {
					t.Errorf("the summary lacks %q:\n%s", want, r.stderr.String())
				}
			}
			clean, payload := calls(t, dir)
			if !clean || !bytes.Contains(payload, []byte("GET / HTTP/1.1")) {
				t.Errorf("clean %v, %d bytes", clean, len(payload))
			}
			if bytes.Contains(payload, []byte("planted-token")) {
				t.Error("the credential was not masked")
			}
		})
	}
}

// The second signal leaves what is not sealed, and ends it by that signal; every row is there, and the reel says that it is not clean.
func TestSecondSignalLeavesTheTail(t *testing.T) {
	url := webServer(t)
	dir := filepath.Join(t.TempDir(), "x.reel")
	r := start(t, command(t, "capture", "-p", fmt.Sprint(os.Getpid()), "-w", dir, "--keep-secrets", "--flush-interval", "50ms"))
	r.await(t, r.stderr.String, "recording")
	ask(t, url)
	await(t, "the request is in the file", func() bool {
		_, payload := calls(t, dir)
		return bytes.Contains(payload, []byte("planted-token"))
	})
	// Both wait for it, so that it cannot be through with the first when the second comes.
	r.signal(t, unix.SIGSTOP, unix.SIGINT, unix.SIGTERM, unix.SIGCONT)
	if status := r.wait(t); !status.Signaled() || status.Signal() != unix.SIGINT && status.Signal() != unix.SIGTERM {
		t.Errorf("it ended with %v:\n%s", r.ProcessState, r.stderr.String())
	}
	if !strings.Contains(r.stderr.String(), "second signal: "+dir+" is not sealed to its end (1 journal left)") {
		t.Errorf("it does not say so:\n%s", r.stderr.String())
	}
	clean, payload := calls(t, dir)
	if clean || !bytes.Contains(payload, []byte("GET / HTTP/1.1")) {
		t.Errorf("clean %v, %d bytes", clean, len(payload))
	}
	if out, err := command(t, "info", dir).CombinedOutput(); err != nil || !strings.Contains(string(out), "1 journal is not sealed: the recorder was told by a second signal not to wait for it") {
		t.Errorf("info: %v\n%s", err, out)
	}
}

// recordALot records transfers that take a while to seal: random bytes, all of them. It returns how many were moved each way.
func recordALot(t *testing.T, args ...string) (r *started, dir string, moved int) {
	t.Helper()
	const size, times = 8 << 20, 6
	body := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(body)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	t.Cleanup(server.Close)
	dir = filepath.Join(t.TempDir(), "x.reel")
	args = append([]string{"capture", "-p", fmt.Sprint(os.Getpid()), "-w", dir, "--snaplen", "full", "--segment-bytes", "1GiB", "--ring-bytes", "64MiB", "--max-memory", "none", "--keep-secrets"}, args...)
	r = start(t, command(t, args...))
	r.await(t, r.stderr.String, "recording")
	for range times {
		ask(t, server.URL)
	}
	return r, dir, size * times
}

// awaitSeal waits until the last segment is being written.
func awaitSeal(t *testing.T, r *started, dir string) {
	t.Helper()
	await(t, "the seal has begun", func() bool {
		found, _ := filepath.Glob(filepath.Join(dir, "segment-*", "*"))
		return len(found) > 0
	})
	select {
	case <-r.done:
		t.Fatalf("the seal was over at once:\n%s", r.stderr.String())
	default:
	}
}

// A signal during the seal does not disturb it.
func TestSignalDuringTheSeal(t *testing.T) {
	r, dir, moved := recordALot(t, "-d", "3s", "--segment-time", "1h")
	awaitSeal(t, r, dir)
	r.signal(t, unix.SIGTERM)
	if status := r.wait(t); !status.Exited() || status.ExitStatus() != 0 {
		t.Errorf("it ended with %v:\n%s", r.ProcessState, r.stderr.String())
	}
	if clean, payload := calls(t, dir); !clean || len(payload) < moved {
		t.Errorf("clean %v, %d bytes of %d moved twice", clean, len(payload), moved)
	}
}

// Two do: the seal is left, every row is in the journal, and recover makes the reel clean.
func TestTwoSignalsDuringTheSeal(t *testing.T) {
	r, dir, moved := recordALot(t, "--segment-time", "1h")
	r.signal(t, unix.SIGINT)
	awaitSeal(t, r, dir)
	began := time.Now()
	r.signal(t, unix.SIGTERM)
	if status := r.wait(t); !status.Signaled() || status.Signal() != unix.SIGTERM {
		t.Errorf("it ended with %v:\n%s", r.ProcessState, r.stderr.String())
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	clean, payload := calls(t, dir)
	if clean || len(payload) < moved {
		t.Errorf("clean %v, %d bytes of %d moved twice", clean, len(payload), moved)
	}
	if out, err := command(t, "recover", dir).CombinedOutput(); err != nil {
		t.Fatalf("recover: %v\n%s", err, out)
	}
	if clean, again := calls(t, dir); !clean || !bytes.Equal(payload, again) {
		t.Errorf("recovered: clean %v, %d bytes", clean, len(again))
	}
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond) // poll
	}
}

// On a terminal there is a line that is written over.
func TestProgressOnATerminal(t *testing.T) {
	url := webServer(t)
	master, slave := terminal(t)
	var screen capturetest.Output
	go func() { _, _ = io.Copy(&screen, master) }()
	cmd := command(t, "capture", "-p", fmt.Sprint(os.Getpid()), "-w", filepath.Join(t.TempDir(), "x.reel"))
	cmd.Stderr = slave
	r := start(t, cmd)
	r.await(t, screen.String, "recording")
	ask(t, url)
	r.await(t, screen.String, "records/s")
	r.signal(t, unix.SIGINT)
	r.wait(t)
	await(t, "the summary is on the screen", func() bool { return strings.Contains(screen.String(), "look at it with") })
	if !regexp.MustCompile(regexp.QuoteMeta(clearLine)+` +\d+s  [\d,]+ records/s  [\d.]+ [KMGi]*B  0 lost`).MatchString(screen.String()) || !strings.Contains(screen.String(), clearLine+"reel: ending") {
		t.Errorf("the screen shows %q", screen.String())
	}
}

// terminal makes a pair of a pseudo terminal (ptmx(4)).
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

func TestCaptureHandsOnTheCommandsEnd(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		script string
		code   int
		says   string
	}{
		{"echo out; exit 0", 0, ""},
		{"exit 7", 7, "reel: the command sh ended with exit code 7"},
		{"kill -TERM $$", 128 + 15, "reel: the command sh was ended by signal 15 (terminated)"},
	} {
		cmd := command(t, "capture", "-w", "x.reel", "--", "sh", "-c", c.script)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != c.code || err != nil && !errors.As(err, new(*exec.ExitError)) {
			t.Errorf("%s: exit code %d, want %d:\n%s", c.script, code, c.code, stderr.String())
		}
		if !strings.Contains(stderr.String(), c.says) || strings.Contains(c.script, "out") && stdout.String() != "out\n" {
			t.Errorf("%s: it printed %q and %q", c.script, stdout.String(), stderr.String())
		}
	}
}

// A command that outlives the capture runs on.
func TestCommandThatRunsOn(t *testing.T) {
	needRoot(t)
	cmd := command(t, "capture", "-d", "100ms", "-w", "x.reel", "--", "sh", "-c", "read line; echo $line")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr capturetest.Output
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "reel says that it runs on", func() bool { return strings.Contains(stderr.String(), "the command still runs") })
	fmt.Fprintln(in, "alive")
	got, err := io.ReadAll(out)
	if err != nil || string(got) != "alive\n" {
		t.Errorf("the command printed %q: %v", got, err)
	}
	in.Close()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// What the environment refuses is one sentence and exit code 5; what the user got wrong is one sentence and exit code 2.
func TestCaptureRefuses(t *testing.T) {
	needRoot(t)
	pid := fmt.Sprint(os.Getpid())
	reel := command(t).Path
	for _, c := range []struct {
		name string
		args []string
		as   func(*exec.Cmd)
		code int
		says string
	}{
		{"nothing", nil, nil, 2, "nothing to record: choose processes with -p PID, --comm NAME, --container NAME, --cgroup PATH, or a command after --"},
		{"no such process", []string{"-p", "4194303"}, nil, 2, "process 4194303 does not exist: ps -e lists those that do"},
		{"no process id", []string{"-p", "4194305"}, nil, 2, "4194305 is no process id: the largest is 4194304"},
		{"no number", []string{"-p", "nginx"}, nil, 2, `invalid argument "nginx" for "-p, --pid" flag`},
		{"no such name", []string{"--comm", "no-such-name"}, nil, 2, "--comm no-such-name names no process that runs now"},
		{"forgotten dashes", []string{"curl", "-s"}, nil, 2, "see reel capture --help"},
		{"command before dashes", []string{"curl", "--", "ls"}, nil, 2, `"curl" is not an option: a command to record stands after --, as in reel capture -- curl`},
		{"no command", []string{"--"}, nil, 2, "there is no command after --: reel capture -- CMD ARGS"},
		{"no port", []string{"-p", pid, "--port", "0"}, nil, 2, "0 is no port: --port takes 1 to 65535"},
		{"no part", []string{"-p", pid, "--only", "tls"}, nil, 2, "--only tls is not possible: this version records net (socket calls and their bytes)"},
		{"no policy", []string{"-p", pid, "--payload", "some"}, nil, 2, "use none, heads, snap or full"},
		{"full and snaplen", []string{"-p", pid, "--payload", "full", "-s", "100"}, nil, 2, "--payload full keeps every byte, --snaplen copies only some: leave one out"},
		{"none and snaplen", []string{"-p", pid, "--payload", "none", "-s", "100"}, nil, 2, "--payload none keeps no byte that --snaplen copies: leave one out"},
		{"no size", []string{"-p", pid, "--ring-bytes", "many"}, nil, 2, `"many" is no size: write a number of bytes, or one with KiB, MiB or GiB`},
		{"odd rings", []string{"-p", pid, "--ring-bytes", "3MiB"}, nil, 2, "rings of 3145728 bytes are not possible"},
		{"empty name", []string{"-p", pid, "-w", ""}, nil, 2, "-w needs a name: -w checkout.reel"},
		{"existing output", []string{"-p", pid, "-w", "."}, nil, 2, ". exists already: choose another name, or remove it first"},
		{"nobody", []string{"-p", pid}, nobody, 5, "recording needs privileges that this process lacks (CAP_BPF, CAP_PERFMON): run it as root"},
		{"no BTF", []string{"-p", pid}, shell(reel, "unshare", "-m", "sh", "-c", `mount -t tmpfs none /sys/kernel/btf && exec "$@"`, "sh"), 5, "the kernel does not describe its types (no /sys/kernel/btf/vmlinux)"},
		{"pid namespace", []string{"-p", "1"}, shell(reel, "unshare", "-p", "-f", "--mount-proc"), 2, "process 1 is this recorder itself"},
		{"pid namespace, the host's proc", []string{"-p", "1"}, shell(reel, "unshare", "-p", "-f"), 5, "reel runs inside a pid namespace, and /proc is that of another one: mount its own"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := command(t, append([]string{"capture"}, c.args...)...)
			cmd.Args[0] = "reel"
			if c.as != nil {
				c.as(cmd)
			}
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			_ = cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if got := stderr.String(); !strings.HasPrefix(got, "reel: ") || !strings.Contains(got, c.says) || strings.Count(got, "\n") != 1 {
				t.Errorf("it says %q, want one line with %q", got, c.says)
			}
			if left, _ := filepath.Glob(filepath.Join(cmd.Dir, "*.reel")); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

// nobody runs a command without privileges, from a copy that nobody can reach.
func nobody(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Path, cmd.Dir = "/proc/self/fd/3", "/"
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		panic(err)
	}
	cmd.ExtraFiles = []*os.File{self}
}

// shell runs a command below others. The program keeps the name reel by a link of that name.
func shell(reel string, below ...string) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		link := filepath.Join(cmd.Dir, "..", "reel")
		if err := os.Symlink(reel, link); err != nil && !errors.Is(err, os.ErrExist) {
			panic(err)
		}
		path, err := exec.LookPath(below[0])
		if err != nil {
			panic(err)
		}
		cmd.Path, cmd.Args = path, append(append(append([]string{}, below...), link), cmd.Args[1:]...)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "64k": 65536, "64KiB": 65536, "8M": 8 << 20, "1gib": 1 << 30, "5b": 5} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "k", "-1", "1.5M", "1x", "1kk", "99999999999G", " 1"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
	var snaplen snaplenValue
	if err := snaplen.Set("full"); err != nil || snaplen.String() != "full" {
		t.Errorf("full is %v, %v", snaplen, err)
	}
	if err := snaplen.Set("4294967295"); err == nil {
		t.Error("a number that means full is taken")
	}
}

// The ledger of an analysis knows every note that a recorder leaves.
func TestLedgerKnowsEveryNote(t *testing.T) {
	for name := range capture.NoteNames() {
		if ledger.Note(string(name)) == ledger.NoteUnknown {
			t.Errorf("analyze/ledger has no entry for the note %s (%s)", name, name.Sentence())
		}
	}
}
