package report

import (
	"slices"
	"strings"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report/quantity"
	"github.com/ebpf-reel/reel/report/visible"
)

// recoveredEntry is the name in the ledger of a recording that reel recover ended.
const recoveredEntry = "recovered"

// Verdict is what a reader must know before any number: whether the recording is whole.
type Verdict struct {
	Level    facts.Severity // of the worst that happened; Info when nothing did
	Headline string
	Points   []Point
}

// Point is one statement of the verdict.
type Point struct {
	Label string
	Text  string
	Level facts.Severity
}

// Verdict judges the completeness of d.
func (d *Data) Verdict() Verdict {
	s := &d.Summary
	v := Verdict{Level: facts.Info}
	add := func(label, text string, level facts.Severity) {
		v.Points = append(v.Points, Point{label, text, level})
	}

	switch incomplete := s.Exchanges - s.Complete - min(d.Cut, s.Exchanges-s.Complete); {
	case s.Exchanges == 0:
		add("exchanges", "none found in "+quantity.Of(s.Connections, "connection"), facts.Notice)
	case s.Complete == s.Exchanges:
		add("exchanges", quantity.Of(s.Exchanges, "exchange")+", all complete", facts.Info)
	case incomplete == 0:
		add("exchanges", quantity.Of(s.Exchanges, "exchange")+", all complete but for body bytes that were left out on purpose in "+quantity.Count(d.Cut), facts.Info)
	default:
		text := quantity.Count(s.Exchanges-incomplete) + " of " + quantity.Of(s.Exchanges, "exchange") + " complete (" + quantity.Share(s.Exchanges-incomplete, s.Exchanges) + ")"
		if d.Cut > 0 {
			text += ", but for body bytes that were left out on purpose in " + quantity.Count(d.Cut)
		}
		add("exchanges", text+"; each of the others says what it lacks", facts.Notice)
	}
	switch {
	case s.LostEvents > 0:
		all := s.LostEvents + s.Overhead.Events
		add("lost events", quantity.Count(s.LostEvents)+" ("+quantity.Share(s.LostEvents, all)+" of all)", facts.DataLoss)
	case !d.hasReceipt():
		add("lost events", "not known: the reel holds no heartbeat", facts.Notice)
	default:
		add("lost events", "none", facts.Info)
	}
	switch recovered := slices.IndexFunc(d.Ledger, func(l facts.LedgerEntry) bool { return l.Name == recoveredEntry }); {
	case recovered >= 0:
		add("end", d.Ledger[recovered].Example, facts.DataLoss)
	case s.Clean:
		add("end", "the recording ended cleanly", facts.Info)
	default:
		add("end", "the recording did not end cleanly: what was not flushed (1 s by default) is missing", facts.DataLoss)
	}

	if p, ok := d.CoveragePoint(); ok {
		v.Points = append(v.Points, p)
	}

	for _, p := range v.Points {
		v.Level = max(v.Level, p.Level)
	}
	for _, l := range d.Ledger {
		v.Level = max(v.Level, l.Severity)
	}
	switch {
	case v.Level == facts.Error:
		v.Headline = "Parts of the recording could not be used"
	case v.Level == facts.DataLoss:
		v.Headline = "Data was lost, and is marked where it is missing"
	case s.Exchanges == 0:
		v.Headline = "No exchanges were found"
	case v.Level == facts.Notice:
		v.Headline = "The recording is whole, with remarks"
	default:
		v.Headline = "The recording is complete"
	}
	return v
}

// Window prints when the capture ran, in UTC: "2026-11-22 10:11:12.000 UTC, for 60.0 s".
func (d *Data) Window() string {
	s := &d.Summary
	length := ", for " + quantity.Duration(s.Duration)
	if s.Duration <= 0 {
		length = ", for an unknown time"
	}
	if s.Start == 0 {
		return "at an unknown time" + length
	}
	return s.Start.Time().Format("2006-01-02 15:04:05.000") + " UTC" + length
}

// CommandLine prints the command that recorded the reel; "" unknown.
func (d *Data) CommandLine() string { return visible.Text(strings.Join(d.Summary.Command, " ")) }

// hasReceipt reports whether the recorder left a single heartbeat: none has all counters at zero.
func (d *Data) hasReceipt() bool {
	o := &d.Summary.Overhead
	return o.MaxRSS != 0 || o.Events != 0 || o.RecorderCPU != 0 || o.Written != 0
}

// Receipt prints what the recording cost, as label and text.
func (d *Data) Receipt() []Point {
	if !d.hasReceipt() {
		return []Point{{"overhead", "not known: the reel holds no heartbeat", facts.Notice}}
	}
	o := &d.Summary.Overhead
	cpu := quantity.Duration(o.RecorderCPU)
	if d.Summary.Duration > 0 {
		cpu += " (" + quantity.Share(uint64(o.RunningCPU()), uint64(d.Summary.Duration)) + " of one CPU; " + quantity.Duration(o.LoadCPU) + " of it to begin)"
	}
	kernel := "not measured"
	if o.ProgramTime >= 0 {
		kernel = quantity.Duration(o.ProgramTime)
		if d.Summary.Duration > 0 {
			of := quantity.Share(uint64(o.ProgramTime), uint64(d.Summary.Duration)) + " of one CPU"
			if sampled := quantity.Sampled(o.ProgramsMeasured, d.Summary.Duration); sampled != "" && o.ProgramsMeasured > 0 {
				of += "; " + sampled
			}
			kernel += " (" + of + ")"
		}
	}
	points := []Point{
		{"recorder CPU", cpu, facts.Info},
		{"kernel programs", kernel, facts.Info},
		{"recorder memory", quantity.Bytes(o.MaxRSS) + " at most", facts.Info},
		{"written", quantity.Bytes(o.Written), facts.Info},
		{"events", quantity.Count(o.Events) + " taken, " + quantity.Count(o.Lost) + " lost", lossLevel(o.Lost)},
	}
	if o.ShedLevel > 0 {
		points = append(points, Point{"left out", shedText(o), max(facts.Notice, lossLevel(o.ShedCalls))})
	}
	return points
}

// shedLevels says what each level of shedding leaves out (format/SPEC.md, heartbeat.shed_level).
var shedLevels = [...]string{"nothing", "bodies", "bodies and heads", "bodies, heads and stacks", "bodies, heads and whole calls"}

func shedText(o *facts.Overhead) string {
	text := "to stay within the budget, for " + quantity.Duration(o.ShedTime) + ": "
	if int(o.ShedLevel) < len(shedLevels) {
		text += shedLevels[o.ShedLevel]
	} else {
		text += "level " + quantity.Count(uint64(o.ShedLevel))
	}
	if o.ShedCalls > 0 {
		text += "; " + quantity.Of(o.ShedCalls, "call") + " of " + quantity.Bytes(o.ShedBytes) + " not recorded"
	}
	return text
}

func lossLevel(lost uint64) facts.Severity {
	if lost > 0 {
		return facts.DataLoss
	}
	return facts.Info
}

// Cuts are the lacks of an exchange whose every length is known and whose bytes were left out on purpose.
const Cuts = facts.RequestCut | facts.ResponseCut

// State names what is known of an exchange in a word or two: "incomplete"; else "inferred", when its response was found by
// a guess; else "body cut", when it lacks only Cuts; else "complete".
func State(e *facts.Exchange) string {
	switch {
	case e.Missing&^Cuts != 0:
		return "incomplete"
	case e.Pairing == facts.Inferred:
		return "inferred"
	case e.Missing != 0:
		return "body cut"
	default:
		return "complete"
	}
}

// InferredWords say what an inferred pairing means.
const InferredWords = "bytes before it are lost: that this response answers this request is inferred"

// Lacks puts what is not known of an exchange into words, one phrase for each thing; none for a complete exchange.
func Lacks(e *facts.Exchange) []string {
	c := e.Missing
	var out []string
	if e.Pairing == facts.Inferred {
		out = append(out, InferredWords)
	}
	for _, l := range lacks {
		if c&l.bit != 0 {
			out = append(out, l.words)
		}
	}
	return out
}

var lacks = []struct {
	bit   facts.Completeness
	words string
}{
	{facts.NoRequest, "the response was seen, its request was not"},
	{facts.NoResponse, "no response was seen before the end of the connection or of the reel"},
	{facts.RequestGap, "bytes of the request are lost"},
	{facts.ResponseGap, "bytes of the response are lost"},
	{facts.RequestCut, "part of the request's body was not captured (its length is exact)"},
	{facts.ResponseCut, "part of the response's body was not captured (its length is exact)"},
	{facts.StartUnknown, "it began before the capture"},
	{facts.EndUnknown, "it was still running at the end"},
	{facts.Malformed, "the parser found anomalies in it"},
	{facts.HeadCut, "a head is not whole: headers after the cut are unknown"},
	{facts.LengthUnknown, "where a message ends is not known: its sizes are what was seen"},
}

// LackWords returns the phrases of Lacks by bit number.
func LackWords() []string {
	out := make([]string, len(lacks))
	for i, l := range lacks {
		out[i] = l.words
	}
	return out
}
