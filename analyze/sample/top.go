package sample

import (
	"cmp"
	"slices"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// DefaultTop is how many exchanges a list has, MaxTop how many it can have.
const (
	DefaultTop = 10
	MaxTop     = 1000
)

// maxGroups bounds the groups that have lists of their own; exchanges of others are in the lists of all.
const maxGroups = 4096

// Top keeps the slowest exchanges, and the slowest of those with a status of 4xx and 5xx: of all, and of each group.
type Top[G comparable] struct {
	size   int
	all    lists
	groups map[G]*lists
	order  []G // by first sight
	left   uint64
}

// lists are one list for each of facts.TopLists.
type lists [len(facts.TopLists)]heap

// NewTop returns an empty Top whose lists have size entries; 0: DefaultTop.
func NewTop[G comparable](size int) *Top[G] {
	return &Top[G]{size: min(cmp.Or(size, DefaultTop), MaxTop), groups: make(map[G]*lists)}
}

// Left returns how many exchanges belong to groups beyond the bound.
func (t *Top[G]) Left() uint64 { return t.left }

// Add takes an exchange of a group. x is not used after the call.
func (t *Top[G]) Add(group G, x *facts.Exchange) {
	own := t.groups[group]
	if own == nil {
		if len(t.groups) >= maxGroups {
			t.left++
		} else {
			own = new(lists)
			t.groups[group] = own
			t.order = append(t.order, group)
		}
	}
	for i := range facts.TopLists {
		if !belongs(i, x) {
			continue
		}
		t.all[i].offer(x, 2*t.size) // both ends of an exchange may be in it
		if own != nil {
			own[i].offer(x, t.size)
		}
	}
}

func belongs(list int, x *facts.Exchange) bool {
	switch facts.TopLists[list] {
	case facts.Top4xx:
		return x.Status >= 400 && x.Status <= 499
	case facts.Top5xx:
		return x.Status >= 500 && x.Status <= 599
	}
	return x.Duration >= 0
}

// Lists returns the lists: those of all first, then those of each edge. edge names the edge of a group; groups of one edge and side
// make one list.
func (t *Top[G]) Lists(edge func(G) facts.EdgeKey) []facts.TopEntry {
	out := t.append(nil, facts.EdgeKey{}, 0, &t.all)
	type key struct {
		facts.EdgeKey
		role format.Role
	}
	merged := make(map[key]*lists)
	var keys []key
	for _, g := range t.order {
		for i := range t.groups[g] {
			for _, x := range t.groups[g][i] {
				k := key{edge(g), x.Role}
				if merged[k] == nil {
					merged[k] = new(lists)
					keys = append(keys, k)
				}
				merged[k][i].offer(x, t.size)
			}
		}
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.role, b.role))
	})
	for _, k := range keys {
		out = t.append(out, k.EdgeKey, k.role, merged[k])
	}
	return out
}

func (t *Top[G]) append(out []facts.TopEntry, edge facts.EdgeKey, side format.Role, from *lists) []facts.TopEntry {
	for i := range from {
		list := slices.Clone(from[i])
		slices.SortFunc(list, func(a, b *facts.Exchange) int {
			return cmp.Or(cmp.Compare(b.Duration, a.Duration), cmp.Compare(a.ID, b.ID))
		})
		servers := make(map[facts.ExchangeID]bool) // that a client's view stands for
		for _, x := range list {
			if x.Role == format.RoleClient && x.Peer != 0 {
				servers[x.Peer] = true
			}
		}
		rank := 0
		for _, x := range list {
			if side == 0 && (servers[x.ID] || x.Role == format.RoleServer && x.Peer != 0) {
				continue
			}
			if rank++; rank > t.size {
				break
			}
			out = append(out, facts.TopEntry{List: facts.TopLists[i], Edge: edge, Side: side, Rank: rank, Exchange: x})
		}
	}
	return out
}

// heap holds the exchanges of longest duration; the first is the shortest of them.
type heap []*facts.Exchange

// before orders a heap: of two of the same duration the later one goes first.
func before(a, b *facts.Exchange) bool {
	return a.Duration < b.Duration || a.Duration == b.Duration && a.ID > b.ID
}

// offer keeps a copy of x if it is among the size longest.
func (h *heap) offer(x *facts.Exchange, size int) {
	if len(*h) < size {
		*h = append(*h, x.Slim())
		i := len(*h) - 1
		for i > 0 && before((*h)[i], (*h)[(i-1)/2]) {
			(*h)[i], (*h)[(i-1)/2] = (*h)[(i-1)/2], (*h)[i]
			i = (i - 1) / 2
		}
		return
	}
	if !before((*h)[0], x) {
		return
	}
	(*h)[0] = x.Slim()
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(*h); c++ {
			if before((*h)[c], (*h)[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		(*h)[i], (*h)[least] = (*h)[least], (*h)[i]
		i = least
	}
}
