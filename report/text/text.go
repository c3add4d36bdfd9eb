// Package text turns report data into a plain-text summary for a terminal, a log or a ticket: the verdict first, then the
// ledger, the edges, and the exchanges that matter most.
package text

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report"
	"github.com/ebpf-reel/reel/report/quantity"
	"github.com/ebpf-reel/reel/report/visible"
)

// Rows bounds each list of the summary; what is not printed is counted.
const Rows = 10

// Summary writes the summary of d. Only Summary, Ledger, Nodes and Edges need be set: lists of exchanges are printed if d
// holds exchanges.
func Summary(w io.Writer, d *report.Data) error {
	p := &printer{w: w}
	p.verdict(d)
	p.ledger(d.Ledger)
	p.triggers(d)
	p.coverage(d)
	p.edges(d)
	p.lookups(d)
	p.killed(d)
	p.transport(d)
	if d.Where != "" {
		p.printf("\nShown below: %s for which %s\n", quantity.Of(d.Matched, "exchange"), visible.Cut(visible.Text(d.Where), 200))
	}
	if n := cmp.Or(d.List, Rows); n > 0 {
		p.exchanges("slowest", d.Slowest(n))
		p.exchanges("errors", d.Errors(n))
	}
	return p.err
}

// printer keeps the first error of its writer, so that layout code need not.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// table prints rows in aligned columns, indented by two spaces. Columns marked r in align are right-aligned.
func (p *printer) table(header []string, align string, rows [][]string) {
	all := append([][]string{header}, rows...)
	width := make([]int, len(header))
	for _, row := range all {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if align[i] == 'r' {
				line.WriteString("  " + pad + cell)
			} else {
				line.WriteString("  " + cell + pad)
			}
		}
		p.printf("%s\n", strings.TrimRight(line.String(), " "))
	}
}

func (p *printer) verdict(d *report.Data) {
	v := d.Verdict()
	p.printf("%s.\n\n", v.Headline)
	line := func(label, value string) {
		if value != "" {
			p.printf("  %-16s %s\n", label, value)
		}
	}
	line("reel", visible.Text(d.Reel))
	line("host", visible.Text(strings.TrimSpace(d.Summary.Host+"  "+d.Summary.Kernel)))
	line("recorded", d.Window())
	line("command", d.CommandLine())
	line("connections", quantity.Count(d.Summary.Connections))
	for _, pt := range v.Points {
		line(pt.Label, mark(pt.Level)+pt.Text)
	}
	line("statuses", statuses(d.Summary.Statuses))
	line("bytes", quantity.Bytes(d.Summary.Bytes[0])+" read, "+quantity.Bytes(d.Summary.Bytes[1])+" written by the recorded processes")
	for _, pt := range d.Receipt() {
		line(pt.Label, pt.Text)
	}
}

// killed lists programs that a signal ended: a crash, or a kill.
func (p *printer) killed(d *report.Data) {
	var rows [][]string
	left := uint64(0)
	for i := range d.Processes {
		x := &d.Processes[i]
		if x.End != facts.EndSignal {
			continue
		}
		if len(rows) == Rows {
			left++
			continue
		}
		where, pid := "", fmt.Sprint(x.PID)
		if x.NSPID != 0 && x.NSPID != x.PID {
			pid += fmt.Sprintf(" (%d inside)", x.NSPID)
		}
		if x.Container != nil {
			where = visible.Cut(visible.Text(x.Container.Group()), 40)
		}
		rows = append(rows, []string{visible.Cut(visible.Text(x.Comm), 16), pid, x.How(), where})
	}
	if len(rows) == 0 {
		return
	}
	p.printf("\nEnded by a signal\n")
	p.table([]string{"process", "pid", "how", "in"}, "llll", rows)
	if left > 0 {
		p.printf("  and %s\n", quantity.Of(left, "other"))
	}
}

// statuses prints how many exchanges had a status of each class; "" without any.
func statuses(classes [6]uint64) string {
	var parts []string
	for class, n := range classes {
		if class > 0 && n > 0 {
			parts = append(parts, fmt.Sprintf("%s of %dxx", quantity.Count(n), class))
		}
	}
	if n := classes[0]; n > 0 && len(parts) > 0 {
		parts = append(parts, quantity.Count(n)+" not known")
	}
	return strings.Join(parts, ", ")
}

func mark(s facts.Severity) string {
	switch s {
	case facts.Error, facts.DataLoss:
		return "! "
	default:
		return ""
	}
}

func (p *printer) ledger(entries []facts.LedgerEntry) {
	if len(entries) == 0 {
		p.printf("\nLedger: nothing to report.\n")
		return
	}
	p.printf("\nLedger\n")
	for _, e := range entries {
		p.printf("  %-9s %s ×%s: %s\n", e.Severity, visible.Text(e.Name), quantity.Count(e.Count), visible.Text(e.Sentence))
		if e.Bytes > 0 {
			p.printf("            bytes: %s\n", quantity.Bytes(e.Bytes))
		}
		if e.Example != "" {
			p.printf("            first: %s\n", visible.Text(e.Example))
		}
	}
}

func (p *printer) triggers(d *report.Data) {
	lines := d.TriggerLines(Rows)
	if len(lines) == 0 {
		return
	}
	p.printf("\nTriggers\n")
	for _, t := range lines {
		p.printf("  %s\n    %s\n", t.Rule, t.Account)
		for _, f := range t.Firings {
			p.printf("    %s: %s\n", f.At, f.What)
			for _, o := range f.Outcomes {
				p.printf("      %s%s: %s\n", mark(o.Level), o.Label, o.Text)
			}
		}
		if t.More > 0 {
			p.printf("    … and %s\n", quantity.Of(t.More, "more firing"))
		}
	}
}

// coverage prints the TLS coverage ledger: a table, and under it why not all was read.
func (p *printer) coverage(d *report.Data) {
	lines, more := d.CoverageLines(Rows)
	if len(lines) == 0 {
		return
	}
	p.printf("\nTLS (what of it was read)\n")
	var rows [][]string
	for _, l := range lines {
		rows = append(rows, []string{l.Process, l.Library, l.Connections, l.Ciphertext, l.Plaintext, l.Read})
	}
	p.table([]string{"process", "library", "connections", "encrypted", "plaintext", "read"}, "llrrrr", rows)
	for _, l := range lines {
		if l.Why != "" {
			p.printf("  %s: %s\n", l.Process, l.Why)
		}
	}
	if more > 0 {
		p.printf("  … and %s\n", quantity.Of(uint64(more), "other"))
	}
}

func (p *printer) edges(d *report.Data) {
	if len(d.Edges) == 0 {
		return
	}
	names := d.NodeNames()
	p.printf("\nEdges (client → server)\n")
	var rows [][]string
	for _, i := range d.BusiestEdges() {
		if len(rows) == 2*Rows {
			break
		}
		e := &d.Edges[i]
		s, side := report.BestSide(e)
		if s == nil {
			continue
		}
		rows = append(rows, []string{
			visible.Cut(names[e.Client], 28) + " → " + visible.Cut(names[e.Server], 28) + port(e.Port), visible.Text(e.Protocol), side,
			quantity.Count(s.Exchanges), quantity.Count(s.Errors4xx), quantity.Count(s.Errors5xx), quantity.Count(s.Incomplete),
			latency(s, s.P50), latency(s, s.P99), latency(s, s.DurationMax),
			quantity.Bytes(s.BytesRead + s.BytesWrite), quantity.Bytes(s.LostBytes),
		})
	}
	p.table([]string{"edge", "protocol", "seen by", "exchanges", "4xx", "5xx", "incomplete", "p50", "p99", "max", "bytes", "lost"}, "lllrrrrrrrrr", rows)
	if left := len(d.Edges) - len(rows); left > 0 {
		p.printf("  … and %s\n", quantity.Of(uint64(left), "more edge"))
	}
}

// lookups lists names that were asked for.
func (p *printer) lookups(d *report.Data) {
	if len(d.Lookups) == 0 {
		return
	}
	p.printf("\nNames looked up (DNS over UDP)\n")
	var rows [][]string
	for _, l := range d.Lookups[:min(len(d.Lookups), Rows)] {
		rows = append(rows, []string{l.Name, l.Type, l.Code, l.Process, l.Server, l.Count, l.Repeated, l.Mean, l.Max})
	}
	p.table([]string{"name", "type", "answer", "process", "server", "lookups", "queries repeated", "mean", "max"}, "lllllrrrr", rows)
	if left := len(d.Lookups) - len(rows); left > 0 {
		p.printf("  … and %s\n", quantity.Of(uint64(left), "other"))
	}
}

// transport lists the edges on which TCP met trouble.
func (p *printer) transport(d *report.Data) {
	names := d.NodeNames()
	var rows [][]string
	left := 0
	for _, i := range d.BusiestEdges() {
		e := &d.Edges[i]
		for _, side := range [...]struct {
			name string
			*facts.Side
		}{{"client", e.ClientSide}, {"server", e.ServerSide}} {
			s := side.Side
			if s == nil || !report.Troubled(s) {
				continue
			}
			if len(rows) == 2*Rows {
				left++
				continue
			}
			rows = append(rows, []string{
				visible.Cut(names[e.Client], 28) + " → " + visible.Cut(names[e.Server], 28) + ":" + fmt.Sprint(e.Port), side.name,
				quantity.Count(s.Connections), quantity.Count(s.Failed), quantity.Count(s.Retrans), quantity.Count(s.Dropped), quantity.Count(s.Resets),
				quantity.Count(s.ZeroWindows), quantity.Duration(s.ZeroWindow), quantity.Duration(s.AcceptWaitMax),
			})
		}
	}
	if len(rows) == 0 {
		return
	}
	p.printf("\nTCP trouble (segments sent again, dropped by the kernel, resets, windows of zero since an end did not read)\n")
	p.table([]string{"edge", "seen by", "connections", "failed", "retrans.", "dropped", "resets", "zero windows", "for", "accept queue max"}, "llrrrrrrrr", rows)
	if left > 0 {
		p.printf("  … and %s\n", quantity.Of(uint64(left), "more edge"))
	}
}

func latency(s *facts.Side, v time.Duration) string {
	if s.Exchanges == 0 {
		return "-"
	}
	return quantity.Duration(v)
}

func (p *printer) exchanges(title string, list []*report.Exchange) {
	if len(list) == 0 {
		return
	}
	p.printf("\nExchanges: %s\n", title)
	var rows [][]string
	for _, e := range list {
		rows = append(rows, []string{
			fmt.Sprintf("#%d", e.ID), status(e.Status), quantity.Duration(e.Duration), visible.Cut(visible.Text(e.Method), 10),
			visible.Cut(visible.Text(e.Host+e.Target), 60), visible.Cut(visible.Text(e.Process), 16), report.RoleName(e.Role), report.State(&e.Exchange), report.Cause(&e.Exchange),
		})
	}
	p.table([]string{"id", "status", "duration", "method", "target", "process", "role", "", "of its time"}, "rrrllllll", rows)
}

func status(s int) string {
	if s == 0 {
		return quantity.Unknown
	}
	return fmt.Sprint(s)
}

// port is the port behind a node's name; nothing for AF_UNIX sockets, which have none.
func port(n uint16) string {
	if n == 0 {
		return ""
	}
	return ":" + strconv.Itoa(int(n))
}
