package report_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report"
	"github.com/ebpf-reel/reel/report/reporttest"
)

func exchange(id int, change func(*facts.Exchange)) *facts.Exchange {
	e := &facts.Exchange{ID: facts.ExchangeID(id), Conn: 1, Role: format.RoleServer, Status: 200, Duration: time.Millisecond,
		Request: facts.Message{Headers: []facts.Header{{Name: "Host", Value: "a"}}, Body: []byte("body")}}
	if change != nil {
		change(e)
	}
	return e
}

func collect(t *testing.T, limits report.Limits, exchanges []*facts.Exchange) *report.Data {
	t.Helper()
	c := report.NewCollector(limits)
	for _, e := range exchanges {
		if err := c.Exchange(e); err != nil {
			t.Fatal(err)
		}
	}
	return c.Data(report.Facts{Summary: facts.Summary{Exchanges: uint64(len(exchanges))}})
}

func TestCollectorKeepsAllThatFits(t *testing.T) {
	var all []*facts.Exchange
	for i := range 1000 {
		all = append(all, exchange(i+1, nil))
	}
	d := collect(t, report.Limits{Exchanges: 1000, Details: 1000}, all)
	if len(d.Exchanges) != 1000 || d.Left != (report.LeftOut{}) {
		t.Fatalf("%d of 1000 exchanges kept, left out %+v", len(d.Exchanges), d.Left)
	}
	for i, e := range d.Exchanges {
		if int(e.ID) != i+1 || !e.Detailed || string(e.Request.Body) != "body" {
			t.Fatalf("exchange %d is %+v", i, e)
		}
	}
}

func TestCollectorPrefersWhatMatters(t *testing.T) {
	const total, limit = 20_000, 400
	var all []*facts.Exchange
	for i := range total {
		all = append(all, exchange(i+1, func(e *facts.Exchange) {
			switch i % 1000 {
			case 7:
				e.Duration = time.Second + time.Duration(i)
			case 8:
				e.Status, e.Duration = 503, time.Microsecond
			case 9:
				e.Missing, e.Duration = facts.ResponseGap, time.Microsecond
			case 10:
				e.Missing = facts.ResponseCut
			}
		}))
	}
	d := collect(t, report.Limits{Exchanges: limit, Details: 100}, all)
	if len(d.Exchanges) != limit || d.Left.Exchanges != total-limit {
		t.Errorf("kept %d, left out %d", len(d.Exchanges), d.Left.Exchanges)
	}
	seen := map[report.Reason]int{}
	detailed, firstHalf := 0, 0
	for _, e := range d.Exchanges {
		seen[e.Why]++
		if e.Detailed {
			detailed++
		}
		if e.Why == report.Sampled && e.ID <= total/2 {
			firstHalf++
		}
	}
	// 20 of each kind exist. The slow class is filled up with the slowest of the rest.
	if seen[report.Slow] != limit/8 || seen[report.Failed] != 20 || seen[report.Incomplete] != 20 {
		t.Errorf("kept by reason: %v", seen)
	}
	if detailed != 100 || d.Left.Details != limit-100 {
		t.Errorf("%d detailed, %d without", detailed, d.Left.Details)
	}
	// A uniform sample of ids has half of them in the first half: 310 draws, five standard deviations are 44.
	if n := seen[report.Sampled]; firstHalf < n/2-44 || firstHalf > n/2+44 {
		t.Errorf("%d of %d sampled exchanges are from the first half", firstHalf, n)
	}
	if d.Cut != 20 {
		t.Errorf("%d exchanges lack only body bytes, want 20", d.Cut)
	}
}

// The choice depends on the exchanges and not on their order.
func TestCollectorIsIndependentOfOrder(t *testing.T) {
	var all []*facts.Exchange
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 5000 {
		all = append(all, exchange(i+1, func(e *facts.Exchange) {
			e.Duration = time.Duration(rng.IntN(50)) * time.Millisecond // with ties
			e.Status = 200 + 100*rng.IntN(4)
		}))
	}
	limits := report.Limits{Exchanges: 300, Details: 50}
	want := collect(t, limits, all)
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if diff := cmp.Diff(want, collect(t, limits, all), cmpopts.EquateComparable(format.Endpoint{})); diff != "" {
		t.Errorf("another order gives another choice:\n%.2000s", diff)
	}
}

// What the analysis hands over is valid only during the call.
func TestCollectorKeepsNothingThatIsNotItsOwn(t *testing.T) {
	c := report.NewCollector(report.Limits{})
	e := exchange(1, func(e *facts.Exchange) {
		e.Anomalies = []string{"a"}
		e.Interim = []int{100}
		e.Trace = &facts.TraceContext{TraceID: "t"}
	})
	if err := c.Exchange(e); err != nil {
		t.Fatal(err)
	}
	e.Request.Body[0], e.Request.Headers[0].Value, e.Anomalies[0], e.Interim[0], e.Trace.TraceID = 'X', "X", "X", 0, "X"
	got := c.Data(report.Facts{}).Exchanges[0]
	if string(got.Request.Body) != "body" || got.Request.Headers[0].Value != "a" || got.Anomalies[0] != "a" || got.Interim[0] != 100 || got.Trace.TraceID != "t" {
		t.Errorf("the kept exchange changed with the analysis' own: %+v", got)
	}
}

func TestCollectorCutsBodies(t *testing.T) {
	d := collect(t, report.Limits{Body: 2, Header: 3}, []*facts.Exchange{exchange(1, func(e *facts.Exchange) {
		e.Request.Headers[0].Value = "abcdef"
	})})
	e := d.Exchanges[0]
	if string(e.Request.Body) != "bo" || !e.BodyCut[0] || e.BodyCut[1] || d.Left.Bodies != 1 {
		t.Errorf("body %q, cut %v, bodies left out %d", e.Request.Body, e.BodyCut, d.Left.Bodies)
	}
	if got := e.Request.Headers[0].Value; got != "abc… (cut for the report)" {
		t.Errorf("header %q", got)
	}
}

func TestPeersPointAtEachOther(t *testing.T) {
	d := collect(t, report.Limits{}, []*facts.Exchange{exchange(1, nil), exchange(2, func(e *facts.Exchange) { e.Peer = 1 }), exchange(3, nil)})
	if d.Exchanges[0].Peer != 2 || d.Exchanges[1].Peer != 1 || d.Exchanges[2].Peer != 0 {
		t.Errorf("peers: %d %d %d", d.Exchanges[0].Peer, d.Exchanges[1].Peer, d.Exchanges[2].Peer)
	}
}

// Every exchange and connection of the shop belongs to the edge that its addresses say.
func TestEdgesAreTied(t *testing.T) {
	d, err := reporttest.Shop{Exchanges: 2000, Seed: 5}.Data(report.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, edge int, role format.Role, local, remote format.Endpoint) {
		t.Helper()
		port := remote.Port
		if role == format.RoleServer {
			port = local.Port
		}
		if edge < 0 || d.Edges[edge].Port != port {
			t.Fatalf("%s on port %d is tied to edge %d", what, port, edge)
		}
	}
	for _, e := range d.Exchanges {
		check(fmt.Sprint("exchange ", e.ID), e.Edge, e.Role, e.Local, e.Remote)
		if e.Process == "" {
			t.Fatalf("exchange %d has no process name", e.ID)
		}
	}
	for _, c := range d.Connections {
		check(fmt.Sprint("connection ", c.ID), c.Edge, c.Role, c.Local, c.Remote)
	}
}

// Where two edges fit, none is chosen.
func TestAmbiguousEdgeIsNotGuessed(t *testing.T) {
	c := report.NewCollector(report.Limits{})
	if err := c.Exchange(exchange(1, func(e *facts.Exchange) { e.PID, e.Local.Port = 10, 80 })); err != nil {
		t.Fatal(err)
	}
	node := func(id string, pid format.PID) facts.Node {
		return facts.Node{ID: id, Kind: facts.NodeProcess, Name: id, PIDs: []format.PID{pid}}
	}
	f := report.Facts{Nodes: []facts.Node{node("server", 10), node("a", 11), node("b", 12)},
		Edges: []facts.Edge{{Client: "a", Server: "server", Port: 80}}}
	if got := c.Data(f).Exchanges[0].Edge; got != 0 {
		t.Errorf("the only edge that fits was not found: %d", got)
	}
	f.Edges = append(f.Edges, facts.Edge{Client: "b", Server: "server", Port: 80})
	if got := c.Data(f).Exchanges[0].Edge; got != -1 {
		t.Errorf("edge %d was chosen of two that fit", got)
	}
}

func BenchmarkCollector(b *testing.B) {
	c := report.NewCollector(report.Limits{})
	e := exchange(1, nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e.ID = facts.ExchangeID(i + 1)
		e.Duration = time.Duration(i*7919%100_000) * time.Microsecond
		if err := c.Exchange(e); err != nil {
			b.Fatal(err)
		}
	}
}
