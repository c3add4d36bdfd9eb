package tls

import (
	"cmp"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/keylog"
	"github.com/ebpf-reel/reel/analyze/ledger"
)

// early is what is known of the early data of a connection (RFC 8446 §4.2.10): the client sends it behind its first message, under keys
// of its own, and learns later whether the server takes it. What the server does not take is sent again, so that it must not come out.
type early struct {
	waits   bool // the server's answer is to come: the client's records are held
	taken   bool // its keys are in use, and the server takes it
	refused bool // its keys are in use, and the server does not
	held    [][]byte
	size    int // bytes in held
}

// maxEarly bounds the early data that is held of one connection: servers take 16 KiB by default.
const maxEarly = 64 << 10

// holdEarly keeps a record of the client until the server has answered.
func (s *Stage) holdEarly(c *conn.Conn, t *session, r *record, ch *conn.Chunk) {
	e := &t.early
	e.held = append(e.held, append(append(make([]byte, 0, r.size()), r.header[:]...), r.body...))
	e.size += int(r.size())
	if e.size > maxEarly {
		s.giveUpEarly(c, t, ch)
	}
}

// giveUpEarly stops waiting for an answer that does not come.
func (s *Stage) giveUpEarly(c *conn.Conn, t *session, ch *conn.Chunk) {
	if t.early.waits {
		c.TLS.Unread = cmp.Or(c.TLS.Unread, facts.UnreadGap)
		s.ledger.AddBytes(ledger.TLSUnopened, 1, uint64(t.early.size), ledger.Where{At: ch.End, Conn: c.ID, PID: c.PID})
		s.earlyData(c, t, false)
	}
}

// earlyData takes the server's answer.
func (s *Stage) earlyData(c *conn.Conn, t *session, taken bool) {
	held, dir := t.early.held, &t.dirs[t.client]
	if !t.early.waits {
		return
	}
	t.early = early{}
	if t.suite == nil || len(t.secrets[keylog.ClientEarly]) != t.suite.hash.Size() {
		return
	}
	t.early.taken, t.early.refused = taken, !taken
	dir.keys, dir.secret, dir.seq = traffic13(t.suite, t.secrets[keylog.ClientEarly]), nil, 0
	answer := s.plain // has the message with the answer, and what comes behind it
	s.plain = nil
	for _, b := range held {
		r := record{header: header(b), body: b[headerLen:], whole: true, first: origin{start: c.Start}}
		s.record(c, t, t.client, &r, &conn.Chunk{Start: c.Start, End: c.Start, PID: c.PID})
	}
	s.plain = answer
}

// endEarly takes the end of the early data: the keys of the handshake are next.
func (t *session) endEarly() {
	if dir := &t.dirs[t.client]; t.early.taken || t.early.refused {
		t.early = early{}
		dir.keys, dir.secret, dir.data = nil, nil, false
	}
}
