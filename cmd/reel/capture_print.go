//go:build linux && (amd64 || arm64)

package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/ebpf-reel/reel/capture"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report/quantity"
)

// capturePrinter tells the user how a capture goes: on a terminal by a line that is written over, else by its beginning and end.
type capturePrinter struct {
	mu    sync.Mutex
	w     io.Writer
	live  bool // a progress line is wanted
	shown bool // and stands on the screen
	last  capture.Progress
}

// newCapturePrinter prints to w. With a command, whose output shares the terminal, there is no progress line.
func newCapturePrinter(w io.Writer, command bool) *capturePrinter {
	f, ok := w.(*os.File)
	return &capturePrinter{w: w, live: ok && !command && term.IsTerminal(int(f.Fd()))}
}

const clearLine = "\r\x1b[K"

func (p *capturePrinter) say(sentence string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line("reel: " + sentence)
}

func (p *capturePrinter) line(s string) {
	if p.shown {
		fmt.Fprint(p.w, clearLine)
		p.shown = false
	}
	fmt.Fprintln(p.w, s)
}

// shownTargets bounds how many processes the first line names.
const shownTargets = 8

func (p *capturePrinter) ready(r capture.Ready) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range r.Refused {
		p.line(fmt.Sprintf("reel: warning: the hook %s is refused, so this is not seen: %s (%s)", h.Name, h.Purpose, sentence(h.Err.Error())))
	}
	var names []string
	for _, t := range r.Targets[:min(len(r.Targets), shownTargets)] {
		names = append(names, fmt.Sprintf("%s %d", sentence(t.Comm), t.PID))
	}
	if more := len(r.Targets) - shownTargets; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	end := "Ctrl-C ends it"
	if r.Snap != nil {
		end = fmt.Sprintf("reel snap %s keeps what it holds, Ctrl-C ends it", shellQuote(r.Dir))
	}
	p.line(fmt.Sprintf("reel: recording %s (%s) into %s; %s", plural(len(r.Targets), "process", "processes"), strings.Join(names, ", "), r.Dir, end))
	p.line("reel: budget: " + r.Budget)
}

func (p *capturePrinter) progress(now capture.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	elapsed := now.Elapsed - p.last.Elapsed
	rate := float64(now.Events-p.last.Events) / max(elapsed.Seconds(), 1e-3)
	p.last = now
	if !p.live {
		return
	}
	fmt.Fprintf(p.w, "%s%6s  %s records/s  %s  %s lost", clearLine, now.Elapsed.Round(time.Second), quantity.Count(uint64(rate)), quantity.Bytes(uint64(now.Bytes)), quantity.Count(now.Lost))
	if now.Shed > 0 {
		fmt.Fprintf(p.w, "  %v left out", now.Shed)
	}
	p.shown = true
}

func (p *capturePrinter) firing(f capture.Firing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line("reel: trigger " + firingText(f))
}

// action tells of what the user has to know: where a snap is, and what was not done.
func (p *capturePrinter) action(a capture.ActionDone) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case a.Err != nil:
		p.line(fmt.Sprintf("reel: warning: trigger %s: the action %q failed: %s", a.Name, a.Action, sentence(a.Err.Error())))
	case strings.HasPrefix(a.Action, "snap") && !strings.HasPrefix(a.Action, "snaplen"):
		p.line(fmt.Sprintf("reel: trigger %s: its snap is %s", a.Name, shellQuote(a.Detail)))
	}
}

func firingText(f capture.Firing) string {
	s := f.Name + " fired: " + sentence(f.Condition)
	var facts []string
	for _, fact := range []string{f.Value, f.Subject, f.Detail} {
		if fact != "" {
			facts = append(facts, sentence(fact))
		}
	}
	if len(facts) > 0 {
		s += " (" + strings.Join(facts, ", ") + ")"
	}
	return s
}

func (p *capturePrinter) summary(s *capture.Summary) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line(fmt.Sprintf("reel: captured %s records in %s, lost %s (%s)", quantity.Count(s.Total()), s.Duration.Round(10*time.Millisecond), lostText(s), reasonText(s)))
	p.line("  records    " + kindsText(s.Events))
	var refused []string
	for _, h := range s.Hooks {
		if h.Err != nil {
			refused = append(refused, fmt.Sprintf("  refused    %s: %s (%s)", h.Name, h.Purpose, sentence(h.Err.Error())))
		}
	}
	p.line(fmt.Sprintf("  hooks      %d of %d attached", len(s.Hooks)-len(refused), len(s.Hooks)))
	for _, line := range refused {
		p.line(line)
	}
	for _, n := range s.Notes {
		if n.Name != capture.NoteStopped {
			p.line(fmt.Sprintf("  note       %s × %s%s", quantity.Count(n.Count), n.Name.Sentence(), detail(n.Detail)))
		}
	}
	for _, line := range costLines(s) {
		p.line(line)
	}
	name := shellQuote(s.Dir)
	if s.Flight {
		for _, snap := range s.Snaps {
			p.line(fmt.Sprintf("  snap       %s: %s (%s)", shellQuote(snap.Dir), quantity.Duration(snap.Window), sentence(snap.Reason)))
		}
		p.line(fmt.Sprintf("reel: what the ring held at the end is in %s, unsealed: make a reel of it with reel recover %s, or remove it", name, name))
		return
	}
	p.line(fmt.Sprintf("reel: the reel is %s; look at it with: reel report %s -o %s", name, name, shellQuote(strings.TrimSuffix(s.Dir, ".reel")+".html")))
}

// reasonText says why a capture has ended; what the budget said, unless an error will.
func reasonText(s *capture.Summary) string {
	if s.Stop != nil && s.Reason == capture.ReasonDisk {
		return string(s.Reason) + ": " + s.Stop.Why
	}
	return string(s.Reason)
}

func (p *capturePrinter) snapBegun(s capture.Snap) {
	short := ""
	if !s.Complete {
		short = ", less than was asked for: the ring does not reach back further"
	}
	p.say(fmt.Sprintf("keeping the last %s%s in %s", quantity.Duration(s.Window), short, shellQuote(s.Dir)))
}

func (p *capturePrinter) snapDone(s capture.Snap, err error) {
	if err != nil {
		p.say(sentence(err.Error()))
		return
	}
	p.say(fmt.Sprintf("%s is sealed; look at it with: reel report %s", shellQuote(s.Dir), shellQuote(s.Dir)))
}

func lostText(s *capture.Summary) string {
	if s.Lost == 0 {
		return "0"
	}
	return fmt.Sprintf("%s (%s): larger rings (--ring-bytes), a smaller --snaplen or fewer targets (--port) avoid it", quantity.Count(s.Lost), quantity.Bytes(s.LostBytes))
}

func kindsText(events map[format.EventKind]uint64) string {
	names := []struct {
		kind format.EventKind
		name string
	}{
		{format.EventIO, "reads and writes"}, {format.EventIOMore, "continuations of them"}, {format.EventSock, "of sockets"},
		{format.EventProc, "of processes"}, {format.EventTCP, "of TCP"},
		{format.EventDgram, "UDP datagrams"}, {format.EventUnix, "of Unix sockets"}, {0, "of unknown kind"},
	}
	var parts []string
	for _, n := range names {
		if events[n.kind] > 0 {
			parts = append(parts, quantity.Count(events[n.kind])+" "+n.name)
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "none")
}

func detail(s string) string {
	if s == "" {
		return ""
	}
	return " (" + sentence(s) + ")"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func shellQuote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./+:@%,", r))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
