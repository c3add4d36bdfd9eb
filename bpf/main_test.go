//go:build linux && (amd64 || arm64)

package bpf

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/ebpf-reel/reel/format/wire"
)

// The tests record processes of their own: this test binary, started again to play one scenario (target_test.go).
const scenarioEnv = "REEL_BPF_SCENARIO"

func TestMain(m *testing.M) {
	if name := os.Getenv(scenarioEnv); name != "" {
		os.Exit(playScenario(name, os.Getenv("REEL_BPF_FAMILY")))
	}
	os.Exit(m.Run())
}

const patience = 10 * time.Second // for what must happen at once

// privileged ends the test unless BPF programs can be loaded.
func privileged(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("REEL_ALLOW_SKIP") == "1" {
		t.Skip("BPF programs can be loaded by root only")
	}
	t.Fatal("this test loads BPF programs: run it as root, or allow skips by REEL_ALLOW_SKIP=1")
}

// attached loads and attaches everything.
func attached(t testing.TB, opts Options) *Objects {
	t.Helper()
	privileged(t)
	o, err := Load(opts)
	if err != nil {
		var v *ebpf.VerifierError
		if errors.As(err, &v) {
			t.Logf("%+v", v)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	for _, h := range o.Attach() {
		if h.Err != nil {
			t.Errorf("%s: %v", h.Name, h.Err)
		}
	}
	return o
}

// target is a running scenario.
type target struct {
	t      testing.TB
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	exited bool
}

// start starts a scenario. It has sockets open as far as the scenario says, and waits for proceed.
func start(t testing.TB, scenario, family string) *target {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), scenarioEnv+"="+scenario, "REEL_BPF_FAMILY="+family)
	cmd.Stderr = os.Stderr
	p := &target{t: t, cmd: cmd}
	var err error
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReaderSize(stdout, 1<<20)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !p.exited {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	p.await("ready")
	return p
}

func (p *target) pid() uint32 { return uint32(p.cmd.Process.Pid) }

func (p *target) line() string {
	p.t.Helper()
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		p.t.Fatalf("the scenario ended early: %v", err)
	}
	return strings.TrimSuffix(line, "\n")
}

func (p *target) await(want string) {
	p.t.Helper()
	if got := p.line(); got != want {
		p.t.Fatalf("the scenario said %q, want %q", got, want)
	}
}

// proceed lets the scenario go on to its next pause.
func (p *target) proceed() {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.stdin, "go"); err != nil {
		p.t.Fatal(err)
	}
}

// finish waits for the end and returns what the scenario says it did.
func (p *target) finish() []step {
	p.t.Helper()
	var steps []step
	if err := json.Unmarshal([]byte(p.line()), &steps); err != nil {
		p.t.Fatal(err)
	}
	p.exited = true
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("scenario: %v", err)
	}
	return steps
}

// collect drains the rings into decoded events, which own their payload.
func collect(t testing.TB, o *Objects) (events []wire.Event) {
	t.Helper()
	_, err := o.Drain(func(ev []byte) error {
		const kindOffset = 30 // of event_header in include/event.h
		if binary.LittleEndian.Uint16(ev[kindOffset:]) == wire.EventMapped {
			return nil // a word to the recorder, and no event of a reel
		}
		events = append(events, decoded(t, ev))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func decoded(t testing.TB, ev []byte) (e wire.Event) {
	t.Helper()
	if err := wire.Decode(append([]byte(nil), ev...), &e); err != nil {
		t.Fatalf("% x: %v", ev[:min(len(ev), 64)], err)
	}
	return e
}

// record plays a scenario as the only target, from its first pause to its end.
func record(t testing.TB, opts Options, scenario, family string) ([]step, []wire.Event) {
	t.Helper()
	o := attached(t, opts)
	p := start(t, scenario, family)
	if err := o.AddTarget(p.pid()); err != nil {
		t.Fatal(err)
	}
	p.proceed()
	steps := p.finish()
	events := ordered(collect(t, o))
	noLoss(t, o)
	return steps, events
}

// noLoss holds that every record found room.
func noLoss(t testing.TB, o *Objects) {
	t.Helper()
	loss, err := o.Loss()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range loss {
		if l.Lost != 0 {
			t.Errorf("CPU %d lost %d records of %d bytes", l.CPU, l.Lost, l.LostBytes)
		}
	}
}
