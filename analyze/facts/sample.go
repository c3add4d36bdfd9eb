package facts

import (
	"slices"

	"github.com/ebpf-reel/reel/format"
)

// Sample is an exchange that a rule chose.
type Sample struct {
	Exchange                *Exchange // with headers, bodies and calls, as far as the rule keeps them
	Rule                    string    // "rule 1", "default"
	Reason                  string    // "status_5xx", "status_4xx", "slow", "matched"
	Request, Response       bool      // whose data the rule keeps
	RequestMax, ResponseMax int       // bytes of content
}

// EdgeKey names an edge; zero: all edges.
type EdgeKey struct {
	Client, Server string // Node IDs
	Port           uint16
	Protocol       string
}

// The lists of exchanges.
const (
	TopSlow = "slow" // the longest durations
	Top4xx  = "4xx"  // the longest durations with a status of 400 to 499
	Top5xx  = "5xx"  // the same of 500 to 599
)

// TopLists are all of them.
var TopLists = [...]string{TopSlow, Top4xx, Top5xx}

// TopEntry is a place in a list.
type TopEntry struct {
	List     string
	Edge     EdgeKey
	Side     format.Role // whose view the list has; 0: of all edges, where of the two views of one exchange the client's counts
	Rank     int         // from 1
	Exchange *Exchange   // without headers, bodies and calls
}

// Slim copies x without headers, bodies and calls. The copy shares nothing with x that x's owner changes.
func (x *Exchange) Slim() *Exchange {
	c := *x
	for _, m := range [...]*Message{&c.Request, &c.Response} {
		m.Headers, m.Body, m.Syscalls = nil, nil, nil
	}
	c.Interim, c.Anomalies = slices.Clone(x.Interim), slices.Clone(x.Anomalies)
	if x.Trace != nil {
		t := *x.Trace
		c.Trace = &t
	}
	return &c
}
