package flame

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// By says what stands below all stacks of a graph.
type By uint8

// The choices.
const (
	ByProcess By = iota // the name of the process
	ByThread            // the name of the process, then that of the thread with its id
	ByNone              // nothing
)

// node is a function as it was called by its parents.
type node struct {
	name     int32 // index in tree.names
	parent   int32
	depth    int32
	count    uint64 // of itself: stacks that end here
	time     uint64 // ns, likewise
	children []int32
}

// tree is the stacks of a profile, merged from their outermost frames on. Node 0 is all of it.
type tree struct {
	names []name
	nodes []node
}

// name is what a box of a graph shows.
type name struct {
	text   string
	module string
	kind   kind
	note   string // why it has no better name
}

// kind colours a box.
type kind uint8

// The kinds. The page knows them by these numbers.
const (
	kindGroup   kind = 0 // all, a process, a thread
	kindUser    kind = 1 // of the program itself
	kindLibrary kind = 2
	kindKernel  kind = 3
	kindJIT     kind = 4
	kindUnnamed kind = 5
	kindNote    kind = 6 // says something instead of naming code
)

// build merges the stacks of a profile.
func build(p *facts.Profile, by By) *tree {
	t := &tree{names: []name{{text: "all", kind: kindGroup}}, nodes: []node{{parent: -1}}}
	functions := make([]int32, len(p.Functions)) // index in names, less one
	groups := map[string]int32{}
	children := map[[2]int32]int32{}
	child := func(parent, name int32) int32 {
		key := [2]int32{parent, name}
		if c, ok := children[key]; ok {
			return c
		}
		c := int32(len(t.nodes))
		t.nodes = append(t.nodes, node{name: name, parent: parent, depth: t.nodes[parent].depth + 1})
		t.nodes[parent].children = append(t.nodes[parent].children, c)
		children[key] = c
		return c
	}
	group := func(text string) int32 {
		i, ok := groups[text]
		if !ok {
			i = t.add(name{text: text, kind: kindGroup})
			groups[text] = i
		}
		return i
	}
	for i := range p.Stacks {
		s := &p.Stacks[i]
		at := int32(0)
		if by != ByNone {
			at = child(at, group(s.Process))
		}
		if by == ByThread {
			at = child(at, group(s.Thread+" ("+strconv.FormatUint(uint64(s.TID), 10)+")"))
		}
		for _, l := range s.Frames {
			f := p.Locations[l].Function
			if functions[f] == 0 {
				functions[f] = t.add(nameOf(p, f, s.Process)) + 1
			}
			at = child(at, functions[f]-1)
		}
		t.nodes[at].count += s.Count
		t.nodes[at].time += uint64(s.Time)
	}
	for i := range t.nodes {
		kids := t.nodes[i].children
		slices.SortFunc(kids, func(a, b int32) int {
			x, y := t.names[t.nodes[a].name], t.names[t.nodes[b].name]
			return cmp.Or(cmp.Compare(x.text, y.text), cmp.Compare(x.module, y.module), cmp.Compare(a, b))
		})
	}
	return t
}

func (t *tree) add(n name) int32 {
	t.names = append(t.names, n)
	return int32(len(t.names) - 1)
}

func nameOf(p *facts.Profile, function int32, process string) name {
	f := &p.Functions[function]
	n := name{text: f.Name, kind: kindUser}
	switch {
	case f.Module < 0 && f.Kind == 0:
		n.kind = kindNote
		return n
	case f.Module < 0:
		n.kind, n.note = kindUnnamed, "an address in no known mapping"
		return n
	}
	m := &p.Modules[f.Module]
	n.module = m.Path
	switch {
	case f.Kind == format.FrameKernel:
		n.kind = kindKernel
	case m.Kind == format.ModuleJIT:
		n.kind = kindJIT
	case f.Source == 0 || f.Source == format.SymbolBounds:
		n.kind = kindUnnamed
		n.note = m.Error
	case library(m.Path):
		n.kind = kindLibrary
	}
	return n
}

// library reports whether a path is that of a shared library.
func library(path string) bool {
	base := path
	if i := lastSlash(path); i >= 0 {
		base = path[i+1:]
	}
	for i := 0; i+3 <= len(base); i++ {
		if base[i:i+3] == ".so" && (i+3 == len(base) || base[i+3] == '.') {
			return true
		}
	}
	return path == "[vdso]"
}

func lastSlash(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '/' {
			return i
		}
	}
	return -1
}

// walk calls fn with each node, parents first and children in order.
func (t *tree) walk(fn func(i int32, n *node)) {
	stack := []int32{0}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		fn(i, &t.nodes[i])
		kids := t.nodes[i].children
		for k := len(kids) - 1; k >= 0; k-- {
			stack = append(stack, kids[k])
		}
	}
}

// totals returns count and time of each node with all that it called.
func (t *tree) totals() (counts, times []uint64) {
	counts, times = make([]uint64, len(t.nodes)), make([]uint64, len(t.nodes))
	for i := len(t.nodes) - 1; i >= 0; i-- { // children come after their parents
		n := &t.nodes[i]
		counts[i] += n.count
		times[i] += n.time
		if n.parent >= 0 {
			counts[n.parent] += counts[i]
			times[n.parent] += times[i]
		}
	}
	return counts, times
}
