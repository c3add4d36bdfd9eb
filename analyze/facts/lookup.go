package facts

import (
	"net/netip"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// LookupID numbers the lookups of an analysis from 1, in the order in which they end.
type LookupID uint64

// MaxAddresses bounds Lookup.Addresses.
const MaxAddresses = 16

// Lookup is one DNS query over UDP and its response (RFC 1035 §4), as one end of a connection saw it.
type Lookup struct {
	ID          LookupID
	Conn        ConnID
	PID         format.PID
	TID         format.TID // thread that moved the query, or else the response
	Role        format.Role
	Local       format.Endpoint
	Remote      format.Endpoint
	Transaction uint16 // the id in both messages
	// Name is what was asked for: in lower case, without the last dot ("." is the root), other bytes than printable ASCII as \DDD (RFC 4343 §2.1).
	Name      string
	Type      string       // "A", "AAAA", "TYPE65" (RFC 3597)
	Code      string       // "NOERROR", "NXDOMAIN", "RCODE9"; "" no response
	Answers   int          // records in the answer section
	Addresses []netip.Addr // of its A and AAAA records, the first MaxAddresses
	Truncated bool         // the response says that not all fitted (TC)
	Queries   int          // the query and its repetitions
	Sent      uint64       // bytes of the last query
	Received  uint64       // bytes of the response
	Start     format.KTime
	StartWall Wall
	// Duration: client: from the first query's call to the end of the call that read the response; server: from the end of the call that
	// read the query to the end of the call that wrote the response. -1 unknown.
	Duration time.Duration
	Missing  Completeness // NoRequest, NoResponse, EndUnknown, ResponseCut
}
