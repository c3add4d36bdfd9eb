package report

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// Limits bound what a Collector keeps. Zero fields take the defaults.
type Limits struct {
	Exchanges   int // rows of exchanges (100,000)
	Details     int // exchanges with headers and the start of their bodies (10,000)
	Body        int // bytes of a body (4,096)
	Header      int // bytes of one header's value (8,192)
	Connections int // rows of connections (20,000)
}

// DefaultLimits give a document of a few MB that a browser opens in a second.
var DefaultLimits = Limits{Exchanges: 100_000, Details: 10_000, Body: 4096, Header: 8192, Connections: 20_000}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	return Limits{
		Exchanges:   cmp.Or(l.Exchanges, d.Exchanges),
		Details:     cmp.Or(l.Details, d.Details),
		Body:        cmp.Or(l.Body, d.Body),
		Header:      cmp.Or(l.Header, d.Header),
		Connections: cmp.Or(l.Connections, d.Connections),
	}
}

// Collector takes the connections and exchanges of an analysis and keeps a bounded, deterministic choice of them: the
// slowest, the failed, the incomplete, and a uniform sample. It has the methods of analyze's sink.
type Collector struct {
	limits    Limits
	rows      *selection[*facts.Exchange]
	details   *selection[detail]
	conns     *selection[facts.Connection]
	names     map[format.PID]string
	lookups   map[question]*asked
	exchanges uint64
	cut       uint64
	connSeen  uint64
}

// detail is the part of an exchange that only a choice of them keeps.
type detail struct {
	request, response message
}

type message struct {
	headers []facts.Header
	body    []byte
	cut     bool
}

// maxNames bounds the table of process names: a reel may hold more processes than any page shows.
const maxNames = 1 << 17

// NewCollector returns a Collector that keeps at most what the limits say.
func NewCollector(limits Limits) *Collector {
	l := limits.withDefaults()
	return &Collector{
		limits: l,
		// The sample may fill all rows that the other classes leave, so its own bound is the whole.
		rows:    newSelection[*facts.Exchange](l.Exchanges/8, l.Exchanges/4, l.Exchanges/8, l.Exchanges),
		details: newSelection[detail](l.Details/8, l.Details/4, l.Details/8, l.Details),
		conns:   newSelection[facts.Connection](l.Connections/4, l.Connections),
		names:   make(map[format.PID]string),
		lookups: make(map[question]*asked),
	}
}

// Connection keeps c if it is among those that matter. c is not used after the call.
func (k *Collector) Connection(c *facts.Connection) error {
	k.connSeen++
	if _, known := k.names[c.PID]; !known && c.Process != "" && len(k.names) < maxNames {
		k.names[c.PID] = c.Process
	}
	scores := [2]int64{outside, sampleScore(uint64(c.ID))}
	if lost := c.Lost[0] + c.Lost[1]; lost > 0 || c.Gaps[0]+c.Gaps[1] > 0 {
		scores[0] = int64(min(lost, math.MaxInt64))
	}
	k.conns.offer(uint64(c.ID), scores[:], func() facts.Connection {
		kept := *c
		kept.Metrics = nil // no document shows them
		return kept
	})
	return nil
}

// Exchange keeps e if it is among those that matter. e is not used after the call.
func (k *Collector) Exchange(e *facts.Exchange) error {
	k.exchanges++
	id := uint64(e.ID)
	sample := sampleScore(id)
	scores := [...]int64{Slow: outside, Failed: outside, Incomplete: outside, Sampled: sample}
	if e.Duration >= 0 {
		scores[Slow] = int64(e.Duration)
	}
	if e.Status >= 400 {
		scores[Failed] = sample
	}
	if e.Missing&^Cuts != 0 {
		scores[Incomplete] = sample
	} else if e.Missing != 0 {
		k.cut++
	}
	k.rows.offer(id, scores[:], func() *facts.Exchange { return slim(e) })
	k.details.offer(id, scores[:], func() detail {
		return detail{k.message(&e.Request), k.message(&e.Response)}
	})
	return nil
}

// sampleScore orders ids as if they were drawn by lot.
func sampleScore(id uint64) int64 { return int64(shuffle(id) >> 1) }

// slim copies e without headers and bodies.
func slim(e *facts.Exchange) *facts.Exchange {
	c := *e
	c.Request.Headers, c.Request.Body = nil, nil
	c.Response.Headers, c.Response.Body = nil, nil
	c.Interim = slices.Clone(e.Interim)
	c.Anomalies = slices.Clone(e.Anomalies)
	if e.Trace != nil {
		t := *e.Trace
		c.Trace = &t
	}
	return &c
}

func (k *Collector) message(m *facts.Message) message {
	var d message
	if len(m.Headers) > 0 {
		d.headers = slices.Clone(m.Headers)
		for i, h := range d.headers {
			if len(h.Value) > k.limits.Header {
				d.headers[i].Value = h.Value[:k.limits.Header] + "… (cut for the report)"
			}
		}
	}
	d.cut = len(m.Body) > k.limits.Body
	if len(m.Body) > 0 {
		d.body = slices.Clone(m.Body[:min(len(m.Body), k.limits.Body)])
	}
	return d
}

// Facts are the parts of an analysis that are whole in memory.
type Facts struct {
	Summary   facts.Summary
	Nodes     []facts.Node
	Edges     []facts.Edge
	Ledger    []facts.LedgerEntry
	Processes []facts.Process
	Coverage  []facts.TLSCoverage
	Endpoints []facts.Endpoint // methods and routes of edges
	Intervals []facts.Endpoint // the same by time
	Top       []facts.TopEntry // the slowest and the failed exchanges
}

// Data returns what was kept, together with f, ready for a renderer. The Collector may be used on.
func (k *Collector) Data(f Facts) *Data {
	d := &Data{Cut: k.cut, Summary: f.Summary, Nodes: f.Nodes, Edges: f.Edges, Ledger: sortedLedger(f.Ledger), Processes: f.Processes, Coverage: f.Coverage,
		Lookups: k.lookupLines()}
	for class := range k.conns.classes {
		k.conns.each(class, func(_ int, _ uint64, c *facts.Connection) {
			d.Connections = append(d.Connections, Connection{Connection: *c, Edge: -1})
		})
	}
	d.Connections = distinct(d.Connections, k.limits.Connections, func(c *Connection) uint64 { return uint64(c.ID) })
	d.Left.Connections = k.connSeen - uint64(len(d.Connections))

	for class := range k.rows.classes {
		k.rows.each(class, func(rank int, _ uint64, e **facts.Exchange) {
			d.Exchanges = append(d.Exchanges, Exchange{Exchange: **e, Edge: -1, Why: Reason(class), Rank: uint64(rank)})
		})
	}
	d.Exchanges = distinct(d.Exchanges, k.limits.Exchanges, func(e *Exchange) uint64 { return uint64(e.ID) })
	d.Left.Exchanges = k.exchanges - uint64(len(d.Exchanges))

	k.attachDetails(d)
	joinPeers(d)
	tie := newTies(d, k.names)
	for i := range d.Connections {
		d.Connections[i].Edge = tie.connection(&d.Connections[i].Connection)
	}
	for i := range d.Exchanges {
		e := &d.Exchanges[i]
		e.Process = tie.names[e.PID]
		e.Edge = tie.exchange(&e.Exchange)
	}
	return d
}

// attachDetails gives the rows their headers and bodies. Details are chosen like rows, with smaller bounds, and each
// detail's row is kept but for those that the row limit cut off.
func (k *Collector) attachDetails(d *Data) {
	byID := make(map[uint64]*detail)
	for class := range k.details.classes {
		k.details.each(class, func(_ int, id uint64, v *detail) {
			if byID[id] == nil && len(byID) < k.limits.Details {
				byID[id] = v
			}
		})
	}
	for i := range d.Exchanges {
		e := &d.Exchanges[i]
		v := byID[uint64(e.ID)]
		if v == nil {
			d.Left.Details++
			continue
		}
		e.Detailed = true
		e.Request.Headers, e.Request.Body = v.request.headers, v.request.body
		e.Response.Headers, e.Response.Body = v.response.headers, v.response.body
		e.BodyCut = [2]bool{v.request.cut, v.response.cut}
		for _, cut := range e.BodyCut {
			if cut {
				d.Left.Bodies++
			}
		}
	}
}

// distinct drops repetitions (the first stays), cuts to limit, and sorts by id.
func distinct[T any](items []T, limit int, id func(*T) uint64) []T {
	seen := make(map[uint64]bool, len(items))
	out := items[:0]
	for i := range items {
		if len(out) == limit {
			break
		}
		if n := id(&items[i]); !seen[n] {
			seen[n] = true
			out = append(out, items[i])
		}
	}
	slices.SortFunc(out, func(a, b T) int { return cmp.Compare(id(&a), id(&b)) })
	return out
}

// joinPeers makes the peer relation symmetric: of two sides, the one that ended first was reported before the other was
// known.
func joinPeers(d *Data) {
	at := make(map[facts.ExchangeID]*Exchange, len(d.Exchanges))
	for i := range d.Exchanges {
		at[d.Exchanges[i].ID] = &d.Exchanges[i]
	}
	for i := range d.Exchanges {
		if e := &d.Exchanges[i]; e.Peer != 0 {
			if p := at[e.Peer]; p != nil && p.Peer == 0 {
				p.Peer = e.ID
			}
		}
	}
	conns := make(map[facts.ConnID]*Connection, len(d.Connections))
	for i := range d.Connections {
		conns[d.Connections[i].ID] = &d.Connections[i]
	}
	for i := range d.Connections {
		if c := &d.Connections[i]; c.Peer != 0 {
			if p := conns[c.Peer]; p != nil && p.Peer == 0 {
				p.Peer = c.ID
			}
		}
	}
}

func sortedLedger(entries []facts.LedgerEntry) []facts.LedgerEntry {
	out := slices.Clone(entries)
	slices.SortStableFunc(out, func(a, b facts.LedgerEntry) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// Slowest returns up to n kept exchanges of known duration, slowest first.
func (d *Data) Slowest(n int) []*Exchange {
	return d.top(n, func(e *Exchange) bool { return e.Duration >= 0 }, func(e *Exchange) time.Duration { return e.Duration })
}

// Errors returns up to n kept exchanges with a status of 400 or more: 5xx before 4xx, slower ones first.
func (d *Data) Errors(n int) []*Exchange {
	return d.top(n, func(e *Exchange) bool { return e.Status >= 400 }, func(e *Exchange) time.Duration {
		return time.Duration(e.Status/100)*1000*time.Hour + max(e.Duration, 0)
	})
}

func (d *Data) top(n int, in func(*Exchange) bool, by func(*Exchange) time.Duration) []*Exchange {
	var all []*Exchange
	for i := range d.Exchanges {
		// Of one exchange seen from both ends, the client's view is the one that the user waited for.
		e := &d.Exchanges[i]
		if in(e) && (e.Peer == 0 || e.Role == format.RoleClient) {
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b *Exchange) int { return cmp.Compare(by(b), by(a)) })
	return all[:min(n, len(all))]
}
