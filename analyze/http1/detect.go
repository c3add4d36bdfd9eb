package http1

import "bytes"

// verdict is what is known of a line that should be a start line.
type verdict uint8

const (
	no     verdict = iota
	more           // it is the beginning of one, and too short to tell
	likely         // all that decides is there and right, the line may go on
)

// startLine is a start line, its parts as places in the line.
type startLine struct {
	major, minor           uint8 // 0, 0: not seen
	status                 int
	form                   Form
	method, target, reason span
	anomalies              Anomalies
}

// plausible judges the first bytes of a line, cheaply: most streams that are not HTTP fall at the first byte.
func plausible(kind Kind, b []byte) verdict {
	if kind == Response {
		return detectResponse(b)
	}
	return detectRequest(b)
}

// detect is plausible, and looks at the whole line when it is there.
func detect(kind Kind, b []byte) verdict {
	v := plausible(kind, b)
	if v != likely || kind == Response {
		return v
	}
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		if _, ok := parseRequestLine(trimEOL(b[:i+1])); !ok {
			return no
		}
	}
	return likely
}

// beginsMessage reports whether a whole start line stands at the beginning of b, of a registered method, and nothing is odd about it.
func beginsMessage(kind Kind, b []byte) bool {
	i := bytes.IndexByte(b, '\n')
	if i < 0 || plausible(kind, b) != likely {
		return false
	}
	s, ok := parseStart(kind, trimEOL(b[:i+1]))
	return ok && s.anomalies == 0 && (kind == Response || isStandard(b[s.method.from:s.method.to]))
}

const statusTemplate = "HTTP/1.d ddd"

func detectResponse(b []byte) verdict {
	for i := range min(len(b), len(statusTemplate)) {
		t := statusTemplate[i]
		if t == 'd' && isDigit(b[i]) || t == b[i] {
			continue
		}
		return no
	}
	if len(b) <= len(statusTemplate) {
		return more
	}
	if c := b[len(statusTemplate)]; c != ' ' && c != '\r' && c != '\n' {
		return no
	}
	return likely
}

func detectRequest(b []byte) verdict {
	sp := 0
	for sp < len(b) && tokenByte[b[sp]] {
		if sp++; sp > maxMethod {
			return no
		}
	}
	if sp == len(b) {
		return more
	}
	if sp == 0 || b[sp] != ' ' {
		return no
	}
	if sp+1 == len(b) {
		return more
	}
	c := b[sp+1]
	if c != '/' && c != '*' && c != '[' && c != ' ' && !isAlnum(c) {
		return no
	}
	return likely
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isAlnum(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' }

// Detect says what the first bytes of a direction show, and of HTTP/1 which half: for a caller that does not know the roles yet.
// Undecided: b is too short.
func Detect(b []byte) (Protocol, Kind) {
	if p := classify(b); p != Other {
		return p, 0
	}
	for len(b) > 0 && (b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	res, req := detectResponse(b), detect(Request, b)
	switch {
	case res == likely:
		return HTTP1, Response
	case req == likely && (bytes.IndexByte(b, '\n') >= 0 || isStandard(b[:bytes.IndexByte(b, ' ')])):
		return HTTP1, Request
	case res == more || req != no:
		return Undecided, 0
	case isSimpleRequest(b):
		return HTTP09, Request
	}
	return Other, 0
}

const preface = "PRI * HTTP/2.0\r\n"

// classify names a stream that is not HTTP/1 by its first bytes.
func classify(b []byte) Protocol {
	switch {
	case len(b) >= 5 && 20 <= b[0] && b[0] <= 24 && b[1] == 3 && b[2] <= 4 && int(b[3])<<8|int(b[4]) <= 1<<14+2048:
		return TLS
	case bytes.HasPrefix(b, []byte(preface)):
		return HTTP2
	case len(b) >= 9 && b[0] == 0 && b[3] == 4 && b[4]&^1 == 0 && string(b[5:9]) == "\x00\x00\x00\x00":
		return HTTP2 // SETTINGS on stream 0 (RFC 9113 §6.5): how a server begins
	}
	return Other
}

// isSimpleRequest reports whether b begins with a request as HTTP/0.9 had it, a GET line without version.
func isSimpleRequest(b []byte) bool {
	i := bytes.IndexByte(b, '\n')
	return i >= 0 && bytes.HasPrefix(b, []byte("GET /")) && !bytes.Contains(b[:i], []byte(" HTTP/"))
}

func parseStart(kind Kind, line []byte) (startLine, bool) {
	if kind == Response {
		return parseStatusLine(line)
	}
	return parseRequestLine(line)
}

// parseRequestLine reads method SP request-target SP HTTP-version (RFC 9112 §3), and more white space than that.
func parseRequestLine(line []byte) (s startLine, ok bool) {
	end := len(line)
	for end > 0 && isSpace(line[end-1]) {
		end--
	}
	if end < len(line) {
		s.anomalies.Add(StartLineSpace)
	}
	v := end - len("HTTP/1.1")
	if v < 4 || string(line[v:v+7]) != "HTTP/1." || !isDigit(line[v+7]) || !isSpace(line[v-1]) {
		return s, false
	}
	s.major, s.minor = 1, line[v+7]-'0'
	if s.minor > 1 {
		s.anomalies.Add(VersionUnsupported)
	}
	sp := bytes.IndexByte(line, ' ')
	if sp > maxMethod || !isToken(line[:sp]) {
		return s, false
	}
	s.method = span{0, sp}
	s.target.from, s.target.to = trimSpace(line, sp, v)
	if s.target.from != sp+1 || s.target.to != v-1 {
		s.anomalies.Add(StartLineSpace)
	}
	target := line[s.target.from:s.target.to]
	if len(target) == 0 {
		return s, false
	}
	s.form = form(line[:sp], target)
	if s.form == FormUnknown || bytes.IndexByte(target, ' ') >= 0 || bytes.IndexByte(target, '\r') >= 0 || bytes.IndexByte(target, 0) >= 0 {
		s.anomalies.Add(TargetInvalid)
	}
	if !isStandard(line[:sp]) && isStandard(bytes.ToUpper(line[:sp])) {
		s.anomalies.Add(MethodCase)
	}
	return s, true
}

// parseStatusLine reads HTTP-version SP status-code SP [reason-phrase] (RFC 9112 §4); the second SP may be missing.
func parseStatusLine(line []byte) (s startLine, ok bool) {
	n := len(statusTemplate)
	if len(line) < n || detectResponse(line) == no {
		return s, false
	}
	s.major, s.minor = 1, line[7]-'0'
	if s.minor > 1 {
		s.anomalies.Add(VersionUnsupported)
	}
	s.status = int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')
	if s.status < 100 || s.status > 599 {
		s.anomalies.Add(StatusInvalid)
	}
	s.reason = span{n, n}
	if len(line) > n {
		s.reason.from, s.reason.to = trimSpace(line, n, len(line))
	}
	return s, true
}

// parseCutStart reads what a hole left of a start line. probe: nothing else says that it is one, so that its method must be
// a registered one.
func parseCutStart(kind Kind, line []byte, probe bool) (s startLine, ok bool) {
	if plausible(kind, line) != likely {
		return s, false
	}
	if kind == Response {
		return parseStatusLine(trimEOL(line))
	}
	sp := bytes.IndexByte(line, ' ')
	if probe && !isStandard(line[:sp]) {
		return s, false
	}
	s.method = span{0, sp}
	s.target.from, s.target.to = trimSpace(line, sp, len(line))
	if i := bytes.IndexByte(line[s.target.from:s.target.to], ' '); i >= 0 {
		s.target.to = s.target.from + i
	}
	s.form = form(line[:sp], line[s.target.from:s.target.to])
	return s, true
}

// isStandard reports whether a method is one that RFC 9110 §9 or RFC 5789 defines.
func isStandard(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH":
		return true
	}
	return false
}
