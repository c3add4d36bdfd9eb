package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/capture/capturetest"
)

// reelBin is the built binary that all tests run.
var reelBin string

func TestMain(m *testing.M) {
	if spec := os.Getenv(driverEnv); spec != "" {
		os.Exit(driverMain(spec))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "reel-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// nobody must be able to execute the binary.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	reelBin = filepath.Join(dir, "reel")

	build := exec.Command("go", "build", "-o", reelBin, "github.com/ebpf-reel/reel/cmd/reel")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building reel: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// needRoot fails the test where the recorder cannot run; REEL_ALLOW_SKIP=1 turns that into a skip on a developer's laptop.
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

// need fails when a program of Debian's is not installed.
func need(t *testing.T, program, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is not installed: apt-get install %s (make test does it)", program, pkg)
	}
	return path
}

// waitFor polls cond until it holds; it fails the test after limit.
func waitFor(t *testing.T, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, limit)
		}
		<-tick.C
	}
}

// proc is a process that a test started.
type proc struct {
	cmd  *exec.Cmd
	out  *capturetest.Output
	done chan struct{}
	err  error
}

// start runs a program in its own process group; the test ends it, by pid, when it is over.
func start(t *testing.T, env []string, name string, args ...string) *proc {
	t.Helper()
	return startWith(t, nil, env, name, args...)
}

// startWith is start with a standard input.
func startWith(t *testing.T, stdin *os.File, env []string, name string, args ...string) *proc {
	t.Helper()
	p := &proc{cmd: exec.Command(name, args...), out: &capturetest.Output{}, done: make(chan struct{})}
	if stdin != nil {
		p.cmd.Stdin = stdin
	}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.done) }()
	t.Cleanup(func() { p.kill() })
	return p
}

func (p *proc) pid() int { return p.cmd.Process.Pid }

func (p *proc) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *proc) kill() {
	if p.running() {
		_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
		<-p.done
	}
}

// wait waits for the end of the process and fails the test if it takes too long or exits with another code than want.
func (p *proc) wait(t *testing.T, limit time.Duration, want int) string {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.kill()
		t.Fatalf("%s did not end within %v:\n%s", strings.Join(p.cmd.Args, " "), limit, p.out.String())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != want {
		t.Fatalf("%s: exit code %d, want %d:\n%s", strings.Join(p.cmd.Args, " "), code, want, p.out.String())
	}
	return p.out.String()
}

func (p *proc) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(p.pid(), s); err != nil {
		t.Fatalf("signal %v: %v", s, err)
	}
}

// reel runs the binary to its end and returns what it printed.
func reel(t *testing.T, want int, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, reelBin, args...)
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != want {
		t.Fatalf("reel %s: exit code %d (%v), want %d:\n%s", strings.Join(args, " "), code, err, want, out)
	}
	return string(out)
}

// recording is a running `reel capture`.
type recording struct {
	*proc
	dir string
}

// record starts a capture and returns once its hooks are attached and its targets registered.
func record(t *testing.T, args ...string) *recording {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "c.reel")
	p := start(t, nil, reelBin, append([]string{"capture", "-w", dir}, args...)...)
	waitFor(t, 30*time.Second, "reel capture is recording", func() bool {
		if !p.running() {
			t.Fatalf("reel capture ended early:\n%s", p.out.String())
		}
		return strings.Contains(p.out.String(), "recording")
	})
	t.Cleanup(func() { keepReel(t, dir) })
	return &recording{proc: p, dir: dir}
}

// keepReel saves the reel of a failed test under REEL_E2E_KEEP, for a look with reel dump.
func keepReel(t *testing.T, dir string) {
	t.Helper()
	if to := os.Getenv("REEL_E2E_KEEP"); to != "" && t.Failed() {
		copyTree(t, dir, filepath.Join(to, strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())+".reel"))
	}
}

// stop ends the capture as a user does, with one SIGINT, and returns its summary.
func (r *recording) stop(t *testing.T) string {
	t.Helper()
	r.signal(t, syscall.SIGINT)
	text := r.wait(t, 2*time.Minute, 0)
	if strings.Contains(text, "of unknown kind") {
		t.Errorf("the recorder does not know the kinds of its own records:\n%s", text)
	}
	return text
}
