package html

import (
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report"
	"github.com/ebpf-reel/reel/report/quantity"
	"github.com/ebpf-reel/reel/report/visible"
)

//go:embed templates/*.tmpl
var templateFiles embed.FS

var templates = template.Must(template.ParseFS(templateFiles, "templates/*.tmpl"))

// listRows bounds the lists on the first screen; the views have all rows.
const listRows = 8

type head struct{ Policy, Tool, Title string }

func newHead(d *report.Data) head {
	return head{Policy: policy(), Tool: visible.Text(cmp.Or(d.Tool, "reel")), Title: title(d)}
}

func title(d *report.Data) string {
	return visible.Text(cmp.Or(d.Title, strings.TrimSuffix(d.Reel, ".reel"), d.Summary.Host, "reel"))
}

// body is what the template prints: text only, already in words.
type body struct {
	Title, Subtitle                           string
	EdgeCount, ExchangeCount, ConnectionCount string
	Badges                                    []badge
	Verdict                                   verdict
	Facts, Receipt                            []fact
	Ledger                                    []ledgerEntry
	Triggers                                  []triggerRule
	Coverage                                  []report.CoverageLine
	CoverageMore                              string
	Lists                                     []list
	Busiest, Edges                            []edgeRow
	Drawing                                   *drawing
	About                                     []string
}

type badge struct{ Class, Text, Title string }

type verdict struct {
	Class, Sign, Headline string
	Points                []point
}

type point struct{ Class, Label, Text string }

type fact struct {
	Label, Text string
	Mono        bool
}

type ledgerEntry struct{ Class, Severity, Name, Count, Bytes, Source, Sentence, Example string }

type triggerRule struct {
	Rule, Account, More string
	Firings             []firingLine
}

type firingLine struct {
	At, What string
	Outcomes []point
}

// triggerRules are the rules with their firings, in words.
func triggerRules(d *report.Data) []triggerRule {
	var rules []triggerRule
	for _, t := range d.TriggerLines(4 * listRows) {
		rule := triggerRule{Rule: t.Rule, Account: t.Account}
		if t.More > 0 {
			rule.More = quantity.Of(t.More, "firing")
		}
		for _, f := range t.Firings {
			line := firingLine{At: f.At, What: f.What}
			for _, o := range f.Outcomes {
				line.Outcomes = append(line.Outcomes, point{severityClass(o.Level), o.Label, o.Text})
			}
			rule.Firings = append(rule.Firings, line)
		}
		rules = append(rules, rule)
	}
	return rules
}

type list struct {
	Title, None string
	Link        string
	Rows        []listRow
}

type listRow struct {
	Link                                                   string
	Duration, Status, StatusClass                          string
	Method, Target, Full, Process, Role, State, StateClass string
	StateTitle                                             string
	Bar                                                    string // 0 to 100
}

func newBody(d *report.Data) body {
	s := &d.Summary
	b := body{
		Title: title(d), Subtitle: strings.TrimPrefix(visible.Text(s.Host)+" · "+d.Window(), " · "),
		EdgeCount: quantity.Count(uint64(len(d.Edges))), ExchangeCount: quantity.Count(s.Exchanges), ConnectionCount: quantity.Count(s.Connections),
		Badges: badges(d), Drawing: newDrawing(d), About: about(d),
	}
	v := d.Verdict()
	b.Verdict = verdict{Class: severityClass(v.Level), Sign: sign(v.Level), Headline: v.Headline}
	for _, p := range v.Points {
		b.Verdict.Points = append(b.Verdict.Points, point{severityClass(p.Level), p.Label, p.Text})
	}
	add := func(label, text string, mono bool) {
		if text != "" {
			b.Facts = append(b.Facts, fact{label, text, mono})
		}
	}
	add("reel", visible.Text(d.Reel), true)
	add("host", visible.Text(strings.TrimSpace(s.Host+"  "+s.Kernel)), false)
	add("window", d.Window(), false)
	add("command", d.CommandLine(), true)
	add("connections", quantity.Count(s.Connections), false)
	add("bytes", quantity.Bytes(s.Bytes[0])+" read, "+quantity.Bytes(s.Bytes[1])+" written", false)
	add("reel id", visible.Text(s.ReelID), true)
	for _, p := range d.Receipt() {
		b.Receipt = append(b.Receipt, fact{p.Label, p.Text, false})
	}
	for _, l := range d.Ledger {
		e := ledgerEntry{Class: severityClass(l.Severity), Severity: strings.ReplaceAll(l.Severity.String(), "_", " "), Name: visible.Text(l.Name),
			Count: quantity.Count(l.Count), Source: visible.Text(l.Source), Sentence: visible.Text(l.Sentence), Example: visible.Text(l.Example)}
		if l.Bytes > 0 {
			e.Bytes = quantity.Bytes(l.Bytes)
		}
		b.Ledger = append(b.Ledger, e)
	}
	b.Triggers = triggerRules(d)
	var more int
	if b.Coverage, more = d.CoverageLines(4 * listRows); more > 0 {
		b.CoverageMore = quantity.Of(uint64(more), "other")
	}
	b.Lists = []list{
		{Title: "Slowest exchanges", None: "No exchange has a known duration.", Link: "#v=exchanges&s=-duration", Rows: listOf(d.Slowest(listRows))},
		{Title: "Errors", None: "No exchange was answered with a status of 400 or more.", Link: "#v=exchanges&q=status%3E%3D400&s=-status", Rows: listOf(d.Errors(listRows))},
	}
	b.Edges = edgeRows(d)
	b.Busiest = b.Edges[:min(listRows, len(b.Edges))]
	return b
}

func listOf(exchanges []*report.Exchange) []listRow {
	longest := time.Duration(1)
	for _, e := range exchanges {
		longest = max(longest, e.Duration)
	}
	var rows []listRow
	for _, e := range exchanges {
		full := visible.Text(e.Host + e.Target)
		state := report.State(&e.Exchange)
		rows = append(rows, listRow{
			Link: fmt.Sprintf("#v=exchanges&sel=%d", e.ID), Duration: quantity.Duration(e.Duration),
			Status: status(e.Status), StatusClass: statusClass(e.Status),
			Method: visible.Cut(visible.Text(e.Method), 16), Target: visible.Cut(full, 120), Full: visible.Cut(full, 500),
			Process: visible.Cut(visible.Text(e.Process), 24), Role: report.RoleName(e.Role),
			State: state, StateClass: strings.ReplaceAll(state, " ", "-"), StateTitle: strings.Join(report.Lacks(&e.Exchange), "; "),
			Bar: fmt.Sprintf("%.1f", 100*float64(max(e.Duration, 0))/float64(longest)),
		})
	}
	return rows
}

func status(s int) string {
	if s == 0 {
		return quantity.Unknown
	}
	return fmt.Sprint(s)
}

func statusClass(s int) string {
	switch {
	case s >= 500:
		return "bad"
	case s >= 400:
		return "warn"
	default:
		return "ok"
	}
}

func severityClass(s facts.Severity) string {
	switch s {
	case facts.Error:
		return "error"
	case facts.DataLoss:
		return "loss"
	case facts.Notice:
		return "notice"
	default:
		return "info"
	}
}

func sign(s facts.Severity) string {
	switch s {
	case facts.Error:
		return "✕"
	case facts.DataLoss:
		return "!"
	case facts.Notice:
		return "i"
	default:
		return "✓"
	}
}

// badges say what a reader must know before passing the file on.
func badges(d *report.Data) []badge {
	p := d.Privacy
	var out []badge
	bodies := false
	for i := range d.Exchanges {
		bodies = bodies || len(d.Exchanges[i].Request.Body)+len(d.Exchanges[i].Response.Body) > 0
	}
	policy := cmp.Or(visible.Text(p.Payload), "unknown")
	if bodies {
		out = append(out, badge{"caution", "contains payload", "The page holds heads and the beginning of bodies. The reel's payload policy: " + policy + "."})
	} else {
		out = append(out, badge{"calm", "no payload", "The page holds no body bytes. The reel's payload policy: " + policy + "."})
	}
	switch {
	case p.Secrets:
		out = append(out, badge{"danger", "unmasked secrets", "The reel was recorded with --keep-secrets: tokens, cookies and passwords may be in this page."})
	case p.Filter == "":
		out = append(out, badge{"caution", "masking unknown", "The reel does not say whether credentials were masked."})
	default:
		out = append(out, badge{"calm", "secrets masked", "Credentials in known places were masked by the rules " + visible.Text(p.Filter) + "; bodies may still hold others."})
	}
	return out
}

// about says what the page holds of what the analysis found.
func about(d *report.Data) []string {
	s, l := &d.Summary, &d.Left
	out := []string{fmt.Sprintf("Written by %s. It is one file, loads nothing and sends nothing.", visible.Text(cmp.Or(d.Tool, "reel")))}
	if l.Exchanges == 0 {
		out = append(out, "All "+quantity.Of(s.Exchanges, "exchange")+" are in the table.")
	} else {
		out = append(out, fmt.Sprintf("%s of %s are in the table: the slowest, the failed, the incomplete, and a uniform sample of all. %s left out; totals and edges count all.",
			quantity.Count(uint64(len(d.Exchanges))), quantity.Of(s.Exchanges, "exchange"), quantity.Count(l.Exchanges)))
	}
	if l.Details > 0 {
		out = append(out, fmt.Sprintf("%s in the table without headers and bodies, to keep the file small; they are in the reel.", are(l.Details, "exchange")))
	}
	if l.Bodies > 0 {
		out = append(out, fmt.Sprintf("%s shorter here than in the reel.", are(l.Bodies, "body preview")))
	}
	if l.Connections > 0 {
		out = append(out, fmt.Sprintf("%s left out of %s.", are(l.Connections, "connection"), quantity.Count(s.Connections)))
	}
	out = append(out, "A connection that was recorded on both ends is in the tables twice, once for each end, and so are its exchanges; the detail of one links to the other.")
	return out
}

func are(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return quantity.Of(n, noun) + " are"
}
