package conn

import (
	"cmp"
	"math"
	"slices"

	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/format"
)

// hold keeps the rows of a connection that waits for a call. All its rows wait, in both directions: an answer must not be
// seen before what it answers.
type hold struct {
	rows  []*heldRow // in causal order
	queue bool       // the connection is in Table.holds
	sides [2]heldSide
}

// heldSide is what untangle asks of the rows of one direction: kept up to date, so that a row that only waits costs nothing.
type heldSide struct {
	rows, blind int        // of them blind have no sequence number
	sum         int64      // bytes
	end         format.Seq // the furthest
}

func (s *heldSide) add(r *format.IO) {
	if r.Ret == 0 {
		return
	}
	if r.Flags&format.IOOffsetValid == 0 {
		s.blind++
		return
	}
	end := r.Seq + format.Seq(uint32(r.Ret))
	if s.rows == 0 || end.Sub(s.end) > 0 {
		s.end = end
	}
	s.rows++
	s.sum += r.Ret
}

// remove is the inverse of add. It reports whether the rows must be added anew, since the furthest may have been removed.
func (s *heldSide) remove(r *format.IO) bool {
	switch {
	case r.Ret == 0:
		return false
	case r.Flags&format.IOOffsetValid == 0:
		s.blind--
		return false
	}
	s.rows--
	s.sum -= r.Ret
	return s.rows > 0 && r.Seq+format.Seq(uint32(r.Ret)) == s.end
}

// heldRow is a copy of an io row.
type heldRow struct {
	io  format.IO
	d   Dir
	due format.KTime
	buf []byte
}

// order uses r now if it is in its place, else keeps it until it is, or until it has waited for long enough.
func (t *Table) order(c *Conn, d Dir, r *format.IO) {
	if c.hold == nil || len(c.hold.rows) == 0 {
		switch p, n := c.locate(d, r); {
		case p == ahead && n >= maxJump:
			t.jump(c, d, r)
			t.take(c, d, r, 0)
			return
		case p == overlap && n >= maxJump:
			t.jump(c, d, r)
			t.take(c, d, r, 0)
			return
		case p != ahead:
			t.take(c, d, r, n)
			return
		}
	}
	t.keep(c, d, r)
	if d == c.hold.rows[0].d { // rows of the other direction wait for its sake
		if p, _ := c.locate(d, r); p != ahead || t.untangle(c, d) {
			t.release(c)
		}
	}
	if c.hold != nil && (len(c.hold.rows) > t.limits.HoldRows || t.heldBytes > t.limits.HoldBytes) {
		t.ledger.Add(ledger.HoldFull, 1, c.where(r.Time))
		t.giveUp(c, math.MaxInt64)
	}
}

// jump starts the stream again at a number that has nothing to do with the last one.
func (t *Table) jump(c *Conn, d Dir, r *format.IO) {
	t.lose(c, d, -1, r.Time, ledger.StreamJump)
	s := &c.dirs[d]
	s.seq, s.lastKnown = r.Seq, false
}

func (t *Table) keep(c *Conn, d Dir, r *format.IO) {
	var h *heldRow
	if n := len(t.free); n > 0 {
		h, t.free = t.free[n-1], t.free[:n-1]
	} else {
		h = new(heldRow)
	}
	h.io, h.d, h.due = *r, d, later(t.now, t.limits.Hold)
	h.buf = append(h.buf[:0], r.Payload...)
	h.io.Payload = h.buf
	t.heldBytes += len(h.buf)
	if c.hold == nil {
		c.hold = new(hold)
	}
	c.hold.rows = append(c.hold.rows, h)
	c.hold.sides[d].add(r)
	if !c.hold.queue {
		c.hold.queue = true
		t.holds.push(due{c, h.due})
	}
}

// release uses the rows that are in their place now.
func (t *Table) release(c *Conn) {
	for i := 0; c.hold != nil && i < len(c.hold.rows); {
		h := c.hold.rows[i]
		p, n := c.locate(h.d, &h.io)
		if i == 0 && p == ahead && t.untangle(c, h.d) {
			continue
		}
		// Behind a row that waits, only the one that it waits for may go.
		if p == ahead || i > 0 && (h.d != c.hold.rows[0].d || p != fits) {
			i++
			continue
		}
		t.drop(c, i)
		t.take(c, h.d, &h.io, n)
		t.recycle(h)
		i = 0
	}
}

func (t *Table) drop(c *Conn, i int) {
	h := c.hold.rows[i]
	if i == 0 {
		c.hold.rows[0] = nil
		c.hold.rows = c.hold.rows[1:] // most often; moving the others would cost more than the rows themselves
	} else {
		c.hold.rows = slices.Delete(c.hold.rows, i, i+1)
	}
	side := &c.hold.sides[h.d]
	if side.remove(&h.io) {
		*side = heldSide{}
		for _, o := range c.hold.rows {
			if o.d == h.d {
				side.add(&o.io)
			}
		}
	}
	if len(c.hold.rows) == 0 && !c.hold.queue {
		c.hold = nil
	}
}

func (t *Table) recycle(h *heldRow) {
	t.heldBytes -= len(h.buf)
	if cap(h.buf) > 16<<10 {
		h.buf = nil
	}
	h.io.Payload = nil
	t.free = append(t.free, h)
}

// untangle repairs rows whose sequence numbers were read too late. The probe reads a socket's position when a call returns;
// when two threads read (or write) at once, one may have moved the position in between, and the row of the other claims
// bytes that are not its own, while its own look missing. If the rows that wait in a direction, laid end to end, fill the
// stream exactly up to the furthest of them, no call is missing: they are put in the order in which the calls began. It reports whether
// that changed anything.
func (t *Table) untangle(c *Conn, d Dir) bool {
	s, side := &c.dirs[d], &c.hold.sides[d]
	if !s.known || side.rows < 2 || side.blind > 0 || side.sum != s.ahead(side.end) {
		return false
	}
	var rows []*heldRow
	for _, h := range c.hold.rows {
		if h.d == d && h.io.Ret > 0 {
			rows = append(rows, h)
		}
	}
	if s.tiled(rows) {
		return false
	}
	slices.SortStableFunc(rows, func(a, b *heldRow) int { // by number before, so that the order of arrival does not matter
		return cmp.Or(cmp.Compare(entry(&a.io), entry(&b.io)), cmp.Compare(s.ahead(a.io.Seq), s.ahead(b.io.Seq)))
	})
	at, moved := s.seq, false
	for _, h := range rows {
		moved = moved || h.io.Seq != at
		h.io.Seq = at
		at += format.Seq(uint32(h.io.Ret))
	}
	if moved {
		t.ledger.Add(ledger.StreamReordered, uint64(len(rows)), c.where(rows[0].io.Time))
	}
	return moved
}

// tiled reports whether the rows fill the stream by their own numbers. Then these are right: a number that was read too late is too
// high, and no other one can be too low to make up for it.
func (s *stream) tiled(rows []*heldRow) bool {
	slices.SortStableFunc(rows, func(a, b *heldRow) int { return cmp.Compare(s.ahead(a.io.Seq), s.ahead(b.io.Seq)) })
	at := s.seq
	for _, h := range rows {
		if h.io.Seq != at {
			return false
		}
		at += format.Seq(uint32(h.io.Ret))
	}
	return true
}

// giveUp counts as lost what the rows that are due by a time wait for.
func (t *Table) giveUp(c *Conn, by format.KTime) {
	if c.hold == nil {
		return
	}
	if by < math.MaxInt64 {
		c.hold.queue = false // the entry in Table.holds that brought us here is gone
	}
	for c.hold != nil && len(c.hold.rows) > 0 && c.hold.rows[0].due <= by {
		t.concede(c, c.hold.rows[0].d) // a row less, each time
		t.release(c)
	}
	switch {
	case c.hold == nil:
	case len(c.hold.rows) == 0 && !c.hold.queue:
		c.hold = nil
	case len(c.hold.rows) > 0 && !c.hold.queue:
		c.hold.queue = true
		t.holds.push(due{c, c.hold.rows[0].due})
	}
}

// giveUpOn counts as lost what a direction waits for: it ends here.
func (t *Table) giveUpOn(c *Conn, d Dir) {
	for c.hold != nil {
		waits := slices.ContainsFunc(c.hold.rows, func(h *heldRow) bool { return h.d == d })
		if !waits {
			return
		}
		t.concede(c, c.hold.rows[0].d)
		t.release(c)
	}
}

// concede gives up waiting in a direction: it counts as lost what lies before the nearest row that waits there, and uses that row.
func (t *Table) concede(c *Conn, d Dir) {
	s := &c.dirs[d]
	best, nearest := -1, int64(0)
	for i, h := range c.hold.rows {
		if h.d != d {
			continue
		}
		var n int64
		if h.io.Flags&format.IOOffsetValid != 0 {
			n = s.ahead(h.io.Seq)
		}
		if best < 0 || n < nearest {
			best, nearest = i, n
		}
	}
	h := c.hold.rows[best]
	t.drop(c, best)
	switch {
	case nearest >= maxJump || nearest <= -maxJump:
		t.jump(c, d, &h.io)
		nearest = 0
	case nearest > 0:
		t.lose(c, d, nearest, h.io.Time, ledger.StreamLost)
	}
	t.take(c, d, &h.io, max(-nearest, 0))
	t.recycle(h)
}
