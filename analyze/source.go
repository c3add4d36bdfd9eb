// Package analyze turns a reel into facts: connections, exchanges, nodes and edges, and a ledger of what is not known.
//
// It is a pure function of the reel's rows: no clock, no environment, no goroutine whose scheduling could change the result.
// pipeline.go tells the journey; each stage is a package of its own.
package analyze

import (
	"iter"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/exchange"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/filter"
	"github.com/ebpf-reel/reel/analyze/keyring"
	"github.com/ebpf-reel/reel/analyze/order"
	"github.com/ebpf-reel/reel/analyze/sample"
	"github.com/ebpf-reel/reel/analyze/tls"
	"github.com/ebpf-reel/reel/analyze/topology"
	"github.com/ebpf-reel/reel/format"
)

// Source is a reel, as *format.Reel has it. Rows may be asked for more than once; a row is valid until the next one.
type Source interface {
	Manifest() *format.Manifest
	Problems() []format.Problem
	Rows(format.RowsOptions) iter.Seq2[format.Row, error]
}

// Sink takes what leaves the analysis while it runs: what it is given is valid only during the call. Exchanges come as they
// end, connections once they are over and can have no other end any more: after their exchanges. An error ends the analysis.
type Sink interface {
	Connection(*facts.Connection) error
	Exchange(*facts.Exchange) error
}

// LookupSink is a Sink that takes DNS lookups too, as they end.
type LookupSink interface {
	Sink
	Lookup(*facts.Lookup) error
}

// SampleSink is a Sink that also takes what rules choose: right before the exchange itself, and valid only during the call.
type SampleSink interface {
	Sample(*facts.Sample) error
}

// MemoryLimit is what an analysis needs at most, whatever it is fed: for debug.SetMemoryLimit, so that garbage is collected
// before it grows beyond that.
const MemoryLimit = 448 << 20

// Config says what of each exchange is kept, and bounds the memory. The zero value keeps neither headers nor bodies.
type Config struct {
	Exchange  exchange.Config
	TLS       tls.Config
	Order     order.Limits
	Conn      conn.Limits
	Topology  topology.Limits
	Processes int            // programs that are named (256 Ki)
	Where     *filter.Filter // exchanges that the sink, the samples and the lists are about; nil: all. Edges and totals are of all
	Sample    *sample.Rules  // nil: none is sampled
	Top       int            // entries of each list in Result.Top; 0: there are none
}

// Result is what is known at the end.
type Result struct {
	topology.Result
	Summary   facts.Summary
	Processes []facts.Process     // in order of time
	Coverage  []facts.TLSCoverage // those of which most was not read first
	Top       []facts.TopEntry    // the slowest and the failed exchanges, of all edges and of each
	Matched   uint64              // exchanges that Where let pass
	Ledger    []facts.LedgerEntry // most severe first
	Keys      *keyring.Ring       // of the reel; what a record proved is found in it by the client random
}
