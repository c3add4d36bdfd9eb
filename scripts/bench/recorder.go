package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/ebpf-reel/reel/capture/capturetest"
)

// measured is one measurement of the server, with or without a recorder.
type measured struct {
	requests  float64
	seconds   float64
	server    time.Duration // CPU of the worker
	machine   time.Duration // CPU of everything
	recording time.Duration // CPU of the recorder while the load ran
	all       usage         // of the recorder, from its start to its end, sealing included
	rss       int64         // of the recorder: the sum of the peaks of its processes
	foreign   float64       // share of the machine that neither server, load nor recorder took
	bytes     int64         // on disk
	exchanges int           // held by the output
	lost      int
}

func (m measured) rate() float64 { return m.requests / m.seconds }

// settle is what a recorder gets to take what the kernel still holds for it: tcpdump drops that when it is interrupted.
const settle = 500 * time.Millisecond

func (b *bench) measure(ctx context.Context, web *nginx, r *recorder) (m measured, err error) {
	var run *running
	out := filepath.Join(b.dir, "recording")
	if r != nil {
		if run, err = startRecorder(ctx, r, web, out); err != nil {
			return m, err
		}
		defer run.kill()
		defer os.RemoveAll(out)
	}
	read := func() (server, machine, recorder time.Duration, err error) {
		if server, err = processCPU(web.worker); err != nil {
			return
		}
		if run != nil {
			if recorder, err = treeCPU(run.cmd.Process.Pid); err != nil {
				return
			}
		}
		machine, err = machineCPU()
		return
	}
	server, machine, rec, err := read()
	if err != nil {
		return m, err
	}
	var memory *watched
	if run != nil {
		memory = watch(run.cmd.Process.Pid)
	}
	start := time.Now()
	requests, asking, err := web.load(ctx, b.load)
	if err != nil {
		return m, err
	}
	m.requests, m.seconds = float64(requests), time.Since(start).Seconds()
	if m.server, m.machine, m.recording, err = read(); err != nil {
		return m, err
	}
	m.server, m.machine, m.recording = m.server-server, m.machine-machine, m.recording-rec
	m.foreign = max(0, (m.machine-m.server-m.recording-asking).Seconds()/(m.seconds*float64(runtime.NumCPU())))
	if run == nil {
		return m, nil
	}
	time.Sleep(settle)
	err = run.finish()
	m.rss = memory.end()
	if err != nil {
		return m, err
	}
	m.all = ended(run.cmd)
	if m.bytes, err = diskBytes(out); err != nil {
		return m, err
	}
	m.exchanges, m.lost, err = r.result(ctx, out, run.printed.String())
	return m, err
}

// running is a recorder at work.
type running struct {
	cmd     *exec.Cmd
	printed *capturetest.Output
	done    chan struct{} // closed when the command has ended
	err     error         // its result, once done
}

func startRecorder(ctx context.Context, r *recorder, web *nginx, out string) (*running, error) {
	args := r.args(web, out)
	run := &running{cmd: exec.CommandContext(ctx, args[0], args[1:]...), printed: &capturetest.Output{}, done: make(chan struct{})}
	run.cmd.Stdout, run.cmd.Stderr = io.Discard, run.printed
	run.cmd.WaitDelay = time.Minute
	run.cmd.Env = append(os.Environ(), r.env...)
	begun := time.Now()
	if err := run.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		run.err = run.cmd.Wait()
		close(run.done)
	}()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if r.ready(run.printed.String(), out, time.Since(begun)) {
			return run, nil
		}
		select {
		case <-run.done:
			return nil, fmt.Errorf("it ended before it recorded (%w): %s", run.err, run.printed)
		default:
		}
	}
	run.kill()
	return nil, errors.New("it does not say that it records: " + run.printed.String())
}

// finish ends the recording as a user does, by SIGINT, and waits for what the recorder still has to write.
func (run *running) finish() error {
	if err := run.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-run.done:
		// Who ends at SIGINT because of it has done what it should.
		status, _ := run.cmd.ProcessState.Sys().(syscall.WaitStatus)
		if run.err != nil && !(status.Signaled() && status.Signal() == syscall.SIGINT) && status.ExitStatus() != 128+int(syscall.SIGINT) {
			return fmt.Errorf("%w: %s", run.err, run.printed)
		}
		return nil
	case <-time.After(2 * time.Minute):
		return errors.New("it does not end: " + run.printed.String())
	}
}

// kill ends the recorder whatever it does; harmless after finish.
func (run *running) kill() {
	_ = run.cmd.Process.Signal(syscall.SIGKILL)
	<-run.done
}

func diskBytes(path string) (sum int64, err error) {
	err = filepath.WalkDir(path, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		sum += info.Size()
		return nil
	})
	return sum, err
}
