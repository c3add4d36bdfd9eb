package analyze

import (
	"cmp"
	"context"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/coverage"
	"github.com/ebpf-reel/reel/analyze/dns"
	"github.com/ebpf-reel/reel/analyze/exchange"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/order"
	"github.com/ebpf-reel/reel/analyze/tls"
	"github.com/ebpf-reel/reel/analyze/topology"
	"github.com/ebpf-reel/reel/format"
)

// Run analyzes src and gives connections and exchanges to sink. It reads the reel twice: first the small tables, which say
// what time it was, who was who, and what the recorder could not see; then sockets, io and what TCP and TLS libraries did, once, in a stream:
//
//	rows ─► order ─► conn ─► dns ─► tls ───► exchange ─► topology ─► edges
//	        causal   byte    UDP    plain-   HTTP/1       │
//	        order    streams        text     pairs        └─► sink: exchanges, lookups as they end, connections when they are over
//	          │        │        │        │           where, samples, lists of the slowest and the failed
//	          └────────┴────────┴────────┴───────────────► ledger
//
// The error is the context's, the sink's, or one of reading nothing at all; damage in the reel is in the ledger.
func Run(ctx context.Context, src Source, cfg Config, sink Sink) (*Result, error) {
	tally := ledger.NewTally()
	ground, err := survey(ctx, src, cfg, tally)
	if err != nil {
		return nil, err
	}

	if cfg.TLS.Ties, err = tieUp(ctx, src, tally); err != nil {
		return nil, err
	}
	cfg.TLS.Keys = ground.keys
	out := &output{sink: sink, ground: ground, choice: newChoice(&cfg, sink), fold: topology.New(cfg.Topology, src.Manifest().Capture.Host, tally)}
	out.Engine = exchange.New(cfg.Exchange, tally, out.exchange)
	decrypt := tls.New(cfg.TLS, tally, out)
	names := dns.New(tally, decrypt, out.lookup)
	out.coverage.Probes(ground.probes, ground.processes.At)
	table := conn.NewTable(cfg.Conn, names, ground.processes, tally)
	table.Overhear(decrypt)
	window := order.New(cfg.Order, table.Row)

	var n uint64
	for row, err := range src.Rows(format.RowsOptions{Tables: []format.TableID{format.TableSocket, format.TableIO, format.TableTCP, format.TableTLS}}) {
		if err != nil {
			unread(tally, err)
			continue
		}
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		ground.saw(row)
		if err := out.push(window, cfg.TLS.Ties, row); err != nil {
			return nil, err
		}
		if err := cmp.Or(out.Err(), names.Err()); err != nil {
			return nil, err
		}
	}
	if err := window.Flush(); err != nil {
		return nil, err
	}
	if err := table.Flush(); err != nil {
		return nil, err
	}
	if err := cmp.Or(out.Err(), names.Err()); err != nil {
		return nil, err
	}
	out.Close()
	tally.Add(ledger.LateRow, window.TooLate(), ledger.Where{})
	tally.Add(ledger.WindowFull, window.Shortened(), ledger.Where{})

	res := &Result{Summary: ground.summary(src, out), Keys: ground.keys}
	res.Result = out.fold.Result(table.Listener)
	for i := range res.Intervals {
		res.Intervals[i].StartWall, _, _ = ground.clocks.Wall(res.Intervals[i].Start)
	}
	res.Processes = ground.processes.Programs(ground.wall)
	res.Coverage = out.coverage.Result()
	out.choice.result(res, tally)
	res.Ledger = tally.Entries()
	return res, nil
}

// output is where the stages' results meet: it adds wall times, sums up, and feeds the sink. The exchange engine in it reads
// the streams.
type output struct {
	*exchange.Engine
	sink     Sink
	ground   *ground
	choice   choice
	fold     *topology.Fold
	coverage coverage.Fold
	conn     facts.Connection

	connections, exchanges, complete uint64
	bytes                            [2]uint64
	statuses                         [6]uint64
}

// Joined takes a connection whose other end became known.
func (o *output) Joined(c, _ *conn.Conn) { o.fold.Joined(c) }

// Gone takes a connection that is over.
func (o *output) Gone(c *conn.Conn) error {
	o.fold.Gone(c)
	o.coverage.Gone(c)
	c.Facts(&o.conn)
	o.conn.StartWall = o.ground.wall(c.Start)
	o.connections++
	o.bytes[conn.In] += c.Bytes[conn.In]
	o.bytes[conn.Out] += c.Bytes[conn.Out]
	return o.sink.Connection(&o.conn)
}

func (o *output) lookup(l *facts.Lookup) error {
	l.StartWall = o.ground.wall(l.Start)
	if sink, takes := o.sink.(LookupSink); takes {
		return sink.Lookup(l)
	}
	return nil
}

func (o *output) exchange(c *conn.Conn, x *facts.Exchange) error {
	x.StartWall = o.ground.wall(x.Start)
	x.Process = o.ground.program(c, x).Name()
	o.fold.Exchange(c, x)
	o.exchanges++
	class := x.Status / 100
	if class < 0 || class >= len(o.statuses) {
		class = 0
	}
	o.statuses[class]++
	if x.Missing == 0 {
		o.complete++
	}
	if ok, err := o.choice.take(o.fold.Group(c), x); !ok {
		return err
	}
	return o.sink.Exchange(x)
}
