package http1

import (
	"bytes"

	"github.com/ebpf-reel/reel/analyze/facts"
)

type state uint8

const (
	stBoundary  state = iota // between messages: the next byte that is no line end starts one
	stStartLine              // in a line that may be a start line
	stFields                 // in the head, behind the start line
	stLength                 // in a body, left bytes to go
	stClose                  // in a body that ends with the stream
	stChunkSize              // in a chunk-size line
	stChunkData              // in a chunk, left bytes to go
	stChunkEnd               // in the line end behind a chunk
	stTrailer                // in the trailer section
	stLost                   // where the next message starts is not known; one of unknown end may be open
	stOpaque                 // not HTTP/1, from here on
)

// Parser reads one direction of one connection. It is not safe for concurrent use. Begin makes it ready for a stream, and again
// for the next one: it keeps its buffers.
type Parser struct {
	kind Kind
	lim  Limits
	h    Handler

	st    state
	proto Protocol
	m     Message
	open  bool // m has started and not finished
	next  uint64

	// The call that the bytes at hand were moved by.
	at      Stamp
	atValid bool
	call    uint64 // number of different calls seen
	mCall   uint64 // the one that m.Last is of
	fresh   bool   // the next byte is the first one of its call

	off uint64
	acc Account

	first    [len(preface)]byte // of a stream that is not HTTP/1
	firstLen int

	// A line that began in an earlier Data: its first bytes, up to a limit, and its whole length. at is of its first byte.
	line    []byte
	lineLen int
	lineAt  Stamp
	lineOff uint64
	// A start line may come by several calls.
	lineCall  uint64
	lineCalls uint32
	checked   bool // a start line at hand is plausible already
	probe     bool // the start line at hand has to prove that it is one (stLost before)

	// The head's text: src[head:head+kept] while it lies in the Data at hand, then hold.
	src      []byte
	head     int // -1: in hold
	kept     int
	hold     []byte
	headSeen int  // bytes of head and trailers up to the line at hand
	foldable bool // the line before was kept as a field

	f framing

	left       uint64 // of a body or a chunk
	sawCR      bool   // in stChunkEnd
	bodyBuf    []byte
	bodyAlias  bool    // m.body lies in src
	bodyGap    bool    // content after a hole is not kept
	mayBeHead  bool    // no request is known, and a body is due that HEAD would not have
	closed     bool    // the message before announced the end of the connection
	mayTunnel  bool    // the request before asked for another protocol
	tunnelNext bool    // Tunnel was called inside a message
	why        Anomaly // of bytes in stLost that are in no message
	chunkLost  bool    // a hole covers chunk framing: the last chunk may show at the end of a call
	lostBody   bool    // bytes of the open message in stLost are most likely content
	tail       [len(lastChunk)]byte
	tailLen    int // bytes of the call in tail, at most len(tail); -1 after a hole in the call
}

// NewParser returns a parser of one kind of message, at the start of a stream (Begin(true)).
func NewParser(kind Kind, lim Limits, h Handler) *Parser {
	p := &Parser{kind: kind, lim: lim.withDefaults(), h: h}
	p.Begin(true)
	return p
}

// Begin forgets the stream so far and starts another. fromStart says that it is seen from its first byte; without, the first
// message has to be proved (package doc).
func (p *Parser) Begin(fromStart bool) {
	m := Message{fields: p.m.fields[:0], trailer: -1}
	*p = Parser{kind: p.kind, lim: p.lim, h: p.h, m: m, line: p.line[:0], hold: p.hold[:0], bodyBuf: p.bodyBuf[:0], head: -1}
	if !fromStart {
		p.st, p.why = stLost, MidStream
	}
}

// Protocol returns what the stream turned out to be.
func (p *Parser) Protocol() Protocol { return p.proto }

// InMessage reports whether a message has started and not finished.
func (p *Parser) InMessage() bool { return p.open }

// Account returns where the bytes went.
func (p *Parser) Account() Account {
	a := p.acc
	if p.st == stStartLine {
		a.Pending = uint64(p.lineLen)
	}
	return a
}

// Data takes the next bytes of the stream, all moved by one call. b is used only during Data.
func (p *Parser) Data(b []byte, at Stamp) {
	if len(b) == 0 {
		return
	}
	p.lateTunnel()
	p.enter(at)
	if p.mayBeHead && p.fresh && at.Turn && detectResponse(b) == likely {
		p.answerToHead()
	}
	p.src = b
	for i := 0; i < len(b); {
		n := p.step(b, i)
		p.off += uint64(n)
		i += n
		p.fresh = false
	}
	p.detach()
	p.src = nil
}

// enter notes which call moves the bytes that follow.
func (p *Parser) enter(at Stamp) {
	if p.atValid && at == p.at {
		return
	}
	p.endOfCall()
	p.at, p.atValid = at, true
	p.call++
	p.fresh = true
}

// answerToHead ends a response whose request is not known, and in place of whose body another response came.
func (p *Parser) answerToHead() {
	p.m.Framing = FramingNone
	p.m.Anomalies.Add(HeadResponseInferred)
	p.mayBeHead = false
	p.end(facts.Inferred)
}

// detach copies what m keeps of src, which belongs to the caller.
func (p *Parser) detach() {
	if !p.open {
		return
	}
	p.toHold()
	if p.bodyAlias {
		p.bodyBuf = append(p.bodyBuf[:0], p.m.body...)
		p.m.body, p.bodyAlias = p.bodyBuf, false
	}
}

// step uses some of b[i:] and returns how many bytes.
func (p *Parser) step(b []byte, i int) int {
	rest := b[i:]
	switch p.st {
	case stBoundary:
		return p.boundary(rest)
	case stStartLine:
		return p.startLine(b, i)
	case stFields, stTrailer:
		return p.fieldLines(b, i)
	case stLength, stChunkData:
		n := int(min(uint64(len(rest)), p.left))
		p.content(rest[:n])
		p.left -= uint64(n)
		if p.left == 0 {
			p.bodyEnd()
		}
		return n
	case stClose:
		p.content(rest)
		return len(rest)
	case stChunkSize:
		return p.chunkSize(b, i)
	case stChunkEnd:
		return p.chunkEnd(rest)
	case stLost:
		return p.lost(rest)
	}
	p.opaque(rest)
	return len(rest)
}

// opaque counts bytes that are not HTTP/1; the first ones name the protocol.
func (p *Parser) opaque(b []byte) {
	p.acc.Opaque += uint64(len(b))
	if p.proto == Undecided || p.proto == Other && p.firstLen < len(p.first) {
		p.firstLen += copy(p.first[p.firstLen:], b)
		p.proto = classify(p.first[:p.firstLen])
	}
}

// boundary skips empty lines before a message (RFC 9112 §2.2).
func (p *Parser) boundary(rest []byte) int {
	n := 0
	for n < len(rest) && (rest[n] == '\r' || rest[n] == '\n') {
		n++
	}
	if n > 0 {
		p.skip(LeadingCRLF, uint64(n))
		return n
	}
	p.beginLine(false)
	return 0
}

func (p *Parser) beginLine(probe bool) {
	p.st, p.probe, p.checked = stStartLine, probe, false
	p.lineAt, p.lineOff = p.at, p.off
	p.lineCall, p.lineCalls = p.call, 1
}

// startLine reads a start line; until it is known to be one, its bytes are pending.
func (p *Parser) startLine(b []byte, i int) int {
	if p.lineCall != p.call {
		if p.probe && p.fresh && (p.at.Turn && plausible(p.kind, b[i:]) != no || beginsMessage(p.kind, b[i:])) {
			// What seemed to begin a message was none.
			p.st = stLost
			p.lostBytes(uint64(p.lineLen))
			p.dropLine()
			p.beginLine(true)
		} else {
			p.lineCall = p.call
			p.lineCalls++
		}
	}
	if p.lineLen == 0 && plausible(p.kind, b[i:]) == no { // before any of it is kept
		p.reject(b, i, len(b)-i, Garbage)
		return len(b) - i
	}
	line, n, whole := p.takeLine(b, i, p.lim.Head)
	size := max(p.lineLen, n)
	switch {
	case size > p.lim.Head:
		p.reject(b, i, n, StartLineTooLong)
	case !whole:
		if p.checked {
			break
		}
		switch plausible(p.kind, p.line) {
		case no:
			p.reject(b, i, n, Garbage)
		case likely:
			p.checked = true
		}
	default:
		s, ok := parseStart(p.kind, trimEOL(line))
		if !ok || p.probe && s.anomalies != 0 {
			p.reject(b, i, n, Garbage)
			break
		}
		if line[max(0, len(line)-2)] != '\r' {
			s.anomalies.Add(BareLF)
		}
		p.start(&s, line, b, i)
		p.took(uint64(size))
		p.m.HeadBytes = uint64(size)
		p.headSeen = size
		p.dropLine()
		p.st = stFields
		p.h.Start(&p.m)
	}
	return n
}

// start makes m the message whose start line is line, which is b[i:] or p.line.
func (p *Parser) start(s *startLine, line, b []byte, i int) {
	if p.open {
		p.finish(facts.Unknown)
	}
	m := &p.m
	*m = Message{
		Kind: p.kind, Index: p.next, Offset: p.lineOff,
		Major: s.major, Minor: s.minor, Status: s.status, Form: s.form,
		ContentLength: -1,
		First:         p.lineAt, HeadEnd: p.at, Last: p.at, Calls: p.lineCalls,
		Anomalies: s.anomalies,
		Found:     facts.Exact,
		fields:    m.fields[:0], trailer: -1,
		method: s.method, target: s.target, reason: s.reason,
	}
	p.mCall = p.call
	if p.probe && !p.lineAt.Turn {
		m.Found = facts.Inferred
	}
	if p.closed {
		m.Anomalies.Add(CloseIgnored)
	}
	p.next++
	p.open, p.proto = true, HTTP1
	p.f = framing{}
	p.headSeen, p.foldable = 0, false
	p.bodyAlias, p.bodyGap, p.mayBeHead = false, false, false
	p.closed, p.mayTunnel, p.chunkLost, p.lostBody, p.why = false, false, false, false, Unsynchronised
	if p.lineLen == 0 {
		p.head, p.kept = i, len(line)
		m.text = b[i : i+len(line)]
		return
	}
	p.head = -1
	p.hold = append(p.hold[:0], line...)
	m.text = p.hold
}

// reject gives up on a line that is no start line; n bytes of it are b[i:i+n], the ones before are pending.
func (p *Parser) reject(b []byte, i, n int, why Anomaly) {
	size := uint64(max(p.lineLen, n))
	first := p.line
	if p.lineLen == 0 {
		first = b[i : i+n]
	}
	switch {
	case p.probe:
		p.st = stLost
		p.lostBytes(size)
	case p.proto == Undecided:
		p.st = stOpaque
		p.opaque(first)
		p.acc.Opaque += size - uint64(len(first)) // first is cut when the line is too long
		if p.proto == Other && p.kind == Request && isSimpleRequest(first) {
			p.proto = HTTP09
		}
	case p.mayTunnel:
		p.proto, p.st = Tunnel, stOpaque
		p.acc.Opaque += size
	default:
		p.st, p.why = stLost, why
		p.skip(why, size)
	}
	p.dropLine()
}

// takeLine returns the line that goes on at b[i], with its line end, and how many bytes of b it uses. When its end is not in b,
// or when it began in an earlier Data, its bytes are collected in p.line (at most limit of them; p.lineLen counts all), and
// dropLine must be called when they are used.
func (p *Parser) takeLine(b []byte, i, limit int) (line []byte, n int, whole bool) {
	j := bytes.IndexByte(b[i:], '\n')
	if j >= 0 && p.lineLen == 0 {
		return b[i : i+j+1], j + 1, true
	}
	n, whole = j+1, j >= 0
	if !whole {
		n = len(b) - i
	}
	if room := limit - len(p.line); room > 0 {
		p.line = append(p.line, b[i:i+min(n, room)]...)
	}
	p.lineLen += n
	return p.line, n, whole
}

func (p *Parser) dropLine() { p.line, p.lineLen = p.line[:0], 0 }

// took counts n bytes for m, moved by the call at hand.
func (p *Parser) took(n uint64) {
	m := &p.m
	m.WireBytes += n
	p.acc.Messages += n
	if p.mCall != p.call {
		m.Calls++
		p.mCall = p.call
		m.Last = p.at
	}
}

func (p *Parser) skip(why Anomaly, n uint64) {
	p.acc.Skipped += n
	p.h.Skip(why, n, p.at)
}

// Settle closes a message whose end is not known. The caller knows better than the parser when it is over: a request when its
// response ended, a response when the next request began. A message whose end is known is left alone.
func (p *Parser) Settle() {
	if !p.open || p.st != stLost && p.st != stStartLine {
		return
	}
	p.endOfCall()
	if p.open {
		p.finish(facts.Unknown)
	}
}

// Tunnel says that the stream speaks something else from the end of its message on, or from here on between messages: the other
// direction agreed to CONNECT or Upgrade.
func (p *Parser) Tunnel() {
	switch {
	case p.st == stOpaque:
	case p.open && p.st != stLost && p.st != stStartLine:
		p.tunnelNext = true
	default:
		p.Settle()
		p.acc.Opaque += uint64(p.lineLen)
		p.dropLine()
		p.st, p.proto = stOpaque, Tunnel
	}
}

// lateTunnel makes the stream opaque when the message that should have come first lost its end.
func (p *Parser) lateTunnel() {
	if p.tunnelNext && p.st == stLost {
		p.tunnelNext = false
		p.Tunnel()
	}
}

// finish hands m out.
func (p *Parser) finish(ended facts.Certainty) {
	p.mayBeHead = false
	m := &p.m
	m.Ended = ended
	if ended == facts.Unknown {
		m.Missing |= facts.LengthUnknown
	}
	if m.Anomalies&malformed != 0 {
		m.Missing |= facts.Malformed
	}
	p.closed = !m.KeepAlive && m.Missing&facts.HeadCut == 0 && !m.Interim()
	p.mayTunnel = m.Kind == Request && (m.seen.has(idUpgrade) || string(m.Method()) == "CONNECT")
	p.open = false
	p.h.Finish(m)
	if p.tunnelNext || m.Upgrade != "" {
		p.st, p.proto, p.tunnelNext = stOpaque, Tunnel, false
	}
}
