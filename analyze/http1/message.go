package http1

import (
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// Kind is which half of an exchange a direction carries.
type Kind uint8

// The kinds.
const (
	Request  Kind = 1
	Response Kind = 2
)

func (k Kind) String() string { return [...]string{"unknown", "request", "response"}[min(k, 2)] }

// Stamp says which system call moved a byte. The parser compares stamps, to see where one call ends and the next begins,
// and hands them back; it never interprets a time.
type Stamp struct {
	Start format.KTime // entry of the call
	End   format.KTime // exit of the call
	PID   format.PID
	TID   format.TID
	Call  uint32 // ordinal of the call on its connection: what makes two stamps different
	// Turn: these are the first bytes of this direction after bytes of the other one. A message start that is found
	// there again after a hole is exact, elsewhere inferred.
	Turn bool
}

// Form is the form of a request target (RFC 9112 §3.2).
type Form uint8

// The forms.
const (
	FormUnknown   Form = 0 // the start line is cut, or the target is none of the four
	FormOrigin    Form = 1 // /path?query
	FormAbsolute  Form = 2 // http://host/path
	FormAuthority Form = 3 // host:port, of CONNECT only
	FormAsterisk  Form = 4 // *, of OPTIONS only
)

// Framing is how the end of a message is found (RFC 9112 §6.3).
type Framing uint8

// The framings.
const (
	FramingUnknown Framing = 0 // the head is not whole, or contradicts itself
	FramingNone    Framing = 1 // no body: GET, HEAD, 1xx, 204, 304, ...
	FramingLength  Framing = 2 // Content-Length
	FramingChunked Framing = 3
	FramingClose   Framing = 4 // the body ends with the connection
)

func (f Framing) String() string {
	return [...]string{"unknown", "none", "length", "chunked", "close"}[min(f, 4)]
}

// Message is one request or response. The parser has one, which it uses again for the next message: a Message and every
// slice got from it are valid only until the Handler method that received it returns.
type Message struct {
	Kind  Kind
	Index uint64 // in its stream, from 0; interim responses count
	// Offset of its first byte from where the parser began; holes of unknown length count as 0.
	Offset uint64

	Major, Minor uint8 // HTTP version, as sent
	Status       int   // of a response, 100..999; 0 unknown
	Form         Form  // of a request's target
	// ContentLength is the declared Content-Length; -1: none, or not usable.
	ContentLength int64
	Framing       Framing
	// KeepAlive: the message lets the connection live on (RFC 9112 §9.3).
	KeepAlive bool
	// Upgrade is the protocol that the connection speaks from here on, for a 101 ("websocket", "h2c", lower case) or a 2xx to
	// CONNECT ("connect"); "" otherwise. The stream of this direction is opaque after such a response; tell the parser of
	// the other direction by its Tunnel method.
	Upgrade string

	First   Stamp // of the first byte
	HeadEnd Stamp // of the last byte of the head (of what was seen of it)
	Last    Stamp // of the last byte
	Calls   uint32

	HeadBytes uint64 // start line to blank line; what was seen of it when the head is cut
	BodyBytes uint64 // content, framing removed; holes included. A lower or upper bound unless Ended is Exact
	WireBytes uint64 // everything, holes included
	HoleBytes uint64 // of WireBytes, those whose content is not known

	Missing   facts.Completeness // of the bits of its own kind, and StartUnknown, EndUnknown, Malformed, HeadCut, LengthUnknown
	Anomalies Anomalies
	// Found says how its start was found: Exact by framing, at the start of the connection or after a turn; Inferred at the
	// start of another call after a hole.
	Found facts.Certainty
	// Ended says how its end was found: Exact by framing, Inferred by the last-chunk line at the end of a call, Unknown when
	// the next message, the other direction or the end of the stream put an end to it.
	Ended facts.Certainty

	text    []byte  // start line and fields as sent (obs-fold replaced by spaces, RFC 9112 §5.2)
	fields  []field // in text
	trailer int     // index in fields where the trailer section begins; -1 none
	method  span    // in text
	target  span
	reason  span
	body    []byte
	seen    fieldSet
}

type span struct{ from, to int }

type field struct {
	name, value span
	id          fieldID
}

func (m *Message) slice(s span) []byte { return m.text[s.from:s.to] }

// Method returns the request method as sent; nil when it is not known.
func (m *Message) Method() []byte { return m.slice(m.method) }

// Target returns the request target as sent, or what was seen of it before a hole.
func (m *Message) Target() []byte { return m.slice(m.target) }

// Reason returns the reason phrase of a response.
func (m *Message) Reason() []byte { return m.slice(m.reason) }

// Version returns "HTTP/1.1", "HTTP/1.0", or "HTTP/1.x" for others; "" when it is not known.
func (m *Message) Version() string {
	switch {
	case m.Major == 0:
		return ""
	case m.Major == 1 && m.Minor == 1:
		return "HTTP/1.1"
	case m.Major == 1 && m.Minor == 0:
		return "HTTP/1.0"
	}
	return "HTTP/1.x"
}

// Chunked reports whether the body came in chunks.
func (m *Message) Chunked() bool { return m.Framing == FramingChunked }

// Interim reports whether m is a 1xx that another response follows (RFC 9110 §15.2): 101 is final here.
func (m *Message) Interim() bool {
	return m.Kind == Response && m.Status >= 100 && m.Status < 200 && m.Status != 101
}

// Body returns the first bytes of the content, framing removed: up to Limits.Body, and up to the first hole, never across it.
func (m *Message) Body() []byte { return m.body }

// NumFields returns the number of fields in the head (and, once the message ended, in the trailer section behind them).
func (m *Message) NumFields() int { return len(m.fields) }

// Field returns the i-th field: name as sent, value without surrounding white space.
func (m *Message) Field(i int) (name, value []byte) {
	f := &m.fields[i]
	return m.text[f.name.from:f.name.to], m.text[f.value.from:f.value.to]
}

// IsTrailer reports whether the i-th field came behind the body (RFC 9112 §7.1.2).
func (m *Message) IsTrailer(i int) bool { return m.trailer >= 0 && i >= m.trailer }

// Get returns the value of the first header field (not trailer) of that name; lower must be in lower case, the field may be in any.
func (m *Message) Get(lower string) ([]byte, bool) {
	for i := range m.fields {
		if m.IsTrailer(i) {
			break
		}
		if n, v := m.Field(i); equalFold(n, lower) {
			return v, true
		}
	}
	return nil, false
}

// Host returns the host that a request is for: the authority of an absolute or authority form target (RFC 9112 §3.2.2), else
// the Host field.
func (m *Message) Host() []byte {
	switch m.Form {
	case FormAuthority:
		return m.Target()
	case FormAbsolute:
		if host := authority(m.Target()); len(host) > 0 {
			return host
		}
	}
	if !m.seen.has(idHost) {
		return nil
	}
	v, _ := m.Get("host")
	return v
}

// HasTrace reports whether a field of a known trace context is there; it costs nothing.
func (m *Message) HasTrace() bool { return m.seen.has(idTrace) }

// AppendHeaders appends copies of all fields, in the order sent, trailers last. The copies share one allocation.
func (m *Message) AppendHeaders(dst []facts.Header) []facts.Header {
	if len(m.fields) == 0 {
		return dst
	}
	from := m.fields[0].name.from
	text := string(m.text[from:m.fields[len(m.fields)-1].value.to])
	for i := range m.fields {
		f := &m.fields[i]
		dst = append(dst, facts.Header{
			Name:  text[f.name.from-from : f.name.to-from],
			Value: text[f.value.from-from : f.value.to-from],
		})
	}
	return dst
}
