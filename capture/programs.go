//go:build linux && (amd64 || arm64)

package capture

import (
	"io"
	"os"
	"strings"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// How long and how often the run time of the BPF programs is measured. While it is, the kernel adds up the run times of all
// programs of the node, at some 20 ns a run: 1 s in 30 costs what cannot be measured.
const (
	programsWindow = time.Second
	programsEvery  = 30 * time.Second
	// programsAgain is how soon after a window the next may come where the programs have more or less to do than they had in it.
	programsAgain = 5 * time.Second
)

// programTimer measures how long the BPF programs run: in windows, and takes the time between to be like them. Where the kernel
// adds run times up anyway (kernel.bpf_stats_enabled) it is exact.
type programTimer struct {
	kernel Kernel
	always bool // the kernel adds up anyway
	unable bool // and we cannot make it

	begun  format.KTime
	window io.Closer     // nil: closed
	opened format.KTime  // the window
	base   time.Duration // RunTime then, or at begun if always

	rate     float64       // share of one core, in the last window
	through  format.KTime  // the end of what total is about
	total    time.Duration // estimated
	measured time.Duration // of the time from begun to through
	next     format.KTime  // when the next window is due
	ended    bool

	calls   uint64 // of targets, in all, at the last tick
	pace    uint64 // between the last two ticks
	sampled uint64 // the pace in the last window
}

func newProgramTimer(kernel Kernel) *programTimer {
	return &programTimer{kernel: kernel, always: programStatsOn()}
}

// programStatsOn reports whether the kernel keeps run times of BPF programs. The recorder never switches that on for good: it
// costs every program of the node.
func programStatsOn() bool {
	text, err := os.ReadFile("/proc/sys/kernel/bpf_stats_enabled")
	return err == nil && strings.TrimSpace(string(text)) == "1"
}

// begin starts to measure.
func (p *programTimer) begin(now format.KTime) {
	p.begun, p.through = now, now
	if p.always {
		p.base, _ = p.kernel.RunTime()
		return
	}
	p.open(now)
}

func (p *programTimer) open(now format.KTime) {
	if p.unable {
		return
	}
	before, err := p.kernel.RunTime()
	if err == nil {
		p.window, err = p.kernel.CountRunTime()
	}
	if err != nil {
		p.unable = true
		return
	}
	p.opened, p.base = now, before
}

// tick opens and closes windows as they are due, once a second; at the end it closes one that is open. calls is how many calls of
// targets there were in all.
func (p *programTimer) tick(now format.KTime, calls uint64, end bool) {
	p.pace, p.calls = calls-min(calls, p.calls), calls
	switch {
	case p.always || p.unable || p.begun == 0 || p.ended:
	case p.window != nil:
		// A clock that ticks each second may be a little early.
		if end || now.Sub(p.opened) >= programsWindow*9/10 {
			p.close(now)
		}
	case end:
	case now >= p.next, p.changed() && now.Sub(p.through) >= programsAgain:
		p.open(now)
	}
	p.ended = p.ended || end
}

// changed reports whether the targets make twice as many calls as in the last window, or half as many.
func (p *programTimer) changed() bool {
	const few = 1000 // a second: what they cost is not worth a window
	return max(p.pace, p.sampled) > 2*min(p.pace, p.sampled)+few
}

func (p *programTimer) close(now format.KTime) {
	after, err := p.kernel.RunTime()
	_ = p.window.Close()
	p.window = nil
	length := now.Sub(p.opened)
	if err != nil || length <= 0 {
		return
	}
	ran := max(after-p.base, 0)
	p.total += p.like(p.opened) + ran // by the rate of the window before
	p.rate = ran.Seconds() / length.Seconds()
	p.measured += length
	p.sampled = p.pace
	p.through = now
	p.next = now.Add(programsEvery - programsWindow)
}

// like is what the programs took from p.through until a time, if they ran as in the last window.
func (p *programTimer) like(until format.KTime) time.Duration {
	return time.Duration(p.rate * float64(max(until.Sub(p.through), 0)))
}

// soon asks for a window at the next tick: the programs do something else from now on.
func (p *programTimer) soon() { p.next = 0 }

// estimate returns how long the programs have run since begin, and for how much of that time this was measured: of none if it
// cannot be, or not yet.
func (p *programTimer) estimate(now format.KTime) (total, measured time.Duration) {
	if p.always {
		if ran, err := p.kernel.RunTime(); err == nil {
			return max(ran-p.base, 0), now.Sub(p.begun)
		}
		return -1, 0
	}
	if p.measured == 0 {
		return -1, 0
	}
	return p.total + p.like(now), p.measured
}
