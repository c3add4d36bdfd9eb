package http1

import (
	"bytes"
	"testing"
)

// kept is how many bytes a parser holds on to.
func kept(p *Parser) int {
	return cap(p.line) + cap(p.hold) + cap(p.bodyBuf) + cap(p.m.fields)*40
}

// TestBoundedMemory: whatever is sent, what a parser keeps is bounded by its limits.
func TestBoundedMemory(t *testing.T) {
	const total = 8 << 20
	for name, tc := range map[string]struct {
		kind          Kind
		before, piece string
	}{
		"a head that does not end":         {Request, "GET / HTTP/1.1\r\n", "X-Filler: 0123456789012345678901234567890123456789\r\n"},
		"a line that does not end":         {Request, "GET / HTTP/1.1\r\nX: ", "0123456789012345678901234567890123456789"},
		"a fold that does not end":         {Request, "GET / HTTP/1.1\r\nX: y\r\n", " 0123456789012345678901234567890123456789\r\n"},
		"fields without end":               {Request, "GET / HTTP/1.1\r\n", "a:\r\n"},
		"lengths without end":              {Request, "GET / HTTP/1.1\r\n", "Content-Length: 1\r\n"},
		"a target that does not end":       {Request, "GET /", "0123456789012345678901234567890123456789"},
		"a method that does not end":       {Request, "", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
		"empty lines without end":          {Request, "", "\r\n"},
		"requests without end":             {Request, "", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
		"a reason that does not end":       {Response, "HTTP/1.1 200 ", "0123456789012345678901234567890123456789"},
		"interim responses without end":    {Response, "", "HTTP/1.1 100 Continue\r\n\r\n"},
		"chunks of one byte":               {Response, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n"},
		"a chunk extension without end":    {Response, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "0123456789012345678901234567890123456789"},
		"a chunk size with zeros in front": {Response, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0000000000000000"},
		"trailers without end":             {Response, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-Filler: 0123456789\r\n"},
		"a body without end":               {Response, "HTTP/1.1 200 OK\r\n\r\n", "0123456789012345678901234567890123456789"},
	} {
		t.Run(name, func(t *testing.T) {
			lim := Limits{Head: 16 << 10, Fields: 64, Body: 8 << 10}
			p := NewParser(tc.kind, lim, &counter{})
			at := Stamp{Call: 1}
			p.Data([]byte(tc.before), at)
			piece := bytes.Repeat([]byte(tc.piece), 1+(32<<10)/len(tc.piece))
			sent := uint64(len(tc.before))
			for sent < total {
				at.Call++
				p.Data(piece, at)
				sent += uint64(len(piece))
			}
			if got := p.Account().Total(); got != sent {
				t.Errorf("%d bytes went in, %d are accounted for", sent, got)
			}
			if most := 4*(lim.Head+lim.Body) + 4*40*lim.Fields; kept(p) > most {
				t.Errorf("the parser keeps %d bytes", kept(p))
			}
			p.End(EndFIN, at)
		})
	}
}
