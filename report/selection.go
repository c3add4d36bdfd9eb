package report

import (
	"container/heap"
	"slices"
)

// selection keeps a bounded part of a stream of items. Each item is offered to several classes with a score for each; a
// class keeps the items of the highest scores, ties broken by id, so that the result depends on the items alone and not
// on their order. An item lives as long as one class holds it.
type selection[T any] struct {
	classes []class[T]
}

type kept[T any] struct {
	id    uint64
	value T
}

// outside is the score of an item that is not of a class.
const outside = -1 << 63

func newSelection[T any](caps ...int) *selection[T] {
	s := &selection[T]{classes: make([]class[T], len(caps))}
	for i, c := range caps {
		s.classes[i].cap = c
	}
	return s
}

// offer shows an item to the classes; build makes the value and is called only if a class keeps it.
func (s *selection[T]) offer(id uint64, scores []int64, build func() T) {
	var item *kept[T]
	for i := range s.classes {
		c := &s.classes[i]
		if scores[i] == outside || !c.admits(scores[i], id) {
			continue
		}
		if item == nil {
			item = &kept[T]{id: id, value: build()}
		}
		c.add(scores[i], item)
	}
}

// each calls f for every kept item of a class in descending order of score.
func (s *selection[T]) each(class int, f func(rank int, id uint64, v *T)) {
	entries := slices.Clone(s.classes[class].entries)
	slices.SortFunc(entries, func(a, b entry[T]) int {
		if before(a.score, a.item.id, b.score, b.item.id) {
			return 1
		}
		return -1
	})
	for rank, e := range entries {
		f(rank, e.item.id, &e.item.value)
	}
}

// class is a min-heap: its root is the item that goes first.
type class[T any] struct {
	cap     int
	entries []entry[T]
}

type entry[T any] struct {
	score int64
	item  *kept[T]
}

func (c *class[T]) admits(score int64, id uint64) bool {
	if len(c.entries) < c.cap {
		return true
	}
	return c.cap > 0 && before(c.entries[0].score, c.entries[0].item.id, score, id)
}

func (c *class[T]) add(score int64, item *kept[T]) {
	if len(c.entries) < c.cap {
		heap.Push(c, entry[T]{score, item})
		return
	}
	c.entries[0] = entry[T]{score, item}
	heap.Fix(c, 0)
}

// before reports whether item (s1, id1) is dropped before (s2, id2): lower scores first, then later ids.
func before(s1 int64, id1 uint64, s2 int64, id2 uint64) bool {
	if s1 != s2 {
		return s1 < s2
	}
	return id1 > id2
}

func (c *class[T]) Len() int { return len(c.entries) }
func (c *class[T]) Less(i, j int) bool {
	a, b := c.entries[i], c.entries[j]
	return before(a.score, a.item.id, b.score, b.item.id)
}
func (c *class[T]) Swap(i, j int) { c.entries[i], c.entries[j] = c.entries[j], c.entries[i] }
func (c *class[T]) Push(x any)    { c.entries = append(c.entries, x.(entry[T])) }
func (c *class[T]) Pop() any {
	last := c.entries[len(c.entries)-1]
	c.entries[len(c.entries)-1] = entry[T]{}
	c.entries = c.entries[:len(c.entries)-1]
	return last
}

// shuffle is a bijection on 64 bits whose output looks random (the finaliser of SplitMix64, Steele et al. 2014): the items
// of the smallest shuffled ids are a uniform sample that is the same in every run.
func shuffle(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
