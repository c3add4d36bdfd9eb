package topology

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/endpoint"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/process"
	"github.com/ebpf-reel/reel/format"
)

// Listener returns the program that listens on a port of a network namespace; nil unknown.
type Listener func(netns uint64, port uint16) *process.Image

// edge is an edge that is being summed up.
type edge struct {
	facts.Edge
	roleBy    conn.RoleBy
	endpoints [2]*endpoint.Set // of the client's side, of the server's
}

type edgeKey struct {
	client, server string
	port           uint16
	protocol       string
}

// Result is a topology, sorted by ids.
type Result struct {
	Nodes     []facts.Node
	Edges     []facts.Edge
	Endpoints []facts.Endpoint // of each edge and side
	Intervals []facts.Endpoint // the same by time
}

// Result returns what was summed up. The Fold takes no more after it.
func (f *Fold) Result(listens Listener) Result {
	nodes := make(map[string]*facts.Node)
	edges := make(map[edgeKey]*edge)
	for _, fl := range f.order {
		self := f.processNode(nodes, fl.self)
		other := f.otherNode(nodes, fl, listens)
		k := edgeKey{client: self, server: other, port: fl.port, protocol: fl.proto.String()}
		if fl.role == format.RoleServer {
			k.client, k.server = other, self
		}
		fl.edge = facts.EdgeKey{Client: k.client, Server: k.server, Port: k.port, Protocol: k.protocol}
		e := edges[k]
		if e == nil {
			e = &edge{Edge: facts.Edge{Client: k.client, Server: k.server, Port: k.port, Protocol: k.protocol}}
			edges[k] = e
		}
		f.add(e, fl)
	}
	var r Result
	for _, n := range nodes {
		slices.Sort(n.PIDs)
		n.PIDs = slices.Compact(n.PIDs)
		slices.Sort(n.Addrs)
		r.Nodes = append(r.Nodes, *n)
	}
	slices.SortFunc(r.Nodes, func(a, b facts.Node) int { return cmp.Compare(a.ID, b.ID) })
	sums := make([]*edge, 0, len(edges))
	for _, e := range edges {
		sums = append(sums, e)
	}
	slices.SortFunc(sums, func(a, b *edge) int {
		return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Port, b.Port),
			cmp.Compare(a.Protocol, b.Protocol))
	})
	f.endpoints.Close()
	for _, e := range sums {
		r.Edges = append(r.Edges, e.finish())
		side := facts.Endpoint{Client: e.Client, Server: e.Server, Port: e.Port, Protocol: e.Protocol}
		for i, set := range e.endpoints {
			if set != nil {
				side.Side = [...]format.Role{format.RoleClient, format.RoleServer}[i]
				r.Endpoints, r.Intervals = set.Append(r.Endpoints, r.Intervals, side)
			}
		}
	}
	return r
}

// maxPIDs bounds the processes that a node lists.
const maxPIDs = 1024

func (f *Fold) processNode(nodes map[string]*facts.Node, i *process.Image) string {
	if i == nil {
		const id = "process/unknown/"
		if nodes[id] == nil {
			nodes[id] = &facts.Node{ID: id, Kind: facts.NodeProcess, Name: "unknown", Group: f.host}
		}
		return id
	}
	id := i.NodeID()
	n := nodes[id]
	if n == nil {
		n = &facts.Node{ID: id, Kind: facts.NodeProcess, Name: i.Name(), Group: f.host}
		if i.Container != nil {
			n.Group = i.Container.Group()
		}
		nodes[id] = n
	}
	if len(n.PIDs) < maxPIDs && i.PID != 0 && !slices.Contains(n.PIDs, i.PID) {
		n.PIDs = append(n.PIDs, i.PID)
	}
	return id
}

func (f *Fold) otherNode(nodes map[string]*facts.Node, fl *flow, listens Listener) string {
	if fl.other != nil {
		return f.processNode(nodes, fl.other)
	}
	if fl.netns != 0 && fl.role == format.RoleClient {
		if i := listens(fl.netns, fl.port); i != nil {
			return f.processNode(nodes, i)
		}
	}
	name, group := "others", ""
	var addrs []string
	if fl.path != "" {
		name = "unix:" + fl.path
		addrs = []string{name}
	} else if fl.remote.IsValid() {
		name = fl.remote.String()
		addrs = []string{name}
		if n, ok := f.limits.Names.Of(fl.remote); ok {
			name, group = n.Name, n.Group // several addresses of one name are one node
		}
	} else if fl.self != nil {
		name = "unknown"
	}
	id := "remote/" + name
	n := nodes[id]
	if n == nil {
		n = &facts.Node{ID: id, Kind: facts.NodeRemote, Name: name, Group: group}
		nodes[id] = n
	}
	for _, a := range addrs {
		if len(n.Addrs) < maxPIDs && !slices.Contains(n.Addrs, a) {
			n.Addrs = append(n.Addrs, a)
		}
	}
	return id
}

// add sums a flow up on its side. The role that is not known counts as the client's.
func (f *Fold) add(e *edge, fl *flow) {
	side, i := &e.ClientSide, 0
	if fl.role == format.RoleServer {
		side, i = &e.ServerSide, 1
	}
	if *side == nil {
		*side = new(facts.Side)
	}
	s, a := *side, &fl.side
	s.Connections += a.Connections
	s.Exchanges += a.Exchanges
	s.Incomplete += a.Incomplete
	s.Errors4xx += a.Errors4xx
	s.Errors5xx += a.Errors5xx
	s.BytesRead += a.BytesRead
	s.BytesWrite += a.BytesWrite
	s.LostBytes += a.LostBytes
	s.Retrans += a.Retrans
	s.Dropped += a.Dropped
	s.Resets += a.Resets
	s.Failed += a.Failed
	s.ZeroWindows += a.ZeroWindows
	s.ZeroWindow += a.ZeroWindow
	s.AcceptWaitMax = max(s.AcceptWaitMax, a.AcceptWaitMax)
	most := f.bins()
	s.Durations.Merge(&a.Durations, most)
	addCalls(&s.L4.Calls, &a.L4.Calls, most)
	addMetric(&s.L4.Connect, &a.L4.Connect, most)
	addMetric(&s.L4.Close, &a.L4.Close, most)
	if fl.roleBy != conn.ByNothing && (e.roleBy == conn.ByNothing || fl.roleBy < e.roleBy) {
		e.roleBy = fl.roleBy
	}
	switch {
	case fl.endpoints == nil:
	case e.endpoints[i] == nil:
		e.endpoints[i] = f.endpoints.Set()
		fallthrough
	default:
		e.endpoints[i].Merge(fl.endpoints)
	}
}

func (e *edge) finish() facts.Edge {
	for _, s := range [...]*facts.Side{e.ClientSide, e.ServerSide} {
		if s == nil {
			continue
		}
		quantile := func(q float64) time.Duration {
			v, _ := s.Durations.Quantile(q)
			return time.Duration(min(v, math.MaxInt64))
		}
		s.DurationSum, s.DurationMax = time.Duration(min(s.Durations.Sum(), math.MaxInt64)), quantile(1)
		s.P50, s.P90, s.P99 = quantile(0.5), quantile(0.9), quantile(0.99)
	}
	e.RoleBy = e.roleBy.String()
	return e.Edge
}
