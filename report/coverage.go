package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report/quantity"
	"github.com/ebpf-reel/reel/report/visible"
)

// CoverageLine is a row of the TLS coverage ledger in words. Processes that run the same program and lack the same share a line.
type CoverageLine struct {
	Process     string // "nginx (4711)", "curl (12 processes)"
	Library     string
	Connections string // "12, 11 with handshake"
	Ciphertext  string
	Plaintext   string
	Read        string // "100 %"
	Why         string // why it is less; "" it is not
	Level       facts.Severity
}

// CoverageLines puts the TLS coverage ledger into words: at most limit lines, those of which most is not read first. more is how many
// are left out.
func (d *Data) CoverageLines(limit int) (lines []CoverageLine, more int) {
	merged, pids := mergeCoverage(d.Coverage)
	for i := range merged {
		if len(lines) == limit {
			return lines, len(merged) - limit
		}
		lines = append(lines, coverageLine(&merged[i], pids[i]))
	}
	return lines, 0
}

// mergeCoverage adds the rows up that a reader need not tell apart.
func mergeCoverage(rows []facts.TLSCoverage) (merged []facts.TLSCoverage, pids []int) {
	type program struct {
		process, exe string
		why          facts.Unread
	}
	at := make(map[program]int)
	for i := range rows {
		r := &rows[i]
		if r.Connections == 0 && r.Plaintext == 0 {
			continue // it has a library, and did nothing with it
		}
		k := program{r.Process, r.Exe, mostUnread(r)}
		j, ok := at[k]
		if !ok {
			at[k] = len(merged)
			merged, pids = append(merged, *r), append(pids, 1)
			merged[len(merged)-1].Libraries = slices.Clone(r.Libraries)
			continue
		}
		pids[j]++
		m := &merged[j]
		for _, x := range r.Libraries {
			if !slices.ContainsFunc(m.Libraries, func(y facts.TLSLibrary) bool {
				return y.Name == x.Name && y.Version == x.Version && y.Purpose == x.Purpose
			}) {
				m.Libraries = append(m.Libraries, x)
			}
		}
		m.Connections += r.Connections
		m.Handshakes += r.Handshakes
		m.Decrypted += r.Decrypted
		m.Failed += r.Failed
		if m.Alert == "" {
			m.Alert = r.Alert
		}
		m.Ciphertext += r.Ciphertext
		m.Opened += r.Opened
		m.Plaintext += r.Plaintext
		m.Inferred += r.Inferred
		m.Untied += r.Untied
		for why := range r.Unread {
			m.Unread[why].Connections += r.Unread[why].Connections
			m.Unread[why].Bytes += r.Unread[why].Bytes
		}
	}
	return merged, pids
}

func coverageLine(r *facts.TLSCoverage, pids int) CoverageLine {
	l := CoverageLine{
		Library: libraries(r), Connections: quantity.Count(r.Connections), Level: facts.Info,
		Ciphertext: quantity.Bytes(r.Ciphertext), Plaintext: quantity.Bytes(r.Plaintext), Read: quantity.Share(r.Opened, r.Ciphertext),
	}
	switch {
	case r.PID == 0 && r.Process == "":
		l.Process = "other processes"
	case pids > 1:
		l.Process = visible.Cut(visible.Text(r.Process), 24) + " (" + quantity.Of(uint64(pids), "process") + ")"
	default:
		l.Process = visible.Cut(visible.Text(r.Process), 24) + " (" + strconv.FormatUint(uint64(r.PID), 10) + ")"
	}
	if r.Ciphertext == 0 {
		l.Read = quantity.Unknown
	}
	l.Why = coverageWhy(r)
	if r.Opened < r.Ciphertext {
		l.Level = facts.Notice
	}
	return l
}

// libraries names what speaks TLS in a process; "" not known.
func libraries(r *facts.TLSCoverage) string {
	var names []string
	probed := probed(r)
	for _, x := range r.Libraries {
		if probed && x.Probes == 0 {
			continue // which the process maps, and has another one beside it
		}
		name := visible.Text(strings.TrimSpace(x.Name + " " + x.Version))
		if x.How != "" && x.How != "symbol" {
			name += " (by " + visible.Text(x.How) + ")"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// probed reports whether a library of the process has probes.
func probed(r *facts.TLSCoverage) bool {
	return slices.ContainsFunc(r.Libraries, func(x facts.TLSLibrary) bool { return x.Probes > 0 })
}

// unreadWords say why bytes of TLS were not read, and what to do.
var unreadWords = [facts.NumUnread]string{
	facts.UnreadNoHandshake: "handshake not recorded, since they are older than the capture (start it before them)",
	facts.UnreadNoKey:       "no key (give a key log: --keylog)",
	facts.UnreadSuite:       "a TLS version or cipher suite that reel does not decrypt",
	facts.UnreadGap:         "records are not whole: cut (raise --snaplen) or lost (raise --ring-bytes), or the connection was cut off",
	facts.UnreadBounded:     "a bound of the analysis was reached",
}

// mostUnread is the reason why most of what was not read was not.
func mostUnread(r *facts.TLSCoverage) facts.Unread {
	most := facts.UnreadNone
	for why := range r.Unread {
		if r.Unread[why].Bytes > r.Unread[most].Bytes {
			most = facts.Unread(why)
		}
	}
	return most
}

// coverageWhy says why not all of a process' TLS was read; "" all was.
func coverageWhy(r *facts.TLSCoverage) string {
	var reasons []facts.Unread
	for why, sum := range r.Unread {
		if sum.Bytes > 0 {
			reasons = append(reasons, facts.Unread(why))
		}
	}
	slices.SortStableFunc(reasons, func(a, b facts.Unread) int { return cmp.Compare(r.Unread[b].Bytes, r.Unread[a].Bytes) })
	var parts []string
	for _, why := range reasons {
		sum := &r.Unread[why]
		parts = append(parts, quantity.Bytes(sum.Bytes)+" in "+quantity.Of(sum.Connections, "connection")+": "+unreadWords[why])
	}
	for _, x := range r.Libraries {
		if x.Error != "" && !probed(r) && r.Opened < r.Ciphertext {
			parts = append(parts, visible.Text(x.Name)+": "+visible.Text(x.Error))
		}
	}
	if r.Failed > 0 {
		parts = append(parts, quantity.Of(r.Failed, "handshake")+" failed, first with "+visible.Text(r.Alert))
	}
	if r.Inferred+r.Untied > 0 {
		parts = append(parts, "of the plaintext, "+quantity.Bytes(r.Inferred)+" is on a socket that was inferred, "+quantity.Bytes(r.Untied)+" on none")
	}
	return strings.Join(parts, "; ")
}

// CoveragePoint sums the TLS coverage ledger up in one line; ok is false when nothing spoke TLS.
func (d *Data) CoveragePoint() (p Point, ok bool) {
	var all facts.TLSCoverage
	for i := range d.Coverage {
		r := &d.Coverage[i]
		all.Connections += r.Connections
		all.Ciphertext += r.Ciphertext
		all.Opened += r.Opened
		all.Failed += r.Failed
		for why := range r.Unread {
			all.Unread[why].Connections += r.Unread[why].Connections
			all.Unread[why].Bytes += r.Unread[why].Bytes
		}
	}
	p = Point{Label: "TLS", Level: facts.Info}
	what := quantity.Bytes(all.Ciphertext) + " in " + quantity.Of(all.Connections, "connection")
	switch {
	case all.Connections == 0:
		return p, false
	case all.Ciphertext == 0:
		p.Text = quantity.Of(all.Connections, "connection") + ", none with data"
	case all.Opened == all.Ciphertext:
		p.Text = "all of " + what + " is decrypted"
	default:
		p.Level = facts.Notice
		most := mostUnread(&all)
		rest := "the rest: "
		if all.Unread[most].Bytes < all.Ciphertext-all.Opened {
			rest = "most of the rest: "
		}
		p.Text = quantity.Share(all.Opened, all.Ciphertext) + " of " + what + " is decrypted; " + rest + unreadWords[most]
		if all.Opened == 0 {
			p.Text = "nothing of " + what + " is decrypted: " + unreadWords[most]
		}
	}
	if all.Failed > 0 {
		p.Text += "; " + quantity.Of(all.Failed, "handshake") + " failed"
	}
	return p, true
}
