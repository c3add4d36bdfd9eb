package conn

// fifo is a queue that gives back the memory of what was taken.
type fifo[T any] struct {
	items []T
	first int
}

func (q *fifo[T]) len() int { return len(q.items) - q.first }

func (q *fifo[T]) push(v T) { q.items = append(q.items, v) }

// head returns the oldest item; the queue must not be empty.
func (q *fifo[T]) head() *T { return &q.items[q.first] }

func (q *fifo[T]) pop() T {
	var zero T
	v := q.items[q.first]
	q.items[q.first] = zero
	q.first++
	if q.first >= 256 && q.first*2 > len(q.items) {
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	return v
}

// keep drops the items for which ok is false.
func (q *fifo[T]) keep(ok func(T) bool) {
	kept := q.items[:0]
	for _, v := range q.items[q.first:] {
		if ok(v) {
			kept = append(kept, v)
		}
	}
	clear(q.items[len(kept):])
	q.items, q.first = kept, 0
}
