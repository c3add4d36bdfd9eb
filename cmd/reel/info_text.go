package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report"
	"github.com/ebpf-reel/reel/report/quantity"
)

// plain makes a string of a reel fit for a terminal: whoever made the reel must not move the reader's cursor.
func plain(s string) string {
	quoted := strconv.Quote(s)
	if quoted == `"`+s+`"` {
		return s
	}
	return quoted
}

func plainList(list []string) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = plain(s)
		if s == "" || strings.ContainsRune(s, ' ') {
			words[i] = strconv.Quote(s)
		}
	}
	return strings.Join(words, " ")
}

// appendText writes the summary for people.
func (info *reelInfo) appendText(b []byte) []byte {
	line := func(label, format string, args ...any) {
		b = append(b, strings.TrimRight(fmt.Sprintf("%-10s"+format, append([]any{label}, args...)...), " ")...)
		b = append(b, '\n')
	}
	c := &info.Capture
	line("reel", "%s, %s", plain(info.Path), map[bool]string{true: "ended cleanly", false: "not ended cleanly"}[info.Clean])
	line("id", "%s, schema %d", plain(info.UUID), info.SchemaVersion)
	line("host", "%s, Linux %s, %s, %s", known(c.Host), known(c.Kernel), known(c.Arch), quantity.Of(uint64(max(c.CPUs, 0)), "CPU"))
	line("tool", "%s", known(c.Tool))
	line("command", "%s", plainList(c.Command))
	line("targets", "%s", plainList(c.Targets))
	line("recorded", "%s; snaplen %s, ports %s, payload %s, masking %s", known(plainList(c.On)), snaplen(c), ports(c.Ports), known(c.Payload), known(c.Filter))
	if f := info.Flight; f != nil {
		line("ring", "of a flight recorder: the last %s in at most %s%s", kept(f.Time), quantity.Bytes(uint64(max(f.Bytes, 0))), map[bool]string{true: "; it has ended"}[f.Ended])
	}
	if s := info.Snap; s != nil && s.Of != info.UUID {
		line("snap", "%s: %s before and %s after %s, of the flight recorder %s", known(s.Reason), quantity.Duration(max(s.Asked.Sub(s.From), 0)), quantity.Duration(s.After),
			s.When.Time().Format(time.RFC3339Nano), plain(s.Of))
	}
	if info.Start == nil {
		line("when", "unknown: the reel has no clock row")
	} else {
		line("when", "%s to %s", info.Start.Format(time.RFC3339Nano), info.End.Format(time.RFC3339Nano))
	}
	line("duration", "%s", quantity.Duration(info.Duration))
	line("segments", "%d, %s on disk", info.Segments, quantity.Bytes(uint64(info.DiskBytes)))
	for _, t := range info.Tables {
		line("", "%-10s %14s rows  %10s", t.Name, quantity.Count(uint64(t.Rows)), quantity.Bytes(uint64(t.Bytes)))
	}
	b = info.appendHooks(b)
	for _, c := range c.Checks {
		// Refused hooks have their lines above.
		if c.State != format.CheckOK && !strings.HasPrefix(c.Name, "hook ") {
			line("limited", "%s: %s; not seen: %s", plain(c.Name), plain(c.Found), plain(c.Lost))
		}
	}
	l := &info.Loss
	if info.Overhead == nil && !l.Counted {
		line("loss", "unknown: the reel has no heartbeat and no ring row")
	} else if l.Lost == 0 {
		line("loss", "none of %s", quantity.Of(l.Captured, "record"))
	} else {
		line("loss", "%s (%s) next to %s captured", quantity.Of(l.Lost, "record"), quantity.Bytes(l.LostBytes), quantity.Count(l.Captured))
		for _, cpu := range l.CPUs {
			line("", "CPU %d lost %s", cpu.CPU, quantity.Of(cpu.Lost, "record"))
		}
	}
	if o := info.Overhead; o == nil {
		line("overhead", "unknown: the reel has no heartbeat")
	} else {
		line("overhead", "recorder %s CPU (%s of one core; %s of it to begin), RSS up to %s, journal %s, sealed %s, programs %s, shed level up to %d",
			quantity.Duration(o.RecorderCPU), quantity.Share(uint64(max(o.RecorderCPU-o.LoadCPU, 0)), uint64(max(info.Duration, 0))), quantity.Duration(o.LoadCPU),
			quantity.Bytes(o.MaxRSS), quantity.Bytes(o.Journal), quantity.Bytes(o.Sealed), info.programs(), o.MaxShed)
		if o.ShedCalls > 0 {
			line("", "%s, which moved %s, counted instead of recorded", quantity.Of(o.ShedCalls, "call"), quantity.Bytes(o.ShedBytes))
		}
		if o.FreeMemory > 0 && o.FreeDisk > 0 {
			line("", "the node had at least %s of free memory and %s of free disk", quantity.Bytes(o.FreeMemory), quantity.Bytes(o.FreeDisk))
		}
	}
	for i := range info.Triggers {
		t := &info.Triggers[i]
		line("trigger", "%s %s: %s", plain(t.Name), plain(t.Op), triggerText(t))
	}
	for _, n := range info.Notes {
		line("note", "%s (%d): %s", plain(n.Name), n.Count, plain(n.Detail))
	}
	for _, p := range info.Problems {
		file := ""
		if p.File != "" {
			file = plain(p.File) + ": "
		}
		line("problem", "%s: %s%s", plain(string(p.Kind)), file, plain(p.Message))
	}
	return b
}

func (info *reelInfo) appendHooks(b []byte) []byte {
	attached := 0
	for _, h := range info.Hooks {
		if h.Attached {
			attached++
		}
	}
	b = fmt.Appendf(b, "%-10s%d attached, %d refused\n", "hooks", attached, len(info.Hooks)-attached)
	for _, h := range info.Hooks {
		if !h.Attached {
			b = fmt.Appendf(b, "%-10srefused %s: %s; not seen: %s\n", "", plain(h.Name), plain(h.Error), plain(h.Purpose))
		}
	}
	return b
}

func triggerText(t *triggerInfo) string {
	switch t.Op {
	case format.TriggerFired.String():
		parts := []string{report.TriggerValue(t.Value, t.Unit)}
		if t.PID != 0 {
			parts = append(parts, fmt.Sprintf("process %d (%s)", t.PID, plain(t.Comm)))
		}
		if t.Detail != "" {
			parts = append(parts, plain(t.Detail))
		}
		return strings.Join(parts, ", ")
	case format.TriggerActed.String(), format.TriggerFailed.String():
		if t.Detail == "" {
			return plain(t.Action)
		}
		return plain(t.Action) + " (" + plain(t.Detail) + ")"
	case format.TriggerSilenced.String():
		return quantity.Of(t.Count, "time")
	}
	return plain(t.Rule)
}

func known(s string) string {
	if s == "" {
		return "unknown"
	}
	return plain(s)
}

// kept says how much a ring holds.
func kept(d time.Duration) string {
	if d <= 0 {
		return "that fits"
	}
	return quantity.Duration(d)
}

func snaplen(c *format.CaptureInfo) string {
	switch {
	case c.Tool == "" && c.Snaplen == 0:
		return "unknown" // the manifest was rebuilt
	case c.Snaplen == format.FullSnaplen:
		return "full"
	}
	return quantity.Bytes(uint64(c.Snaplen))
}

func ports(list []uint16) string {
	if len(list) == 0 {
		return "all"
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]")
}

func (info *reelInfo) programs() string {
	o := info.Overhead
	switch {
	case o.ProgramTime < 0:
		return "n/a"
	case o.Measured <= 0: // by a recorder that did not say
		return quantity.Duration(o.ProgramTime)
	}
	if sampled := quantity.Sampled(o.Measured, info.Duration); sampled != "" {
		return quantity.Duration(o.ProgramTime) + " (" + sampled + ")"
	}
	return quantity.Duration(o.ProgramTime)
}
