package topology

import (
	"cmp"
	"slices"
)

// layered is a graph whose every edge leads from one layer to the next.
type layered struct {
	g      Graph
	cells  []cell
	layers [][]int   // cells by layer, top to bottom
	chains [][]int   // for each edge its cells from the left end to the right end
	loops  []float64 // for each self edge how far its label is above the node
	turned []bool    // edges drawn against their direction, to cut a cycle
}

func newLayered(g Graph) *layered {
	l := &layered{g: g, chains: make([][]int, len(g.Edges))}
	l.turned = cutCycles(g)
	rank := l.ranks()
	l.loops = make([]float64, len(g.Edges))
	room := slices.Clone(g.Nodes)
	above := make([]float64, len(g.Nodes))
	for i, e := range g.Edges {
		if e.From == e.To {
			// Loops share an arc above the node, and their labels are stacked; the same room below keeps the node in the middle.
			l.loops[i] = max(above[e.From], loopRise)
			above[e.From] = l.loops[i] + e.Label.H
			room[e.From] = Size{max(room[e.From].W, e.Label.W), g.Nodes[e.From].H + 2*above[e.From]}
		}
	}
	for i, size := range room {
		l.add(cell{size: size, half: g.Nodes[i].W / 2, node: i, edge: -1, layer: rank[i]})
	}
	for i, e := range g.Edges {
		if e.From == e.To {
			continue
		}
		from, to := l.ends(i)
		chain := []int{from}
		// Labels stand in the odd layer after the left end, where no node does.
		for layer := rank[from] + 1; layer < rank[to]; layer++ {
			size := Size{0, 4}
			if layer == rank[from]+1 {
				size = e.Label
			}
			chain = append(chain, l.add(cell{size: size, half: size.W / 2, node: -1, edge: i, layer: layer}))
		}
		chain = append(chain, to)
		for j := 1; j < len(chain); j++ {
			a, b := chain[j-1], chain[j]
			l.cells[a].down = append(l.cells[a].down, b)
			l.cells[b].up = append(l.cells[b].up, a)
		}
		l.chains[i] = chain
	}
	return l
}

func (l *layered) add(c cell) int {
	for len(l.layers) <= c.layer {
		l.layers = append(l.layers, nil)
	}
	c.pos = len(l.layers[c.layer])
	l.cells = append(l.cells, c)
	l.layers[c.layer] = append(l.layers[c.layer], len(l.cells)-1)
	return len(l.cells) - 1
}

// ends returns the left and the right node of an edge.
func (l *layered) ends(edge int) (left, right int) {
	e := l.g.Edges[edge]
	if l.turned[edge] {
		return e.To, e.From
	}
	return e.From, e.To
}

// cutCycles marks the edges that lead back to a node on the current path of a depth-first walk which begins at the nodes
// without incoming edges. The walk has its own stack: a long chain of nodes is no deep recursion.
func cutCycles(g Graph) []bool {
	out := make([][]int, len(g.Nodes))
	in := make([]int, len(g.Nodes))
	for i, e := range g.Edges {
		if e.From != e.To {
			out[e.From] = append(out[e.From], i)
			in[e.To]++
		}
	}
	turned := make([]bool, len(g.Edges))
	const unseen, open, done = 0, 1, 2
	state := make([]int, len(g.Nodes))
	walk := func(root int) {
		type frame struct{ node, next int }
		stack := []frame{{root, 0}}
		state[root] = open
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			if f.next == len(out[f.node]) {
				state[f.node] = done
				stack = stack[:len(stack)-1]
				continue
			}
			edge := out[f.node][f.next]
			f.next++
			switch to := g.Edges[edge].To; state[to] {
			case open:
				turned[edge] = true
			case unseen:
				state[to] = open
				stack = append(stack, frame{to, 0})
			}
		}
	}
	for pass := range 2 {
		for n := range g.Nodes {
			if state[n] == unseen && (pass == 1 || in[n] == 0) {
				walk(n)
			}
		}
	}
	return turned
}

// ranks returns twice the length of the longest path to each node; a node that only calls others moves right, next to the
// first that it calls.
func (l *layered) ranks() []int {
	n := len(l.g.Nodes)
	out := make([][]int, n)
	in := make([]int, n)
	for i, e := range l.g.Edges {
		if e.From != e.To {
			from, to := l.ends(i)
			out[from] = append(out[from], to)
			in[to]++
		}
	}
	rank := make([]int, n)
	waiting := slices.Clone(in)
	var queue []int
	for i := range n {
		if in[i] == 0 {
			queue = append(queue, i)
		}
	}
	for len(queue) > 0 {
		a := queue[0]
		queue = queue[1:]
		for _, b := range out[a] {
			rank[b] = max(rank[b], rank[a]+2)
			if waiting[b]--; waiting[b] == 0 {
				queue = append(queue, b)
			}
		}
	}
	for i := range n {
		if in[i] == 0 && len(out[i]) > 0 {
			nearest := rank[slices.MinFunc(out[i], func(a, b int) int { return cmp.Compare(rank[a], rank[b]) })]
			rank[i] = max(0, nearest-2)
		}
	}
	return rank
}

// sweeps is how often the order of the layers is improved in each direction; more gain nothing on graphs that a person
// can read.
const sweeps = 8

// order sorts each layer so that few edges cross, and keeps the best order seen.
func (l *layered) order() {
	best, crossings := l.snapshot(), l.crossings()
	for range sweeps {
		for i := 1; i < len(l.layers); i++ {
			l.sortLayer(i, func(c *cell) []int { return c.up })
		}
		for i := len(l.layers) - 2; i >= 0; i-- {
			l.sortLayer(i, func(c *cell) []int { return c.down })
		}
		if n := l.crossings(); n < crossings {
			best, crossings = l.snapshot(), n
		}
	}
	for i := range best {
		l.setLayer(i, best[i])
	}
}

func (l *layered) snapshot() [][]int {
	out := make([][]int, len(l.layers))
	for i := range l.layers {
		out[i] = slices.Clone(l.layers[i])
	}
	return out
}

func (l *layered) setLayer(i int, cells []int) {
	l.layers[i] = cells
	for pos, c := range cells {
		l.cells[c].pos = pos
	}
}

func (l *layered) sortLayer(i int, neighbours func(*cell) []int) {
	centre := make(map[int]float64, len(l.layers[i]))
	for _, c := range l.layers[i] {
		sum, n := 0.0, neighbours(&l.cells[c])
		for _, o := range n {
			sum += float64(l.cells[o].pos)
		}
		if len(n) == 0 {
			centre[c] = float64(l.cells[c].pos)
		} else {
			centre[c] = sum / float64(len(n))
		}
	}
	sorted := slices.Clone(l.layers[i])
	slices.SortStableFunc(sorted, func(a, b int) int { return cmp.Compare(centre[a], centre[b]) })
	l.setLayer(i, sorted)
}

// crossings counts the pairs of edges that cross between neighbouring layers.
func (l *layered) crossings() int {
	total := 0
	for i := range l.layers[:max(len(l.layers)-1, 0)] {
		var ends []int
		for _, a := range l.layers[i] {
			to := make([]int, 0, len(l.cells[a].down))
			for _, b := range l.cells[a].down {
				to = append(to, l.cells[b].pos)
			}
			slices.Sort(to)
			ends = append(ends, to...)
		}
		for j := range ends {
			for _, earlier := range ends[:j] {
				if earlier > ends[j] {
					total++
				}
			}
		}
	}
	return total
}
