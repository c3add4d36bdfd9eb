package report

import (
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// ties finds the edge that a connection or an exchange belongs to. Edges name nodes, exchanges name processes and
// addresses; where more than one edge fits, none is chosen.
type ties struct {
	names map[format.PID]string
	nodes map[format.PID]string // PID to node ID
	addrs map[string]string     // address to remote node ID
	conns map[facts.ConnID]*facts.Connection
	edges map[edgeKey]int // -1: ambiguous
}

type edgeKey struct {
	client, server string // "" any
	port           uint16
}

const ambiguous = -1

func newTies(d *Data, names map[format.PID]string) *ties {
	t := &ties{
		names: make(map[format.PID]string, len(names)),
		nodes: make(map[format.PID]string),
		addrs: make(map[string]string),
		conns: make(map[facts.ConnID]*facts.Connection, len(d.Connections)),
		edges: make(map[edgeKey]int, 3*len(d.Edges)),
	}
	for pid, name := range names {
		t.names[pid] = name
	}
	for i := range d.Nodes {
		n := &d.Nodes[i]
		for _, pid := range n.PIDs {
			t.nodes[pid] = n.ID
			if t.names[pid] == "" {
				t.names[pid] = n.Name
			}
		}
		if n.Kind == facts.NodeRemote {
			for _, a := range n.Addrs {
				t.addrs[a] = n.ID
			}
		}
	}
	for i := range d.Connections {
		t.conns[d.Connections[i].ID] = &d.Connections[i].Connection
	}
	for i := range d.Edges {
		e := &d.Edges[i]
		for _, k := range []edgeKey{{e.Client, e.Server, e.Port}, {"", e.Server, e.Port}, {e.Client, "", e.Port}} {
			if _, taken := t.edges[k]; taken {
				t.edges[k] = ambiguous
			} else {
				t.edges[k] = i
			}
		}
	}
	return t
}

func (t *ties) connection(c *facts.Connection) int {
	return t.find(c.Role, c.PID, t.peer(c), c.Local, c.Remote)
}

func (t *ties) exchange(e *facts.Exchange) int {
	var peer string
	if c := t.conns[e.Conn]; c != nil {
		peer = t.peer(c)
	}
	return t.find(e.Role, e.PID, peer, e.Local, e.Remote)
}

// peer returns the node of the process at the other end of c, "" if the reel does not hold it.
func (t *ties) peer(c *facts.Connection) string {
	if p := t.conns[c.Peer]; p != nil {
		return t.nodes[p.PID]
	}
	return ""
}

func (t *ties) find(role format.Role, pid format.PID, peer string, local, remote format.Endpoint) int {
	own := t.nodes[pid]
	if peer == "" && remote.IsValid() {
		peer = t.addrs[remote.Addr.String()]
	}
	var key edgeKey
	switch role {
	case format.RoleClient:
		key = edgeKey{own, peer, remote.Port}
	case format.RoleServer:
		key = edgeKey{peer, own, local.Port}
	default:
		return ambiguous
	}
	if own == "" {
		return ambiguous
	}
	if i, ok := t.edges[key]; ok {
		return i
	}
	// The other end is a process that the page does not hold: the own side and the port decide, if they can.
	if role == format.RoleClient {
		key.server = ""
	} else {
		key.client = ""
	}
	if i, ok := t.edges[key]; ok {
		return i
	}
	return ambiguous
}
