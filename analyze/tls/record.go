package tls

import (
	"cmp"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/format"
)

// decrypt takes bytes of a connection that there are secrets for.
func (s *Stage) decrypt(c *conn.Conn, t *session, d conn.Dir, ch *conn.Chunk) {
	dir := &t.dirs[d]
	take := func(r *record) { s.record(c, t, d, r, ch) }
	dir.bytes(ch.Bytes, 0, ch, take)
	s.search(c, t, d, ch)
	if ch.Cut > 0 {
		dir.skip(int64(min(ch.Cut, 1<<62)), true, take)
	}
	if dir.hole.open() {
		dir.hole.moved(ch)
	}
}

// record takes one record.
func (s *Stage) record(c *conn.Conn, t *session, d conn.Dir, r *record, ch *conn.Chunk) {
	dir := &t.dirs[d]
	typ := r.header.typ()
	if dir.keys == nil && !dir.changed && s.clear(c, t, d, r) {
		return
	}
	switch {
	case typ != applicationData && t.hellos[1].version != TLS12:
		// Of TLS 1.3, and in the clear: ChangeCipherSpec for middleboxes (RFC 8446 §5).
		c.TLS.Clear[d] += r.size()
	case t.early.waits && d == t.client && r.whole:
		s.holdEarly(c, t, r, ch)
	case dir.keys == nil && len(dir.later) == 0 && !dir.awaits:
		dir.unopened(r)
	case r.whole:
		if !s.open(c, t, d, r, ch) {
			dir.unopened(r)
		}
	case dir.keys != nil && (dir.data || t.early.taken) && !dir.hole.open() && typ == applicationData && r.header.length() != dir.keys.alertLen():
		s.peek(c, t, d, r, ch)
	default:
		dir.unopened(r)
	}
}

// clear takes a record that comes before the keys of its direction, and reports whether it is in the clear.
func (s *Stage) clear(c *conn.Conn, t *session, d conn.Dir, r *record) bool {
	switch r.header.typ() {
	case handshake:
		if !r.whole {
			return false
		}
		t.dirs[d].msgs.add(r.body, func(msg byte, body []byte) { s.helloMessage(c, t, d, msg, body) })
	case alert:
		if !r.whole || len(r.body) != alertSize {
			return false
		}
		s.alert(c, t, d, r.body)
	case changeCipherSpec:
		if t.hellos[1].version == TLS12 {
			s.install(t, d)
			t.dirs[d].changed = t.dirs[d].awaits
		}
	default:
		return false
	}
	if c.TLS != nil {
		c.TLS.Clear[d] += r.size()
	}
	return true
}

// unopened makes a record part of the hole.
func (dir *direction) unopened(r *record) {
	dir.hole.bytes += int64(headerLen + r.header.length())
	dir.hole.lost = dir.hole.lost || !r.whole && !r.cut
	dir.msgs.reset()
}

// emit gives out plaintext, and cut bytes of it behind that are not there.
func (s *Stage) emit(c *conn.Conn, t *session, d conn.Dir, plain []byte, cut uint64, first *origin, ch *conn.Chunk) {
	if len(plain) == 0 && cut == 0 {
		return // an empty record hides the length of others (RFC 5246 §6.2.1)
	}
	s.out = conn.Chunk{
		Start: min(first.start, ch.Start), End: ch.End, PID: ch.PID, TID: ch.TID, Call: ch.Call, Turn: !t.any || t.last != d,
		By: ch.By, Blocked: ch.Blocked, Moved: ch.Moved, SRTT: ch.SRTT,
		Seq: first.seq, SeqValid: first.seqValid, Bytes: plain, Cut: cut,
	}
	if dir := &t.dirs[d]; !s.cfg.KeepSecrets {
		dir.mask.Mask(plain)
		if cut > 0 {
			dir.mask.Skip()
		}
	}
	t.any, t.last = true, d
	c.TLS.Plain[d] += uint64(len(plain)) + cut
	s.next.Data(c, d, &s.out)
}

// emitLost says that n bytes of plaintext are missing; -1 if nobody knows how many.
func (s *Stage) emitLost(c *conn.Conn, t *session, d conn.Dir, n int64, at format.KTime, ch *conn.Chunk) {
	s.out = conn.Chunk{Start: min(at, ch.Start), End: ch.End, Call: ch.Call, Turn: !t.any || t.last != d}
	t.any, t.last = true, d
	t.dirs[d].mask.Skip()
	c.TLS.Plain[d] += uint64(max(n, 0))
	s.next.Lost(c, d, n, &s.out)
}

// endHole gives out a hole that no record came behind.
func (s *Stage) endHole(c *conn.Conn, t *session, d conn.Dir, at *conn.Chunk) {
	dir := &t.dirs[d]
	if d == t.client {
		s.giveUpEarly(c, t, at)
	}
	if dir.lost || dir.filled > 0 {
		dir.lose(0, !dir.cut)
	}
	lastAlert := dir.keys != nil && !dir.hole.lost && !dir.hole.unknown && dir.hole.bytes == headerLen+int64(dir.keys.alertLen())
	if dir.hole.open() && !lastAlert && (dir.data || len(dir.later) > 0) {
		c.TLS.Unread = cmp.Or(c.TLS.Unread, facts.UnreadGap)
		s.ledger.AddBytes(ledger.TLSUnopened, 1, uint64(dir.hole.bytes), ledger.Where{At: at.End, Conn: c.ID, PID: c.PID})
		s.emitLost(c, t, d, -1, at.Start, at)
	}
	*dir = direction{}
}
