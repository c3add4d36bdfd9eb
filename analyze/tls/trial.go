package tls

import (
	"cmp"
	"crypto/aes"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/format"
)

// Which keys a record has, and which sequence number behind a hole, is found by trial; the tag proves it.

// Bounds of trials.
const (
	maxSkipped = 4096     // records that a hole may hide
	maxFound   = 1 << 20  // the same where the number can be found without decrypting
	perGuess   = 4 << 10  // bytes that could be decrypted in the time in which the keys of a guess are made
	minRecord  = 14       // bytes of the shortest protected record: header, type, tag of AES-CCM-8
	maxTried   = 64 << 20 // bytes of trial decryption of one connection
	// All connections together may try so many bytes, and so many for each byte of theirs: the time of an analysis is linear in
	// the size of the reel, whoever made it.
	maxTriedAll     = 1 << 30
	maxTriedPerByte = 4
	maxSearch       = 2 * (headerLen + maxBodyLen)
)

// guess is one way to read a record.
type guess struct {
	keys   protection
	secret []byte
	epoch  int // 0: the present; 1: after a KeyUpdate; from 2 on: later[epoch-2]
	from   uint64
}

// guesses lists the ways to read the next record of a direction.
func (t *session) guesses(dir *direction) []guess {
	var all []guess
	if dir.keys != nil {
		all = append(all, guess{dir.keys, dir.secret, 0, dir.seq})
		if dir.data && dir.secret != nil && dir.hole.open() {
			next := nextSecret(t.suite.hash, dir.secret)
			all = append(all, guess{traffic13(t.suite, next), next, 1, 0})
		}
	}
	for i, secret := range dir.later {
		all = append(all, guess{traffic13(t.suite, secret), secret, 2 + i, 0})
	}
	return all
}

// open decrypts a whole record, whichever keys it has, and gives it out. It reports whether a tag proved it.
func (s *Stage) open(c *conn.Conn, t *session, d conn.Dir, r *record, ch *conn.Chunk) bool {
	dir := &t.dirs[d]
	if dir.keys != nil && !dir.hole.open() {
		if plain, typ, ok := dir.keys.open(s.plain[:0], dir.seq, &r.header, r.body); ok {
			s.plain = plain
			dir.seq++
			s.content(c, t, d, typ, plain, r, ch)
			return true
		}
	}
	if t.suite == nil || s.spent(t) {
		return false
	}
	for _, g := range t.guesses(dir) {
		if seq, plain, typ, ok := s.prove(t, &g, dir, r); ok {
			s.plain = plain
			s.settle(c, t, d, &g, seq, ch)
			s.content(c, t, d, typ, plain, r, ch)
			return true
		}
	}
	return s.offered(c, t, d, r, ch)
}

// spent reports whether no more trials are allowed. It counts the connection once.
func (s *Stage) spent(t *session) bool {
	if t.tried <= maxTried && s.tried <= maxTriedAll+maxTriedPerByte*s.seen {
		return false
	}
	if !t.spent {
		t.spent = true
		s.ledger.Add(ledger.TLSTrialsSpent, 1, ledger.Where{At: t.start, Conn: t.id})
	}
	return true
}

// prove looks for the sequence number under which a guess opens the record.
func (s *Stage) prove(t *session, g *guess, dir *direction, r *record) (seq uint64, plain []byte, typ contentType, ok bool) {
	if dir.hole.open() && !s.try(t, perGuess) {
		return 0, nil, 0, false
	}
	from, n := dir.hidden(g)
	open := func(seq uint64) bool {
		plain, typ, ok = g.keys.open(s.plain[:0], seq, &r.header, r.body)
		return ok
	}
	if n > 1 && s.try(t, 2*len(r.body)+aes.BlockSize*int(min(n, maxFound))) {
		if seq, found := g.keys.find(from, min(n, maxFound), &r.header, r.body); found && open(seq) {
			return seq, plain, typ, true
		}
	}
	for seq := from; seq-from < min(n, maxSkipped) && s.try(t, len(r.body)); seq++ {
		if open(seq) {
			return seq, plain, typ, true
		}
	}
	return 0, nil, 0, false
}

// try allows a trial that decrypts so many bytes.
func (s *Stage) try(t *session, bytes int) bool {
	if s.spent(t) {
		return false
	}
	t.tried += int64(bytes)
	s.tried += int64(bytes)
	return true
}

// hidden returns the numbers that the record behind the hole may have under a guess: n of them, from from on.
func (dir *direction) hidden(g *guess) (from, n uint64) {
	switch {
	case !dir.hole.open():
		return g.from, 1
	case dir.hole.unknown:
		return g.from, maxFound
	}
	// Under new keys, any part of the hole may have come before them.
	least, most := uint64(0), uint64(dir.hole.bytes)/minRecord
	if g.epoch == 0 {
		least = uint64(dir.hole.bytes) / (headerLen + maxBodyLen)
	}
	return g.from + least, most + 1 - min(least, most)
}

// settle takes the keys and the sequence number that a record proved, and gives out the hole before it.
func (s *Stage) settle(c *conn.Conn, t *session, d conn.Dir, g *guess, seq uint64, ch *conn.Chunk) {
	dir := &t.dirs[d]
	h := dir.hole
	dir.hole = hole{}
	before, hidden := dir.data, seq-g.from
	dir.keys, dir.secret, dir.seq = g.keys, g.secret, seq+1
	if g.epoch >= 2 {
		dir.later = dir.later[g.epoch-1:]
		if d == t.client {
			t.early = early{} // what the server refuses has no end of its own
		}
	}
	dir.data = dir.secret == nil || len(dir.later) == 0 && !dir.awaits
	if !h.open() || hidden == 0 && g.epoch == 0 && !h.unknown {
		return
	}
	at := *ch
	if h.end != 0 {
		at.Start, at.End = h.start, h.end
	}
	switch per := int64(g.keys.overhead()); {
	case !dir.data, !before && hidden == 0:
		return // it hid handshake records only
	case !before, g.epoch != 0, h.unknown, per == 0, h.bytes < int64(hidden)*per:
		// What of it is handshake, or how its records are padded, cannot be told.
		c.TLS.Unread = cmp.Or(c.TLS.Unread, facts.UnreadGap)
		s.ledger.AddBytes(ledger.TLSUnopened, 1, uint64(h.bytes), ledger.Where{At: ch.End, Conn: c.ID, PID: c.PID})
		s.emitLost(c, t, d, -1, at.Start, &at)
	default:
		// The sequence numbers tell how many records there are, so their plaintext has a length.
		n := h.bytes - int64(hidden)*per
		c.TLS.Opened[d] += uint64(h.bytes)
		if h.lost {
			s.emitLost(c, t, d, n, at.Start, &at)
		} else {
			s.emit(c, t, d, nil, uint64(n), &origin{start: at.Start}, &at)
		}
	}
}

// content takes what a record holds.
func (s *Stage) content(c *conn.Conn, t *session, d conn.Dir, typ contentType, plain []byte, r *record, ch *conn.Chunk) {
	dir := &t.dirs[d]
	c.TLS.Opened[d] += r.size()
	switch typ {
	case applicationData:
		if d == t.client && t.early.refused {
			return
		}
		c.TLS.Records++
		s.emit(c, t, d, plain, 0, &r.first, ch)
	case handshake:
		dir.msgs.add(plain, func(msg byte, body []byte) {
			if msg == msgKeyUpdate && dir.secret != nil && dir.data {
				dir.secret = nextSecret(t.suite.hash, dir.secret)
				dir.keys, dir.seq = traffic13(t.suite, dir.secret), 0
				return
			}
			s.helloMessage(c, t, d, msg, body)
		})
	case alert:
		s.alert(c, t, d, plain)
	case changeCipherSpec:
		s.install(t, d) // renegotiation
	}
}

// peek decrypts what there is of a record that is not whole. Nothing proves it.
func (s *Stage) peek(c *conn.Conn, t *session, d conn.Dir, r *record, ch *conn.Chunk) {
	dir := &t.dirs[d]
	plain, total := dir.keys.peek(s.plain[:0], dir.seq, &r.header, r.body)
	s.plain = plain
	dir.seq++
	c.TLS.Records++
	c.TLS.Unproved++
	c.TLS.Opened[d] += r.size()
	switch rest := total - len(plain); {
	case total == 0:
		s.emit(c, t, d, plain, 0, &r.first, ch)
		s.emitLost(c, t, d, -1, ch.Start, ch)
	case r.cut:
		s.emit(c, t, d, plain, uint64(max(rest, 0)), &r.first, ch)
	default:
		s.emit(c, t, d, plain, 0, &r.first, ch)
		s.emitLost(c, t, d, int64(max(rest, 0)), ch.Start, ch)
	}
}

// search looks for a record in what came behind a hole that took the framing with it. What lies before it stays in the hole.
func (s *Stage) search(c *conn.Conn, t *session, d conn.Dir, ch *conn.Chunk) {
	dir := &t.dirs[d]
	if !dir.lost {
		return
	}
	if s.spent(t) {
		c.TLS.Unread = cmp.Or(c.TLS.Unread, facts.UnreadBounded)
		dir.hole.bytes += int64(len(dir.buf))
		dir.buf, dir.scanned = nil, 0
		return
	}
	buf := dir.buf
	open := len(buf) // the first record that is not there as a whole
	for i := dir.scanned; t.suite != nil && i+headerLen <= len(buf); i++ {
		h := header(buf[i:])
		end := i + headerLen + h.length()
		if !h.plausible() {
			continue
		}
		if end > len(buf) {
			open = min(open, i)
			continue
		}
		before := dir.hole.bytes
		if dir.hole.bytes += int64(i); i > 0 {
			dir.hole.moved(ch)
		}
		at := len(ch.Bytes) - len(buf) // of buf in the bytes of ch: it ends where they end
		r := record{header: h, body: buf[i+headerLen : end], whole: true,
			first: origin{ch.Start, ch.Seq + format.Seq(uint32(at+i)), ch.SeqValid}}
		if !s.open(c, t, d, &r, ch) {
			dir.hole.bytes = before
			continue
		}
		dir.lost, dir.buf, dir.scanned = false, nil, 0
		dir.bytes(buf[end:], at+end, ch, func(r *record) { s.record(c, t, d, r, ch) })
		s.search(c, t, d, ch)
		return
	}
	if t.suite != nil {
		dir.scanned = max(dir.scanned, min(open, len(buf)-headerLen+1))
	}
	if n := len(buf) - maxSearch/2; n > maxSearch/2 {
		dir.hole.bytes += int64(n)
		dir.buf = append(dir.buf[:0], buf[n:]...)
		dir.scanned = max(dir.scanned-n, 0)
	}
}
