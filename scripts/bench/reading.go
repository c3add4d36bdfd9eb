package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// reading records a million exchanges once and reads them by reel; tcpdump records a share of the same traffic for tshark.
func (b *bench) reading(ctx context.Context, web *nginx, p *document) error {
	reelDir, pcap := filepath.Join(b.dir, "million"), filepath.Join(b.dir, "share.pcap")
	if err := b.recordBoth(ctx, web, reelDir, pcap); err != nil {
		return err
	}
	exchanges, lost, err := readReel(ctx, reelDir, "")
	if err != nil {
		return err
	}
	bytes, err := diskBytes(reelDir)
	if err != nil {
		return err
	}
	tables := filepath.Join(b.dir, "tables")
	readers := []struct {
		name string
		args []string
		// exchanges in its input; 0: count the lines it prints
		exchanges int
	}{
		{"reel analyze", []string{b.reel, "analyze", reelDir}, exchanges},
		{"reel analyze -o (Parquet tables)", []string{b.reel, "analyze", reelDir, "-o", tables}, exchanges},
		{"tshark -Y http", []string{"tshark", "-r", pcap, "-Y", "http.request_in", "-T", "fields", "-e", "http.request_in", "-e", "http.response.code"}, 0},
	}
	s := section{
		title: "Reading",
		about: fmt.Sprintf("One reel of %d exchanges of nginx (%d MiB, %d records lost), and for tshark the packets of a share of the same traffic. Median of %d rounds.",
			exchanges, bytes>>20, lost, b.rounds),
		head: []string{"reader", "exchanges", "wall s", "CPU s", "peak RSS MiB", "exchanges/s", "per exchange, of reel analyze"},
	}
	var base float64
	for i, r := range readers {
		var wall, cpu, rss []float64
		for range b.rounds {
			if err := os.RemoveAll(tables); err != nil {
				return err
			}
			cmd := exec.CommandContext(ctx, r.args[0], r.args[1:]...)
			var printed lineCounter
			cmd.Stdout, cmd.Stderr = &printed, io.Discard
			u, err := timed(cmd)
			if err != nil {
				return fmt.Errorf("%s: %w", strings.Join(r.args, " "), err)
			}
			if r.exchanges == 0 {
				r.exchanges = printed.lines
			}
			wall, cpu, rss = append(wall, u.wall.Seconds()), append(cpu, u.cpu.Seconds()), append(rss, float64(u.maxRSS))
		}
		perExchange := median(wall) / float64(r.exchanges)
		if i == 0 {
			base = perExchange
		}
		s.rows = append(s.rows, []string{r.name, strconv.Itoa(r.exchanges), fmt.Sprintf("%.2f", median(wall)), fmt.Sprintf("%.2f", median(cpu)), mib(median(rss)),
			fmt.Sprintf("%.0f", 1/perExchange), fmt.Sprintf("%.1f ×", perExchange/base)})
		fmt.Fprintf(os.Stderr, "   %s: %.0f/s\n", r.name, 1/perExchange)
	}
	p.add(s)
	return nil
}

// recordBoth drives the server until the reel holds b.million exchanges; tcpdump records the first second.
func (b *bench) recordBoth(ctx context.Context, web *nginx, reelDir, pcap string) error {
	ours, err := b.recorder(ours)
	if err != nil {
		return err
	}
	peer, err := b.recorder(peer)
	if err != nil {
		return err
	}
	capture, err := startRecorder(ctx, ours, web, reelDir)
	if err != nil {
		return err
	}
	defer capture.kill()
	dump, err := startRecorder(ctx, peer, web, pcap)
	if err != nil {
		return err
	}
	defer dump.kill()
	served, _, err := web.load(ctx, time.Second)
	if err != nil {
		return err
	}
	if err := dump.finish(); err != nil {
		return err
	}
	for rate := served; served < b.million; {
		d := min(time.Duration(float64(b.million-served)/float64(rate)*float64(time.Second)), time.Minute)
		n, _, err := web.load(ctx, max(d, time.Second))
		if err != nil {
			return err
		}
		served += n
	}
	return capture.finish()
}

// lineCounter counts the lines written to it.
type lineCounter struct{ lines int }

// Write counts.
func (c *lineCounter) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' {
			c.lines++
		}
	}
	return len(p), nil
}
