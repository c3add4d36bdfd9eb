package main

import (
	"context"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// readReel counts the complete exchanges of a reel and the records that the recorder lost.
func readReel(ctx context.Context, dir, _ string) (exchanges, lost int, err error) {
	r, err := format.Open(dir, format.OpenOptions{})
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	var c counter
	result, err := analyze.Run(ctx, r, analyze.Config{}, &c)
	if err != nil {
		return 0, 0, err
	}
	return c.complete, int(result.Summary.LostEvents), nil
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

// ringCounts sums what the rings of all CPUs counted until the end of the capture.
func ringCounts(dir string) (captured, lost uint64, err error) {
	r, err := format.Open(dir, format.OpenOptions{})
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	last := map[uint16]format.Ring{} // counters are totals
	for row, err := range r.Rows(format.RowsOptions{}) {
		if err != nil {
			return 0, 0, err
		}
		if ring, ok := row.(*format.Ring); ok {
			last[ring.CPU] = *ring
		}
	}
	for _, ring := range last {
		captured += ring.Captured
		lost += ring.Lost
	}
	return captured, lost, nil
}
