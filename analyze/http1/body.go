package http1

import (
	"bytes"

	"github.com/ebpf-reel/reel/analyze/facts"
)

// content takes bytes of a body that are there.
func (p *Parser) content(b []byte) {
	p.took(uint64(len(b)))
	p.mayBeHead = false
	m := &p.m
	m.BodyBytes += uint64(len(b))
	room := p.lim.Body - len(m.body)
	if room <= 0 || p.bodyGap {
		return
	}
	b = b[:min(room, len(b))]
	switch {
	case len(m.body) == 0:
		m.body, p.bodyAlias = b, true
		return
	case p.bodyAlias:
		p.bodyBuf = append(p.bodyBuf[:0], m.body...)
		p.bodyAlias = false
	}
	p.bodyBuf = append(p.bodyBuf, b...)
	m.body = p.bodyBuf
}

// bodyEnd goes on when left is used up.
func (p *Parser) bodyEnd() {
	if p.st == stLength {
		p.end(facts.Exact)
		return
	}
	p.st, p.sawCR = stChunkEnd, false
}

// chunkSize reads a chunk-size line (RFC 9112 §7.1); extensions are ignored (§7.1.1).
func (p *Parser) chunkSize(b []byte, i int) int {
	line, n, whole := p.takeLine(b, i, maxFramingLine)
	p.took(uint64(n))
	p.mayBeHead = false
	m := &p.m
	if max(p.lineLen, n) > maxFramingLine {
		p.dropLine()
		p.unframed(ChunkLineTooLong)
		return n
	}
	if !whole {
		return n
	}
	text := trimEOL(line)
	if len(line)-len(text) == 1 {
		m.Anomalies.Add(BareLF)
	}
	if i := bytes.IndexByte(text, ';'); i >= 0 {
		text = text[:i]
	}
	for len(text) > 0 && isSpace(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	size, ok := parseHex(text)
	p.dropLine()
	switch {
	case !ok:
		p.unframed(ChunkSizeInvalid)
	case size == 0:
		p.st = stTrailer
		m.trailer = len(m.fields)
		p.foldable = false
		// What lies between head and trailers is not text: the trailers go behind the head in hold.
		p.toHold()
	default:
		p.left, p.st = size, stChunkData
	}
	return n
}

// chunkEnd reads the line end behind chunk data.
func (p *Parser) chunkEnd(rest []byte) int {
	switch {
	case rest[0] == '\r' && !p.sawCR:
		p.sawCR = true
		p.took(1)
	case rest[0] == '\n':
		if !p.sawCR {
			p.m.Anomalies.Add(BareLF)
		}
		p.took(1)
		p.st = stChunkSize
	default:
		p.unframed(ChunkEndInvalid)
		return 0
	}
	return 1
}

// unframed gives up on finding the end of m.
func (p *Parser) unframed(why Anomaly) {
	p.m.Anomalies.Add(why)
	p.m.Missing |= facts.LengthUnknown
	p.st = stLost
	p.tailLen = -1
}
