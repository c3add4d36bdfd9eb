package exchange

// queue holds the requests of a connection that wait, oldest first.
type queue struct {
	items []*pending
	first int
}

func (q *queue) len() int { return len(q.items) - q.first }

func (q *queue) push(x *pending) { q.items = append(q.items, x) }

// front returns the oldest; nil when there is none.
func (q *queue) front() *pending {
	if q.len() == 0 {
		return nil
	}
	return q.items[q.first]
}

// back returns the newest; nil when there is none.
func (q *queue) back() *pending {
	if q.len() == 0 {
		return nil
	}
	return q.items[len(q.items)-1]
}

func (q *queue) pop() *pending {
	x := q.items[q.first]
	q.items[q.first] = nil
	q.first++
	switch {
	case q.first == len(q.items):
		q.items, q.first = q.items[:0], 0
		if cap(q.items) > 64 {
			q.items = nil
		}
	case q.first >= 64 && q.first*2 > len(q.items):
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	return x
}
