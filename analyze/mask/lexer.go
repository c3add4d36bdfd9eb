package mask

import (
	"bytes"
	"slices"
)

type mode uint8

const (
	atLine    mode = iota // before the first character of a line that is no white space
	inName                // in the first word of a line
	afterName             // in white space behind it
	inSkip                // nothing to mask up to the line end
	inSpace               // in white space before a value of kind
	inScheme              // in what may be an authentication scheme
	inSecret              // masked up to the line end
	inTarget              // in a request target: a URL up to a space or the line end
	inURL                 // in a value with URLs: up to the line end
	inUnknown             // bytes before are missing: this may be inside a secret
)

// lexer finds credentials in the bytes of one direction. The zero value is at the start of a stream.
type lexer struct {
	mode mode
	cont mode // what a continuation line (RFC 9112 §5.2) goes on with: atLine, inSecret or inURL
	kind fieldKind
	n    uint8 // bytes in word; maxName+1 when it was longer
	word [maxName]byte
	url  urlLexer

	// In inUnknown: what may be the beginning of a start line, and was shown.
	begun [maxBegun]byte
	nth   uint8 // bytes in begun
	shown uint8 // bytes that were shown so, in all
}

// lose forgets the place: bytes that follow next are missing.
func (x *lexer) lose() { x.mode, x.nth, x.shown = inUnknown, 0, 0 }

// resume looks at the first bytes of a call behind missing ones, and returns how many of them are shown whatever follows.
func (x *lexer) resume(b []byte) int {
	if x.mode != inUnknown || len(b) == 0 {
		return 0
	}
	// What a call before has begun goes on here: readers of lines take a start line byte by byte.
	nth := int(x.nth)
	x.nth = 0
	if nth > 0 {
		var line [maxBegun + maxLook]byte
		n := copy(line[:], x.begun[:nth])
		n += copy(line[n:], b[:min(len(b), maxLook)])
		if startsMessage(line[:n]) {
			x.mode, x.cont = atLine, atLine
			x.mask(line[:nth])
			return 0
		}
		if begins(line[:n]) && x.begin(line[:n], len(b)) {
			return len(b)
		}
	}
	switch {
	case startsMessage(b), startsChunk(b):
		x.mode, x.cont = atLine, atLine
	case begins(b) && x.begin(b, len(b)):
		return len(b)
	default:
		return startsExtended(b)
	}
	return 0
}

// maxBegun is the longest beginning of a start line that is not told to be one: "HTTP/1.1 20", "OPTIONS ". As many bytes are all
// that is shown before a line end: what looks like such a beginning may be the rest of a credential.
const maxBegun = 11

// maxLook is how much of a call is looked at behind such a beginning: the start line of a response needs 12 bytes, and one more.
const maxLook = 13

// begin keeps line, of which n bytes are new. It reports whether they may be shown.
func (x *lexer) begin(line []byte, n int) bool {
	if len(line) > maxBegun || int(x.shown)+n > maxBegun {
		return false
	}
	x.shown += uint8(n)
	x.nth = uint8(copy(x.begun[:], line))
	return true
}

// begins reports whether b, all of it, is less than startsMessage needs to tell.
func begins(b []byte) bool {
	const response = "HTTP/1."
	if len(b) < 12 && string(b[:min(len(b), len(response))]) == response[:min(len(b), len(response))] {
		for i := len(response); i < len(b); i++ {
			if b[i] == ' ' != (i == 8) || i != 8 && !isDigit(b[i]) {
				return false
			}
		}
		return true
	}
	for _, m := range methods {
		if len(b) <= len(m)+1 && string(b[:min(len(b), len(m))]) == m[:min(len(b), len(m))] && (len(b) <= len(m) || b[len(m)] == ' ') {
			return true
		}
	}
	return false
}

// mask overwrites the credentials in b and reports whether there were any.
func (x *lexer) mask(b []byte) bool {
	masked := false
	for i := 0; i < len(b); {
		switch x.mode {
		case atLine:
			i = x.line(b, i)
		case inName:
			i = x.name(b, i)
		case afterName:
			i = x.behindName(b, i)
		case inSpace:
			i = x.space(b, i)
		case inScheme:
			var m bool
			i, m = x.scheme(b, i)
			masked = masked || m
		case inSkip:
			j := bytes.IndexByte(b[i:], '\n')
			if j < 0 {
				return masked
			}
			i += j + 1
			x.mode = atLine
		case inSecret:
			j, whole := lineEnd(b, i)
			masked = stars(b[i:j]) || masked
			i = j
			if whole {
				i++
				x.mode, x.cont = atLine, inSecret
			}
		case inTarget, inURL:
			var m bool
			i, m = x.urls(b, i)
			masked = masked || m
		case inUnknown:
			var m bool
			i, m = x.unknown(b, i)
			masked = masked || m
		}
	}
	return masked
}

// line looks at the beginning of a line.
func (x *lexer) line(b []byte, i int) int {
	switch c := b[i]; {
	case c == '\n':
		x.cont = atLine
		return i + 1
	case c == '\r':
		return i + 1
	case c == ' ', c == '\t':
		switch x.cont {
		case inSecret:
			x.mode, x.kind = inSpace, secretField
		case inURL:
			x.mode = inURL
		}
		return i + 1 // a field behind white space is one to lenient readers
	case tokenByte[c]:
		x.cont = atLine
		x.mode, x.n = inName, 0
		return i
	}
	x.cont = atLine
	x.mode = inSkip
	return i
}

// name reads the first word of a line: a field name, or a method.
func (x *lexer) name(b []byte, i int) int {
	j := i
	for j < len(b) && tokenByte[b[j]] {
		j++
	}
	if j < len(b) && b[j] == ':' && x.n == 0 {
		x.value(b[i:j])
		return j + 1
	}
	x.keep(b[i:j])
	if j == len(b) {
		return j
	}
	switch b[j] {
	case ':':
		x.value(x.kept())
		return j + 1
	case ' ', '\t':
		x.mode = afterName
		return j
	}
	x.mode = inSkip
	return j
}

// keep adds b to the word.
func (x *lexer) keep(b []byte) {
	if int(x.n)+len(b) > len(x.word) {
		x.n = maxName + 1
		return
	}
	x.n += uint8(copy(x.word[x.n:], b))
}

// kept returns the word; one that is too long counts as secret all the same.
func (x *lexer) kept() []byte {
	if x.n > maxName {
		return tooLong[:]
	}
	return x.word[:x.n]
}

var tooLong [maxName + 1]byte

// value decides about the value of the field of that name.
func (x *lexer) value(name []byte) {
	x.kind = classifyField(name)
	x.mode = inSpace
	if x.kind == plainField {
		x.mode = inSkip
	}
}

// behindName tells "Name : value" from "METHOD target".
func (x *lexer) behindName(b []byte, i int) int {
	switch b[i] {
	case ' ', '\t':
		return i + 1
	case ':':
		x.value(x.kept())
		return i + 1
	case '\n', '\r':
		x.mode = inSkip
		return i
	}
	x.mode = inTarget
	x.url = urlLexer{}
	if string(x.kept()) == "CONNECT" { // its target is an authority without a scheme
		x.url.state = urlAuthority
	}
	return i
}

func (x *lexer) space(b []byte, i int) int {
	switch b[i] {
	case ' ', '\t', '\r':
		return i + 1
	case '\n':
		x.mode, x.cont = atLine, inSecret
		if x.kind == urlField {
			x.cont, x.url = inURL, urlLexer{}
		}
		return i + 1
	}
	switch x.kind {
	case schemeField:
		x.mode, x.n = inScheme, 0
	case urlField:
		x.mode, x.url = inURL, urlLexer{}
	default:
		x.mode = inSecret
	}
	return i
}

// scheme leaves the name of a known scheme readable, when a space follows it.
func (x *lexer) scheme(b []byte, i int) (int, bool) {
	j := i
	for j < len(b) && (tokenByte[b[j]]) {
		j++
	}
	x.keep(b[i:j])
	known := x.n <= maxName && beginsScheme(x.word[:x.n], j < len(b))
	if j == len(b) && known {
		return j, false
	}
	x.mode = inSecret
	if known && b[j] == ' ' {
		return j + 1, false
	}
	return j, stars(b[i:j])
}

// beginsScheme reports whether word is a known scheme, or (not whole) the beginning of one.
func beginsScheme(word []byte, whole bool) bool {
	for _, s := range schemes {
		if len(word) > len(s) || whole && len(word) != len(s) {
			continue
		}
		same := true
		for i, c := range word {
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			if c != s[i] {
				same = false
				break
			}
		}
		if same {
			return true
		}
	}
	return false
}

// unknown masks up to the line end, unless a control character shows that this is no head.
func (x *lexer) unknown(b []byte, i int) (int, bool) {
	for j := i; j < len(b); j++ {
		switch c := b[j]; {
		case c == '\n':
			masked := false
			if j > i {
				end := j
				if b[j-1] == '\r' {
					end--
				}
				masked = stars(b[i:max(end, i)])
			}
			x.mode, x.cont = atLine, inSecret
			return j + 1, masked
		case c < ' ' && c != '\t' && c != '\r', c == 0x7f:
			x.mode = inSkip
			return j, false
		}
	}
	return len(b), stars(b[i:])
}

// lineEnd returns the index of the line feed at or behind i, or of the end of b.
func lineEnd(b []byte, i int) (int, bool) {
	if j := bytes.IndexByte(b[i:], '\n'); j >= 0 {
		return i + j, true
	}
	return len(b), false
}

// stars overwrites b but for a CR at its end, which may be half a line end.
func stars(b []byte) bool {
	if n := len(b); n > 0 && b[n-1] == '\r' {
		b = b[:n-1]
	}
	for i := range b {
		b[i] = '*'
	}
	return len(b) > 0
}

// tokenByte marks the characters of a token (RFC 9110 §5.6.2).
var tokenByte = func() (t [256]bool) {
	for c := range 256 {
		t[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

// methods are those that a request begins with nearly always (RFC 9110 §9.3, RFC 5789).
var methods = [...]string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"}

// startsMessage reports whether b begins with a start line that the rest of a credential cannot be taken for.
func startsMessage(b []byte) bool { return startsResponse(b) || startsRequest(b) }

func startsResponse(b []byte) bool {
	return len(b) >= 12 && string(b[:7]) == "HTTP/1." && isDigit(b[7]) && b[8] == ' ' && isDigit(b[9]) && isDigit(b[10]) && isDigit(b[11]) &&
		(len(b) == 12 || b[12] == ' ' || b[12] == '\r' || b[12] == '\n')
}

func startsRequest(b []byte) bool {
	sp := bytes.IndexByte(b[:min(len(b), 33)], ' ')
	if sp <= 0 || sp+1 == len(b) {
		return false
	}
	if rest := b[sp+1:]; slices.Contains(methods[:], string(b[:sp])) && (rest[0] == '/' || rest[0] == '*' && len(rest) > 1 && rest[1] == ' ') {
		return true
	}
	for _, c := range b[:sp] {
		if !tokenByte[c] {
			return false
		}
	}
	end, whole := lineEnd(b, 0)
	line := bytes.TrimSuffix(b[:end], []byte("\r"))
	return whole && len(line) > sp+10 && bytes.HasPrefix(line[len(line)-9:], []byte(" HTTP/1.")) && isDigit(line[len(line)-1])
}

// startsChunk reports whether b begins with a chunk-size line.
func startsChunk(b []byte) bool {
	n := chunkDigits(b)
	return n > 0 && bytes.HasPrefix(b[n:], []byte("\r\n"))
}

// startsExtended returns how long a chunk size is that an extension follows, with the semicolon; 0: b begins with none. What
// looks like an extension may be the rest of a credential, so only the digits are shown: the length of the body hangs on them.
func startsExtended(b []byte) int {
	if n := chunkDigits(b); n > 0 && n < len(b) && b[n] == ';' {
		return n + 1
	}
	return 0
}

// chunkDigits returns how many hexadecimal digits b begins with, 0 for none or too many: seven are as much of a credential as
// what looks like a chunk size may let through.
func chunkDigits(b []byte) int {
	n := 0
	for n < len(b) && n < 8 && unhex(b[n]) < 16 {
		n++
	}
	if n == 8 {
		return 0
	}
	return n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
