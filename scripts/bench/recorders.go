package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// recorder is something that records the server while it is under load.
type recorder struct {
	name string
	// slow ones are measured once: their ratios are far from everybody else's.
	slow bool
	args func(n *nginx, out string) []string
	env  []string
	// ready reports whether it records, from what it has printed, what it has written, and how long it has been running.
	ready func(printed, out string, since time.Duration) bool
	// result returns the exchanges that the output holds and the records that were lost.
	result func(ctx context.Context, out, printed string) (exchanges, lost int, err error)
}

//go:embed payload.bt
var payloadScript []byte

const (
	onlyNet = "reel capture --only net" // the recorder that the bars are about
	ours    = "reel capture"
	peer    = "tcpdump -w"
)

// recorder returns one by its name.
func (b *bench) recorder(name string) (*recorder, error) {
	all, err := b.recorders()
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].name == name {
			return &all[i], nil
		}
	}
	return nil, fmt.Errorf("no recorder is called %s", name)
}

func (b *bench) recorders() ([]recorder, error) {
	script := filepath.Join(b.dir, "payload.bt")
	if err := os.WriteFile(script, payloadScript, 0o600); err != nil {
		return nil, err
	}
	says := func(words string) func(printed, out string, _ time.Duration) bool {
		return func(printed, _ string, _ time.Duration) bool { return strings.Contains(printed, words) }
	}
	return []recorder{
		{
			name: onlyNet,
			args: func(n *nginx, out string) []string {
				return []string{b.reel, "capture", "-p", strconv.Itoa(n.worker), "--only", "net", "-s", "full", "-w", out}
			},
			ready: says("recording"), result: readReel,
		},
		{
			name: ours,
			args: func(n *nginx, out string) []string {
				return []string{b.reel, "capture", "-p", strconv.Itoa(n.worker), "-w", out}
			},
			ready: says("recording"), result: readReel,
		},
		{
			name: peer,
			args: func(n *nginx, out string) []string {
				_, port, _ := strings.Cut(n.addr, ":")
				return []string{"tcpdump", "-i", "lo", "-s", "0", "-B", "65536", "-Z", "root", "-w", out, "tcp", "port", port}
			},
			ready: says("listening on"), result: readPcap,
		},
		{
			name: "strace -e trace=network", slow: true,
			args: func(n *nginx, out string) []string {
				return []string{"strace", "-f", "-e", "trace=network,writev", "-s", "256", "-p", strconv.Itoa(n.worker), "-o", out}
			},
			ready: says("attached"), result: countLines("recvfrom(", "GET /page", "= "),
		},
		{
			name: "perf trace (no payload)", slow: true,
			args: func(n *nginx, out string) []string {
				return []string{"perf", "trace", "-p", strconv.Itoa(n.worker), "-e", "recvfrom,writev", "-o", out}
			},
			ready:  func(_, _ string, since time.Duration) bool { return since > 3*time.Second }, // it says nothing
			result: countLines("recvfrom(", "= "),
		},
		{
			name: "bpftrace printing 200 B", slow: true,
			env: []string{"BPFTRACE_STRLEN=200", "BPFTRACE_MAX_STRLEN=200"},
			args: func(n *nginx, out string) []string {
				return []string{"bpftrace", "-o", out, script, strconv.Itoa(n.worker)}
			},
			// It writes what it prints when its buffer is full: before that only that it attaches.
			ready: func(_, out string, since time.Duration) bool {
				text, err := os.ReadFile(out)
				return err == nil && bytes.Contains(text, []byte("Attaching")) && since > 3*time.Second
			},
			result: countLines("R ", "GET /page"),
		},
	}, nil
}

// countLines counts the lines of a text that hold all words, and the events that the tool says it lost.
func countLines(words ...string) func(context.Context, string, string) (int, int, error) {
	return func(_ context.Context, out, printed string) (exchanges, lost int, err error) {
		f, err := os.Open(out)
		if err != nil {
			return 0, 0, err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
	next:
		for lines.Scan() {
			var n int
			if _, err := fmt.Sscanf(lines.Text(), "Lost %d events", &n); err == nil {
				lost += n
				continue
			}
			for _, w := range words {
				if !strings.Contains(lines.Text(), w) || strings.Contains(lines.Text(), "= -1 ") {
					continue next
				}
			}
			exchanges++
		}
		for line := range strings.SplitSeq(printed, "\n") {
			var n int
			if _, err := fmt.Sscanf(line, "Lost %d events", &n); err == nil {
				lost += n
			}
		}
		return exchanges, lost, lines.Err()
	}
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
