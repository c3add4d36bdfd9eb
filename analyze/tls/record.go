package tls

import (
	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/keylog"
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
}

// record takes one record.
func (s *Stage) record(c *conn.Conn, t *session, d conn.Dir, r *record, ch *conn.Chunk) {
	dir := &t.dirs[d]
	typ := r.header.typ()
	if dir.keys == nil && typ == handshake && r.whole {
		s.helloRecord(c, t, d, r)
		return
	}
	if dir.keys == nil && typ == changeCipherSpec && t.hellos[1].version == TLS12 {
		s.install(t, d)
		return
	}
	switch {
	case typ != applicationData && t.hellos[1].version != TLS12:
		return // of TLS 1.3 and in the clear: ChangeCipherSpec for middleboxes (RFC 8446 D.4), alerts
	case dir.keys == nil && len(dir.later) == 0:
		if typ == applicationData && d == t.client && r.whole && t.suite == nil && t.secrets[keylog.ClientEarly] != nil {
			s.holdEarly(t, r)
			return
		}
		dir.unopened(r)
	case r.whole:
		if !s.open(c, t, d, r, ch) {
			dir.unopened(r)
		}
	case dir.keys != nil && dir.data && !dir.hole.open() && typ == applicationData && !(dir.secret != nil && r.header.length() == alertLen):
		s.peek(c, t, d, r, ch)
	default:
		dir.unopened(r)
	}
}

// alertLen is the body of an alert in TLS 1.3, which looks like two bytes of data: with one, connections end.
const alertLen = 2 + 1 + tagLen

// unopened makes a record part of the hole.
func (dir *direction) unopened(r *record) {
	dir.hole.bytes += int64(headerLen + r.header.length())
	dir.hole.lost = dir.hole.lost || !r.whole && !r.cut
	dir.msgs.reset()
}

// maxEarly bounds the early data that is held of one connection: servers take 16 KiB by default.
const maxEarly = 64 << 10

func (s *Stage) holdEarly(t *session, r *record) {
	n := 0
	for _, e := range t.early {
		n += len(e)
	}
	if n+len(r.body) <= maxEarly {
		t.early = append(t.early, append(append([]byte{}, r.header[:]...), r.body...))
	}
}

// earlyData decrypts the early data if the server takes it.
func (s *Stage) earlyData(c *conn.Conn, t *session, taken bool) {
	records := t.early
	t.early = nil
	secret := t.secrets[keylog.ClientEarly]
	if !taken || t.suite == nil || len(secret) != t.suite.hash.Size() {
		return
	}
	keys := traffic13(t.suite, secret)
	at := &conn.Chunk{Start: c.Start, End: c.Start, PID: c.PID}
	for i, b := range records {
		h := header(b)
		plain, typ, ok := keys.open(s.plain[:0], uint64(i), &h, b[headerLen:])
		s.plain = plain
		if ok && typ == applicationData {
			c.TLS.Records++
			s.emit(c, t, t.client, plain, 0, &origin{start: c.Start}, at)
		}
	}
}

// emit gives out plaintext, and cut bytes of it behind that are not there.
func (s *Stage) emit(c *conn.Conn, t *session, d conn.Dir, plain []byte, cut uint64, first *origin, ch *conn.Chunk) {
	if len(plain) == 0 && cut == 0 {
		return // an empty record hides the length of others (RFC 5246 §6.2.1)
	}
	s.out = conn.Chunk{
		Start: min(first.start, ch.Start), End: ch.End, PID: ch.PID, TID: ch.TID, Call: ch.Call, Turn: !t.any || t.last != d,
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
	if dir.lost || dir.filled > 0 {
		dir.lose(0, !dir.cut)
	}
	lastAlert := dir.secret != nil && !dir.hole.lost && !dir.hole.unknown && dir.hole.bytes == headerLen+alertLen
	if dir.hole.open() && !lastAlert && (dir.data || len(dir.later) > 0) {
		s.ledger.AddBytes(ledger.TLSUnopened, 1, uint64(dir.hole.bytes), ledger.Where{At: at.End, Conn: c.ID, PID: c.PID})
		s.emitLost(c, t, d, -1, at.Start, at)
	}
	*dir = direction{}
}
