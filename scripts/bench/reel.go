package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// contents is what a reel holds.
type contents struct {
	exchanges int // request and response both seen
	captured  int // records that the rings took, and
	lost      int // those that found no room
}

func readReel(ctx context.Context, dir, _ string) (exchanges, lost int, err error) {
	c, err := countReel(ctx, dir)
	return c.exchanges, c.lost, err
}

// countReel runs count in a process of its own.
func countReel(ctx context.Context, dir string) (c contents, err error) {
	self, err := os.Executable()
	if err != nil {
		return c, err
	}
	out, err := exec.CommandContext(ctx, self, "count", dir).Output()
	if err != nil {
		return c, fmt.Errorf("count what %s holds: %w", dir, err)
	}
	_, err = fmt.Sscan(string(out), &c.exchanges, &c.captured, &c.lost)
	return c, err
}

// count prints the contents of the reel named by its argument.
func count(args []string) error {
	if len(args) != 1 {
		return errors.New("want one reel")
	}
	r, err := format.Open(args[0], format.OpenOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	var c counter
	result, err := analyze.Run(context.Background(), r, analyze.Config{}, &c)
	if err != nil {
		return err
	}
	taken, lost := result.Summary.Overhead.Events, result.Summary.LostEvents
	_, err = fmt.Println(c.complete, taken, lost)
	return err
}

// counter is a sink that counts exchanges of which both sides were seen.
type counter struct{ complete int }

// Connection does nothing.
func (*counter) Connection(*facts.Connection) error { return nil }

// Exchange counts e.
func (c *counter) Exchange(e *facts.Exchange) error {
	if e.Missing&(facts.NoRequest|facts.NoResponse|facts.RequestGap|facts.ResponseGap) == 0 {
		c.complete++
	}
	return nil
}
