package exchange

import (
	"strings"
	"time"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/http1"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/lineage"
	"github.com/ebpf-reel/reel/format"
)

// Pairing. Without a gap, responses answer requests in their order. After a gap it depends on how the client works:
//
//   - One request at a time (nearly all clients). A request that was sent proves that the response before it is over. So if
//     responses are lost and a later one is found, it answers the last request before it, and the requests before that one
//     are unanswered. If the gap begins where the response to the only waiting request was due, what is found behind it
//     answers a request that is missing as well. Whether a request is missing between the last one seen and the response
//     shows when the next request comes, by its position in the stream: until then the pair is tentative.
//   - Pipelining (seen before, or in the same call). How many responses a gap holds is not known, so none after it is paired,
//     until the connection was silent for a second with nothing to come. A cut is milder than a gap: its bytes were moved by
//     a call that is known. A request that was sent after that call is answered by what comes after it (inferred: a client
//     that keeps sending while it waits could mean otherwise), and the requests before it had their responses in the cut.

const silence = time.Second

// pending is an exchange that is not complete.
type pending struct {
	ex   facts.Exchange
	line *lineage.Node // nil: not followed

	hasRequest, requestDone   bool
	hasResponse, responseDone bool
	requestFound              facts.Certainty
	lastCall                  uint32 // that moved bytes of the request
	behind                    bool   // began while another one waited
	afterGap                  bool   // requests before it are missing
	endLost                   bool   // the last byte of the response lies in a gap, or where it is is not known
	uploadLost                bool   // the same of the request
	tentative                 bool
	split                     bool   // tentative, and found wrong
	gaps                      uint32 // of the response's direction, when the request began
	cuts                      uint32 // of the session, when the request began
	request, response         edges
}

// edges are the times of a message that exchanges are measured by.
type edges struct{ first, firstEnd, last, lastStart format.KTime }

// pairing is the state of a session that only pairing uses.
type pairing struct {
	queue      queue // requests without a complete response, oldest first
	current    *pending
	tentative  *pending // complete, waits for the next request
	interims   []int    // that came before a response whose request is not known
	index      uint32
	forgotten  uint32 // requests at the front of the queue that were given out early
	pipelines  bool
	uncertain  bool
	reqSkipped bool   // bytes of requests were skipped since the last one
	resSkipped bool   // bytes of responses were skipped since the last one
	resHole    bool   // where the next response was due
	resLost    bool   // some of what was skipped is lost, not cut
	cuts       uint32 // places where whole responses may lie in a cut
	behindCut  bool   // requests were given up for a cut since the last pair
	lastMoved  format.KTime
	recent     *recent
}

// recent are the exchanges that were given out last: the other end of the connection finds its own among them.
type recent struct {
	at   uint8
	seqs [8]format.Seq
	ids  [8]facts.ExchangeID
	took [8]time.Duration
}

func (r *recent) add(x *facts.Exchange) {
	r.seqs[r.at], r.ids[r.at], r.took[r.at] = x.Seq, x.ID, x.Duration
	r.at = (r.at + 1) % uint8(len(r.ids))
}

func (r *recent) find(seq format.Seq) (facts.ExchangeID, time.Duration) {
	for i, id := range r.ids {
		if id != 0 && r.seqs[i] == seq {
			return id, r.took[i]
		}
	}
	return 0, -1
}

func (s *session) requestStart(sd *side, m *http1.Message) {
	s.settle(s.reqSkipped)
	if s.queue.len() == 0 {
		s.resSkipped, s.resHole, s.resLost = false, false, false // what was skipped answered earlier requests
	}
	if s.uncertain && m.First.Start.Sub(s.lastMoved) >= silence {
		s.abandon()
		s.uncertain = false
	}
	if res := s.sides[s.request.Other()]; res != nil && !s.pipelines {
		res.p.Settle()
	}
	for s.queue.len() >= maxPipeline || s.e.outstanding >= maxOutstanding && s.queue.len() > 0 {
		x := s.queue.pop()
		s.e.ledger.Add(ledger.PipelineFull, 1, ledger.Where{At: m.First.End, Conn: s.c.ID, PID: s.c.PID})
		if x == s.current {
			s.current = nil
		} else if !x.hasResponse {
			s.forgotten++
		}
		s.unanswered(x)
	}
	x := s.e.pending()
	if last := s.queue.back(); last != nil {
		x.behind = true
		if last.requestDone && last.lastCall == m.First.Call {
			s.pipelines = true
		}
	}
	s.index++
	x.ex.Index = s.index
	x.hasRequest = true
	x.requestFound = m.Found
	x.afterGap = s.reqSkipped
	x.gaps, x.cuts = s.c.Gaps[s.request.Other()], s.cuts
	x.ex.PID, x.ex.TID = m.First.PID, m.First.TID
	if sd.seqValid {
		x.ex.Seq, x.ex.SeqValid = sd.seq-format.Seq(uint32(sd.seqOff-m.Offset)), true
	}
	x.line = s.e.lineage.Begin(x.ex.ID, s.request == conn.In, x.ex.PID, x.ex.TID)
	s.reqSkipped = false
	s.queue.push(x)
}

func (s *session) requestHead(m *http1.Message) {
	if x := s.queue.back(); x != nil && !x.requestDone {
		s.e.requestHead(x, m)
		s.e.lineage.Head(x.line, &x.ex, m.First.Start)
		if x.ex.Index == 1 && !s.c.SawStart && lacksStart(x.ex.Method) {
			x.ex.Missing |= facts.StartUnknown
		}
	}
}

// lacksStart reports whether a method is the end of a registered one (RFC 9110 §9.3, RFC 5789). A connection older than the
// capture may have had the first byte of a request read already: Go's server waits for one with a read of one byte.
func lacksStart(method string) bool {
	for _, whole := range [...]string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"} {
		if len(method) < len(whole) && strings.HasSuffix(whole, method) {
			return true
		}
	}
	return false
}

func (s *session) requestFinish(sd *side, m *http1.Message) {
	s.lastMoved = max(s.lastMoved, m.Last.End)
	x := s.queue.back()
	if x == nil || x.requestDone {
		return
	}
	s.e.message(&x.ex.Request, &x.request, sd, m)
	x.ex.Missing |= m.Missing
	x.ex.Anomalies = http1.AppendNames(x.ex.Anomalies, m.Anomalies)
	x.lastCall = m.Last.Call
	x.uploadLost = sd.losing || m.Missing&(facts.EndUnknown|facts.LengthUnknown|facts.StartUnknown) != 0
	x.requestDone = true
	s.complete(x)
}

func (s *session) responseStart(m *http1.Message) {
	x := s.match(m)
	if x == nil {
		x = s.e.pending()
		s.index++
		x.ex.Index = s.index
		x.ex.PID, x.ex.TID = m.First.PID, m.First.TID
		x.requestDone = true
		x.ex.Missing |= facts.NoRequest
		if !s.c.SawStart && s.index == 1 && s.c.Lost[conn.In]+s.c.Lost[conn.Out] == 0 {
			x.ex.Missing |= facts.StartUnknown
		}
		s.e.ledger.Add(ledger.ResponseUnasked, 1, ledger.Where{At: m.First.End, Conn: s.c.ID, PID: s.c.PID})
	}
	x.hasResponse = true
	x.ex.Interim = append(x.ex.Interim, s.interims...)
	s.interims = s.interims[:0]
	s.current = x
}

// match returns the request that a final response answers; nil when it is not known.
func (s *session) match(m *http1.Message) *pending {
	skipped, hole, lost := s.resSkipped, s.resHole, s.resLost
	s.resSkipped, s.resHole, s.resLost = false, false, false
	k := s.queue.len()
	switch {
	case s.forgotten > 0:
		s.forgotten--
		return nil
	case k == 0:
		return nil
	case s.uncertain:
		s.e.ledger.Add(ledger.ResponsesUncertain, 1, ledger.Where{At: m.First.End, Conn: s.c.ID, PID: s.c.PID})
		return nil
	case !skipped:
		front := s.queue.front()
		if k > 1 {
			s.pipelines = true
		}
		if front.afterGap && front.behind {
			s.abandon()
			s.uncertain = true
			return nil
		}
		front.ex.Pairing = min(m.Found, front.requestFound)
		if s.behindCut {
			front.ex.Pairing, s.behindCut = min(front.ex.Pairing, facts.Inferred), false
		}
		front.ex.Pipelined = front.behind
		return front
	case s.pipelines && !lost && s.queue.back().cuts == s.cuts:
		s.answeredInCut(func(x *pending) bool { return x.cuts != s.cuts })
		s.behindCut = false
		x := s.queue.front()
		x.ex.Pairing = facts.Inferred
		x.ex.Pipelined = s.queue.len() > 1
		return x
	case s.pipelines && !lost && (k > 1 || hole):
		// Found behind a cut in the same turn: it answers one of those that wait, and nobody knows which.
		s.answeredInCut(func(*pending) bool { return true })
		s.behindCut = true
		return nil
	case s.pipelines && (k > 1 || hole):
		s.abandon()
		s.uncertain = true
		return nil
	case hole && k == 1:
		s.abandon()
		return nil
	}
	for s.queue.len() > 1 {
		s.unanswered(s.queue.pop())
	}
	x := s.queue.front()
	x.ex.Pairing = facts.Inferred
	x.tentative = true
	return x
}

// answeredInCut gives out the oldest waiting requests, as far as their responses lie in a cut.
func (s *session) answeredInCut(in func(*pending) bool) {
	for s.queue.len() > 0 && in(s.queue.front()) {
		x := s.queue.pop()
		x.ex.Missing |= facts.ResponseCut
		s.unanswered(x)
	}
}

// abandon gives out every waiting request: its response can no longer be told.
func (s *session) abandon() {
	for s.queue.len() > 0 {
		x := s.queue.pop()
		if s.c.Gaps[s.request.Other()] > 0 {
			x.ex.Missing |= facts.ResponseGap
		}
		s.unanswered(x)
	}
}

func (s *session) responseHead(m *http1.Message) {
	if s.current != nil {
		s.e.responseHead(s.current, m)
	}
}

func (s *session) interim(m *http1.Message) {
	s.lastMoved = max(s.lastMoved, m.Last.End)
	if x := s.queue.front(); x != nil && s.forgotten == 0 && !s.uncertain {
		if len(x.ex.Interim) < maxInterim {
			x.ex.Interim = append(x.ex.Interim, m.Status)
		}
		return
	}
	if len(s.interims) < maxInterim {
		s.interims = append(s.interims, m.Status)
	}
}

// maxInterim bounds the interim responses that are kept of one exchange.
const maxInterim = 16

// responseFinish takes a whole response. Its last byte was not seen when it lies in a gap.
func (s *session) responseFinish(sd *side, m *http1.Message) {
	s.lastMoved = max(s.lastMoved, m.Last.End)
	x := s.current
	if x == nil {
		return
	}
	s.current = nil
	s.e.message(&x.ex.Response, &x.response, sd, m)
	x.ex.Status = m.Status
	x.ex.Missing |= m.Missing
	x.ex.Anomalies = http1.AppendNames(x.ex.Anomalies, m.Anomalies)
	x.responseDone = true
	x.endLost = sd.losing || m.Missing&(facts.EndUnknown|facts.LengthUnknown) != 0
	if x.hasRequest && !x.requestDone {
		if req := s.sides[s.request]; req != nil {
			req.p.Settle() // its response is over: so is the request, if nothing else says where it ends
		}
	}
	s.complete(x)
}

// complete gives x out when nothing more is to come.
func (s *session) complete(x *pending) {
	if !x.requestDone || !x.responseDone {
		return
	}
	if x == s.queue.front() {
		s.queue.pop()
	}
	if x.tentative {
		s.tentative = x
		return
	}
	s.give(x)
}

// settle decides a tentative pair: requestLost says that a request between it and what comes next is missing.
func (s *session) settle(requestLost bool) {
	x := s.tentative
	if x == nil {
		if front := s.queue.front(); front != nil && front.tentative {
			front.tentative = false
			front.split = requestLost
		}
		return
	}
	s.tentative = nil
	x.tentative = false
	x.split = x.split || requestLost
	s.give(x)
}

// give hands out a complete exchange, in two when its halves do not belong together.
func (s *session) give(x *pending) {
	if !x.split {
		s.e.give(s.c, x)
		return
	}
	y := s.e.pending()
	s.index++
	y.ex.Index = s.index
	y.ex.Missing = facts.NoRequest | x.ex.Missing&(facts.ResponseGap|facts.ResponseCut)
	y.ex.PID, y.ex.TID = x.ex.PID, x.ex.TID
	y.ex.Status, y.ex.Response, y.response = x.ex.Status, x.ex.Response, x.response
	y.hasResponse, y.responseDone, y.requestDone = true, true, true
	x.ex.Status, x.ex.Response, x.response = 0, facts.Message{}, edges{}
	x.hasResponse, x.responseDone = false, false
	x.ex.Missing &^= facts.ResponseCut
	s.e.ledger.Add(ledger.ResponseUnasked, 1, ledger.Where{At: y.response.first, Conn: s.c.ID, PID: s.c.PID})
	s.unanswered(x)
	s.e.give(s.c, y)
}

// unanswered hands out a request without its response (or with a part of it, when the connection ended inside).
func (s *session) unanswered(x *pending) {
	if !x.hasResponse {
		x.ex.Missing |= facts.NoResponse
		x.ex.Pairing = facts.Unknown
		s.e.ledger.Add(ledger.RequestUnanswered, 1, ledger.Where{At: x.request.first, Conn: s.c.ID, PID: x.ex.PID})
	}
	if s.c.Gaps[s.request.Other()] > x.gaps {
		x.ex.Missing |= facts.ResponseGap
	}
	s.e.give(s.c, x)
}
