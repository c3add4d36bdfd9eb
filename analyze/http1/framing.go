package http1

import (
	"bytes"
	"math"

	"github.com/ebpf-reel/reel/analyze/facts"
)

// framing collects what the fields of a head say about where the message ends.
type framing struct {
	fields      int // of m, that were read
	lengths     int
	length      uint64
	badLength   bool
	codings     int
	lastChunked bool
	hosts       int
	close       bool
	keepAlive   bool
}

// read takes one field.
func (f *framing) read(m *Message, id fieldID, value []byte) {
	switch id {
	case idContentLength:
		f.readLength(m, value)
	case idTransferEncoding:
		f.readCoding(m, value)
	case idConnection:
		for len(value) > 0 {
			var token []byte
			token, value = nextElement(value)
			f.close = f.close || equalFold(token, "close")
			f.keepAlive = f.keepAlive || equalFold(token, "keep-alive")
		}
	case idHost:
		f.hosts++
	}
}

// readLength takes a Content-Length. A list of equal numbers is what some intermediaries make of repeated fields (RFC 9110 §8.6).
func (f *framing) readLength(m *Message, value []byte) {
	for first := true; first || len(value) > 0; first = false {
		var number []byte
		number, value = nextElement(value)
		n, ok := parseDecimal(number)
		switch {
		case !ok:
			m.Anomalies.Add(LengthInvalid)
			f.badLength = true
		case f.lengths == 0:
			f.length = n
		case n != f.length:
			m.Anomalies.Add(LengthConflict)
			f.badLength = true
		default:
			m.Anomalies.Add(LengthRepeated)
		}
		f.lengths++
	}
}

func (f *framing) readCoding(m *Message, value []byte) {
	for len(value) > 0 {
		var coding []byte
		coding, value = nextElement(value)
		if len(coding) == 0 {
			continue
		}
		if f.lastChunked {
			m.Anomalies.Add(ChunkedNotLast)
		}
		f.codings++
		f.lastChunked = equalFold(coding, "chunked")
		if !f.lastChunked {
			m.Anomalies.Add(CodingUnknown)
		}
	}
}

// decide sets Framing, ContentLength, KeepAlive and Upgrade (RFC 9112 §6.3, §9.3). method is that of the request, "" unknown.
func (f *framing) decide(m *Message, method string) {
	if f.lengths > 0 && !f.badLength {
		m.ContentLength = int64(f.length)
	}
	if f.hosts > 1 {
		m.Anomalies.Add(HostRepeated)
	}
	if f.codings > 0 && m.Minor == 0 {
		m.Anomalies.Add(ChunkedInHTTP10)
	}
	if f.codings > 0 && f.lengths > 0 {
		m.Anomalies.Add(LengthWithChunked)
	}
	m.KeepAlive = !f.close && (m.Minor > 0 || f.keepAlive)
	if m.Kind == Request {
		f.decideRequest(m)
		return
	}
	switch connected := method == "CONNECT" && m.Status/100 == 2; {
	case connected, m.Status/100 == 1, m.Status == 204:
		m.Framing = FramingNone
		if f.codings > 0 || f.lengths > 0 && f.length > 0 {
			m.Anomalies.Add(FramingForbidden)
		}
		if connected {
			m.Upgrade = "connect"
		} else if m.Status == 101 {
			m.Upgrade = upgrade(m)
		}
	case m.Status == 304, method == "HEAD":
		m.Framing = FramingNone
	case f.lastChunked:
		m.Framing = FramingChunked
	case f.codings > 0:
		m.Framing = FramingClose
	case f.badLength:
		m.Framing = FramingUnknown
	case f.lengths > 0:
		m.Framing = FramingLength
	default:
		m.Framing = FramingClose
	}
	if m.Framing == FramingClose {
		m.KeepAlive = false
	}
}

func (f *framing) decideRequest(m *Message) {
	if m.Minor > 0 && !m.seen.has(idHost) {
		m.Anomalies.Add(HostMissing)
	}
	switch {
	case f.lastChunked:
		m.Framing = FramingChunked
	case f.codings > 0: // a server cannot know where such a body ends
		m.Anomalies.Add(ChunkedNotLast)
		m.Framing = FramingUnknown
	case f.badLength:
		m.Framing = FramingUnknown
	case f.lengths > 0:
		m.Framing = FramingLength
	default:
		m.Framing = FramingNone
	}
}

// upgrade returns the protocol that a 101 names, in lower case.
func upgrade(m *Message) string {
	value, _ := m.Get("upgrade")
	name, _ := nextElement(value)
	name, _, _ = bytes.Cut(name, []byte("/"))
	if len(name) == 0 || len(name) > maxMethod {
		m.Anomalies.Add(UpgradeUnnamed)
		return "unknown"
	}
	return string(bytes.ToLower(name))
}

// nextElement splits a comma-separated list (RFC 9110 §5.6.1) behind its first element; parameters are cut off.
func nextElement(list []byte) (element, rest []byte) {
	element = list
	if i := bytes.IndexByte(list, ','); i >= 0 {
		element, rest = list[:i], list[i+1:]
	}
	if i := bytes.IndexByte(element, ';'); i >= 0 {
		element = element[:i]
	}
	from, to := trimSpace(element, 0, len(element))
	return element[from:to], rest
}

// parseDecimal reads 1*DIGIT up to 2^63-1.
func parseDecimal(b []byte) (uint64, bool) {
	if len(b) == 0 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' || n > math.MaxInt64/10 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, n <= math.MaxInt64
}

// parseHex reads 1*HEXDIG up to 2^63-1.
func parseHex(b []byte) (uint64, bool) {
	if len(b) == 0 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		if n > math.MaxInt64>>4 {
			return 0, false
		}
		n = n<<4 | uint64(c)
	}
	return n, true
}

// malformed are the anomalies that make a message one on whose meaning its two ends may differ.
var malformed = func() (s Anomalies) {
	for a := range LeadingCRLF {
		if a.Def().Severity == facts.Notice {
			s.Add(a)
		}
	}
	for _, a := range []Anomaly{HeadTruncated, TruncatedByClose, TruncatedByReset, HeadResponseInferred, HeadTooLarge, TooManyFields} {
		s &^= 1 << a
	}
	return s
}()
