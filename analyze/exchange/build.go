package exchange

import (
	"time"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/http1"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/tracecontext"
	"github.com/ebpf-reel/reel/format"
)

// pending returns an empty exchange.
func (e *Engine) pending() *pending {
	e.outstanding++
	var x *pending
	if n := len(e.free); n > 0 {
		x = e.free[n-1]
		e.free = e.free[:n-1]
	} else {
		x = new(pending)
	}
	e.lastID++
	x.ex.ID = e.lastID
	return x
}

// recycle empties x for its next use; slices keep their memory.
func (e *Engine) recycle(x *pending) {
	e.outstanding--
	e.bodies -= len(x.ex.Request.Body) + len(x.ex.Response.Body)
	if len(e.free) > 4096 {
		return
	}
	ex := &x.ex
	interim, anomalies := ex.Interim[:0], ex.Anomalies[:0]
	request, response := keep(&ex.Request), keep(&ex.Response)
	*x = pending{}
	ex.Interim, ex.Anomalies, ex.Request, ex.Response = interim, anomalies, request, response
	e.free = append(e.free, x)
}

func keep(m *facts.Message) facts.Message {
	clear(m.Headers)
	kept := facts.Message{Headers: m.Headers[:0], Body: m.Body[:0], Syscalls: m.Syscalls[:0]}
	if cap(kept.Body) > 64<<10 {
		kept.Body = nil
	}
	return kept
}

func (e *Engine) requestHead(x *pending, m *http1.Message) {
	ex := &x.ex
	ex.Method = e.names.string(m.Method())
	target := m.Target()
	ex.Target = e.names.string(target[:min(len(target), maxTarget)])
	host := m.Host()
	ex.Host = e.names.string(host[:min(len(host), maxTarget)])
	if !m.HasTrace() {
		return
	}
	trace := new(facts.TraceContext)
	ok, odd := tracecontext.Parse(m, trace)
	if ok {
		ex.Trace = trace
	}
	for a := range odd.All() {
		ex.Anomalies = append(ex.Anomalies, a.String())
		e.ledger.Add(ledger.Trace(a), 1, ledger.Where{At: m.First.End, PID: m.First.PID})
	}
}

func (e *Engine) responseHead(x *pending, m *http1.Message) {
	x.ex.Status = m.Status
}

// message fills out with a finished message.
func (e *Engine) message(out *facts.Message, t *edges, sd *side, m *http1.Message) {
	out.First, out.Last = m.First.Start, m.Last.End
	t.first, t.firstEnd, t.last, t.lastStart = m.First.Start, m.First.End, m.Last.End, m.Last.Start
	out.HeadBytes, out.BodyBytes, out.WireBytes = m.HeadBytes, m.BodyBytes, m.WireBytes
	out.Chunked, out.Version, out.Calls = m.Chunked(), m.Version(), m.Calls
	sd.calls.sum(out, m, e.cfg.Calls > 0)
	if e.cfg.Headers {
		out.Headers = m.AppendHeaders(out.Headers[:0])
	}
	if n := len(m.Body()); n > 0 && e.bodies+n <= maxBodies {
		out.Body = append(out.Body[:0], m.Body()...)
		e.bodies += n
	} else if n > 0 {
		e.ledger.Add(ledger.BodiesFull, 1, ledger.Where{At: m.Last.End, PID: m.Last.PID})
	}
}

// give completes x and hands it out. The role may have become known since it began.
func (e *Engine) give(c *conn.Conn, x *pending) {
	s := c.State.(*session)
	ex := &x.ex
	c.Exchanges++
	ex.Conn, ex.Protocol = c.ID, c.Protocol().String()
	ex.Role = format.RoleServer
	if s.request == conn.Out {
		ex.Role = format.RoleClient
	}
	ex.Local, ex.Remote = c.Local, c.Remote
	x.times()
	ex.Peer, ex.PeerDuration = s.peer(ex)
	e.lineage.End(x.line, ex)
	if err := e.emit(c, ex); err != nil && e.err == nil {
		e.err = err
	}
	if ex.SeqValid && c.PeerID != 0 {
		if s.recent == nil {
			s.recent = new(recent)
		}
		s.recent.add(ex)
	}
	e.recycle(x)
}

// times measures x. What a process writes leaves it when the call begins; what it reads is there when the call ends, however
// long the call waited for it.
func (x *pending) times() {
	ex := &x.ex
	ex.Duration, ex.TTFB, ex.Upload, ex.Download = -1, -1, -1, -1
	client := ex.Role == format.RoleClient
	var firstByte format.KTime // of the response
	switch {
	case client:
		firstByte = x.response.firstEnd
		ex.Start = firstByte
	default:
		firstByte = x.response.first
		ex.Start = firstByte
	}
	if x.hasRequest {
		ex.Start = x.request.first
		if !client {
			ex.Start = x.request.firstEnd
		}
	}
	startKnown := x.hasRequest && ex.Missing&facts.StartUnknown == 0
	if x.requestDone && startKnown && !x.uploadLost {
		ex.Upload = max(x.request.last.Sub(ex.Start), 0)
	}
	if !x.hasResponse || !x.responseDone {
		return
	}
	if !x.endLost {
		ex.Download = max(x.response.last.Sub(firstByte), 0)
	}
	if !startKnown {
		return
	}
	ex.TTFB = max(firstByte.Sub(ex.Start), 0)
	if !x.endLost {
		ex.Duration = max(x.response.last.Sub(ex.Start), ex.TTFB)
	}
}

// peer returns the same exchange on the other end, if it is complete already, and its duration: its request begins at the same
// sequence number.
func (s *session) peer(ex *facts.Exchange) (facts.ExchangeID, time.Duration) {
	p := s.c.Peer()
	if p == nil || !ex.SeqValid {
		return 0, -1
	}
	o, ok := p.State.(*session)
	if !ok || o.recent == nil {
		return 0, -1
	}
	return o.recent.find(ex.Seq)
}

// interner returns equal strings without allocating them again: hosts, methods and most targets repeat. It is a
// direct-mapped cache, so it is bounded and forgets what is rare.
type interner struct{ slots [4096]string }

const maxInterned = 256 // longer ones rarely repeat, and would be kept

func (n *interner) string(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > maxInterned {
		return string(b)
	}
	h := uint32(2166136261) // FNV-1a
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	slot := &n.slots[(h^h>>15)%uint32(len(n.slots))]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}
