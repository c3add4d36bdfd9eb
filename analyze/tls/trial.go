package tls

import (
	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/format"
)

// Which keys a record has, and which sequence number behind a hole, is found by trial; the tag proves it.

// Bounds of trials.
const (
	maxSkipped = 4096      // records that a hole may hide
	minRecord  = 22        // bytes of the shortest protected record: header, type or nothing, tag
	maxTried   = 512 << 20 // bytes of trial decryption of one connection
	maxSearch  = 2 * (headerLen + maxBodyLen)
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
	if t.suite == nil || t.tried > maxTried {
		return false
	}
	skipped := uint64(1)
	if dir.hole.open() {
		skipped = min(uint64(dir.hole.bytes)/minRecord+1, maxSkipped)
		if dir.hole.unknown {
			skipped = maxSkipped
		}
	}
	for _, g := range t.guesses(dir) {
		for seq := g.from; seq < g.from+skipped && t.tried <= maxTried; seq++ {
			t.tried += int64(len(r.body))
			plain, typ, ok := g.keys.open(s.plain[:0], seq, &r.header, r.body)
			if !ok {
				continue
			}
			s.plain = plain
			s.settle(c, t, d, &g, seq, ch)
			s.content(c, t, d, typ, plain, r, ch)
			return true
		}
	}
	if t.tried > maxTried {
		s.ledger.Add(ledger.TLSTrialsSpent, 1, ledger.Where{At: ch.End, Conn: c.ID, PID: c.PID})
	}
	return false
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
	}
	dir.data = dir.secret == nil || len(dir.later) == 0
	if !h.open() || hidden == 0 && g.epoch == 0 && !h.unknown {
		return
	}
	switch per := int64(g.keys.overhead()); {
	case !dir.data, !before && hidden == 0:
		return // it hid handshake records only
	case !before, g.epoch != 0, h.unknown, per == 0, h.bytes < int64(hidden)*per:
		// What of it is handshake, or how its records are padded, cannot be told.
		s.ledger.AddBytes(ledger.TLSUnopened, 1, uint64(h.bytes), ledger.Where{At: ch.End, Conn: c.ID, PID: c.PID})
		s.emitLost(c, t, d, -1, ch.Start, ch)
	default:
		// The sequence numbers tell how many records there are, so their plaintext has a length.
		n := h.bytes - int64(hidden)*per
		if h.lost {
			s.emitLost(c, t, d, n, ch.Start, ch)
		} else {
			s.emit(c, t, d, nil, uint64(n), &origin{start: ch.Start}, ch)
		}
	}
}

// content takes what a record holds.
func (s *Stage) content(c *conn.Conn, t *session, d conn.Dir, typ contentType, plain []byte, r *record, ch *conn.Chunk) {
	dir := &t.dirs[d]
	switch typ {
	case applicationData:
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
	buf := dir.buf
	for i := 0; t.suite != nil && i+headerLen <= len(buf); i++ {
		h := header(buf[i:])
		end := i + headerLen + h.length()
		if !h.plausible() || end > len(buf) {
			continue
		}
		before := dir.hole.bytes
		dir.hole.bytes += int64(i)
		at := len(ch.Bytes) - len(buf) // of buf in the bytes of ch: it ends where they end
		r := record{header: h, body: buf[i+headerLen : end], whole: true,
			first: origin{ch.Start, ch.Seq + format.Seq(uint32(at+i)), ch.SeqValid}}
		if !s.open(c, t, d, &r, ch) {
			dir.hole.bytes = before
			continue
		}
		dir.lost, dir.buf = false, nil
		dir.bytes(buf[end:], at+end, ch, func(r *record) { s.record(c, t, d, r, ch) })
		s.search(c, t, d, ch)
		return
	}
	if n := len(buf) - maxSearch/2; n > maxSearch/2 {
		dir.hole.bytes += int64(n)
		dir.buf = append(dir.buf[:0], buf[n:]...)
	}
}
