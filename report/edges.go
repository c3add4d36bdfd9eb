package report

import (
	"cmp"
	"slices"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report/visible"
)

// NodeNames returns the printable name of each node by its ID.
func (d *Data) NodeNames() map[string]string {
	names := make(map[string]string, len(d.Nodes))
	for i := range d.Nodes {
		n := &d.Nodes[i]
		names[n.ID] = visible.Text(cmp.Or(n.Name, n.ID))
		if n.Group != "" && n.Group != d.Summary.Host { // the same program in several pods is several nodes
			names[n.ID] += " @ " + visible.Text(n.Group)
		}
	}
	for i := range d.Edges {
		for _, id := range []string{d.Edges[i].Client, d.Edges[i].Server} {
			if names[id] == "" {
				names[id] = visible.Text(id)
			}
		}
	}
	return names
}

// BestSide returns the side of e that its numbers are read from, and its name: the client's, since that is what a user of
// the edge waited for, else the server's.
func BestSide(e *facts.Edge) (*facts.Side, string) {
	switch {
	case e.ClientSide != nil && e.ServerSide != nil:
		return e.ClientSide, "both"
	case e.ClientSide != nil:
		return e.ClientSide, "client"
	case e.ServerSide != nil:
		return e.ServerSide, "server"
	}
	return nil, ""
}

// BusiestEdges returns the indices of d.Edges, most exchanges first, then most bytes.
func (d *Data) BusiestEdges() []int {
	order := make([]int, len(d.Edges))
	for i := range order {
		order[i] = i
	}
	load := func(i int) (exchanges, bytes uint64) {
		if s, _ := BestSide(&d.Edges[i]); s != nil {
			return s.Exchanges, s.BytesRead + s.BytesWrite
		}
		return 0, 0
	}
	slices.SortStableFunc(order, func(a, b int) int {
		ea, ba := load(a)
		eb, bb := load(b)
		return cmp.Or(cmp.Compare(eb, ea), cmp.Compare(bb, ba))
	})
	return order
}

// RoleName prints a role.
func RoleName(r format.Role) string {
	switch r {
	case format.RoleClient:
		return "client"
	case format.RoleServer:
		return "server"
	default:
		return "unknown"
	}
}
