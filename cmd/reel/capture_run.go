//go:build linux && (amd64 || arm64)

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"

	"github.com/ebpf-reel/reel/capture"
	"github.com/ebpf-reel/reel/format"
)

// spareProcessors is how many goroutines may run beyond one for each CPU. The one that drains the rings must not queue for a
// processor of Go's scheduler behind the sealer and the collector: it has a thread that the kernel runs first, and needs a free
// one for that to help. Above maxProcessors CPUs, the recorder has no use for more.
const (
	spareProcessors = 2
	maxProcessors   = 4
)

// heapPercent is the recorder's GOGC. Once it records it allocates next to nothing; what it takes while it reads the kernel's types
// would stay its peak.
const heapPercent = 25

func setRuntime() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(runtime.NumCPU(), maxProcessors) + spareProcessors)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapPercent)
	}
}

// runCapture records and prints. The first signal ends the capture as its duration would; the second makes the end quick, so that
// a tail stays unsealed; the third ends the program wherever it is.
func runCapture(stderr io.Writer, cfg capture.Config) error {
	setRuntime()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, endSignals...)
	defer signal.Stop(signals)
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)

	p := newCapturePrinter(stderr, len(cfg.Command) > 0)
	snaps := make(chan os.Signal, 1)
	signal.Notify(snaps, syscall.SIGUSR2) // a capture that keeps all anyhow must not die of it
	defer signal.Stop(snaps)
	ready := make(chan capture.Ready, 1)
	cfg.OnReady = func(r capture.Ready) {
		p.ready(r)
		ready <- r
	}
	cfg.OnProgress, cfg.OnFiring, cfg.OnAction = p.progress, p.firing, p.action
	leave := make(chan struct{})
	cfg.Leave = leave
	var second atomic.Int64 // the second signal; 0: none yet
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		select {
		case <-finished:
			return
		case <-signals:
		}
		cancel()
		p.say("ending: taking what is left and sealing the reel (the same signal again leaves the rest unsealed)")
		select {
		case <-finished:
			return
		case s := <-signals:
			second.Store(int64(s.(syscall.Signal)))
		}
		close(leave)
		select {
		case <-finished:
		case s := <-signals:
			endBy(s.(syscall.Signal))
		}
	}()

	go snapOnSignal(p, ready, snaps, finished)
	summary, err := capture.Record(ctx, cfg)
	if summary != nil {
		p.summary(summary)
	}
	if unsealed := (*format.UnsealedError)(nil); errors.As(err, &unsealed) {
		p.say(fmt.Sprintf("ended by a second signal: %s is not sealed to its end (%s left); every command of reel reads it all the same, and reel recover seals it",
			shellQuote(cfg.Dir), plural(unsealed.Journals, "journal", "journals")))
		endBy(syscall.Signal(second.Load()))
	}
	if err != nil {
		return captureError(err)
	}
	if len(cfg.Command) > 0 {
		if summary.CommandRuns {
			p.say("the command still runs, and is not recorded any more")
		}
		return commandError(cfg.Command[0], summary)
	}
	return nil
}

// endBy ends this program by the signal itself, so that whoever waits for it sees that. What was flushed is in the reel.
func endBy(s syscall.Signal) {
	signal.Reset(s)
	_ = syscall.Kill(os.Getpid(), s)
}

// snapOnSignal asks a flight recorder for a snap of all that its ring holds with each signal.
func snapOnSignal(p *capturePrinter, ready <-chan capture.Ready, signals <-chan os.Signal, finished <-chan struct{}) {
	var r capture.Ready
	select {
	case r = <-ready:
	case <-finished:
		return
	}
	for {
		select {
		case <-finished:
			return
		case <-signals:
		}
		if r.Snap == nil {
			p.say("SIGUSR2 is for a flight recorder (--ring): this capture keeps all that it records")
			continue
		}
		_, err := r.Snap(capture.SnapRequest{Reason: "SIGUSR2", OnBegin: p.snapBegun, OnDone: p.snapDone})
		if err != nil {
			p.say("no snap was made: " + sentence(err.Error()))
		}
	}
}
