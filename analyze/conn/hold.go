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
	t.untangle(c, d)
	t.release(c)
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
	c.hold.rows = slices.Delete(c.hold.rows, i, i+1)
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
// stream exactly up to the furthest of them, no call is missing: they are put in the order in which the calls began.
func (t *Table) untangle(c *Conn, d Dir) {
	s := &c.dirs[d]
	if !s.known {
		return
	}
	var sum, extent int64
	var rows []*heldRow
	for _, h := range c.hold.rows {
		if h.d != d || h.io.Ret == 0 {
			continue
		}
		if h.io.Flags&format.IOOffsetValid == 0 {
			return
		}
		sum += h.io.Ret
		extent = max(extent, s.ahead(h.io.Seq)+h.io.Ret)
		rows = append(rows, h)
	}
	if len(rows) < 2 || sum != extent {
		return
	}
	slices.SortStableFunc(rows, func(a, b *heldRow) int {
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
		t.concede(c, c.hold.rows[0].d)
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

// concede declares the bytes before the nearest waiting row of a direction lost.
func (t *Table) concede(c *Conn, d Dir) {
	s := &c.dirs[d]
	nearest := int64(math.MaxInt64)
	var row *format.IO
	for _, h := range c.hold.rows {
		if h.d != d || h.io.Flags&format.IOOffsetValid == 0 {
			continue
		}
		if n := s.ahead(h.io.Seq); n < nearest {
			nearest, row = n, &h.io
		}
	}
	switch {
	case row == nil || nearest <= 0:
		// Nothing is missing before it: release will take it.
	case nearest >= maxJump:
		t.jump(c, d, row)
	default:
		t.lose(c, d, nearest, row.Time, ledger.StreamLost)
	}
}
