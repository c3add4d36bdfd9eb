package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The bars: what a recorder on a production node has to keep to, and what would be as good as tcpdump, which sees far less.
type bar struct {
	what          string
	must, stretch float64 // at most; for throughput at least
	least         bool    // more is better
	value         float64
	format        string
	busy          bool // others took so much of the machine that it is not judged
}

func (b bar) row() []string {
	met := func(limit float64) string {
		if b.busy {
			return "not judged"
		}
		if b.value == limit || (b.value > limit) == b.least {
			return "met"
		}
		return "**not met**"
	}
	return []string{b.what, fmt.Sprintf(b.format, b.value), fmt.Sprintf(b.format, b.must), met(b.must), fmt.Sprintf(b.format, b.stretch), met(b.stretch)}
}

func barSection(title, about string, bars []bar) section {
	s := section{title: title, about: about, head: []string{"of " + onlyNet, "measured", "must", "", "stretch", ""}}
	for _, b := range bars {
		s.rows = append(s.rows, b.row())
	}
	return s
}

// cost is what the pairs of one recorder show, each in the order of the rounds.
type cost struct {
	rate, ratio, server, machine, during, total, rss, size, held, lost, foreign []float64
}

func (c *cost) add(without, with measured) {
	per := func(d time.Duration, m measured) float64 { return d.Seconds() / m.requests }
	c.rate = append(c.rate, without.rate())
	c.ratio = append(c.ratio, with.rate()/without.rate())
	c.server = append(c.server, per(with.server, with)/per(without.server, without))
	c.machine = append(c.machine, per(with.machine, with)/per(without.machine, without))
	c.during = append(c.during, 1e6*per(with.recording, with))
	c.total = append(c.total, 1e6*per(with.all.cpu, with))
	c.rss = append(c.rss, float64(with.rss))
	c.size = append(c.size, float64(with.bytes)/with.requests)
	c.held = append(c.held, float64(with.exchanges)/with.requests)
	c.lost = append(c.lost, float64(with.lost))
	c.foreign = append(c.foreign, 100*max(without.foreign, with.foreign))
}

// missing says why a recorder cannot run here; "" if it can.
func missing(r recorder) string {
	args := r.args(&nginx{addr: "127.0.0.1:1"}, "out")
	if _, err := exec.LookPath(args[0]); err != nil {
		return args[0] + " is not installed"
	}
	return ""
}

// lacks reports whether a recorder cannot run here, and says so in the section.
func (s *section) lacks(r recorder) bool {
	why := missing(r)
	if why != "" {
		s.rows = append(s.rows, []string{r.name, "not measured: " + why})
	}
	return why != ""
}

// roundsOf returns how often a recorder is measured.
func (b *bench) roundsOf(r recorder) int {
	if r.slow {
		return 1
	}
	return b.rounds
}

// recorderCost measures pairs in a closed loop: the server alone, the server with a recorder.
func (b *bench) recorderCost(ctx context.Context, web *nginx, p *document) error {
	s := section{
		title: "What recording costs a server",
		about: "nginx with one worker answers 100 bytes as fast as wrk asks over 16 connections, the worst case that there is for a recorder. " +
			fmt.Sprintf("%d pairs of %s each, medians (those of less than a quarter of the throughput: 1 pair). A recorder is all its processes: reel's sealing process is counted. ", b.rounds, b.load) +
			"CPU per request is that of the load's time; the column \"to its end\" has what is done after it too (sealing). " +
			fmt.Sprintf("Memory is the sum of the peaks of the recorder's processes. \"Others\" is the share of the machine that neither server, load nor recorder took: above 12 %% a pair is measured again, %d times at most.", b.again),
		head: []string{"recorder", "requests/s without", "throughput, of without", "nginx CPU per request, of without", "machine CPU per request, of without",
			"recorder CPU ms per 1,000 requests, while recording", "the same, to its end", "peak RSS MiB", "bytes per exchange on disk", "exchanges held, of served", "records lost", "others, %"},
	}
	if _, _, err := web.load(ctx, time.Second); err != nil { // warm
		return err
	}
	recorders, err := b.recorders()
	if err != nil {
		return err
	}
	var ours cost
	for _, r := range recorders {
		if s.lacks(r) {
			continue
		}
		var c cost
		var failed error
		for round := range b.roundsOf(r) {
			without, with, err := b.pair(ctx, web, &r, round)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				failed = err
				break
			}
			c.add(without, with)
			fmt.Fprintf(os.Stderr, "   %s: %.0f/s of %.0f/s, machine CPU %.2f, %d lost, others %.0f %%\n", r.name, with.rate(), without.rate(), c.machine[round], with.lost, c.foreign[round])
		}
		if failed != nil {
			s.rows = append(s.rows, []string{r.name, "cannot run here: " + strings.Join(strings.Fields(failed.Error()), " ")})
			continue
		}
		if r.name == onlyNet {
			ours = c
		}
		f := func(format string, v []float64) string { return fmt.Sprintf(format, median(v)) }
		s.rows = append(s.rows, []string{r.name, f("%.0f", c.rate), f("%.3f", c.ratio), f("%.3f", c.server), f("%.3f", c.machine), f("%.2f", c.during), f("%.2f", c.total),
			mib(median(c.rss)), f("%.1f", c.size), f("%.4f", c.held), f("%.0f", c.lost), f("%.0f", c.foreign)})
	}
	p.add(s)
	if len(ours.ratio) > 0 {
		about, busy := "", median(ours.foreign) > 100*mostForeign
		if busy {
			about = fmt.Sprintf("Others took %.0f %% of the machine: ratios of time, and loss, which comes of waiting for a CPU, are not judged.", median(ours.foreign))
		}
		p.add(barSection("Against the bars, closed loop", about, []bar{
			{what: "throughput, of none", busy: busy, must: 0.78, stretch: 0.90, least: true, value: median(ours.ratio), format: "%.3f"},
			{what: "machine CPU per request, of none", busy: busy, must: 1.25, stretch: 1.10, value: median(ours.machine), format: "%.3f"},
			{what: "bytes per exchange on disk", must: 25, stretch: 13, value: median(ours.size), format: "%.1f"},
			{what: "records lost, default buffers", busy: busy, value: slices.Max(ours.lost), format: "%.0f"},
			{what: "peak RSS, MiB", must: 100, stretch: 50, value: median(ours.rss) / (1 << 20), format: "%.0f"},
		}))
	}
	return nil
}

// Pairs that others disturbed are measured again.
const mostForeign = 0.12

// widestSpread is how far two runs without a recorder may be apart for a latency beside them to be judged: on a machine of one's own
// they are within a tenth.
const widestSpread = 1.3

func (b *bench) pair(ctx context.Context, web *nginx, r *recorder, round int) (without, with measured, err error) {
	for again := 0; ; again++ {
		order := []*measured{&without, &with}
		if round%2 == 1 {
			order = []*measured{&with, &without}
		}
		for _, m := range order {
			who := r
			if m == &without {
				who = nil
			}
			if *m, err = b.measure(ctx, web, who); err != nil {
				return without, with, err
			}
		}
		if max(without.foreign, with.foreign) <= mostForeign || again == b.again || r.slow {
			return without, with, nil
		}
	}
}

// fixedRate is what the server is asked when latency is measured: a load that it can bear with any recorder worth the name.
const fixedRate = 5000

// latency measures at a fixed rate: the server alone, with a recorder, and alone again. How far the two without are apart is the spread
// of the measurement.
func (b *bench) latency(ctx context.Context, web *nginx, p *document) error {
	recorders, err := b.recorders()
	if err != nil {
		return err
	}
	s := section{
		title: fmt.Sprintf("Latency at %d requests/s", fixedRate),
		about: fmt.Sprintf("An open loop over 16 connections: a request's latency counts from when it was due. %d rounds of (none, recorder, none), %s each, medians; the ratio is that to the mean of the two none beside it.", b.rounds, b.load),
		head:  []string{"recorder", "p50 ms", "p99 ms", "p50, of none", "p99, of none", "machine CPU per request, of none", "answered, of asked"},
	}
	type ratios struct{ p50, p99, r50, r99, machine, answered []float64 }
	var spread, none50, none99 []float64
	var ours ratios
	for _, r := range recorders {
		if s.lacks(r) {
			continue
		}
		var c ratios
		var failed error
		for range b.roundsOf(r) {
			var m [3]asked
			for i, who := range []*recorder{nil, &r, nil} {
				if m[i], failed = b.ask(ctx, web, who); failed != nil {
					break
				}
			}
			if failed != nil {
				break
			}
			before, with, after := m[0], m[1], m[2]
			spread = append(spread, max(before.p99/after.p99, after.p99/before.p99))
			none50, none99 = append(none50, before.p50, after.p50), append(none99, before.p99, after.p99)
			c.p50, c.p99 = append(c.p50, with.p50), append(c.p99, with.p99)
			c.r50, c.r99 = append(c.r50, with.p50/((before.p50+after.p50)/2)), append(c.r99, with.p99/((before.p99+after.p99)/2))
			c.machine = append(c.machine, with.machine/((before.machine+after.machine)/2))
			c.answered = append(c.answered, with.answered)
			fmt.Fprintf(os.Stderr, "   %s: p99 %.2f ms, none %.2f and %.2f ms\n", r.name, with.p99, before.p99, after.p99)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failed != nil {
			s.rows = append(s.rows, []string{r.name, "cannot run here: " + strings.Join(strings.Fields(failed.Error()), " ")})
			continue
		}
		if r.name == onlyNet {
			ours = c
		}
		f := func(format string, v []float64) string { return fmt.Sprintf(format, median(v)) }
		s.rows = append(s.rows, []string{r.name, f("%.3f", c.p50), f("%.3f", c.p99), f("%.2f", c.r50), f("%.2f", c.r99), f("%.2f", c.machine), f("%.3f", c.answered)})
	}
	s.rows = append([][]string{{"none", fmt.Sprintf("%.3f", median(none50)), fmt.Sprintf("%.3f", median(none99)), "1", "1", "1", ""}}, s.rows...)
	p.add(s)
	if len(ours.r99) > 0 {
		about := fmt.Sprintf("\"Must\" is the spread of none against none here: the median of how far the p99 of two runs without a recorder are apart (they were up to %.2f).", slices.Max(spread))
		busy := median(spread) > widestSpread
		if busy {
			about += " That is too far: others had the machine, and what is between such runs says nothing of a recorder."
		}
		p.add(barSection("Against the bars, fixed rate", about,
			[]bar{{what: "p99, of none", busy: busy, must: max(1, median(spread)), stretch: 1.05, value: median(ours.r99), format: "%.2f"}}))
	}
	return nil
}

// asked is one measurement at a fixed rate. Latencies are milliseconds.
type asked struct{ p50, p99, machine, answered float64 }

func (b *bench) ask(ctx context.Context, web *nginx, r *recorder) (a asked, err error) {
	out := filepath.Join(b.dir, "recording")
	if r != nil {
		run, err := startRecorder(ctx, r, web, out)
		if err != nil {
			return a, err
		}
		defer os.RemoveAll(out)
		defer run.kill()
		defer func() { err = errors.Join(err, run.finish()) }()
	}
	self, err := os.Executable()
	if err != nil {
		return a, err
	}
	before, err := machineCPU()
	if err != nil {
		return a, err
	}
	text, err := exec.CommandContext(ctx, self, "ask", "-rate", strconv.Itoa(fixedRate), "-d", b.load.String(), web.addr).Output()
	if err != nil {
		return a, fmt.Errorf("ask at %d/s: %w", fixedRate, err)
	}
	after, err := machineCPU()
	if err != nil {
		return a, err
	}
	var n, p50, p99 float64
	if _, err := fmt.Sscan(string(text), &n, &p50, &p99); err != nil {
		return a, err
	}
	return asked{p50: p50 / 1e6, p99: p99 / 1e6, machine: (after - before).Seconds() / n, answered: n / (fixedRate * b.load.Seconds())}, nil
}
