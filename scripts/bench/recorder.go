package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// recorder is something that records the server while it is under load.
type recorder struct {
	name string
	args func(n *nginx, out string) []string
	// ready reports whether it records, from what it has printed.
	ready func(printed string) bool
	// result returns the exchanges that the output holds and the records that were lost.
	result func(ctx context.Context, out, printed string) (exchanges, lost int, err error)
}

func (b *bench) recorders() []recorder {
	return []recorder{
		{
			name: "reel capture, every byte",
			args: func(n *nginx, out string) []string {
				return []string{b.reel, "capture", "-p", strconv.Itoa(n.worker), "-s", "full", "-w", out}
			},
			ready:  func(printed string) bool { return strings.Contains(printed, "recording") },
			result: readReel,
		},
		{
			name: "tcpdump -w",
			args: func(n *nginx, out string) []string {
				_, port, _ := strings.Cut(n.addr, ":")
				return []string{"tcpdump", "-i", "lo", "-s", "0", "-B", "65536", "-Z", "root", "-w", out, "tcp", "port", port}
			},
			ready:  func(printed string) bool { return strings.Contains(printed, "listening on") },
			result: readPcap,
		},
	}
}

// measured is one measurement of the server, with or without a recorder.
type measured struct {
	requests  float64
	seconds   float64
	server    time.Duration // CPU of the worker
	machine   time.Duration // CPU of everything
	recording time.Duration // CPU of the recorder while the load ran
	all       usage         // of the recorder, from its start to its end, sealing included
	bytes     int64         // on disk
	exchanges int           // held by the output
	lost      int
}

func (m measured) rate() float64 { return m.requests / m.seconds }

// recorderCost measures pairs: the server alone, the server with a recorder.
func (b *bench) recorderCost(ctx context.Context, web *nginx, p *document) error {
	s := section{
		title: "What recording costs a server",
		about: "nginx with one worker answers 100 bytes as fast as wrk asks over 16 connections, the worst case that there is for a recorder. " +
			fmt.Sprintf("%d pairs of %s each. CPU and bytes of the recorder include what it does after the load: sealing into Parquet.", b.rounds, b.load),
		head: []string{"recorder", "requests/s without", "throughput, of without", "nginx CPU per request, of without", "machine CPU per request, of without",
			"recorder CPU ms per 1,000 requests, while recording", "the same, sealing included", "peak RSS MiB", "bytes per exchange on disk", "exchanges held, of served", "records lost"},
	}
	if _, err := web.load(ctx, time.Second); err != nil { // warm
		return err
	}
	for _, r := range b.recorders() {
		var rate, ratio, server, machine, during, total, rss, size, held, lost []float64
		for round := range b.rounds {
			var without, with measured
			var err error
			order := []*measured{&without, &with}
			if round%2 == 1 {
				order = []*measured{&with, &without}
			}
			for _, m := range order {
				if m == &without {
					*m, err = b.measure(ctx, web, nil)
				} else {
					*m, err = b.measure(ctx, web, &r)
				}
				if err != nil {
					return fmt.Errorf("%s: %w", r.name, err)
				}
			}
			perRequest := func(d time.Duration, m measured) float64 { return d.Seconds() / m.requests }
			rate = append(rate, without.rate())
			ratio = append(ratio, with.rate()/without.rate())
			server = append(server, perRequest(with.server, with)/perRequest(without.server, without))
			machine = append(machine, perRequest(with.machine, with)/perRequest(without.machine, without))
			during = append(during, 1e6*perRequest(with.recording, with))
			total = append(total, 1e6*perRequest(with.all.cpu, with))
			rss = append(rss, float64(with.all.maxRSS))
			size = append(size, float64(with.bytes)/with.requests)
			held = append(held, float64(with.exchanges)/with.requests)
			lost = append(lost, float64(with.lost))
			fmt.Fprintf(os.Stderr, "   %s: %.0f/s of %.0f/s, %d lost\n", r.name, with.rate(), without.rate(), with.lost)
		}
		f := func(format string, v []float64) string { return fmt.Sprintf(format, median(v)) }
		s.rows = append(s.rows, []string{r.name, f("%.0f", rate), f("%.3f", ratio), f("%.3f", server), f("%.3f", machine), f("%.2f", during), f("%.2f", total),
			mib(median(rss)), f("%.1f", size), f("%.4f", held), f("%.0f", lost)})
	}
	p.add(s)
	return nil
}

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
			if recorder, err = processCPU(run.cmd.Process.Pid); err != nil {
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
	start := time.Now()
	requests, err := web.load(ctx, b.load)
	if err != nil {
		return m, err
	}
	m.requests, m.seconds = float64(requests), time.Since(start).Seconds()
	if m.server, m.machine, m.recording, err = read(); err != nil {
		return m, err
	}
	m.server, m.machine, m.recording = m.server-server, m.machine-machine, m.recording-rec
	if run == nil {
		return m, nil
	}
	time.Sleep(settle)
	if err := run.finish(); err != nil {
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
	printed *syncBuffer
	done    chan struct{} // closed when the command has ended
	err     error         // its result, once done
}

func startRecorder(ctx context.Context, r *recorder, web *nginx, out string) (*running, error) {
	args := r.args(web, out)
	run := &running{cmd: exec.CommandContext(ctx, args[0], args[1:]...), printed: &syncBuffer{}, done: make(chan struct{})}
	run.cmd.Stdout, run.cmd.Stderr = io.Discard, run.printed
	run.cmd.WaitDelay = time.Minute
	if err := run.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		run.err = run.cmd.Wait()
		close(run.done)
	}()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if r.ready(run.printed.String()) {
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
		if run.err != nil {
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

// readPcap counts the requests in a packet capture (each lies in one packet here) and what tcpdump says it dropped.
func readPcap(_ context.Context, out, printed string) (exchanges, lost int, err error) {
	for line := range strings.SplitSeq(printed, "\n") {
		if n, ok := strings.CutSuffix(strings.TrimSpace(line), " packets dropped by kernel"); ok {
			if lost, err = strconv.Atoi(n); err != nil {
				return 0, 0, err
			}
		}
	}
	f, err := os.Open(out)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadSlice('\n')
		if bytes.HasSuffix(line, []byte("GET /page HTTP/1.1\r\n")) {
			exchanges++
		}
		switch {
		case errors.Is(err, io.EOF):
			return exchanges, lost, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return 0, 0, err
		}
	}
}
