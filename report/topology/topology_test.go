package topology

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func graph(nodes int, edges ...[2]int) Graph {
	g := Graph{Nodes: make([]Size, nodes)}
	for i := range g.Nodes {
		g.Nodes[i] = Size{120, 40}
	}
	for _, e := range edges {
		g.Edges = append(g.Edges, Edge{e[0], e[1], Size{110, 30}})
	}
	return g
}

func TestLayoutGolden(t *testing.T) {
	for name, g := range map[string]Graph{
		"empty":    graph(0),
		"alone":    graph(1),
		"shop":     graph(7, [2]int{0, 1}, [2]int{1, 2}, [2]int{2, 3}, [2]int{2, 4}, [2]int{3, 5}, [2]int{4, 6}),
		"parallel": graph(2, [2]int{0, 1}, [2]int{0, 1}, [2]int{1, 0}),
		"self":     graph(2, [2]int{0, 0}, [2]int{0, 1}, [2]int{0, 0}),
		"cycle":    graph(3, [2]int{0, 1}, [2]int{1, 2}, [2]int{2, 0}),
		"long":     graph(4, [2]int{0, 1}, [2]int{1, 2}, [2]int{0, 3}, [2]int{2, 3}),
	} {
		t.Run(name, func(t *testing.T) {
			d := Layout(g)
			check(t, g, d)
			path := filepath.Join("testdata", name+".golden")
			got := print(d)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestLayoutOfRandomGraphs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n := 1 + rng.IntN(25)
		g := graph(n)
		for range rng.IntN(3 * n) {
			g.Edges = append(g.Edges, Edge{rng.IntN(n), rng.IntN(n), Size{110, 30}})
		}
		d := Layout(g)
		check(t, g, d)
		if again := Layout(g); !cmp.Equal(d, again) {
			t.Fatalf("two drawings of one graph differ: %v", g.Edges)
		}
	}
}

// check holds what every drawing must keep: boxes do not overlap and lie inside, edges join the borders of their nodes and
// lead to the right unless they close a cycle.
func check(t *testing.T, g Graph, d Drawing) {
	t.Helper()
	type box struct {
		name string
		p    Point
		s    Size
	}
	var boxes []box
	for i, p := range d.Nodes {
		boxes = append(boxes, box{fmt.Sprint("node ", i), p, g.Nodes[i]})
	}
	for i, p := range d.Labels {
		boxes = append(boxes, box{fmt.Sprint("label ", i), p, g.Edges[i].Label})
	}
	const slack = 0.01
	for i, a := range boxes {
		if a.p.X-a.s.W/2 < 0 || a.p.Y-a.s.H/2 < 0 || a.p.X+a.s.W/2 > d.Width+slack || a.p.Y+a.s.H/2 > d.Height+slack {
			t.Errorf("%s at %v lies outside of %g×%g", a.name, a.p, d.Width, d.Height)
		}
		for _, b := range boxes[:i] {
			if abs(a.p.X-b.p.X) < (a.s.W+b.s.W)/2-slack && abs(a.p.Y-b.p.Y) < (a.s.H+b.s.H)/2-slack {
				t.Errorf("%s at %v overlaps %s at %v", a.name, a.p, b.name, b.p)
			}
		}
	}
	for i, e := range g.Edges {
		path := d.Paths[i]
		if len(path)%3 != 1 || len(path) < 4 {
			t.Fatalf("edge %d: %d points are no chain of cubic curves", i, len(path))
		}
		if e.From == e.To {
			continue
		}
		for end, node := range map[int]int{0: e.From, len(path) - 1: e.To} {
			p, c := path[end], d.Nodes[node]
			if abs(p.Y-c.Y) > slack || abs(abs(p.X-c.X)-g.Nodes[node].W/2) > slack {
				t.Errorf("edge %d ends at %v, not on the border of node %d at %v", i, p, node, c)
			}
		}
	}
}

func abs(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}

func print(d Drawing) string {
	var b strings.Builder
	fmt.Fprintf(&b, "size %.1f × %.1f\n", d.Width, d.Height)
	for i, p := range d.Nodes {
		fmt.Fprintf(&b, "node %d: %.1f %.1f\n", i, p.X, p.Y)
	}
	for i, p := range d.Labels {
		fmt.Fprintf(&b, "edge %d: label %.1f %.1f, path", i, p.X, p.Y)
		for _, q := range d.Paths[i] {
			fmt.Fprintf(&b, " %.1f,%.1f", q.X, q.Y)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
