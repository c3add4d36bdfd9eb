//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stepSeconds is how far the wall clock is set forward during the first capture.
const stepSeconds = 3600

// limit bounds everything that is waited for: emulation is slow, and a machine that hangs tells nothing.
const limit = 3 * time.Minute

// steps is the test: servers, a client whose connections are older than the capture, a capture with a step of the clock in it, and
// a capture of a command.
func steps() error {
	for _, server := range []string{"shop-poll", "shop-vec"} {
		if _, err := start(nil, server+".txt", "/bin/"+server); err != nil {
			return err
		}
	}
	for _, port := range []int{pollPort, vecPort} {
		if err := answers(port); err != nil {
			return err
		}
	}
	if err := recordAll(); err != nil {
		return errors.Join(fmt.Errorf("record servers and client: %w", err), whyNot())
	}
	if err := recordCommand(); err != nil {
		return fmt.Errorf("record a command: %w", err)
	}
	if err := recordInside(); err != nil {
		return fmt.Errorf("record inside a pid namespace: %w", err)
	}
	if has, err := loadTLS(); err != nil || !has {
		return err
	}
	if err := recordKTLS(); err != nil {
		return fmt.Errorf("record kTLS: %w", err)
	}
	return nil
}

// whyNot leaves the verifier's words among the results, if it has any.
func whyNot() error {
	load, err := start(nil, "verifier.txt", "/bin/load-objects")
	if err != nil {
		return err
	}
	return load.ends(0)
}

func recordAll() error {
	text, err := json.Marshal(plan{Keep: 3, Requests: 14, Short: 10, Rounds: 2, Out: filepath.Join(resultDir, "all.jsonl")})
	if err != nil {
		return err
	}
	gateOut, gate, err := os.Pipe()
	if err != nil {
		return err
	}
	client, err := start(gateOut, "client.txt", "/bin/shop-client", string(text))
	if err != nil {
		return err
	}
	if err := client.says("ready", 1); err != nil {
		return err
	}
	recorder, err := start(nil, "all.txt", "/bin/reel", "capture", "--keep-secrets", "--comm", "shop-poll", "--comm", "shop-vec", "--comm", "shop-client",
		"-w", filepath.Join(resultDir, "all.reel"))
	if err != nil {
		return err
	}
	if err := recorder.says("recording", 1); err != nil {
		return err
	}
	for round := range 2 {
		if _, err := io.WriteString(gate, "go\n"); err != nil {
			return err
		}
		if err := client.says("done", round+1); err != nil {
			return err
		}
		if round == 0 {
			if err := stepClock(stepSeconds); err != nil {
				return err
			}
		}
	}
	if err := client.ends(0); err != nil {
		return err
	}
	if err := recorder.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	return recorder.ends(0)
}

func recordCommand() error {
	text, err := json.Marshal(plan{Keep: 1, Requests: 7, Short: 4, Out: filepath.Join(resultDir, "command.jsonl")})
	if err != nil {
		return err
	}
	recorder, err := start(nil, "command.txt", "/bin/reel", "capture", "--oncpu", "--cpu-hz", "997", "--offcpu", "--min-block", "100us", "-w", filepath.Join(resultDir, "command.reel"), "--", "/bin/shop-client", string(text))
	if err != nil {
		return err
	}
	return recorder.ends(0)
}

// recordInside has the recorder run in a pid namespace of its own, with a command.
func recordInside() error {
	text, err := json.Marshal(plan{Keep: 1, Requests: 7, Short: 4, Out: filepath.Join(resultDir, "inside.jsonl")})
	if err != nil {
		return err
	}
	recorder, err := startIn(namespaces, nil, "inside.txt", "/bin/enter", "/bin/reel", "capture", "-w", filepath.Join(resultDir, "inside.reel"), "--", "/bin/shop-client", string(text))
	if err != nil {
		return err
	}
	return recorder.ends(0)
}

func recordKTLS() error {
	recorder, err := start(nil, "ktls.txt", "/bin/reel", "capture", "-w", filepath.Join(resultDir, "ktls.reel"), "--", "/bin/shop-ktls")
	if err != nil {
		return err
	}
	return recorder.ends(0)
}

// program is a started one. What it prints is in a file of the results.
type program struct {
	cmd  *exec.Cmd
	out  string
	done chan struct{}
	err  error // valid once done is closed
}

func start(stdin *os.File, out, path string, args ...string) (*program, error) {
	return startIn(0, stdin, out, path, args...)
}

// startIn starts a program in new namespaces.
func startIn(namespaces uintptr, stdin *os.File, out, path string, args ...string) (*program, error) {
	p := &program{cmd: exec.Command(path, args...), out: filepath.Join(resultDir, out), done: make(chan struct{})}
	f, err := os.Create(p.out)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if stdin != nil {
		p.cmd.Stdin = stdin
	}
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.Dir = "/tmp"
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// says waits until the program has printed n lines that contain word.
func (p *program) says(word string, n int) error {
	return until(fmt.Sprintf("%s says %q", p.cmd.Path, word), func() (bool, error) {
		select {
		case <-p.done:
			if p.count(word) < n {
				return false, fmt.Errorf("%s ended early (%v)", p.cmd.Path, p.cmd.ProcessState)
			}
		default:
		}
		return p.count(word) >= n, nil
	})
}

func (p *program) count(word string) (n int) {
	f, err := os.Open(p.out)
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.Contains(lines.Text(), word) {
			n++
		}
	}
	return n
}

// ends waits for the program's end, which must have this exit code.
func (p *program) ends(code int) error {
	select {
	case <-p.done:
	case <-time.After(limit):
		return errors.Join(fmt.Errorf("%s did not end within %v", p.cmd.Path, limit), p.cmd.Process.Signal(syscall.SIGQUIT))
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		return fmt.Errorf("%s ended with %v, want exit code %d", p.cmd.Path, p.cmd.ProcessState, code)
	}
	return nil
}

func answers(port int) error {
	return until(fmt.Sprintf("a server answers on port %d", port), func() (bool, error) {
		conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			conn.Close()
		}
		return err == nil, nil
	})
}

func until(what string, holds func() (bool, error)) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for over := time.After(limit); ; {
		if ok, err := holds(); ok || err != nil {
			return err
		}
		select {
		case <-over:
			return fmt.Errorf("%s: not within %v", what, limit)
		case <-tick.C:
		}
	}
}
