package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// eventRate raises the number of small socket calls until the recorder loses some.
func (b *bench) eventRate(ctx context.Context, _ *nginx, p *document) error {
	s := section{
		title: "How many events the recorder takes",
		about: "One process writes 64 bytes at a time to itself over loopback TCP and reads them again, at a rising rate, on the same cores as the recorder. " +
			"An event is one call. The last row is as fast as the process can.",
		head: []string{"writes/s asked for", "calls/s made", "events/s recorded", "lost", "recorder CPU, of one core"},
	}
	for _, rate := range []int{50_000, 100_000, 200_000, 400_000, 0} {
		row, err := b.hammered(ctx, rate)
		if err != nil {
			return err
		}
		s.rows = append(s.rows, row)
	}
	p.add(s)
	return nil
}

func (b *bench) hammered(ctx context.Context, rate int) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "hammer", "-rate", strconv.Itoa(rate), "-d", "2s")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	}()
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		return nil, errors.New("the hammer did not start")
	}

	out := filepath.Join(b.dir, "hammered")
	defer os.RemoveAll(out)
	r, err := b.recorder(ours)
	if err != nil {
		return nil, err
	}
	r.args = func(*nginx, string) []string {
		return []string{b.reel, "capture", "-p", strconv.Itoa(cmd.Process.Pid), "-w", out}
	}
	run, err := startRecorder(ctx, r, nil, out)
	if err != nil {
		return nil, err
	}
	defer run.kill()
	before, err := treeCPU(run.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	if _, err := stdin.Write([]byte("go\n")); err != nil {
		return nil, err
	}
	if !lines.Scan() {
		return nil, errors.New("the hammer failed")
	}
	after, err := treeCPU(run.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	calls, nanos, ok := strings.Cut(lines.Text(), " ")
	made, err1 := strconv.Atoi(calls)
	took, err2 := strconv.ParseInt(nanos, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return nil, fmt.Errorf("the hammer printed %q", lines.Text())
	}
	seconds := time.Duration(took).Seconds()
	if err := run.finish(); err != nil {
		return nil, err
	}
	held, err := countReel(ctx, out)
	if err != nil {
		return nil, err
	}
	asked := strconv.Itoa(rate)
	if rate == 0 {
		asked = "all"
	}
	fmt.Fprintf(os.Stderr, "   %s/s: %d captured, %d lost\n", asked, held.captured, held.lost)
	return []string{asked, fmt.Sprintf("%.0f", float64(made)/seconds), fmt.Sprintf("%.0f", float64(held.captured)/seconds), strconv.Itoa(held.lost),
		fmt.Sprintf("%.1f %%", 100*(after-before).Seconds()/seconds)}, nil
}
