package http1

// Handler receives what a Parser finds, in stream order, during calls of its methods. Messages of one parser never overlap.
//
// Pairing needs both directions, so it lies with the caller: requests queue up as they start, each final response takes the
// front one. All that a parser needs of the other direction is RequestMethod.
type Handler interface {
	// Start: the start line of a message is known (or as much of it as a hole left). m.First is set, fields are not.
	Start(m *Message)
	// Head: the head is complete, or will never be (m.Missing has HeadCut). Fields, Framing, KeepAlive and Upgrade are set.
	Head(m *Message)
	// Finish: the message ended, or nothing more can be known of it. Sizes, Last, Missing, Anomalies, Body and trailers are
	// set. Every Start and Head is followed by one Finish.
	Finish(m *Message)
	// Skip: n bytes at belong to no message, and why. n is 0 for a hole of unknown length.
	Skip(reason Anomaly, n uint64, at Stamp)
	// RequestMethod returns the method of the request that a final response answers: "" when it is not known, for instance since
	// the request is lost. It is asked once for each final response, between its Start and its Head, and never of a parser
	// of requests. HEAD and CONNECT change where a response ends (RFC 9112 §6.3).
	RequestMethod(m *Message) string
}

// Loss says why bytes are not there.
type Loss uint8

// The reasons.
const (
	Cut  Loss = 1 // the call was seen, its bytes were not copied: budget, sendfile, a fault, payload policy
	Lost Loss = 2 // the call itself is not in the reel
)

// Ending says how a direction ended.
type Ending uint8

// The endings.
const (
	EndFIN   Ending = 1 // orderly: end of file read, shutdown, close. A body that ends with the connection is whole.
	EndReset Ending = 2 // the connection was aborted
	EndReel  Ending = 3 // the recording stopped; the stream went on
	EndEarly Ending = 4 // this end closed before the peer had ended: what else the peer sent, nobody read
)

// Limits bound what a parser keeps. The zero value of each means its default.
type Limits struct {
	Head   int // bytes of head kept (default 64 KiB). A longer one is parsed to its end, for its framing; what is beyond is not kept
	Fields int // header and trailer fields kept (default 256)
	Body   int // bytes of content kept (default 0: none)
}

const (
	defaultHead   = 64 << 10
	defaultFields = 256
	// maxFramingLine bounds a line that is looked at for framing beyond Limits.Head, and a chunk-size line.
	maxFramingLine = 8 << 10
	// maxMethod bounds a method: longer first words are not HTTP. The longest one registered has 17 letters.
	maxMethod = 32
)

func (l Limits) withDefaults() Limits {
	if l.Head <= 0 {
		l.Head = defaultHead
	}
	if l.Fields <= 0 {
		l.Fields = defaultFields
	}
	return l
}
