// Package dns turns the datagrams of connections to or from port 53 into lookups: a DNS query and its response.
//
// It stands before the stages that read byte streams, and keeps all UDP from them: a datagram is a message, not a piece of one.
// DNS over TCP, TLS and HTTPS is not read here.
package dns

import (
	"slices"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/format"
)

// Limits of what waits for a response; what is beyond is given out unanswered, the oldest first, and counted.
const (
	maxWaiting = 512     // of one connection
	maxAll     = 1 << 16 // of all
)

// Stage is the conn.Handler that finds lookups. Everything that is not UDP goes on to the next one.
type Stage struct {
	conn.Handler
	emit   func(*facts.Lookup) error
	ledger *ledger.Tally

	lastID  facts.LookupID
	waiting int
	err     error
}

// New returns a Stage that gives lookups to emit, in the order in which they end; they are valid until emit returns. Wall times are left to it.
func New(tally *ledger.Tally, next conn.Handler, emit func(*facts.Lookup) error) *Stage {
	return &Stage{Handler: next, emit: emit, ledger: tally}
}

// Err returns the first error of emit.
func (s *Stage) Err() error { return s.err }

// session is what waits on one connection, oldest first.
type session struct{ waiting []*pending }

type pending struct {
	facts.Lookup
	query conn.Dir
}

// Data takes a datagram.
func (s *Stage) Data(c *conn.Conn, d conn.Dir, ch *conn.Chunk) {
	switch {
	case !c.Datagrams():
		s.Handler.Data(c, d, ch)
	case c.Protocol() == conn.DNS && len(ch.Bytes) > 0:
		s.datagram(c, d, ch)
	}
}

// Lost goes on for streams: which datagrams were lost is not known.
func (s *Stage) Lost(c *conn.Conn, d conn.Dir, n int64, at *conn.Chunk) {
	if !c.Datagrams() {
		s.Handler.Lost(c, d, n, at)
	}
}

// End goes on for streams.
func (s *Stage) End(c *conn.Conn, d conn.Dir, how conn.Ending, at *conn.Chunk) {
	if !c.Datagrams() {
		s.Handler.End(c, d, how, at)
	}
}

// Closed gives out what waits.
func (s *Stage) Closed(c *conn.Conn) {
	if w, ok := c.State.(*session); ok {
		for _, l := range w.waiting {
			if !c.SawEnd {
				l.Missing |= facts.EndUnknown
			}
			s.unanswered(l)
		}
		w.waiting = nil
		c.State = nil
	}
	s.Handler.Closed(c)
}

func (s *Stage) datagram(c *conn.Conn, d conn.Dir, ch *conn.Chunk) {
	m, ok := parse(ch.Bytes, ch.Cut == 0)
	if !ok {
		s.ledger.AddBytes(ledger.DNSUnread, 1, uint64(len(ch.Bytes))+ch.Cut, ledger.Where{At: ch.End, Conn: c.ID, PID: ch.PID})
		return
	}
	c.Sends(d, !m.response)
	w, ok := c.State.(*session)
	if !ok {
		w = &session{}
		c.State = w
	}
	if m.response {
		s.response(c, w, d, &m, ch)
	} else {
		s.query(c, w, d, &m, ch)
	}
}

func (s *Stage) query(c *conn.Conn, w *session, d conn.Dir, m *message, ch *conn.Chunk) {
	size := uint64(len(ch.Bytes)) + ch.Cut
	if i := w.find(d, m); i >= 0 {
		w.waiting[i].Queries++
		w.waiting[i].Sent = size
		return
	}
	if len(w.waiting) >= maxWaiting || s.waiting >= maxAll && len(w.waiting) > 0 {
		s.ledger.Add(ledger.DNSWaitingFull, 1, ledger.Where{At: ch.End, Conn: c.ID, PID: ch.PID})
		s.unanswered(w.waiting[0])
		w.waiting = slices.Delete(w.waiting, 0, 1)
	}
	l := s.lookup(c, d, m, ch)
	l.Queries, l.Sent, l.Duration, l.query = 1, size, -1, d
	w.waiting = append(w.waiting, l)
	s.waiting++
}

func (s *Stage) response(c *conn.Conn, w *session, d conn.Dir, m *message, ch *conn.Chunk) {
	var l *pending
	if i := w.find(d.Other(), m); i >= 0 {
		l = w.waiting[i]
		w.waiting = slices.Delete(w.waiting, i, i+1)
		s.waiting--
		l.Duration = max(ch.End.Sub(l.Start), 0)
	} else {
		l = s.lookup(c, d.Other(), m, ch)
		l.Start, l.Duration, l.Missing = ch.End, -1, facts.NoRequest
		s.ledger.Add(ledger.DNSUnasked, 1, ledger.Where{At: ch.End, Conn: c.ID, PID: ch.PID})
	}
	l.Code, l.Answers, l.Addresses, l.Truncated = m.code, m.answers, m.addresses, m.truncated
	l.Received = uint64(len(ch.Bytes)) + ch.Cut
	if m.cut {
		l.Missing |= facts.ResponseCut
	}
	s.give(l)
}

// lookup makes a lookup of which m is the first message. query is the direction of its query.
func (s *Stage) lookup(c *conn.Conn, query conn.Dir, m *message, ch *conn.Chunk) *pending {
	l := &pending{Lookup: facts.Lookup{
		Conn: c.ID, PID: ch.PID, TID: ch.TID, Role: format.RoleClient, Local: c.Local, Remote: c.Remote,
		Transaction: m.id, Name: m.name, Type: m.typ, Start: ch.Start,
	}}
	if query == conn.In { // a read may have waited for it
		l.Role, l.Start = format.RoleServer, ch.End
	}
	return l
}

// find returns the place of the query that m repeats or answers; -1: there is none. A response may lack the question (FORMERR).
func (w *session) find(query conn.Dir, m *message) int {
	return slices.IndexFunc(w.waiting, func(l *pending) bool {
		return l.query == query && l.Transaction == m.id && (!m.asks || l.Name == m.name && l.Type == m.typ)
	})
}

func (s *Stage) unanswered(l *pending) {
	s.waiting--
	l.Missing |= facts.NoResponse
	s.ledger.Add(ledger.DNSUnanswered, 1, ledger.Where{At: l.Start, Conn: l.Conn, PID: l.PID})
	s.give(l)
}

func (s *Stage) give(l *pending) {
	s.lastID++
	l.ID = s.lastID
	if err := s.emit(&l.Lookup); err != nil && s.err == nil {
		s.err = err
	}
}
