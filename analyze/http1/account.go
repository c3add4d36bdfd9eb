package http1

// Protocol is what a stream turned out to be.
type Protocol uint8

// The protocols. From HTTP2 on, the stream is opaque: its bytes are counted, not looked at.
const (
	Undecided Protocol = 0 // too few bytes so far, or none that prove anything
	HTTP1     Protocol = 1
	HTTP2     Protocol = 2 // connection preface (RFC 9113 §3.4) or a SETTINGS frame
	TLS       Protocol = 3 // a TLS record header (RFC 8446 §5.1)
	HTTP09    Protocol = 4 // a simple request, without version
	Other     Protocol = 5
	Tunnel    Protocol = 6 // HTTP/1 up to CONNECT or Upgrade, then something else
)

func (p Protocol) String() string {
	return [...]string{"undecided", "http", "http2", "tls", "http/0.9", "other", "tunnel"}[min(p, 6)]
}

// Account is where the bytes of a stream went. The sum of its numbers is the number of bytes that the parser was given,
// holes of known length included.
type Account struct {
	Messages uint64 // in messages, also in one that has not finished
	Skipped  uint64 // given to Handler.Skip
	Opaque   uint64 // after the stream was no HTTP/1 any more, or before it could have been
	Pending  uint64 // a start line that is not whole yet
}

// Total returns the sum.
func (a Account) Total() uint64 { return a.Messages + a.Skipped + a.Opaque + a.Pending }
