package exchange

import (
	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/http1"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/format"
)

// side is one direction of a session while it has a parser: the parser's handler.
type side struct {
	s    *session
	kind http1.Kind
	tier int
	p    *http1.Parser

	calls callLog

	off      uint64     // bytes given to p
	seq      format.Seq // of the byte at seqOff
	seqOff   uint64
	seqValid bool
	losing   bool // p is given bytes that are lost
	boundary bool // nothing was seen since a message whose end is exact
}

// pool keeps parsers. A connection between two messages needs none: when many are in use, idle ones are taken back.
type pool struct {
	used int
	free [2][len(tiers)][]*side // by kind and tier
}

// tiers bound what all parsers keep, whatever they are fed: the more are in use, the less a new one may keep.
var tiers = [...]struct {
	upTo   int // parsers in use
	limits http1.Limits
}{
	{1 << 6, http1.Limits{Head: 64 << 10, Fields: 256, Body: 1 << 20}},
	{1 << 10, http1.Limits{Head: 64 << 10, Fields: 256, Body: 64 << 10}},
	{1 << 13, http1.Limits{Head: 8 << 10, Fields: 64, Body: 4 << 10}},
	{1 << 15, http1.Limits{Head: 1 << 10, Fields: 16, Body: 512}},
}

// side returns the direction's parser; nil when there are too many.
func (s *session) side(d conn.Dir) *side {
	if sd := s.sides[d]; sd != nil {
		return sd
	}
	kind := http1.Response
	if d == s.request {
		kind = http1.Request
	}
	sd := s.e.acquire(kind)
	if sd == nil {
		s.e.ledger.Add(ledger.ParsersFull, 1, ledger.Where{Conn: s.c.ID, PID: s.c.PID})
		s.begun[d], s.missed[d] = false, true
		return nil
	}
	sd.s = s
	sd.off, sd.boundary = 0, false
	sd.calls.reset(s.e.cfg.Calls)
	sd.p.Begin(s.begun[d] || s.c.Begun(d) && !s.missed[d])
	s.begun[d] = true
	s.sides[d] = sd
	return sd
}

func (e *Engine) acquire(kind http1.Kind) *side {
	for tier := range tiers {
		if e.parsers.used >= tiers[tier].upTo {
			continue
		}
		e.parsers.used++
		free := &e.parsers.free[kind-http1.Request][tier]
		if n := len(*free); n > 0 {
			sd := (*free)[n-1]
			*free = (*free)[:n-1]
			return sd
		}
		sd := &side{kind: kind, tier: tier}
		limits := tiers[tier].limits
		limits.Body = min(limits.Body, e.cfg.Body)
		sd.p = http1.NewParser(kind, limits, sd)
		return sd
	}
	return nil
}

func (s *session) release(d conn.Dir) {
	sd := s.sides[d]
	if sd == nil {
		return
	}
	s.sides[d], sd.s = nil, nil
	s.e.parsers.used--
	free := &s.e.parsers.free[sd.kind-http1.Request][sd.tier]
	*free = append(*free, sd)
}

// rest gives the parser back when it is between two messages and others may need it.
func (s *session) rest(d conn.Dir) {
	sd := s.sides[d]
	if sd == nil || s.e.parsers.used < tiers[1].upTo/2 || !sd.boundary || sd.p.InMessage() || sd.p.Account().Pending > 0 ||
		sd.p.Protocol() != http1.HTTP1 {
		return
	}
	s.release(d)
}

// Start takes the start line of a message.
func (sd *side) Start(m *http1.Message) {
	sd.boundary = false
	sd.calls.begin(m.Offset)
	sd.s.mode, sd.s.c.Proto = speaks, conn.HTTP
	switch {
	case sd.kind == http1.Request:
		sd.s.requestStart(sd, m)
	case !m.Interim():
		sd.s.responseStart(m)
	}
}

// Head takes the fields of a message.
func (sd *side) Head(m *http1.Message) {
	s := sd.s
	if sd.kind == http1.Request {
		s.requestHead(m)
		return
	}
	if m.Upgrade != "" {
		s.c.Upgrade = m.Upgrade
		if s.current != nil {
			s.current.ex.Upgrade = m.Upgrade
		}
		if req := s.sides[s.request]; req != nil {
			req.p.Tunnel()
		}
	}
	if !m.Interim() {
		s.responseHead(m)
	}
}

// Finish takes a message as a whole.
func (sd *side) Finish(m *http1.Message) {
	s := sd.s
	for a := range m.Anomalies.All() {
		s.e.ledger.Add(ledger.HTTP1(a), 1, ledger.Where{At: m.First.End, Conn: s.c.ID, PID: m.First.PID})
	}
	sd.boundary = m.Ended == facts.Exact
	switch {
	case sd.kind == http1.Request:
		s.requestFinish(sd, m)
	case m.Interim():
		sd.calls.begin(m.Offset + m.WireBytes)
		s.interim(m)
	default:
		s.responseFinish(sd, m)
	}
}

// Skip takes bytes that belong to no message.
func (sd *side) Skip(why http1.Anomaly, n uint64, at http1.Stamp) {
	s := sd.s
	s.e.ledger.AddBytes(ledger.HTTP1(why), 1, n, ledger.Where{At: at.End, Conn: s.c.ID, PID: s.c.PID})
	if why == http1.LeadingCRLF {
		return
	}
	sd.boundary = false
	if sd.kind == http1.Request {
		s.reqSkipped = true
		return
	}
	s.resSkipped = true
	s.resLost = s.resLost || sd.losing
	if why == http1.HoleBetween {
		s.resHole = true
		s.cuts++
	}
}

// RequestMethod returns the method of the request that the response at hand answers.
func (sd *side) RequestMethod(*http1.Message) string {
	if x := sd.s.current; x != nil {
		return x.ex.Method
	}
	return ""
}
