package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report/quantity"
	"github.com/ebpf-reel/reel/report/visible"
)

// maxLookups bounds the questions that are told apart; lookups of others are summed up as one.
const maxLookups = 4096

// question is what lookups are summed up by.
type question struct {
	pid                               format.PID // until the name of its process is known
	process, server, name, kind, code string
}

// asked is the sum of the lookups of a question.
type asked struct {
	first    facts.LookupID
	count    uint64
	repeated uint64 // queries sent again
	timed    uint64
	total    time.Duration
	longest  time.Duration
}

// Lookup sums l up, as its client saw it, or else its server.
func (k *Collector) Lookup(l *facts.Lookup) error {
	q := question{pid: l.PID, server: l.Remote.String(), name: l.Name, kind: l.Type, code: l.Code}
	if l.Role == format.RoleServer {
		q.server = "(served)"
	}
	a := k.lookups[q]
	if a == nil && len(k.lookups) >= maxLookups {
		q = question{}
		a = k.lookups[q]
	}
	if a == nil {
		a = &asked{first: l.ID}
		k.lookups[q] = a
	}
	a.count++
	a.repeated += uint64(max(l.Queries-1, 0))
	if l.Duration >= 0 {
		a.timed++
		a.total += l.Duration
		a.longest = max(a.longest, l.Duration)
	}
	return nil
}

// LookupLine is one question and its answer, ready to print.
type LookupLine struct {
	Process, Server, Name, Type, Code string
	Count, Repeated, Mean, Max        string
	Failed                            bool
}

// lookupsByName joins the sums of processes of one name.
func (k *Collector) lookupsByName() map[question]*asked {
	sums := make(map[question]*asked, len(k.lookups))
	for q, a := range k.lookups {
		q.process, q.pid = k.names[q.pid], 0
		s := sums[q]
		if s == nil {
			s = &asked{first: a.first}
			sums[q] = s
		}
		s.first = min(s.first, a.first)
		s.count += a.count
		s.repeated += a.repeated
		s.timed += a.timed
		s.total += a.total
		s.longest = max(s.longest, a.longest)
	}
	return sums
}

// lookupLines words the sums: failures first, the most frequent of them first, then by the longest wait.
func (k *Collector) lookupLines() []LookupLine {
	sums := k.lookupsByName()
	questions := make([]question, 0, len(sums))
	for q := range sums {
		questions = append(questions, q)
	}
	failed := func(q question) bool { return q.code != "NOERROR" && q.name != "" }
	slices.SortFunc(questions, func(a, b question) int {
		x, y := sums[a], sums[b]
		if failed(a) != failed(b) {
			if failed(a) {
				return -1
			}
			return 1
		}
		if failed(a) && x.count != y.count {
			return cmp.Compare(y.count, x.count)
		}
		return cmp.Or(cmp.Compare(y.longest, x.longest), cmp.Compare(x.first, y.first))
	})
	lines := make([]LookupLine, 0, len(questions))
	for _, q := range questions {
		a := sums[q]
		l := LookupLine{
			Process: visible.Cut(visible.Text(q.process), 16), Server: q.server, Name: visible.Cut(visible.Text(q.name), 50), Type: visible.Text(q.kind),
			Code: q.code, Count: quantity.Count(a.count), Repeated: quantity.Count(a.repeated), Mean: quantity.Unknown, Max: quantity.Unknown, Failed: failed(q),
		}
		switch {
		case q.name == "":
			l.Name, l.Code = "(others)", quantity.Unknown
		case q.code == "":
			l.Code = "no response"
		}
		if a.timed > 0 {
			l.Mean, l.Max = quantity.Duration(a.total/time.Duration(a.timed)), quantity.Duration(a.longest)
		}
		lines = append(lines, l)
	}
	return lines
}
