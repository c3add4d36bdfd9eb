// Package report turns facts into what its documents show: it chooses, within a budget, the exchanges and connections that
// a reader needs, counts what it left out, and words the verdict. The documents themselves are its subpackages.
package report

import (
	"github.com/ebpf-reel/reel/analyze/facts"
)

// Data is everything that a document shows. It is complete in itself: a renderer asks nothing else.
type Data struct {
	Title string // "" lets the renderer choose
	Tool  string // name and version of the program that wrote the document
	Reel  string // name of the reel, without its directory

	Summary   facts.Summary
	Ledger    []facts.LedgerEntry // most severe first
	Nodes     []facts.Node
	Edges     []facts.Edge
	Processes []facts.Process     // in order of time
	Coverage  []facts.TLSCoverage // those of which most was not read first
	Lookups   []LookupLine        // failures first
	Privacy   Privacy
	Cut       uint64 // exchanges that lack nothing but body bytes which were left out on purpose; 0 if nobody counted them

	Connections []Connection // by ID
	Exchanges   []Exchange   // by ID
	Left        LeftOut

	Where   string // expression that the shown exchanges were chosen by; "" none
	Matched uint64 // exchanges for which it is true
	List    int    // exchanges in each list of a text; 0: as many as the text likes, -1: none
}

// Privacy says what of the recorded processes' content the document may hold (DESIGN D15).
type Privacy struct {
	Payload string // the reel's payload policy: "none", "heads", "snap", "full"; "" unknown
	Filter  string // name and version of the masking rules; "" unknown
	Secrets bool   // credentials were kept (--keep-secrets)
}

// Connection is a kept connection.
type Connection struct {
	facts.Connection
	Edge int // index in Data.Edges; -1 unknown
}

// Exchange is a kept exchange. Headers and bodies are there only if Detailed.
type Exchange struct {
	facts.Exchange
	Process  string // of PID; "" unknown
	Edge     int    // index in Data.Edges; -1 unknown
	Why      Reason
	Rank     uint64 // within its Reason: the smaller, the longer it is kept when the document must shrink
	Detailed bool
	BodyCut  [2]bool // request, response: Body holds less than the analysis had
}

// Reason says why an exchange was kept; the smallest that applies.
type Reason uint8

// The reasons, most important first.
const (
	Slow       Reason = iota // among the slowest
	Failed                   // status 4xx or 5xx
	Incomplete               // something of it is missing other than body bytes that were cut on purpose
	Sampled                  // uniform sample of all
)

func (r Reason) String() string {
	return [...]string{"slow", "failed", "incomplete", "sample"}[min(int(r), 3)]
}

// LeftOut counts what the facts hold and the document does not.
type LeftOut struct {
	Exchanges   uint64 // no row
	Details     uint64 // a row, but neither headers nor body
	Connections uint64 // no row
	Bodies      uint64 // bodies that are shorter here than in the analysis
}
