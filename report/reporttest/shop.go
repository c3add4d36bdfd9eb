// Package reporttest turns a seed into the facts of a small shop under load, for the tests of the documents: a client,
// a proxy, three services and two databases, with slow, failing and incomplete exchanges and hostile bytes among them.
package reporttest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report"
)

// Sink is what takes the facts one by one.
type Sink interface {
	Connection(*facts.Connection) error
	Exchange(*facts.Exchange) error
}

// Shop is a made-up analysis.
type Shop struct {
	Exchanges int    // how many; both sides of a call count
	Seed      uint64 // of its randomness
	Hostile   bool   // captured bytes that try to become markup, or to mislead the reader
}

type service struct {
	name, addr string
	pid        format.PID
	port       uint16
}

var services = []service{
	{"python3", "10.0.0.2", 4100, 0},
	{"nginx", "10.0.0.3", 4200, 80},
	{"shop", "10.0.0.4", 4301, 8081},
	{"cart", "10.0.0.5", 4302, 8082},
	{"catalog", "10.0.0.6", 4303, 8083},
}

// calls are the edges of the shop: indices of services and the share of traffic.
var calls = []struct{ from, to, weight int }{{0, 1, 34}, {1, 2, 34}, {2, 3, 18}, {2, 4, 14}}

// HostileTargets are request targets that must stay text.
var HostileTargets = []string{
	"/<script>alert(1)</script>",
	"/</script><script>alert(2)</script>",
	"/<img src=x onerror=alert(3)>",
	"/\"><svg onload=alert(4)>",
	"/rtl-\u202egnp.exe",
	"/nul-\x00-\x1b[31m-red",
	"/broken-\xff\xfe-utf8",
	"/<!--<script>",
	"/long?" + longURI(),
}

func longURI() string {
	b := make([]byte, 10_000)
	for i := range b {
		b[i] = "abcdefghij"[i%10]
	}
	return string(b)
}

const start = format.KTime(90_000_000_000_000)

// Emit hands the shop's connections and exchanges to sink and returns the facts that are whole in memory.
func (s Shop) Emit(sink Sink) (report.Facts, error) {
	g := &generator{Shop: s, rng: rand.New(rand.NewPCG(s.Seed, 7)), sink: sink, sides: make(map[[2]int]*sides)}
	if err := g.run(); err != nil {
		return report.Facts{}, err
	}
	return g.facts(), nil
}

// Data returns the shop as a Collector with these limits leaves it.
func (s Shop) Data(limits report.Limits) (*report.Data, error) {
	c := report.NewCollector(limits)
	f, err := s.Emit(c)
	if err != nil {
		return nil, err
	}
	d := c.Data(f)
	d.Reel, d.Tool = "checkout.reel", "reel test"
	d.Privacy = report.Privacy{Payload: "heads", Filter: "mask/1 heads"}
	return d, nil
}

type sides struct{ client, server facts.Side }

type generator struct {
	Shop
	rng      *rand.Rand
	sink     Sink
	id       facts.ExchangeID
	sides    map[[2]int]*sides
	complete uint64
	bytes    [2]uint64
	conns    uint64
}

const connsPerEdge = 24

func (g *generator) run() error {
	span := max(time.Duration(g.Exchanges)*time.Millisecond/2, 10*time.Second)
	for n := 0; n < g.Exchanges; n += 2 {
		at := start.Add(time.Duration(float64(span) * float64(n) / float64(max(g.Exchanges, 1))))
		if err := g.exchange(at, n); err != nil {
			return err
		}
	}
	for i, c := range calls {
		for k := range connsPerEdge {
			if err := g.connections(i, c.from, c.to, k); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *generator) pick() int {
	w := g.rng.IntN(100)
	for i, c := range calls {
		if w -= c.weight; w < 0 {
			return i
		}
	}
	return 0
}

func endpoint(s service, port uint16) format.Endpoint {
	return format.Endpoint{Addr: netip.MustParseAddr(s.addr), Port: port}
}

func connID(edge, k int, server bool) facts.ConnID {
	id := facts.ConnID(2*(edge*connsPerEdge+k) + 1)
	if server {
		id++
	}
	return id
}

var targets = []struct {
	method, path string
	base         time.Duration
}{
	{"GET", "/api/products?page=%d", 3 * time.Millisecond},
	{"GET", "/api/products/%d", 2 * time.Millisecond},
	{"POST", "/api/cart/%d/items", 6 * time.Millisecond},
	{"GET", "/api/cart/%d", 4 * time.Millisecond},
	{"POST", "/api/checkout", 40 * time.Millisecond},
	{"GET", "/static/app-%d.js", 300 * time.Microsecond},
	{"GET", "/healthz", 90 * time.Microsecond},
	{"GET", "/api/search?q=shoes+%d&sort=price", 18 * time.Millisecond},
}

func (g *generator) exchange(at format.KTime, n int) error {
	i := g.pick()
	c := calls[i]
	t := targets[g.rng.IntN(len(targets))]
	path := t.path
	if len(path) > 0 && path[len(path)-1] != 'z' && t.path != "/api/checkout" {
		path = fmt.Sprintf(t.path, g.rng.IntN(900)+1)
	}
	d := time.Duration(float64(t.base) * (0.6 + g.rng.ExpFloat64()*0.7))
	if g.rng.IntN(400) == 0 {
		d += time.Duration(200+g.rng.IntN(1200)) * time.Millisecond
	}
	status := 200
	switch r := g.rng.IntN(1000); {
	case r < 6:
		status = 500 + g.rng.IntN(4)
	case r < 30:
		status = 404
	case r < 60:
		status = 304
	}
	if g.Hostile && n/2 < len(HostileTargets) {
		path, status, d = HostileTargets[n/2], 400, 2*time.Second+time.Duration(n)*time.Millisecond
	}
	k := g.rng.IntN(connsPerEdge)
	e := facts.Exchange{
		Conn: connID(i, k, false), Index: uint32(n/40 + 1), PID: services[c.from].pid, TID: format.TID(services[c.from].pid),
		Role: format.RoleClient, Protocol: "http", Method: t.method, Target: path, Host: services[c.to].name + ".local",
		Local: endpoint(services[c.from], uint16(40000+i*100+k)), Remote: endpoint(services[c.to], services[c.to].port),
		Status: status, Start: at, Duration: d, TTFB: d * 8 / 10,
	}
	g.fill(&e, n)
	server := e
	server.Conn, server.Role, server.PID = connID(i, k, true), format.RoleServer, services[c.to].pid
	server.TID = format.TID(services[c.to].pid) + format.TID(k%4)
	server.Local, server.Remote = e.Remote, e.Local
	server.Start, server.Duration, server.TTFB = at.Add(40*time.Microsecond), d*95/100, d*75/100
	server.StartWall = wall(server.Start)
	server.Missing = 0
	for _, x := range []*facts.Exchange{&server, &e} {
		g.id++
		x.ID = g.id
		if x == &e {
			x.Peer = server.ID
		}
		g.count([2]int{i, 0}, x)
		if err := g.sink.Exchange(x); err != nil {
			return err
		}
	}
	return nil
}

func (g *generator) count(edge [2]int, e *facts.Exchange) {
	s := g.sides[edge]
	if s == nil {
		s = new(sides)
		g.sides[edge] = s
	}
	side := &s.client
	if e.Role == format.RoleServer {
		side = &s.server
	}
	side.Exchanges++
	side.Connections = connsPerEdge
	side.DurationSum += e.Duration
	side.DurationMax = max(side.DurationMax, e.Duration)
	mean := side.DurationSum / time.Duration(side.Exchanges)
	side.P50, side.P90, side.P99 = mean*7/10, mean*2, mean*4
	side.BytesRead += e.Response.WireBytes
	side.BytesWrite += e.Request.WireBytes
	switch {
	case e.Status >= 500:
		side.Errors5xx++
	case e.Status >= 400:
		side.Errors4xx++
	}
	if e.Missing != 0 {
		side.Incomplete++
	} else {
		g.complete++
	}
	g.bytes[0] += e.Response.WireBytes
	g.bytes[1] += e.Request.WireBytes
}
