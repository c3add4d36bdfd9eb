package facts

import (
	"strconv"
	"time"
)

// Transport is what TCP did on one end of a connection, as far as the capture saw it.
type Transport struct {
	AcceptWait     time.Duration        // from the end of the handshake to accept(2); -1 unknown
	Close          time.Duration        // from the first FIN of this end to the end of the socket, TIME_WAIT not counted; -1 unknown
	RTTMin         time.Duration        // 0 unknown
	RTTMean        time.Duration        // of the smoothed round trip time, over the calls that moved bytes; 0 unknown
	Resent         [ResentCauses]uint32 // segments sent again during the capture, by format.TCPCause; the last: of a cause without name
	ResendFailed   uint32               // attempts to send again that failed on this machine
	Drops          []Drop               // by reason, in alphabetical order
	ResetsSent     uint32
	ResetsReceived uint32
	ResetReason    string           // the kernel's name of why the first reset was sent; "" none, or unknown
	ZeroWindows    [2]uint32        // how often a window was closed: this end's (the process does not read), the peer's (it does not read)
	ZeroWindowTime [2]time.Duration // for how long, from the first segment that shows it; this end's until the next read
}

// ResentCauses is the number of causes that are told apart.
const ResentCauses = 7

// Drop is the segments that the kernel threw away for one reason.
type Drop struct {
	Reason string // the kernel's name, less its prefix; "reason 65537" when it has none
	Segs   uint32
}

func (d Drop) String() string { return d.Reason + " " + strconv.FormatUint(uint64(d.Segs), 10) }

// Dropped returns the sum of all reasons.
func (t *Transport) Dropped() (segs uint32) {
	for _, d := range t.Drops {
		segs += d.Segs
	}
	return segs
}

// PeerBy says how the other end of a connection was found.
type PeerBy uint8

// The ways.
const (
	PeerByNothing   PeerBy = 0
	PeerByEndpoints PeerBy = 1 // the same two endpoints; of AF_UNIX sockets, the kernel's own word
	PeerBySequence  PeerBy = 2 // the same first sequence numbers: addresses were translated in between
)

func (b PeerBy) String() string { return [...]string{"", "endpoints", "sequence"}[min(int(b), 2)] }
