package tls

import (
	"cmp"
	"math"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// Where there are no keys, but the calls of the TLS library were recorded, the plaintext that they moved is the stream. The
// ciphertext is then listened to for what the handshake says, and its bytes are counted with the connection, not given out.

// begin makes the session of a connection whose first bytes, or the lack of them, come now.
func (s *Stage) begin(c *conn.Conn) *session {
	t := plain
	if s.cfg.Ties != nil {
		if by := s.cfg.Ties.Plaintext(c.Socket, c.Inode); by != facts.Unknown {
			t = &session{phase: probed, plaintext: by, id: c.ID, start: c.Start}
		}
	}
	c.Layer = t
	return t
}

// ignore lets go of a connection whose ciphertext says nothing more.
func (s *Stage) ignore(c *conn.Conn, t *session) {
	if t.plaintext != facts.Unknown {
		t.phase = probed
		t.empty()
		s.account(t, sessionSize)
		return
	}
	s.forget(t)
	c.Layer = plain
}

// Plaintext takes what a call of the library moved.
func (s *Stage) Plaintext(c *conn.Conn, d conn.Dir, session format.SessionID, offset uint64, ch *conn.Chunk) {
	t := s.session(c)
	if t == nil {
		t = s.begin(c)
	}
	if t.phase == waiting && t.plaintext != facts.Unknown {
		t.phase = passed
		s.release(c, t)
	}
	if t.plaintext == facts.Unknown || t.phase == keyed {
		return // it is decrypted, or its end was seen
	}
	if c.TLS == nil {
		c.TLS = new(facts.TLS)
	}
	c.TLS.Probed, c.TLS.Tie, c.TLS.Unread = true, t.plaintext, facts.UnreadNone
	n := uint64(len(ch.Bytes)) + ch.Cut
	switch {
	case t.of[d] == 0:
		// The first of the direction: what came before was moved before the connection was looked at.
		t.of[d], t.said[d] = session, offset
	case t.of[d] != session:
		// The probe lost sight of the session, or the connection was given to another object.
		t.of[d], t.said[d] = session, offset
		t.missing[d] = math.MaxUint64
		s.emitLost(c, t, d, -1, ch.Start, ch)
	case offset > t.said[d]:
		t.missing[d] += min(offset-t.said[d], math.MaxUint64-t.missing[d])
		s.emitLost(c, t, d, int64(min(offset-t.said[d], 1<<62)), ch.Start, ch)
	case offset < t.said[d]:
		return // a row that is there twice, or came later than the next
	}
	t.said[d] = offset + n
	if d == conn.In {
		t.upTo[d] = c.Bytes[d]
	} else {
		t.written = true
	}
	s.emit(c, t, d, ch.Bytes, ch.Cut, &origin{start: ch.Start}, ch)
}

// passed notes how far the ciphertext has come that plaintext stands for: what is written comes by after its plaintext, what is
// read before it.
func (t *session) passed(c *conn.Conn, d conn.Dir) {
	if d == conn.Out && t.written {
		t.upTo[d], t.written = c.Bytes[d], false
	}
}

// closing is the most that a connection's end takes: an alert in a record.
const closing = 5 + 2 + 1 + 48 + 16

// opened says how much of the ciphertext of a connection its recorded plaintext stands for.
func (t *session) opened(c *conn.Conn) {
	x := c.TLS
	if x == nil || !x.Probed {
		return
	}
	for d := range x.Opened {
		upTo := t.upTo[d]
		if upTo+closing >= c.Bytes[d] {
			upTo = c.Bytes[d]
		}
		upTo -= min(x.Clear[d], upTo)
		x.Opened[d] = upTo - min(upTo, t.missing[d])
		switch {
		case t.missing[d] > 0:
			x.Unread = facts.UnreadGap
		case x.Opened[d]+x.Clear[d] >= c.Bytes[d]:
		case x.Clear[0]+x.Clear[1] == 0:
			x.Unread = cmp.Or(x.Unread, facts.UnreadNoHandshake)
		default:
			x.Unread = cmp.Or(x.Unread, facts.UnreadNoKey)
		}
	}
}
