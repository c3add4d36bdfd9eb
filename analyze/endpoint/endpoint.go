// Package endpoint turns exchanges into numbers for each method and route of a side of an edge: of all exchanges, and of
// intervals of time.
//
// Intervals are a second wide, and twice that for everybody whenever there are more of them, in all, than the limit. What is
// in an interval depends on the exchanges alone and not on their order.
package endpoint

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/route"
	"github.com/ebpf-reel/reel/format"
)

// Config says how routes are found, and bounds a Fold. Zero fields take the defaults.
type Config struct {
	Routes    route.Limits
	Given     []route.Template // are tried first
	Endpoints int              // in all (8,192)
	Intervals int              // of all endpoints (32,768)
	Bins      int              // of the histogram of an interval (64)
}

func (c Config) withDefaults() Config {
	c.Endpoints = cmp.Or(max(c.Endpoints, 0), 8<<10)
	c.Intervals = cmp.Or(max(c.Intervals, 0), 32<<10)
	c.Bins = cmp.Or(max(c.Bins, 0), 64)
	return c
}

// Finest is the width of intervals as long as there are few.
const Finest = time.Second

// Fold sums up exchanges.
type Fold struct {
	cfg       Config
	ledger    *ledger.Tally
	routes    *route.Learner
	sets      []*Set
	endpoints int
	intervals int
	level     uint // intervals are Finest << level wide
}

// New returns an empty Fold.
func New(cfg Config, tally *ledger.Tally) *Fold {
	cfg = cfg.withDefaults()
	return &Fold{cfg: cfg, ledger: tally, routes: route.New(cfg.Routes, cfg.Given)}
}

// Set is the endpoints of one side of some traffic.
type Set struct {
	fold      *Fold
	endpoints map[key]*series
}

type key struct {
	method string
	route  route.ID
}

// series is one endpoint.
type series struct {
	all       facts.HTTP
	intervals map[int64]*facts.HTTP
	at        int64       // of last
	last      *facts.HTTP // the interval that was used last; nil none
}

// Set returns a new, empty set.
func (f *Fold) Set() *Set {
	s := &Set{fold: f, endpoints: make(map[key]*series)}
	f.sets = append(f.sets, s)
	return s
}

// otherMethod stands for the methods that are not registered.
const otherMethod = "OTHER"

// methods are those of RFC 9110 §9.3, RFC 5789 and WebDAV, which have endpoints of their own.
var methods = map[string]bool{"": true, "GET": true, "HEAD": true, "POST": true, "PUT": true, "DELETE": true, "CONNECT": true, "OPTIONS": true, "TRACE": true,
	"PATCH": true, "PROPFIND": true, "PROPPATCH": true, "MKCOL": true, "COPY": true, "MOVE": true, "LOCK": true, "UNLOCK": true, "REPORT": true, "SEARCH": true,
	"PURGE": true}

// Add counts an exchange.
func (s *Set) Add(x *facts.Exchange) {
	f := s.fold
	k := key{x.Method, f.routes.Route(x.Host, x.Target)}
	if !methods[k.method] {
		k.method = otherMethod
	}
	e := s.endpoints[k]
	if e == nil {
		if f.endpoints >= f.cfg.Endpoints {
			f.ledger.Add(ledger.EndpointsFolded, 1, ledger.Where{At: x.Start, Exchange: x.ID})
			k = key{otherMethod, f.routes.Overflow()}
			e = s.endpoints[k]
		}
		if e == nil {
			e = &series{intervals: make(map[int64]*facts.HTTP)}
			s.endpoints[k] = e
			f.endpoints++
		}
	}
	add(&e.all, x, f.bins())
	add(f.interval(e, x.Start), x, f.cfg.Bins)
}

// bins bounds the histograms of whole endpoints by how many there are.
func (f *Fold) bins() int {
	switch {
	case f.endpoints <= 256:
		return 0
	case f.endpoints <= 2048:
		return 512
	}
	return 128
}

// interval returns the numbers of the interval of a time.
func (f *Fold) interval(e *series, t format.KTime) *facts.HTTP {
	at := f.number(t)
	if e.last != nil && e.at == at {
		return e.last
	}
	h := e.intervals[at]
	if h == nil {
		h = new(facts.HTTP)
		e.intervals[at] = h
		f.intervals++
		for f.intervals > f.cfg.Intervals && f.level < 40 {
			f.coarsen()
			at = f.number(t)
			h = e.intervals[at]
		}
	}
	e.at, e.last = at, h
	return h
}

func (f *Fold) number(t format.KTime) int64 {
	n := int64(t) / int64(Finest)
	if int64(t) < n*int64(Finest) {
		n-- // before the epoch
	}
	return n >> f.level
}

// coarsen makes all intervals twice as wide.
func (f *Fold) coarsen() {
	f.level++
	f.intervals = 0
	for _, s := range f.sets {
		for _, e := range s.endpoints {
			e.last = nil
			wider := make(map[int64]*facts.HTTP, len(e.intervals)/2+1)
			for _, at := range slices.Sorted(maps.Keys(e.intervals)) {
				if to := wider[at>>1]; to != nil {
					merge(to, e.intervals[at], f.cfg.Bins)
				} else {
					wider[at>>1] = e.intervals[at]
				}
			}
			e.intervals = wider
			f.intervals += len(wider)
		}
	}
}

// add counts an exchange.
func add(h *facts.HTTP, x *facts.Exchange, bins int) {
	h.Requests++
	if x.Missing&^(facts.RequestCut|facts.ResponseCut) != 0 {
		h.Incomplete++
	}
	status(h, uint16(min(max(x.Status, 0), 999)), 1)
	if x.Request.WireBytes > 0 && x.Missing&facts.LengthUnknown == 0 {
		h.RequestBytes.Add(x.Request.WireBytes, bins)
	}
	if x.Response.WireBytes > 0 && x.Missing&facts.LengthUnknown == 0 {
		h.ResponseBytes.Add(x.Response.WireBytes, bins)
	}
	if x.Duration >= 0 {
		h.Durations.Add(uint64(x.Duration), bins)
	}
}

// maxStatuses bounds the statuses that are told apart; a server that sends more counts under 0.
const maxStatuses = 64

func status(h *facts.HTTP, code uint16, n uint64) {
	i, found := slices.BinarySearchFunc(h.Statuses, code, func(s facts.StatusCount, code uint16) int { return cmp.Compare(s.Status, code) })
	if !found && len(h.Statuses) >= maxStatuses {
		if code != 0 {
			status(h, 0, n)
			return
		}
	}
	if !found {
		h.Statuses = slices.Insert(h.Statuses, i, facts.StatusCount{Status: code})
	}
	h.Statuses[i].Count += n
}

func merge(h, o *facts.HTTP, bins int) {
	h.Requests += o.Requests
	h.Incomplete += o.Incomplete
	for _, s := range o.Statuses {
		status(h, s.Status, s.Count)
	}
	h.RequestBytes.Merge(&o.RequestBytes, bins)
	h.ResponseBytes.Merge(&o.ResponseBytes, bins)
	h.Durations.Merge(&o.Durations, bins)
}

// Merge adds what o counted. o is not used after the call.
func (s *Set) Merge(o *Set) {
	f := s.fold
	for _, k := range slices.SortedFunc(maps.Keys(o.endpoints), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.method, b.method), cmp.Compare(a.route, b.route))
	}) {
		from := o.endpoints[k]
		k.route = f.routes.Resolve(k.route)
		to := s.endpoints[k]
		if to == nil {
			to = &series{intervals: make(map[int64]*facts.HTTP)}
			s.endpoints[k] = to
		}
		f.join(to, from)
	}
}

// join adds what from counted to to. from is not used after the call.
func (f *Fold) join(to, from *series) {
	merge(&to.all, &from.all, f.bins())
	for at, h := range from.intervals {
		if have := to.intervals[at]; have != nil {
			merge(have, h, f.cfg.Bins)
		} else {
			to.intervals[at] = h
		}
	}
}

// Close ends the learning: what could not be told apart is in the ledger then.
func (f *Fold) Close() {
	if n := f.routes.Folded(); n > 0 {
		f.ledger.Add(ledger.RoutesFolded, n, ledger.Where{})
	}
}

// Append appends the endpoints of s to all, and their intervals to intervals, by method, route and time. side says what all of
// them share.
func (s *Set) Append(all, intervals []facts.Endpoint, side facts.Endpoint) (_, _ []facts.Endpoint) {
	f := s.fold
	type named struct {
		method, route string
		id            route.ID
		e             *series
	}
	var list []named
	for k, e := range s.endpoints {
		list = append(list, named{k.method, f.routes.Template(k.route), k.route, e})
	}
	slices.SortFunc(list, func(a, b named) int {
		return cmp.Or(cmp.Compare(a.route, b.route), cmp.Compare(a.method, b.method), cmp.Compare(a.id, b.id))
	})
	whole := list[:0]
	for _, n := range list { // routes of several hosts may read alike
		if i := len(whole) - 1; i >= 0 && whole[i].route == n.route && whole[i].method == n.method {
			f.join(whole[i].e, n.e)
		} else {
			whole = append(whole, n)
		}
	}
	for _, n := range whole {
		out := side
		out.Method, out.Route = n.method, n.route
		out.HTTP = n.e.all
		all = append(all, out)
		out.Width = Finest << f.level
		for _, at := range slices.Sorted(maps.Keys(n.e.intervals)) {
			out.Start = format.KTime(at << f.level * int64(Finest))
			out.HTTP = *n.e.intervals[at]
			intervals = append(intervals, out)
		}
	}
	return all, intervals
}
