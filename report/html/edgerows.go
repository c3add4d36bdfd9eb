package html

import (
	"cmp"
	"fmt"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report"
	"github.com/ebpf-reel/reel/report/quantity"
	"github.com/ebpf-reel/reel/report/visible"
)

// edgeRow is a row of the table of edges.
type edgeRow struct {
	Index                                int
	Link, Client, Server, Protocol, Side string
	Port                                 uint16
	Connections, Exchanges, Rate         string
	Errors4xx, Errors5xx, Incomplete     string
	Has4xx, Has5xx, HasLost              bool
	P50, P90, P99, Max                   string
	Read, Written, Lost, Retrans         string
	Dropped, Resets, Failed, ZeroWindow  string
	HasRetrans, HasDropped, HasResets    bool
	HasFailed, HasZero                   bool
	Certainty, RoleBy                    string
}

func edgeRows(d *report.Data) []edgeRow {
	names := d.NodeNames()
	var rows []edgeRow
	for _, i := range d.BusiestEdges() {
		x := &d.Edges[i]
		r := edgeRow{Index: i, Link: edgeLink(i), Client: names[x.Client], Server: names[x.Server], Protocol: visible.Text(x.Protocol), Port: x.Port}
		c := certainty(x.RoleBy)
		r.Certainty, r.RoleBy = c.String(), "who is client and who is server is known by: "+cmp.Or(visible.Text(x.RoleBy), "nothing")
		if s, side := report.BestSide(x); s != nil {
			r.fill(s, d.Summary.Duration)
			r.Side = side
		}
		rows = append(rows, r)
	}
	return rows
}

func (r *edgeRow) fill(s *facts.Side, window time.Duration) {
	r.Connections, r.Exchanges = quantity.Count(s.Connections), quantity.Count(s.Exchanges)
	r.Read, r.Written, r.Lost, r.Retrans = quantity.Bytes(s.BytesRead), quantity.Bytes(s.BytesWrite), quantity.Bytes(s.LostBytes), quantity.Count(s.Retrans)
	r.HasLost = s.LostBytes > 0
	r.Dropped, r.Resets, r.Failed = quantity.Count(s.Dropped), quantity.Count(s.Resets), quantity.Count(s.Failed)
	r.HasRetrans, r.HasDropped, r.HasResets, r.HasFailed, r.HasZero = s.Retrans > 0, s.Dropped > 0, s.Resets > 0, s.Failed > 0, s.ZeroWindows > 0
	if r.HasZero {
		r.ZeroWindow = quantity.Duration(s.ZeroWindow)
	}
	if s.Exchanges == 0 {
		return
	}
	r.Rate = quantity.Rate(s.Exchanges, window)
	r.Errors4xx, r.Errors5xx, r.Incomplete = quantity.Count(s.Errors4xx), quantity.Count(s.Errors5xx), quantity.Count(s.Incomplete)
	r.Has4xx, r.Has5xx = s.Errors4xx > 0, s.Errors5xx > 0
	r.P50, r.P90, r.P99, r.Max = quantity.Duration(s.P50), quantity.Duration(s.P90), quantity.Duration(s.P99), quantity.Duration(s.DurationMax)
}

func edgeLink(i int) string { return fmt.Sprintf("#v=exchanges&q=edge%%3D%d", i) }

// certainty grades how the direction of an edge is known: by the call that made the connection, by the other end or a
// listening socket, which leave no doubt either, or by what usually holds.
func certainty(roleBy string) facts.Certainty {
	switch roleBy {
	case "connect", "accept", "listener", "peer":
		return facts.Exact
	case "":
		return facts.Unknown
	default:
		return facts.Inferred
	}
}
