package http1

import (
	"bytes"

	"github.com/ebpf-reel/reel/analyze/facts"
)

// fieldLines reads lines of the head, or of the trailer section, up to the empty one.
func (p *Parser) fieldLines(b []byte, i int) int {
	from := i
	for i < len(b) {
		line, n, whole := p.takeLine(b, i, p.lim.Head)
		size := max(p.lineLen, n)
		i += n
		if !whole {
			break
		}
		at := i - n
		if p.lineLen > 0 {
			at = -1
		}
		empty := p.fieldLine(line, size, at)
		if p.lineLen > 0 {
			p.dropLine()
		}
		if empty {
			p.headTook(i - from)
			if p.st == stTrailer {
				p.end(facts.Exact)
			} else {
				p.headEnd()
			}
			return i - from
		}
	}
	p.headTook(i - from)
	return i - from
}

func (p *Parser) headTook(n int) {
	p.took(uint64(n))
	if p.st == stFields {
		p.m.HeadBytes += uint64(n)
		p.m.HeadEnd = p.at
	}
}

// fieldLine takes one line of size bytes (line holds at most Limits.Head of them), which is src[at:] unless at is -1, and reports
// whether it is the empty one.
func (p *Parser) fieldLine(line []byte, size, at int) bool {
	m := &p.m
	p.headSeen += size
	if size > len(line) || size > p.lim.Head {
		m.Anomalies.Add(HeadTooLarge)
		p.foldable = false
		return false
	}
	text := trimEOL(line)
	if len(line)-len(text) == 1 {
		m.Anomalies.Add(BareLF)
	}
	if len(text) == 0 {
		return true
	}
	if bytes.IndexByte(text, '\r') >= 0 {
		m.Anomalies.Add(BareCR)
	}
	if bytes.IndexByte(text, 0) >= 0 {
		m.Anomalies.Add(NULByte)
	}
	if isSpace(text[0]) {
		p.fold(text)
		return false
	}
	colon := bytes.IndexByte(text, ':')
	if colon < 0 {
		m.Anomalies.Add(FieldWithoutColon)
		p.foldable = false
		return false
	}
	nameEnd := colon
	for nameEnd > 0 && isSpace(text[nameEnd-1]) {
		nameEnd--
	}
	if nameEnd < colon {
		m.Anomalies.Add(FieldNameSpace)
	}
	id := identify(text[:nameEnd])
	if id == idNone && !isToken(text[:nameEnd]) || id == idInvalid {
		m.Anomalies.Add(FieldNameInvalid)
		id = idNone
	}
	from, to := trimSpace(text, colon+1, len(text))
	if p.st == stTrailer {
		id = idNone // framing, routing and tracing are never taken from trailers (RFC 9110 §6.5.1)
	}
	m.seen.add(id)
	if p.headSeen > p.lim.Head || len(m.fields) >= p.lim.Fields {
		p.dropField(id, text[from:to], len(text))
		return false
	}
	base := p.keep(line, at)
	m.fields = append(m.fields, field{
		name:  span{base, base + nameEnd},
		value: span{base + from, base + to},
		id:    id,
	})
	p.foldable = true
	return false
}

// dropField looks at a field that is beyond the limits for framing only.
func (p *Parser) dropField(id fieldID, value []byte, size int) {
	p.foldable = false
	if p.headSeen > p.lim.Head {
		p.m.Anomalies.Add(HeadTooLarge)
	} else {
		p.m.Anomalies.Add(TooManyFields)
	}
	if id != idNone && size <= maxFramingLine {
		p.readKept()
		p.f.read(&p.m, id, value)
	}
}

// keep adds line to the text of m and returns where it begins there.
func (p *Parser) keep(line []byte, at int) int {
	if p.head >= 0 && at >= 0 {
		base := at - p.head
		p.kept = base + len(line)
		p.m.text = p.src[p.head : p.head+p.kept]
		return base
	}
	p.toHold()
	base := len(p.hold)
	p.hold = append(p.hold, line...)
	p.m.text = p.hold
	return base
}

// toHold moves the text of m from src to hold.
func (p *Parser) toHold() {
	if p.head < 0 {
		return
	}
	p.hold = append(p.hold[:0], p.src[p.head:p.head+p.kept]...)
	p.head = -1
	p.m.text = p.hold
}

// fold joins a continuation line to the field before it (RFC 9112 §5.2).
func (p *Parser) fold(text []byte) {
	m := &p.m
	if len(m.fields) == 0 || m.trailer == len(m.fields) {
		m.Anomalies.Add(FoldWithoutField)
		return
	}
	m.Anomalies.Add(ObsFold)
	if !p.foldable {
		return
	}
	if p.headSeen > p.lim.Head {
		m.Anomalies.Add(HeadTooLarge)
		p.foldable = false
		return
	}
	p.toHold()
	v := &m.fields[len(m.fields)-1].value
	for i := v.to; i < len(p.hold); i++ {
		p.hold[i] = ' '
	}
	p.hold = append(p.hold, text...)
	v.from, v.to = trimSpace(p.hold, v.from, len(p.hold))
	m.text = p.hold
}

// readKept reads the framing of kept fields that were not read yet. They are read late, since a fold may follow.
func (p *Parser) readKept() {
	m := &p.m
	for ; p.f.fields < len(m.fields); p.f.fields++ {
		if f := &m.fields[p.f.fields]; f.id != idNone {
			p.f.read(m, f.id, m.slice(f.value))
		}
	}
}

// headEnd decides how the message ends (RFC 9112 §6.3) and goes on to its body.
func (p *Parser) headEnd() {
	m := &p.m
	if m.seen != 0 {
		p.readKept()
	}
	method := ""
	if p.kind == Response && !m.Interim() {
		method = p.h.RequestMethod(m)
	}
	p.f.decide(m, method)
	p.mayBeHead = p.kind == Response && !m.Interim() && method == "" && m.Framing != FramingNone
	p.h.Head(m)
	switch m.Framing {
	case FramingNone:
		p.end(facts.Exact)
	case FramingLength:
		p.left = uint64(m.ContentLength)
		p.st = stLength
		if p.left == 0 {
			p.end(facts.Exact)
		}
	case FramingChunked:
		p.st = stChunkSize
	case FramingClose:
		p.st = stClose
	default:
		p.st = stLost
	}
}

// end finishes m where the next message may begin.
func (p *Parser) end(ended facts.Certainty) {
	p.st = stBoundary
	p.finish(ended)
}

// trimEOL returns line without its line end.
func trimEOL(line []byte) []byte {
	n := len(line)
	if n > 0 && line[n-1] == '\n' {
		n--
		if n > 0 && line[n-1] == '\r' {
			n--
		}
	}
	return line[:n]
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

func trimSpace(b []byte, from, to int) (int, int) {
	for from < to && isSpace(b[from]) {
		from++
	}
	for from < to && isSpace(b[to-1]) {
		to--
	}
	return from, to
}
