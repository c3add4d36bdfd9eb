package topology

import "slices"

// place gives each cell its height: near the mean of its neighbours, in the order of its layer, without overlap.
func (l *layered) place() {
	for _, layer := range l.layers {
		y := 0.0
		for _, c := range layer {
			h := l.cells[c].size.H
			l.cells[c].y = y + h/2
			y += h + rowGap
		}
	}
	for range sweeps {
		for i := 1; i < len(l.layers); i++ {
			l.align(l.layers[i], func(c *cell) []int { return c.up })
		}
		for i := len(l.layers) - 2; i >= 0; i-- {
			l.align(l.layers[i], func(c *cell) []int { return c.down })
		}
	}
}

// align moves the cells of a layer to the mean height of their neighbours; cells that would overlap become one block that
// moves to the mean of what its members want.
func (l *layered) align(layer []int, neighbours func(*cell) []int) {
	type block struct {
		cells  []int
		want   float64 // sum of the wanted tops
		height float64
	}
	top := func(b block) float64 { return b.want / float64(len(b.cells)) }
	var blocks []block
	for _, c := range layer {
		cell := &l.cells[c]
		want := cell.y
		if n := neighbours(cell); len(n) > 0 {
			want = 0
			for _, o := range n {
				want += l.cells[o].y
			}
			want /= float64(len(n))
		}
		b := block{cells: []int{c}, want: want - cell.size.H/2, height: cell.size.H + rowGap}
		for len(blocks) > 0 {
			last := blocks[len(blocks)-1]
			if top(last)+last.height <= top(b) {
				break
			}
			// The members of b want their tops; seen from the top of the joint block, last.height higher.
			b.want = last.want + b.want - last.height*float64(len(b.cells))
			b.cells = append(slices.Clone(last.cells), b.cells...)
			b.height += last.height
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		y := top(b)
		for _, c := range b.cells {
			h := l.cells[c].size.H
			l.cells[c].y = y + h/2
			y += h + rowGap
		}
	}
}

// loopRise is how far a self edge rises above its node.
const loopRise = 22

func (l *layered) draw() Drawing {
	d := Drawing{
		Nodes:  make([]Point, len(l.g.Nodes)),
		Labels: make([]Point, len(l.g.Edges)),
		Paths:  make([][]Point, len(l.g.Edges)),
	}
	low, high := 0.0, 0.0
	for i := range l.cells {
		c := &l.cells[i]
		low, high = min(low, c.y-c.size.H/2), max(high, c.y+c.size.H/2)
	}
	x := float64(margin)
	centre := make([]float64, len(l.layers))
	for i, layer := range l.layers {
		w := 0.0
		for _, c := range layer {
			w = max(w, l.cells[c].size.W)
		}
		centre[i] = x + w/2
		x += w + layerGap
	}
	at := func(c int) Point {
		return Point{centre[l.cells[c].layer], l.cells[c].y - low + margin}
	}
	for i := range l.g.Nodes {
		d.Nodes[i] = at(i)
	}
	for i, e := range l.g.Edges {
		if e.From == e.To {
			p := d.Nodes[e.From]
			w, y := l.g.Nodes[e.From].W/4, p.Y-l.g.Nodes[e.From].H/2
			d.Labels[i] = Point{p.X, y - l.loops[i] - e.Label.H/2}
			d.Paths[i] = []Point{{p.X - w, y}, {p.X - w, y - loopRise}, {p.X + w, y - loopRise}, {p.X + w, y}}
			continue
		}
		d.Labels[i] = at(l.chains[i][1])
		d.Paths[i] = l.path(i, at)
	}
	d.Width, d.Height = x-layerGap+margin, high-low+2*margin
	return d
}

// path returns the curves of an edge: each leaves and enters its cells level.
func (l *layered) path(edge int, at func(int) Point) []Point {
	chain := l.chains[edge]
	var out []Point
	for j, c := range chain {
		half := l.cells[c].half
		p := at(c)
		if j > 0 {
			from := out[len(out)-1]
			to := Point{p.X - half, p.Y}
			mid := (from.X + to.X) / 2
			out = append(out, Point{mid, from.Y}, Point{mid, to.Y}, to)
		} else {
			out = append(out, Point{p.X + half, p.Y})
			continue
		}
		if j < len(chain)-1 && half > 0 {
			to := Point{p.X + half, p.Y}
			out = append(out, Point{p.X, p.Y}, Point{p.X, p.Y}, to)
		}
	}
	if l.turned[edge] {
		slices.Reverse(out)
	}
	return out
}
