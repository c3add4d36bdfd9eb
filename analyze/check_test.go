package analyze_test

import (
	"testing"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/ledger"
)

// check holds every report, whatever it is of, to what must always be so.
func check(t testing.TB, r *report) {
	t.Helper()
	filtered := r.Result.Matched != r.Result.Summary.Exchanges
	conns := make(map[facts.ConnID]*facts.Connection)
	for i := range r.Connections {
		c := &r.Connections[i]
		if conns[c.ID] != nil {
			t.Errorf("connection %d came twice", c.ID)
		}
		conns[c.ID] = c
		for d := range c.Bytes {
			if c.Captured[d] > c.Bytes[d] {
				t.Errorf("connection %d: %d bytes captured of %d moved", c.ID, c.Captured[d], c.Bytes[d])
			}
			if c.Lost[d] > 0 && c.Gaps[d] == 0 {
				t.Errorf("connection %d: %d bytes lost without a gap", c.ID, c.Lost[d])
			}
		}
		if c.End < c.Start {
			t.Errorf("connection %d ends before it begins", c.ID)
		}
		if (c.Role == 0) != (c.RoleBy == "") {
			t.Errorf("connection %d: role %v by %q", c.ID, c.Role, c.RoleBy)
		}
	}
	for _, c := range conns {
		if c.Peer == 0 {
			continue
		}
		p := conns[c.Peer]
		if p == nil || p.Peer != c.ID {
			t.Errorf("connection %d names %d as its other end, which does not name it", c.ID, c.Peer)
		}
	}
	exchanges := make(map[facts.ConnID]uint64)
	wire := make(map[facts.ConnID]*[2]uint64) // bytes of requests, of responses
	byID := make(map[facts.ExchangeID]*facts.Exchange)
	for i := range r.Exchanges {
		x := &r.Exchanges[i]
		if byID[x.ID] != nil || x.ID == 0 || int(x.ID) > len(r.Exchanges) && !filtered {
			t.Errorf("exchange %d comes twice, or is none of %d", x.ID, len(r.Exchanges))
		}
		if x.Parent >= x.ID {
			t.Errorf("exchange %d is a child of %d, which began after it", x.ID, x.Parent)
		}
		if x.Parent == 0 != (x.ParentSure == facts.Unknown) || x.Parent == 0 != (x.ParentBy == "") {
			t.Errorf("exchange %d: parent %d by %q, %v", x.ID, x.Parent, x.ParentBy, x.ParentSure)
		}
		byID[x.ID] = x
		c := conns[x.Conn]
		if c == nil {
			t.Errorf("exchange %d belongs to connection %d, which there is not", x.ID, x.Conn)
			continue
		}
		exchanges[x.Conn]++
		w := wire[x.Conn]
		if w == nil {
			w = new([2]uint64)
			wire[x.Conn] = w
		}
		w[0] += x.Request.WireBytes
		w[1] += x.Response.WireBytes
		// What lacks something for a gap lies on a connection that has one.
		lost := facts.RequestGap | facts.ResponseGap
		if x.Missing&lost != 0 && c.Gaps[0]+c.Gaps[1] == 0 {
			t.Errorf("exchange %d lacks lost bytes, its connection has no gap", x.ID)
		}
		if x.Missing == 0 && (x.Status == 0 || x.Method == "" || x.Duration < 0) {
			t.Errorf("exchange %d says that it is complete: %+v", x.ID, x)
		}
		if (x.Missing&(facts.NoRequest|facts.NoResponse) != 0) != (x.Pairing == facts.Unknown) {
			t.Errorf("exchange %d: pairing %v, missing %v", x.ID, x.Pairing, missing(x.Missing))
		}
		if x.Peer != 0 {
			p := byID[x.Peer]
			if p == nil || p.Seq != x.Seq || p.Conn != c.Peer {
				t.Errorf("exchange %d: its peer %d is no peer", x.ID, x.Peer)
			}
		}
	}
	for id, c := range conns {
		if c.Exchanges != exchanges[id] && !filtered {
			t.Errorf("connection %d counts %d exchanges of %d", id, c.Exchanges, exchanges[id])
		}
		// No byte is in two exchanges.
		if w := wire[id]; w != nil {
			if all, moved := w[0]+w[1], c.Bytes[0]+c.Bytes[1]+c.Lost[0]+c.Lost[1]; all > moved {
				t.Errorf("connection %d: exchanges hold %d bytes of %d", id, all, moved)
			}
		}
	}
	registered := make(map[string]bool)
	for n := range ledger.All() {
		registered[n.String()] = true
	}
	for _, l := range r.Result.Ledger {
		if !registered[l.Name] || l.Sentence == "" || l.Severity == 0 || l.Count == 0 {
			t.Errorf("ledger entry %+v", l)
		}
	}
	for i := range r.Exchanges {
		for _, a := range r.Exchanges[i].Anomalies {
			if !registered[a] {
				t.Errorf("exchange %d: anomaly %q is not registered", r.Exchanges[i].ID, a)
			}
		}
	}
	s := &r.Result.Summary
	if s.Connections != uint64(len(r.Connections)) || r.Result.Matched != uint64(len(r.Exchanges)) || s.Exchanges < r.Result.Matched {
		t.Errorf("summary %+v of %d connections, %d exchanges", s, len(r.Connections), len(r.Exchanges))
	}
	var sides facts.Side
	for _, e := range r.Result.Edges {
		for _, side := range []*facts.Side{e.ClientSide, e.ServerSide} {
			if side != nil {
				sides.Connections += side.Connections
				sides.Exchanges += side.Exchanges
			}
		}
	}
	if sides.Connections != s.Connections || sides.Exchanges != s.Exchanges {
		t.Errorf("edges hold %d connections of %d, %d exchanges of %d", sides.Connections, s.Connections, sides.Exchanges, s.Exchanges)
	}
}
