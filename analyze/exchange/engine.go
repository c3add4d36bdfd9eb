// Package exchange turns the byte streams of connections into request/response pairs: it runs one HTTP/1 parser for each
// direction and pairs what they find, first in first out (RFC 9112 §9.3), gaps included.
//
// A gap makes its own exchange incomplete and no other (DESIGN D9): see pair.go for what is known after one.
package exchange

import (
	"bytes"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/http1"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/lineage"
	"github.com/ebpf-reel/reel/analyze/protocol"
	"github.com/ebpf-reel/reel/analyze/route"
	"github.com/ebpf-reel/reel/format"
)

// Config says what of a message is kept.
type Config struct {
	Headers bool // fields of heads and trailers
	Body    int  // first bytes of the content
	Calls   int  // system calls of each message: the first and the last ones
}

// Limits of what is kept at a time; what is beyond is counted.
const (
	maxPipeline    = 4096     // requests of one connection without a response
	maxOutstanding = 1 << 18  // of all connections
	maxTarget      = 8 << 10  // bytes of a request target
	maxBodies      = 64 << 20 // bytes of content of exchanges that are not complete
)

// Engine is the conn.Handler that finds exchanges.
type Engine struct {
	cfg    Config
	emit   func(c *conn.Conn, x *facts.Exchange) error
	ledger *ledger.Tally

	lineage     *lineage.Tracker
	lastID      facts.ExchangeID
	outstanding int
	bodies      int // bytes of content that outstanding exchanges hold
	parsers     pool
	free        []*pending
	names       interner
	err         error
}

// New returns an Engine that gives exchanges to emit, in the order in which they are complete. They are valid until emit
// returns; wall times are left to it.
func New(cfg Config, tally *ledger.Tally, emit func(c *conn.Conn, x *facts.Exchange) error) *Engine {
	return &Engine{cfg: cfg, emit: emit, ledger: tally, lineage: lineage.New(route.Shape)}
}

// Close notes what could not be followed.
func (e *Engine) Close() {
	if n := e.lineage.Crowded(); n > 0 {
		e.ledger.Add(ledger.LineageCrowded, n, ledger.Where{})
	}
}

// Err returns the first error of emit.
func (e *Engine) Err() error { return e.err }

type mode uint8

const (
	undecided mode = iota // nothing seen that shows the protocol
	speaks                // HTTP/1
	opaque                // something else: its bytes are counted, not read
)

// session is the HTTP side of one connection.
type session struct {
	e    *Engine
	c    *conn.Conn
	mode mode
	// request is the direction of requests; valid iff directed.
	request  conn.Dir
	directed bool
	sides    [2]*side // by direction; nil: no parser now
	begun    [2]bool  // a parser was there before, and was taken away at the end of a message
	missed   [2]bool  // bytes went by without a parser
	looks    uint8    // how often other protocols were looked for
	pairing
}

func (e *Engine) session(c *conn.Conn) *session {
	if s, ok := c.State.(*session); ok {
		return s
	}
	s := &session{e: e, c: c}
	c.State = s
	return s
}

// Data takes the next bytes of a direction.
func (e *Engine) Data(c *conn.Conn, d conn.Dir, ch *conn.Chunk) {
	s := e.session(c)
	if s.mode != speaks && s.look(d, ch) || s.mode == opaque {
		return
	}
	if !s.directed && !s.direct(d, ch.Bytes) {
		s.missed[d] = true
		return
	}
	sd := s.side(d)
	if sd == nil {
		return
	}
	at := stamp(ch)
	if d != s.request {
		e.lineage.Moved(ch.TID, s.answered(), ch.End)
	}
	sd.calls.add(d, ch, sd.off, sd.off+uint64(len(ch.Bytes))+ch.Cut)
	sd.seq, sd.seqValid, sd.seqOff = ch.Seq, ch.SeqValid, sd.off
	if len(ch.Bytes) > 0 {
		sd.off += uint64(len(ch.Bytes))
		sd.p.Data(ch.Bytes, at)
	}
	if ch.Cut > 0 {
		sd.off += ch.Cut
		sd.p.Hole(int64(min(ch.Cut, 1<<62)), http1.Cut, at)
	}
	if d == s.request {
		if x := s.queue.back(); x != nil {
			e.lineage.Moved(ch.TID, x.line, ch.End)
		}
	}
	s.decide()
	s.rest(d)
}

// answered returns the exchange whose response is due.
func (s *session) answered() *lineage.Node {
	x := s.current
	if x == nil {
		x = s.queue.front()
	}
	if x == nil {
		return nil
	}
	return x.line
}

// Lost takes bytes whose calls are missing.
func (e *Engine) Lost(c *conn.Conn, d conn.Dir, n int64, at *conn.Chunk) {
	s := e.session(c)
	if s.mode == opaque {
		return
	}
	if !s.directed {
		s.missed[d] = true
		return
	}
	if sd := s.side(d); sd != nil {
		sd.off += uint64(max(n, 0))
		sd.losing = true
		sd.p.Hole(n, http1.Lost, stamp(at))
		sd.losing = false
	}
}

// End takes the end of a direction.
func (e *Engine) End(c *conn.Conn, d conn.Dir, how conn.Ending, at *conn.Chunk) {
	s, ok := c.State.(*session)
	if !ok || s.sides[d] == nil {
		return
	}
	s.sides[d].p.End(endings[how], stamp(at))
	s.decide()
	s.release(d)
	s.begun[d], s.missed[d] = false, true
}

var endings = [...]http1.Ending{conn.Open: http1.EndReel, conn.FIN: http1.EndFIN, conn.Closed: http1.EndEarly, conn.Reset: http1.EndReset}

// Closed gives out what waits for more.
func (e *Engine) Closed(c *conn.Conn) {
	s, ok := c.State.(*session)
	if !ok {
		return
	}
	s.settle(s.reqSkipped)
	for s.queue.len() > 0 {
		x := s.queue.pop()
		if !c.SawEnd {
			x.ex.Missing |= facts.EndUnknown
		}
		s.unanswered(x)
	}
	for d := range s.sides {
		s.release(conn.Dir(d))
	}
}

// direct finds the direction of requests: by the role of the connection, else by what the first bytes of a call show.
func (s *session) direct(d conn.Dir, b []byte) bool {
	c := s.c
	proto, kind := http1.Detect(b)
	switch proto {
	case http1.TLS:
		if len(b) > 5 && b[0] == 22 && b[5] <= 2 { // ClientHello, ServerHello (RFC 8446 §4)
			c.Sends(d, b[5] == 1)
		}
		s.other(conn.TLS)
		return false
	case http1.HTTP2:
		if b[0] == 'P' {
			c.Sends(d, true)
		}
		s.other(conn.HTTP2)
		return false
	case http1.HTTP1:
		if c.Begun(d) || kind == http1.Response || plain(b) {
			c.Sends(d, kind == http1.Request)
		}
	}
	switch c.Role {
	case format.RoleClient:
		s.request, s.directed = conn.Out, true
	case format.RoleServer:
		s.request, s.directed = conn.In, true
	default:
		if len(b) > 0 && c.Begun(d) && proto == http1.Other {
			s.other(conn.TCP)
		}
	}
	return s.directed
}

// maxLooks bounds the calls whose bytes are looked at for other protocols than HTTP/1.
const maxLooks = 8

// look looks for a protocol other than HTTP/1 in the first bytes of a turn, and reports whether it found one.
func (s *session) look(d conn.Dir, ch *conn.Chunk) bool {
	c := s.c
	if s.looks >= maxLooks || !ch.Turn && c.Proto != conn.HTTP2 || len(ch.Bytes) == 0 {
		return false
	}
	s.looks++
	switch c.Proto {
	case conn.HTTP2:
		if protocol.SpeaksGRPC(ch.Bytes) {
			c.Proto = conn.Named(protocol.GRPC)
		}
		return false
	case conn.TCP:
	default:
		return false
	}
	if proto, _ := http1.Detect(ch.Bytes); proto == http1.HTTP1 || proto == http1.TLS || proto == http1.HTTP2 {
		return false
	}
	name, by := protocol.Detect(ch.Bytes)
	if name == protocol.Unknown {
		return false
	}
	if by != protocol.Either {
		c.Sends(d, by == protocol.Client)
	}
	if s.mode == opaque {
		c.Proto = conn.Named(name)
	} else {
		s.other(conn.Named(name))
	}
	return true
}

// plain reports whether b begins with a request line of three words: what the middle of a body hardly does.
func plain(b []byte) bool {
	line, _, whole := bytes.Cut(b, []byte{'\n'})
	return whole && bytes.Count(line, []byte{' '}) == 2
}

// other says that the connection speaks no HTTP/1.
func (s *session) other(p conn.Proto) {
	s.mode = opaque
	s.c.Proto = p
	s.e.ledger.Add(ledger.NotHTTP, 1, ledger.Where{At: s.c.Start, Conn: s.c.ID, PID: s.c.PID, Text: p.String()})
	for d := range s.sides {
		s.release(conn.Dir(d))
	}
}

// decide looks whether the parsers know the protocol now.
func (s *session) decide() {
	if s.mode != undecided {
		return
	}
	var seen [2]http1.Protocol
	for d, sd := range s.sides {
		if sd != nil {
			seen[d] = sd.p.Protocol()
		}
	}
	for _, p := range seen {
		switch p {
		case http1.HTTP1, http1.Tunnel:
			s.mode, s.c.Proto = speaks, conn.HTTP
			return
		case http1.TLS:
			s.other(conn.TLS)
			return
		case http1.HTTP2:
			s.other(conn.HTTP2)
			return
		}
	}
	if p := seen[s.request]; p == http1.Other || p == http1.HTTP09 {
		s.other(conn.TCP)
	} else if p := seen[s.request.Other()]; p == http1.Other && seen[s.request] == http1.Undecided && !s.begun[s.request] {
		s.other(conn.TCP) // the server speaks first
	}
}

func stamp(ch *conn.Chunk) http1.Stamp {
	return http1.Stamp{Start: ch.Start, End: ch.End, PID: ch.PID, TID: ch.TID, Call: ch.Call, Turn: ch.Turn}
}
