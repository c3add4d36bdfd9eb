package html

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report"
	"github.com/ebpf-reel/reel/report/quantity"
	"github.com/ebpf-reel/reel/report/topology"
	"github.com/ebpf-reel/reel/report/visible"
)

// maxDrawn is how many edges a drawing holds and stays readable; the table has all.
const maxDrawn = 60

// drawing is the topology as the template draws it.
type drawing struct {
	Width, Height string
	Label         string
	Nodes         []drawnNode
	Edges         []drawnEdge
	Undrawn       string
}

type drawnNode struct {
	X, Y, W, H, CX, CY string
	Name, Note, Title  string
	Class              string
	NameDY             int
}

type drawnEdge struct {
	Index              int
	Link, Title, Class string
	Path, X, Y         string
	Above, Below       string
	Weight             int // of the line, 1 to 4
}

// The room of a node and of an edge's label, in pixels; text that does not fit is cut.
const (
	nodeHeight  = 40
	labelHeight = 38
	charWidth   = 6.6
	smallWidth  = 6.0
	maxName     = 24
)

func newDrawing(d *report.Data) *drawing {
	drawn := d.BusiestEdges()
	if len(drawn) == 0 {
		return nil
	}
	out := &drawing{}
	if n := len(drawn) - maxDrawn; n > 0 {
		drawn = drawn[:maxDrawn]
		out.Undrawn = fmt.Sprintf("Drawn are the %d busiest edges; %s in the table only.", maxDrawn, quantity.Of(uint64(n), "more edge"))
	}
	// The order of the edges, not of their traffic, decides how the drawing looks, so that two reels of one system look alike.
	slices.Sort(drawn)

	var g topology.Graph
	index := make(map[string]int)
	names := d.NodeNames()
	byID := make(map[string]*facts.Node, len(d.Nodes))
	for i := range d.Nodes {
		byID[d.Nodes[i].ID] = &d.Nodes[i]
	}
	var nodes []drawnNode
	node := func(id string) int {
		if i, ok := index[id]; ok {
			return i
		}
		n := describe(byID[id], names[id])
		w := max(charWidth*float64(utf8.RuneCountInString(n.Name)), smallWidth*float64(utf8.RuneCountInString(n.Note))) + 24
		g.Nodes = append(g.Nodes, topology.Size{W: max(w, 84), H: nodeHeight})
		nodes = append(nodes, n)
		index[id] = len(nodes) - 1
		return len(nodes) - 1
	}
	most := uint64(1)
	for _, i := range drawn {
		if s, _ := report.BestSide(&d.Edges[i]); s != nil {
			most = max(most, s.Exchanges)
		}
	}
	for _, i := range drawn {
		x := &d.Edges[i]
		e := drawEdge(d, i, names, most)
		w := max(charWidth*float64(utf8.RuneCountInString(e.Above)), smallWidth*float64(utf8.RuneCountInString(e.Below))) + 12
		g.Edges = append(g.Edges, topology.Edge{From: node(x.Client), To: node(x.Server), Label: topology.Size{W: w, H: labelHeight}})
		out.Edges = append(out.Edges, e)
	}

	at := topology.Layout(g)
	out.Width, out.Height = px(at.Width), px(at.Height)
	out.Label = fmt.Sprintf("Topology of %s and %s; the table below has the same edges.",
		quantity.Of(uint64(len(nodes)), "node"), quantity.Of(uint64(len(drawn)), "edge"))
	for i := range nodes {
		n, c, s := &nodes[i], at.Nodes[i], g.Nodes[i]
		n.X, n.Y, n.W, n.H, n.CX, n.CY = px(c.X-s.W/2), px(c.Y-s.H/2), px(s.W), px(s.H), px(c.X), px(c.Y)
	}
	out.Nodes = nodes
	for i := range out.Edges {
		e := &out.Edges[i]
		e.X, e.Y, e.Path = px(at.Labels[i].X), px(at.Labels[i].Y), path(at.Paths[i])
	}
	return out
}

func px(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }

// path writes a chain of cubic curves as SVG path data.
func path(points []topology.Point) string {
	var b strings.Builder
	for i, p := range points {
		switch {
		case i == 0:
			b.WriteByte('M')
		case i%3 == 1:
			b.WriteByte('C')
		default:
			b.WriteByte(' ')
		}
		b.WriteString(px(p.X) + " " + px(p.Y))
	}
	return b.String()
}

func describe(n *facts.Node, name string) drawnNode {
	d := drawnNode{Name: visible.Cut(name, maxName), Title: name, Class: "process", NameDY: -2}
	if n == nil {
		d.NameDY = 4
		return d
	}
	if n.Kind == facts.NodeRemote {
		d.Class, d.Note = "remote", "not recorded"
	} else if len(n.PIDs) == 1 {
		d.Note = fmt.Sprint("pid ", n.PIDs[0])
	} else if len(n.PIDs) > 1 {
		d.Note = quantity.Count(uint64(len(n.PIDs))) + " processes"
	}
	d.Title = name
	for _, s := range append([]string{n.ID, n.Group}, n.Addrs...) {
		if s != "" {
			d.Title += "\n" + visible.Text(s)
		}
	}
	if d.Note == "" {
		d.NameDY = 4
	}
	return d
}

func drawEdge(d *report.Data, i int, names map[string]string, most uint64) drawnEdge {
	x := &d.Edges[i]
	e := drawnEdge{Index: i, Link: edgeLink(i), Weight: 1, Above: fmt.Sprintf("%s :%d", visible.Text(x.Protocol), x.Port)}
	s, side := report.BestSide(x)
	if s == nil {
		e.Class, e.Title = "unseen", names[x.Client]+" → "+names[x.Server]
		return e
	}
	if s.Exchanges > 0 {
		e.Below = quantity.Count(s.Exchanges) + " · p99 " + quantity.Duration(s.P99)
		// Each weight stands for a tenth of the traffic of the next.
		for limit := most / 1000; e.Weight < 4 && s.Exchanges > limit; limit *= 10 {
			e.Weight++
		}
	} else {
		e.Below = quantity.Bytes(s.BytesRead + s.BytesWrite)
	}
	errors := s.Errors5xx
	switch {
	case s.Exchanges > 0 && errors*100 >= s.Exchanges:
		e.Class = "bad"
	case errors > 0:
		e.Class = "warn"
	}
	e.Title = fmt.Sprintf("%s → %s, %s port %d, seen by %s\n%s, %s\n4xx %s, 5xx %s, incomplete %s\np50 %s, p90 %s, p99 %s, max %s\nread %s, written %s, lost %s",
		names[x.Client], names[x.Server], visible.Text(x.Protocol), x.Port, side,
		quantity.Of(s.Connections, "connection"), quantity.Of(s.Exchanges, "exchange"),
		quantity.Share(s.Errors4xx, s.Exchanges), quantity.Share(errors, s.Exchanges), quantity.Count(s.Incomplete),
		quantity.Duration(s.P50), quantity.Duration(s.P90), quantity.Duration(s.P99), quantity.Duration(s.DurationMax),
		quantity.Bytes(s.BytesRead), quantity.Bytes(s.BytesWrite), quantity.Bytes(s.LostBytes))
	return e
}
