// Package topology turns a directed graph into the coordinates of a layered drawing: clients to the left, servers to the
// right, each edge through a box of its own for its label, so that parallel edges lie apart. It is the method of Sugiyama,
// Tagawa and Toda (1981) with the usual simple parts: cycles are cut depth-first, layers are longest paths, crossings are
// reduced by barycentre sweeps. The same graph gives the same drawing.
package topology

// Graph is what is to be drawn. Edges name nodes by index; self edges and parallel edges are allowed.
type Graph struct {
	Nodes []Size
	Edges []Edge
}

// Size is the room that a box needs, in pixels.
type Size struct{ W, H float64 }

// Edge is an arrow with a label of the given size.
type Edge struct {
	From, To int
	Label    Size
}

// Point is a place on the drawing, in pixels from its top left corner.
type Point struct{ X, Y float64 }

// Drawing is the result. Nodes and Labels are centres.
type Drawing struct {
	Width, Height float64
	Nodes         []Point
	Labels        []Point // by edge
	// Paths holds for each edge the points of a chain of cubic Bézier curves: a start, then three points per curve, from
	// the border of the client to the border of the server.
	Paths [][]Point
}

// The gaps between boxes, in pixels.
const (
	layerGap = 26
	rowGap   = 18
	margin   = 8
)

// cell is a box of a layer: a node, or the place where an edge crosses the layer.
type cell struct {
	size     Size    // the room it takes
	half     float64 // width from its centre to where edges begin
	node     int     // index in Graph.Nodes; -1
	edge     int     // index in Graph.Edges; -1
	layer    int
	pos      int // in its layer
	y        float64
	up, down []int // neighbours in the layers before and after, as cells
}

// Layout draws g.
func Layout(g Graph) Drawing {
	l := newLayered(g)
	l.order()
	l.place()
	return l.draw()
}
