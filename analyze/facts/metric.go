package facts

import (
	"time"

	"github.com/ebpf-reel/reel/analyze/histogram"
	"github.com/ebpf-reel/reel/format"
)

// Metric is what calls of one kind did: how many there were, what they moved, and how long each took, in nanoseconds.
type Metric struct {
	Bytes uint64
	Times histogram.Histogram // its count is that of the calls
}

// Calls are the metrics of a connection's, or a side's, calls that moved bytes.
type Calls struct {
	Write    Metric // from the entry of the call to its return, waiting included
	Read     Metric
	WriteRTT Metric // the kernel's smoothed round trip time at each write
}

// L4 is what one side of an edge did below its protocol.
type L4 struct {
	Calls
	Connect Metric // client: handshakes; server: from the end of the handshake to accept(2)
	Close   Metric // calls of close(2) that dropped the last descriptor
}

// HTTP is the numbers of exchanges.
type HTTP struct {
	Requests      uint64
	Incomplete    uint64              // those with any Missing but cut bodies
	Statuses      []StatusCount       // ascending; status 0: not known
	RequestBytes  histogram.Histogram // as sent: head, framing and body
	ResponseBytes histogram.Histogram
	Durations     histogram.Histogram // nanoseconds, of the side that the numbers are of
}

// StatusCount is how many responses had a status.
type StatusCount struct {
	Status uint16
	Count  uint64
}

// Endpoint is the exchanges of one method and route on one side of an edge: all of them, or those that began in an interval.
type Endpoint struct {
	Client, Server string // Node IDs
	Port           uint16
	Protocol       string
	Side           format.Role
	Method         string
	Route          string // template of the path: "/users/{id}"; "" unknown
	Start          format.KTime
	StartWall      Wall
	Width          time.Duration // of the interval; 0: of all exchanges
	HTTP
}
