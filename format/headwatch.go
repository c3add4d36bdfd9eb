package format

import "time"

// HeadWatcher counts HTTP exchanges while they are recorded, for trigger rules. It is built from analyze and handed in by
// cmd, since capture holds no protocol knowledge. It sees the calls as the rings deliver them: those of one CPU in their
// order, those of two CPUs a moment apart. It must not keep bytes of a call, allocate for one, or hold state without a bound.
// It is not safe for concurrent use.
type HeadWatcher interface {
	// Call takes one read or write call.
	Call(c *HeadCall)
	// Gone takes the end of a connection.
	Gone(socket SocketID)
	// Take returns what was counted of a scope, by its place in the list that the watcher was made with, since it was taken last.
	Take(scope int) HeadCounts
	// Blind returns totals of what could not be looked at.
	Blind() HeadBlind
}

// HeadScope chooses the exchanges that are counted together. The zero value is all that the recorded processes serve.
type HeadScope struct {
	Client bool   // exchanges that they ask for, instead of those that they serve
	Port   uint16 // of the server; 0: any
	Path   string // what the path of the request target begins with; "": any
}

// HeadCall is what a HeadWatcher sees of a call.
type HeadCall struct {
	PID      PID
	Time     KTime         // exit of the call
	Duration time.Duration // -1 unknown
	Socket   SocketID
	Inode    Inode
	Dir      Direction
	Flags    IOFlags
	LPort    uint16
	RPort    uint16
	Moved    int64  // bytes, or -errno
	Bytes    []byte // the first of them; valid during the call only
}

// HeadCounts is what was counted in a period.
type HeadCounts struct {
	Responses uint64        // final ones (status 200 and above, and 101) to requests that were seen
	Errors    uint64        // of these, status 500 to 599
	Mean      time.Duration // from the first byte of the request to the first byte of its response
	P99       time.Duration // of the same; 1 % off at most
}

// HeadBlind is what a HeadWatcher could not look at.
type HeadBlind struct {
	TLS      uint64 // connections that begin with a TLS record
	HTTP2    uint64 // connections that begin as HTTP/2 without TLS
	NoBytes  uint64 // first calls of messages of which no bytes were copied (snaplen 0, shedding, sendfile)
	Evicted  uint64 // connections that were forgotten with a request under way, since more are open than are kept
	Unpaired uint64 // requests whose response was not seen before that of a later one
}
