// Package tls turns the ciphertext of TLS connections into plaintext streams, with the secrets of a key log. It stands between
// the connections and those who read their streams: it passes on what is not TLS, and what it has no secrets for, as it came.
//
// Every record is proved by its tag or MAC, so no plaintext is ever on a wrong connection. Records that a byte budget cut are
// decrypted up to the cut, which proves nothing, and are counted. Behind a hole the sequence number is found by trial against
// the next whole record (trial.go); until that proves it, nothing is given out.
package tls

import (
	"bytes"
	"cmp"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/keylog"
	"github.com/ebpf-reel/reel/analyze/keyring"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/mask"
	"github.com/ebpf-reel/reel/analyze/tie"
	"github.com/ebpf-reel/reel/format"
)

// Config is what a Stage decrypts with. The zero value decrypts nothing: handshakes are read all the same.
type Config struct {
	Log         *keylog.Log
	Ties        *tie.Ties     // of plaintext that was recorded beside the ciphertext; nil: there is none
	KeepSecrets bool          // else credentials in the plaintext are masked (DESIGN D15): no seal has seen it
	Keys        *keyring.Ring // that the recorder saw; nil: none. The Stage marks those that it has proved
}

// Stage is the conn.Handler that decrypts.
type Stage struct {
	next    conn.Handler
	cfg     Config
	ledger  *ledger.Tally
	masters masters

	seen  int64 // bytes of connections with secrets
	tried int64 // bytes of trial decryption
	kept  int   // bytes that all sessions keep

	plain []byte     // of the record at hand
	out   conn.Chunk // given to next
}

// New returns a Stage that gives streams to next.
func New(cfg Config, tally *ledger.Tally, next conn.Handler) *Stage {
	return &Stage{next: next, cfg: cfg, ledger: tally, plain: make([]byte, 0, maxBodyLen)}
}

// phase is how far a connection is.
type phase uint8

const (
	waiting phase = iota // for a ClientHello; what came is held
	keyed                // there are secrets: records are decrypted
	watched              // there are none: the ServerHello is read, everything is passed on
	probed               // there are none, and of the ciphertext nothing more is to be learnt, but plaintext was recorded
	passed               // it is not TLS, or nothing more is to be learnt of it
)

// session is the TLS side of one connection.
type session struct {
	phase   phase
	client  conn.Dir // direction of the client; valid from keyed and watched on
	secrets *keylog.Secrets
	hellos  [2]hello // client's, server's
	suite   *suite   // nil until the ServerHello
	held    []heldData
	heldLen int
	early   early
	offer   offer
	retried bool // by HelloRetryRequest
	dirs    [2]direction
	pending [2]protection // TLS 1.2: from the next ChangeCipherSpec on; client first
	tried   int64         // bytes of trial decryption
	spent   bool          // no more trials are allowed
	kept    int           // bytes of it that Stage.kept has
	gone    bool          // the connection has another session: this one keeps nothing any more
	id      facts.ConnID
	start   format.KTime
	last    conn.Dir // that plaintext was given out of
	any     bool

	plaintext facts.Certainty // that recorded plaintext is this connection's; Unknown: there is none
	said      [2]uint64       // probed: plaintext bytes given out, or known to be missing
	of        [2]format.SessionID
	missing   [2]uint64 // probed: bytes of plaintext
	upTo      [2]uint64 // probed: bytes of the connection that its plaintext stands for, with those before
	written   bool      // probed: plaintext was written whose ciphertext did not come by yet
}

// plain stands for every connection that there is nothing to do for.
var plain = &session{phase: passed}

// direction is one direction of a session.
type direction struct {
	framer
	msgs    messages
	keys    protection // nil: records are in the clear
	secret  []byte     // TLS 1.3: of keys
	seq     uint64     // of the next record
	later   [][]byte   // TLS 1.3: secrets of the epochs to come
	awaits  bool       // secrets of later epochs are found by trial (offer.go)
	changed bool       // TLS 1.2: what comes is encrypted, by keys that are not known yet
	data    bool       // keys are those of application data; watched: nothing more is in the clear
	mask    mask.Stream
}

// heldData is a chunk that waits for the decision whether the connection is TLS.
type heldData struct {
	d  conn.Dir
	ch conn.Chunk
}

// maxHeld bounds what is held of one connection.
const maxHeld = 32 << 10

func (s *Stage) session(c *conn.Conn) *session {
	t, _ := c.Layer.(*session)
	return t
}

// Data takes the next bytes of a direction.
func (s *Stage) Data(c *conn.Conn, d conn.Dir, ch *conn.Chunk) {
	t := s.session(c)
	if t == nil {
		t = s.begin(c)
		if b := ch.Bytes; len(b) > 0 && b[0] == byte(handshake) && (len(b) == 1 || b[1] == 3) {
			t = &session{phase: waiting, client: d, id: c.ID, start: c.Start, plaintext: t.plaintext}
			c.Layer = t
		}
	}
	switch t.phase {
	case waiting:
		s.hold(c, t, d, ch)
		s.weigh(c, t, ch)
		return
	case watched:
		if !t.dirs[d].data {
			s.watch(c, t, d, ch)
			s.weigh(c, t, ch)
		}
		if t.plaintext != facts.Unknown {
			t.passed(c, d)
			return
		}
	case keyed:
		s.seen += int64(len(ch.Bytes))
		s.decrypt(c, t, d, ch)
		s.weigh(c, t, ch)
		return
	case probed:
		t.passed(c, d)
		return
	}
	s.next.Data(c, d, ch)
}

// hold keeps a chunk, and looks whether the ClientHello is there.
func (s *Stage) hold(c *conn.Conn, t *session, d conn.Dir, ch *conn.Chunk) {
	kept := *ch
	kept.Bytes = bytes.Clone(ch.Bytes)
	t.held, t.heldLen = append(t.held, heldData{d, kept}), t.heldLen+len(kept.Bytes)
	dir := &t.dirs[d]
	t.offer.at = ch.End
	dir.bytes(ch.Bytes, 0, ch, func(r *record) {
		if t.phase == waiting && (d == t.client || t.offer.asks) && r.header.typ() == handshake {
			s.clear(c, t, d, r)
			return
		}
		if t.phase == keyed {
			s.record(c, t, d, r, ch)
		}
	})
	if t.phase == waiting && (d != t.client && !t.offer.asks || ch.Cut > 0 || dir.lost || t.heldLen > maxHeld) {
		t.phase = passed
	}
	if t.phase == keyed && ch.Cut > 0 {
		dir.skip(int64(min(ch.Cut, 1<<62)), true, func(r *record) { s.record(c, t, d, r, ch) })
	}
	if t.phase != waiting {
		s.release(c, t)
	}
}

// release gives out what was held, unless it belongs to a handshake that is decrypted.
func (s *Stage) release(c *conn.Conn, t *session) {
	held := t.held
	t.held, t.heldLen = nil, 0
	if t.phase == keyed {
		return
	}
	if t.plaintext == facts.Unknown {
		for i := range held {
			s.next.Data(c, held[i].d, &held[i].ch)
		}
	}
	if t.phase == passed {
		s.ignore(c, t)
	}
}

// watch reads the handshake in the clear up to its first encrypted record, for the sake of version, suite and alerts.
func (s *Stage) watch(c *conn.Conn, t *session, d conn.Dir, ch *conn.Chunk) {
	dir := &t.dirs[d]
	dir.bytes(ch.Bytes, 0, ch, func(r *record) {
		typ := r.header.typ()
		dir.data = dir.data || typ == applicationData
		if dir.data {
			return
		}
		s.clear(c, t, d, r)
		dir.data = typ == changeCipherSpec && t.hellos[1].version == TLS12
	})
	dir.data = dir.data || ch.Cut > 0 || dir.lost
	if dir.data {
		dir.framer = framer{}
	}
	if t.dirs[0].data && t.dirs[1].data {
		s.ignore(c, t)
	}
}

// Lost takes bytes whose calls are missing.
func (s *Stage) Lost(c *conn.Conn, d conn.Dir, n int64, at *conn.Chunk) {
	t := s.session(c)
	if t == nil {
		t = s.begin(c)
	}
	switch t.phase {
	case waiting, watched:
		t.phase = passed
		s.release(c, t)
		if t.phase == probed {
			return
		}
	case probed:
		return
	case keyed:
		dir := &t.dirs[d]
		if n < 0 {
			dir.hole.unknown = true
			dir.lose(0, true)
			return
		}
		dir.skip(n, false, func(r *record) { s.record(c, t, d, r, at) })
		return
	}
	s.next.Lost(c, d, n, at)
}

// End takes the end of a direction.
func (s *Stage) End(c *conn.Conn, d conn.Dir, how conn.Ending, at *conn.Chunk) {
	if t := s.session(c); t != nil {
		switch t.phase {
		case waiting:
			t.phase = passed
			s.release(c, t)
		case keyed:
			s.endHole(c, t, d, at)
		}
	}
	s.next.End(c, d, how, at)
}

// Closed takes the end of both directions.
func (s *Stage) Closed(c *conn.Conn) {
	if t := s.session(c); t != nil {
		if t.phase == waiting {
			t.phase = passed
			s.release(c, t)
		}
		s.forget(t)
		t.opened(c)
		c.Layer = plain
	}
	s.next.Closed(c)
}

// Gone takes a connection that is complete.
func (s *Stage) Gone(c *conn.Conn) error {
	if x := c.TLS; x != nil {
		encrypted := c.Bytes[0] + c.Bytes[1] - min(x.Clear[0]+x.Clear[1], c.Bytes[0]+c.Bytes[1])
		if x.Opened[0]+x.Opened[1] == 0 && encrypted > 0 {
			x.Unread = cmp.Or(x.Unread, facts.UnreadNoKey)
		}
		if encrypted == 0 {
			x.Unread = facts.UnreadNone
		}
		where := ledger.Where{At: c.Start, Conn: c.ID, PID: c.PID}
		switch {
		case x.Unproved > 0:
			s.ledger.Add(ledger.TLSUnproved, x.Unproved, where)
		case s.cfg.Log != nil && x.Unread == facts.UnreadNoKey:
			s.ledger.Add(ledger.TLSNoSecret, 1, where)
		}
	}
	return s.next.Gone(c)
}

// Joined passes on that the other end was found.
func (s *Stage) Joined(c, other *conn.Conn) { s.next.Joined(c, other) }
