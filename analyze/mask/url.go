package mask

import (
	"bytes"
	"strings"
)

type urlState uint8

const (
	urlPlain     urlState = iota
	urlAuthority          // behind "://"
	urlParam              // in a parameter's name
	urlValue              // in a secret parameter's value
)

// urlLexer finds userinfo and secret parameters in URLs. Parameters of a URL that is a parameter itself are percent-encoded once
// more: %3F, %26 and %3D count as ?, & and =.
type urlLexer struct {
	state   urlState
	slashes uint8 // seen of "://"
	split   bool  // the authority began in an earlier call
	percent uint8 // 1 behind '%', 2 behind its first digit
	high    byte
	n       uint8
	word    [maxName]byte
}

// urls masks in b[i:] up to the end of the URL (inTarget) or of the line (inURL).
func (x *lexer) urls(b []byte, i int) (int, bool) {
	u := &x.url
	masked := false
	for i < len(b) {
		c := b[i]
		switch {
		case c == '\n':
			x.endURL()
			return i + 1, masked
		case c == ' ' && x.mode == inTarget:
			x.mode = inSkip
			return i, masked
		case u.state == urlAuthority:
			var m bool
			i, m = u.authority(b, i)
			masked = masked || m
			continue
		case u.state == urlValue:
			if endsValue(c) {
				u.state, u.percent = urlPlain, 0
				continue
			}
			if c != '\r' {
				b[i] = '*'
				masked = true
			}
			i++
			continue
		}
		u.next(c)
		i++
	}
	return i, masked
}

// endURL decides what a continuation line would go on with.
func (x *lexer) endURL() {
	switch {
	case x.mode == inTarget:
		x.cont = atLine
	case x.url.state == urlValue, x.url.state == urlAuthority:
		x.cont = inSecret
	default:
		x.cont = inURL
	}
	x.mode = atLine
}

// endsValue reports whether c cannot be in a parameter's value. A ';' can, and is masked with it.
func endsValue(c byte) bool {
	return c == '&' || c == '#' || c == ' ' || c == '"' || c == '>' || c == '<' || c == '\t'
}

// next takes a character outside of secrets.
func (u *urlLexer) next(c byte) {
	decoded := false
	switch u.percent {
	case 0:
		if c == '%' {
			u.percent = 1
			return
		}
	case 1:
		if u.high = unhex(c); u.high < 16 {
			u.percent = 2
			return
		}
		u.percent = 0
	case 2:
		low := unhex(c)
		u.percent = 0
		if low < 16 {
			c, decoded = u.high<<4|low, true
		}
	}
	switch {
	case decoded:
		u.slashes = 0
	case c == ':':
		u.slashes = 1
	case c == '/' && u.slashes > 0:
		if u.slashes++; u.slashes == 3 {
			u.state, u.slashes, u.split = urlAuthority, 0, false
			return
		}
	default:
		u.slashes = 0
	}
	switch c {
	case '?', '&', ';', '#':
		u.state, u.n = urlParam, 0
	case '=':
		if u.state == urlParam {
			u.state = urlPlain
			if u.n > maxName || secretParam(unescape(u.word[:u.n])) {
				u.state = urlValue
			}
		}
	case ' ', '"', '<', '>', '\t':
		u.state = urlPlain
	default:
		if u.state != urlParam || u.n > maxName {
			return
		}
		if u.n == maxName {
			u.n++
			return
		}
		u.word[u.n] = c
		u.n++
	}
}

// authority masks userinfo (RFC 3986 §3.2.1): all up to the last '@' before the host. When a call ends inside, nobody knows yet
// whether this is userinfo, and all of it is masked.
func (u *urlLexer) authority(b []byte, i int) (int, bool) {
	end := i
	for end < len(b) && !endsAuthority(b[end]) {
		end++
	}
	if end == len(b) {
		u.split = true
		return end, stars(b[i:end])
	}
	u.state = urlPlain
	if u.split {
		return end, stars(b[i:end])
	}
	if at := bytes.LastIndexByte(b[i:end], '@'); at >= 0 {
		return end, stars(b[i : i+at])
	}
	if amp := bytes.IndexByte(b[i:end], '&'); amp >= 0 { // the URL is a parameter, and the next one follows
		end = i + amp
	}
	return end, false
}

func endsAuthority(c byte) bool {
	switch c {
	case '/', '?', '#', ' ', '\t', '\r', '\n', '"', '<', '>', ',', ';', '\'':
		return true
	}
	return false
}

// Target returns a request target or URL with its userinfo and secret parameters masked. It returns s itself when there are none.
func Target(s string) string {
	if !strings.ContainsAny(s, "@=%") {
		return s
	}
	b := []byte(s)
	if !maskText(b, lexer{mode: inURL}) {
		return s
	}
	return string(b)
}
