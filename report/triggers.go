package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report/quantity"
	"github.com/ebpf-reel/reel/report/visible"
)

// TriggerLine is a trigger rule in words.
type TriggerLine struct {
	Rule    string
	Account string // "fired 3 times", "did not fire"
	Firings []FiringLine
	More    uint64 // firings that are not listed
}

// FiringLine is one firing in words.
type FiringLine struct {
	At       string // "+12.3 s, 10:11:24.300"
	What     string // "cpu 93.5%, process 4711 (nginx), in 3 of the last 10 s"
	Outcomes []Point
}

// TriggerLines puts the trigger rules of the capture into words, at most limit firings of each.
func (d *Data) TriggerLines(limit int) []TriggerLine {
	lines := make([]TriggerLine, 0, len(d.Summary.Triggers))
	for i := range d.Summary.Triggers {
		t := &d.Summary.Triggers[i]
		line := TriggerLine{Rule: visible.Text(t.Rule), Account: "did not fire"}
		if t.Fired > 0 {
			line.Account = "fired " + quantity.Of(t.Fired, "time")
		}
		if t.Silenced > 0 {
			line.Account += ", and was silent after that when its condition came to hold again: " + quantity.Of(t.Silenced, "time")
		}
		for j := range t.Firings[:min(limit, len(t.Firings))] {
			line.Firings = append(line.Firings, d.firingLine(t, &t.Firings[j]))
		}
		line.More = t.Fired - uint64(len(line.Firings))
		lines = append(lines, line)
	}
	return lines
}

func (d *Data) firingLine(t *facts.Trigger, f *facts.Firing) FiringLine {
	line := FiringLine{At: "at an unknown time", What: firingText(t, f)}
	if s := d.Summary.Start; s != 0 && f.AtWall != 0 {
		line.At = f.AtWall.Time().Format("15:04:05.000") + " UTC, " + quantity.Duration(f.AtWall.Time().Sub(s.Time())) + " after the start"
	}
	for _, o := range f.Outcomes {
		p := Point{Label: visible.Text(o.Action), Text: "done", Level: facts.Info}
		if o.Failed {
			p.Text, p.Level = "failed", facts.Notice
		}
		if o.Detail != "" {
			p.Text += ": " + visible.Text(o.Detail)
		}
		line.Outcomes = append(line.Outcomes, p)
	}
	return line
}

func firingText(t *facts.Trigger, f *facts.Firing) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if t.Unit != "" || t.Limit != 0 || f.Value != 0 { // else its condition compares nothing: a process was ended by a signal
		add("%s", TriggerValue(f.Value, t.Unit))
	}
	if f.PID != 0 {
		add("process %d (%s)", f.PID, visible.Text(f.Comm))
	}
	if f.Local.IsValid() || f.Remote.IsValid() {
		add("connection %s to %s", f.Local, f.Remote)
	}
	if f.Detail != "" {
		add("%s", visible.Text(f.Detail))
	}
	if f.Periods > 1 {
		add("in %d of the last %d s", f.Held, f.Periods)
	}
	if f.Others > 0 {
		add("and so %s", quantity.Of(uint64(f.Others), "other"))
	}
	return strings.Join(parts, ", ")
}

// TriggerValue prints a value of a trigger rule, which is in thousandths of a unit.
func TriggerValue(v int64, unit string) string {
	switch unit {
	case "ms":
		return quantity.Duration(time.Duration(min(max(v, 0), math.MaxInt64/1000)) * time.Microsecond)
	case "B":
		return quantity.Bytes(uint64(max(v/1000, 0)))
	}
	return strconv.FormatFloat(float64(v)/1000, 'f', -1, 64) + visible.Text(unit)
}
