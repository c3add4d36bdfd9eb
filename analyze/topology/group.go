package topology

import (
	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
)

// Group is traffic that belongs to one edge. Which one is known at the end: other ends and listeners may be found late.
type Group struct{ flow *flow }

// Group returns the group that c's traffic belongs to now.
func (f *Fold) Group(c *conn.Conn) Group { return Group{f.flow(c)} }

// Edge returns the edge. It is not known before Result.
func (g Group) Edge() facts.EdgeKey { return g.flow.edge }
