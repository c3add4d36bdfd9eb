package tls

import (
	"cmp"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/ledger"
)

// What all sessions keep is bounded, whatever they are fed: records and handshakes that are not whole yet, and the sessions themselves.
const (
	maxKept     = 160 << 20 // bytes
	sessionSize = 2 << 10   // of a session with its hellos
	keysSize    = 2 << 10   // of the keys of both directions
)

// weigh accounts for what a session keeps. When all keep too much, it lets go of it.
func (s *Stage) weigh(c *conn.Conn, t *session, ch *conn.Chunk) {
	if t.gone {
		return
	}
	s.account(t, t.keeps())
	if s.kept <= maxKept {
		return
	}
	s.ledger.AddBytes(ledger.TLSMemoryFull, 1, uint64(t.kept), ledger.Where{At: c.Start, Conn: c.ID, PID: c.PID})
	switch t.phase {
	case waiting:
		t.phase = passed
		s.release(c, t)
	case watched:
		s.ignore(c, t)
	case keyed:
		c.TLS.Unread = cmp.Or(c.TLS.Unread, facts.UnreadBounded)
		t.empty()
		if s.account(t, t.keeps()); s.kept > maxKept {
			s.swallow(c, t, ch)
		}
	}
}

func (s *Stage) account(t *session, keeps int) {
	s.kept += keeps - t.kept
	t.kept = keeps
}

// forget ends the account of a session that nothing refers to any more.
func (s *Stage) forget(t *session) {
	if t != plain && t != swallowed { // which all share
		s.account(t, 0)
		t.gone = true
	}
}

// keeps returns how many bytes t keeps.
func (t *session) keeps() int {
	n := sessionSize + t.heldLen + t.early.size + len(t.offer.transcript)
	if t.phase == keyed {
		n += keysSize
	}
	for d := range t.dirs {
		n += cap(t.dirs[d].buf) + cap(t.dirs[d].msgs.buf)
	}
	return n
}

// empty drops what is not whole: the next whole record proves where it is.
func (t *session) empty() {
	t.early = early{}
	for d := range t.dirs {
		dir := &t.dirs[d]
		if dir.filled > 0 || len(dir.buf) > 0 {
			dir.lose(0, !dir.cut)
		}
		dir.buf = nil
		dir.msgs.reset()
	}
}

// swallowed stands for every connection that is no longer decrypted: its ciphertext is counted, and given to nobody.
var swallowed = &session{phase: probed}

// swallow gives a connection up.
func (s *Stage) swallow(c *conn.Conn, t *session, ch *conn.Chunk) {
	for d := range conn.Dir(2) {
		if t.dirs[d].data || len(t.dirs[d].later) > 0 {
			s.emitLost(c, t, d, -1, ch.Start, ch)
		}
	}
	s.forget(t)
	c.Layer = swallowed
}
