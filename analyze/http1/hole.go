package http1

import "github.com/ebpf-reel/reel/analyze/facts"

// lastChunk is how a chunked body ends when it has no trailers, with the line end of the chunk before.
const lastChunk = "\r\n0\r\n\r\n"

// Hole takes n bytes whose content is not known; n = -1 when their number is not known either. Cut: they are the rest of what
// the call at moved. Lost: their calls are missing; the next Data begins a call, and at is not looked at.
func (p *Parser) Hole(n int64, why Loss, at Stamp) {
	if n == 0 {
		return
	}
	p.lateTunnel()
	if why == Cut {
		p.enter(at)
	} else {
		p.endOfCall()
		p.atValid = false
	}
	p.tailLen = -1
	if n < 0 {
		p.holeUnknown(why)
	} else {
		for left := uint64(n); left > 0; {
			k := p.holeStep(left, why)
			p.off += k
			left -= k
		}
	}
	p.fresh = false
}

// holeUnknown takes a hole of unknown length: nothing behind it can be framed by what was before.
func (p *Parser) holeUnknown(why Loss) {
	switch p.st {
	case stOpaque:
	case stLost:
		if p.open {
			p.holed(0, why)
		} else {
			p.skip(p.why, 0)
		}
	case stClose: // still ends with the stream
		p.holed(0, why)
		p.m.Anomalies.Add(FramingHole)
		p.m.Missing |= facts.LengthUnknown
	case stStartLine:
		p.cutStartLine()
		p.holeUnknown(why)
	case stBoundary:
		p.skip(HoleBetween, 0)
		p.st, p.why = stLost, Unsynchronised
	default:
		p.holeInFraming(why)
	}
}

// holeStep takes at most n bytes of a hole and returns how many.
func (p *Parser) holeStep(n uint64, why Loss) uint64 {
	m := &p.m
	switch p.st {
	case stOpaque:
		p.acc.Opaque += n
		return n
	case stBoundary:
		p.skip(HoleBetween, n)
		p.st, p.why = stLost, Unsynchronised
		return n
	case stStartLine:
		p.cutStartLine()
		return 0
	case stLost:
		if p.open {
			p.holed(n, why)
			if p.lostBody {
				m.BodyBytes += n
			}
		} else {
			p.skip(p.why, n)
		}
		return n
	case stLength, stChunkData, stClose:
		if p.st != stClose {
			n = min(n, p.left)
			p.left -= n
		}
		p.mayBeHead = false
		m.Anomalies.Add(BodyHole)
		m.BodyBytes += n
		p.holed(n, why)
		if p.st != stClose && p.left == 0 {
			p.bodyEnd()
		}
		return n
	case stChunkEnd:
		k := min(n, 2)
		if p.sawCR {
			k = 1
		}
		p.holed(k, why)
		if k == 1 && !p.sawCR {
			p.sawCR = true
			return k
		}
		p.st = stChunkSize
		return k
	case stChunkSize:
		// Five bytes behind a chunk can only be the last chunk, unless the call ended inside a chunk of one or two bytes.
		if p.lineLen == 0 && m.BodyBytes > 0 && n == uint64(len("0\r\n\r\n")) {
			p.holed(n, why)
			m.Anomalies.Add(LastChunkInferred)
			p.end(facts.Inferred)
			return n
		}
	}
	p.holeInFraming(why)
	p.holed(n, why)
	return n
}

// holed counts n unknown bytes for m.
func (p *Parser) holed(n uint64, why Loss) {
	m := &p.m
	p.bodyGap = true
	m.HoleBytes += n
	switch {
	case why == Lost && p.kind == Request:
		m.Missing |= facts.RequestGap
	case why == Lost:
		m.Missing |= facts.ResponseGap
	case p.kind == Request:
		m.Missing |= facts.RequestCut
	default:
		m.Missing |= facts.ResponseCut
	}
	if why == Cut {
		p.took(n)
		return
	}
	m.WireBytes += n
	p.acc.Messages += n
}

// holeInFraming loses the place in a head, a chunk-size line or a trailer section.
func (p *Parser) holeInFraming(why Loss) {
	m := &p.m
	inHead := p.st == stFields
	if p.kind == Request && why == Lost {
		m.Missing |= facts.RequestGap
	} else if why == Lost {
		m.Missing |= facts.ResponseGap
	}
	p.dropLine()
	m.Missing |= facts.LengthUnknown
	p.bodyGap = true
	p.lostBody = !inHead
	p.chunkLost = !inHead && m.Framing == FramingChunked
	p.st = stLost
	if inHead {
		p.headLost(HeadHole)
		return
	}
	m.Anomalies.Add(FramingHole)
}

// headLost gives out a head that is not whole.
func (p *Parser) headLost(why Anomaly) {
	m := &p.m
	m.Anomalies.Add(why)
	m.Missing |= facts.HeadCut | facts.LengthUnknown
	if m.seen != 0 {
		p.readKept()
	}
	m.Framing = FramingUnknown
	m.KeepAlive = (m.Minor > 0 || m.Major == 0) && !p.f.close
	p.h.Head(m)
}

// cutStartLine makes a message of a start line that a hole or the end of the stream cuts, when what there is of it can be nothing
// else; otherwise its bytes are skipped.
func (p *Parser) cutStartLine() {
	s, ok := parseCutStart(p.kind, p.line, p.probe)
	if !ok {
		n := uint64(p.lineLen)
		switch {
		case p.probe:
			p.st = stLost
			p.lostBytes(n)
		default:
			p.st = stBoundary
			p.skip(StartLineTruncated, n)
		}
		p.dropLine()
		return
	}
	p.start(&s, p.line, nil, 0)
	p.took(uint64(p.lineLen))
	p.m.HeadBytes = uint64(p.lineLen)
	p.dropLine()
	p.st = stFields
	p.h.Start(&p.m)
}

// lost looks for a message at the first byte of a call, and passes over all else.
func (p *Parser) lost(rest []byte) int {
	if p.fresh {
		if detect(p.kind, rest) != no {
			p.beginLine(true)
			return 0
		}
		p.tailLen = 0
	}
	p.keepTail(rest)
	p.lostBytes(uint64(len(rest)))
	return len(rest)
}

// lostBytes counts bytes that are there, for the message of unknown end if there is one.
func (p *Parser) lostBytes(n uint64) {
	if !p.open {
		p.skip(p.why, n)
		return
	}
	p.took(n)
	if p.lostBody {
		p.m.BodyBytes += n
	}
}

// keepTail keeps the last bytes of the call, where the last chunk may show.
func (p *Parser) keepTail(rest []byte) {
	if !p.chunkLost || p.tailLen < 0 {
		return
	}
	if drop := p.tailLen + min(len(rest), len(p.tail)) - len(p.tail); drop > 0 {
		copy(p.tail[:], p.tail[drop:p.tailLen])
		p.tailLen -= drop
	}
	p.tailLen += copy(p.tail[p.tailLen:], rest[max(0, len(rest)-len(p.tail)):])
}

// endOfCall ends a message whose framing a hole covers, when the call before ended with the last chunk.
func (p *Parser) endOfCall() {
	if p.st != stLost || !p.open || !p.chunkLost || p.tailLen <= 0 {
		return
	}
	tail := string(p.tail[:p.tailLen])
	if tail != lastChunk && tail != lastChunk[2:] {
		return
	}
	p.m.Anomalies.Add(LastChunkInferred)
	p.finish(facts.Inferred)
}

// End takes the end of the stream. The parser is of no use after it until Begin.
func (p *Parser) End(how Ending, at Stamp) {
	p.endOfCall()
	if p.st == stStartLine {
		p.cutStartLine()
	}
	if !p.open {
		return
	}
	m := &p.m
	exact := false
	switch p.st {
	case stClose:
		exact = how == EndFIN
	case stFields:
		p.headLost(HeadTruncated)
	}
	if exact {
		p.st = stLost
		if m.Missing&facts.LengthUnknown == 0 {
			p.finish(facts.Exact)
			return
		}
		p.finish(facts.Unknown)
		return
	}
	if p.st != stLost || how == EndReel {
		m.Missing |= facts.EndUnknown
	}
	if p.st != stLost {
		switch how {
		case EndFIN, EndEarly:
			m.Anomalies.Add(TruncatedByClose)
		case EndReset:
			m.Anomalies.Add(TruncatedByReset)
		}
	}
	p.st = stLost
	p.finish(facts.Unknown)
}
