// Package facts turns nothing into anything: it is the vocabulary that analysis speaks to its readers. Values only, no
// behaviour beyond printing; every number stands next to what is known about its completeness (DESIGN D9).
package facts

import (
	"iter"
	"time"

	"github.com/ebpf-reel/reel/analyze/histogram"
	"github.com/ebpf-reel/reel/format"
)

// Certainty grades what was not read directly.
type Certainty uint8

// The grades.
const (
	Unknown  Certainty = 0
	Inferred Certainty = 1
	Exact    Certainty = 2
)

func (c Certainty) String() string {
	return [...]string{"unknown", "inferred", "exact"}[min(int(c), 2)]
}

// ConnID numbers the connections of one analysis from 1, in order of first sight. One TCP connection that was recorded on
// both ends is two of them, joined by Peer.
type ConnID uint64

// ExchangeID numbers the exchanges of one analysis from 1, in order of their beginning: of two exchanges, the one that caused the other
// has the smaller number.
type ExchangeID uint64

// Wall is wall time with its error bound; the zero value is unknown.
type Wall = format.WallTime

// Connection is one end of one connection: a socket from its birth (or first sight) to its end (or the end of the reel).
type Connection struct {
	ID        ConnID
	Peer      ConnID // the other end, when the same reel holds it; 0 none
	PeerBy    PeerBy // how the other end was found
	Socket    format.SocketID
	Inode     format.Inode
	NetNS     uint64
	PID       format.PID // first process that used it
	Process   string     // its name
	Role      format.Role
	RoleBy    string // "connect", "accept", "listener", "peer", "first bytes", "port"; "" unknown
	Local     format.Endpoint
	Remote    format.Endpoint
	Protocol  string // "http", "tls", "tcp": what the first bytes show
	Start     format.KTime
	End       format.KTime
	StartWall Wall
	SawStart  bool             // connect/accept is in the reel
	SawEnd    bool             // its end is in the reel
	Errno     uint16           // of connect, or of the call that met the end (ECONNRESET, EPIPE, ...); 0 none
	Connect   time.Duration    // client: of the handshake, or until it failed; server: of accept(2); -1 unknown
	SRTT      time.Duration    // last known; 0 unknown
	Retrans   uint32           // segments sent again since the connection was first seen, by the socket's own count
	Calls     [2]uint64        // read, write
	Bytes     [2]uint64        // moved: read, write (peeked bytes not counted)
	Captured  [2]uint64        // of those, bytes whose content is in the reel
	Lost      [2]uint64        // bytes whose calls are not in the reel: ring loss, or calls that are not hooked
	Gaps      [2]uint32        // places where bytes are lost
	CallTime  [2]time.Duration // in read, write calls
	Exchanges uint64
	Upgrade   string // what it went over to after HTTP/1: "websocket", "h2c", "connect" (a tunnel), ...; "" it did not
	TLS       TLS
	TCP       Transport
	Metrics   *Calls        // nil: no call moved bytes
	CloseCall time.Duration // of the close(2) that dropped the last descriptor; -1 unknown
}

// Completeness says what an exchange lacks; the zero value lacks nothing.
type Completeness uint16

// What can be missing. Several may hold at once.
const (
	NoRequest     Completeness = 1 << iota // the response was seen, its request was not
	NoResponse                             // the request was seen, no response before the end of connection or reel
	RequestGap                             // bytes of the request are lost
	ResponseGap                            // bytes of the response are lost
	RequestCut                             // body bytes were not captured (budget, sendfile): lengths are exact
	ResponseCut                            // the same for the response
	StartUnknown                           // began before the capture
	EndUnknown                             // still running at the end of the reel, or of the connection
	Malformed                              // the parser named an anomaly in it (Anomalies)
	HeadCut                                // a head is not whole: headers after the cut are unknown
	LengthUnknown                          // where a message ends is not known: its BodyBytes and WireBytes are what was seen
)

// lacks are the names of the bits, and what they mean.
var lacks = [...]struct{ name, doc string }{
	{"no_request", "the response was seen, its request was not"},
	{"no_response", "the request was seen, no response before the end of connection or reel"},
	{"request_gap", "bytes of the request are lost"},
	{"response_gap", "bytes of the response are lost"},
	{"request_cut", "body bytes of the request were not captured; lengths are exact"},
	{"response_cut", "body bytes of the response were not captured; lengths are exact"},
	{"start_unknown", "it began before the capture"},
	{"end_unknown", "it was still running at the end of the reel or of the connection"},
	{"malformed", "the parser named an anomaly in it"},
	{"head_cut", "a head is not whole: fields after the cut are unknown"},
	{"length_unknown", "where a message ends is not known: its sizes are what was seen"},
}

// Names returns the names of what is missing, by bit; they are what tables and filters say.
func (c Completeness) Names() []string {
	var names []string
	for i := range lacks {
		if c&(1<<i) != 0 {
			names = append(names, lacks[i].name)
		}
	}
	return names
}

// Lacks yields every name of what can be missing, and what it means.
func Lacks() iter.Seq2[string, string] {
	return func(yield func(name, doc string) bool) {
		for _, l := range lacks {
			if !yield(l.name, l.doc) {
				return
			}
		}
	}
}

// Header is one field of a head, as sent.
type Header struct{ Name, Value string }

// Message is one HTTP message, request or response.
type Message struct {
	First, Last format.KTime // start of the call that moved the first byte, end of the call that moved the last
	HeadBytes   uint64
	BodyBytes   uint64 // on the wire, after transfer framing is removed (content length); trailers not counted
	WireBytes   uint64 // all bytes of the message as sent: head, framing, body, trailers
	Chunked     bool
	Version     string // "HTTP/1.1"
	Headers     []Header
	Body        []byte // the first captured bytes of the content (framing removed), within the analysis' limit
	Calls       uint32 // system calls that moved its bytes
	// Of these calls, waiting included: a read that waited for a request counts from its entry here, and here only.
	CallTime    time.Duration
	Blocked     uint32        // calls inside which the thread left its CPU
	BlockedTime time.Duration // that these took
	Syscalls    []Call        // in stream order, within the analysis' limit: the first and the last ones
	LeftCalls   uint32        // calls that are not in Syscalls, in its middle
}

// Call is one system call on a socket, as far as an exchange is concerned. A call that moved bytes of several messages is one of
// each of them. On a decrypted connection, the calls are those that completed a TLS record.
type Call struct {
	By         format.Call
	Dir        format.Direction
	PID        format.PID
	TID        format.TID
	Start, End format.KTime
	Bytes      uint64        // moved on the socket
	Blocked    bool          // the thread left its CPU inside it
	SRTT       time.Duration // smoothed round trip time of the socket at its end; 0 unknown
}

// TLS is what is known of a connection's TLS. Strings are empty when the handshake, or that part of it, was not seen.
type TLS struct {
	Version    string // "TLS 1.3"
	Cipher     string // IANA name of the suite
	ServerName string // that the client asked for (SNI, RFC 6066 §3)
	ALPN       string // protocol that the server chose (RFC 7301)
	Alert      string // the first alert but close_notify, as far as it can be read: "server handshake_failure"
	// Of the bytes of the connection, read and written, record headers included:
	Clear  [2]uint64 // those of records that are not encrypted: the handshake up to where its keys are used
	Opened [2]uint64 // those of encrypted records that were decrypted, or whose place in the plaintext is known
	Unread Unread    // why the others were not
	// Of connections that were decrypted:
	Records  uint64    // with application data, whose plaintext is known
	Unproved uint64    // of them, those that a cut or a gap left without a tag
	Plain    [2]uint64 // bytes of plaintext, read and written, as far as their number is known
	// Of connections whose plaintext was recorded where the library moved it:
	Probed bool
	Tie    Certainty // that it is this connection's
}

// Unread says why encrypted bytes of a connection were not decrypted. Of several reasons, the first to arise.
type Unread uint8

// The reasons.
const (
	UnreadNone        Unread = 0
	UnreadNoHandshake Unread = 1 // it is older than the capture, or begins with something else: no ClientHello was recorded
	UnreadNoKey       Unread = 2 // no key that the analysis has opens it
	UnreadSuite       Unread = 3 // its version or suite is not among those that are decrypted
	UnreadGap         Unread = 4 // bytes are missing, and behind them no record proved its place
	UnreadBounded     Unread = 5 // a bound of the analysis was reached: memory, or attempts to decrypt
	NumUnread                = 6
)

func (u Unread) String() string {
	return [...]string{"", "no_handshake", "no_key", "suite", "gap", "bounded"}[min(int(u), NumUnread-1)]
}

// TraceContext is what the request carried of a distributed trace.
type TraceContext struct {
	Format   string // "b3", "b3multi", "w3c", "sw8", "jaeger"
	TraceID  string // lower hex as sent
	SpanID   string
	ParentID string
	Sampled  string // "1", "0", "d", ""
	State    string // tracestate of a w3c context, as sent
	// Of an sw8 context: who called, by the caller's own words. "" otherwise.
	Service  string // name of the calling service
	Instance string // of that service
	Endpoint string // that the caller was serving
	Address  string // that the caller called
}

// Exchange is one request and its response on one end of a connection.
type Exchange struct {
	ID        ExchangeID
	Conn      ConnID
	Peer      ExchangeID // the same exchange seen from the other end, if that one ended first (so of two, one names the other); 0 none
	Index     uint32     // on its connection, from 1
	Seq       format.Seq // TCP sequence number of the first request byte: the same on both ends; valid iff SeqValid
	SeqValid  bool
	PID       format.PID
	TID       format.TID // thread that moved the first byte of the request
	Role      format.Role
	Local     format.Endpoint
	Remote    format.Endpoint
	Protocol  string // "http"
	Method    string
	Target    string // request target as sent, within the limit; masked
	Host      string
	Status    int // 0 unknown
	Interim   []int
	Request   Message
	Response  Message
	Start     format.KTime
	StartWall Wall
	// Duration: client: first request byte written to last response byte read; server: first request byte read to last
	// response byte written (-1 unknown).
	Duration  time.Duration
	TTFB      time.Duration // same start, to the first response byte; -1 unknown
	Upload    time.Duration // first to last request byte, on this end; -1 unknown
	Download  time.Duration // first to last response byte, on this end; -1 unknown
	Upgrade   string        // what the connection speaks from here on: "websocket", "h2c", "connect", ...; "" HTTP/1
	Process   string        // of PID
	Missing   Completeness
	Pairing   Certainty // that the response answers this request: Exact by order, Inferred after a gap; Unknown without a pair
	Anomalies []string  // registered names
	Trace     *TraceContext
	Pipelined bool
	Lineage
	PeerDuration time.Duration // of Peer; -1 unknown
}

// Process is one program that a process ran: from a fork, an exec or its first sight until the next exec, or its end.
type Process struct {
	PID       format.PID
	NSPID     format.PID // in its own pid namespace, as logs in a container say; 0 unknown
	PPID      format.PID
	UID       uint32
	Comm      string
	Exe       string   // "" unknown
	Args      []string // masked; within the limit
	Cgroup    string
	Container *Container // nil: in none
	From      format.KTime
	SawStart  bool // its fork or exec is in the reel; else From is when it was first seen
	Until     format.KTime
	UntilWall Wall
	FromWall  Wall
	End       ProcessEnd
	Code      uint8 // exit code, or number of the signal, as End says
	Core      bool  // it left a core dump
}

// ProcessEnd is how a program ended.
type ProcessEnd uint8

// The ends.
const (
	EndNone   ProcessEnd = 0 // it was there when the reel ended
	EndExec   ProcessEnd = 1 // its process went on with another program
	EndExit   ProcessEnd = 2 // it called exit(2), or returned
	EndSignal ProcessEnd = 3 // a signal ended it
	EndRename ProcessEnd = 4 // its process went on under another name
)

func (e ProcessEnd) String() string {
	return [...]string{"", "exec", "exit", "signal", "rename"}[min(int(e), 4)]
}

// Container is what is known of a container. Names are "" where no container runtime told.
type Container struct {
	ID        string // "": of the pod only
	Runtime   string
	Name      string
	Image     string
	Pod       string
	PodUID    string
	Namespace string // of the pod
}

// Group names what an on-call engineer looks for: the pod, else the container.
func (c *Container) Group() string {
	switch {
	case c.Pod != "" && c.Namespace != "":
		return c.Namespace + "/" + c.Pod
	case c.Pod != "":
		return c.Pod
	case c.PodUID != "":
		return "pod " + c.PodUID
	case c.Name != "":
		return c.Name
	}
	return "container " + c.ID[:min(12, len(c.ID))]
}

// NodeKind says what a node of the topology is.
type NodeKind uint8

// The kinds.
const (
	NodeProcess NodeKind = 1 // a recorded process
	NodeRemote  NodeKind = 2 // an address outside the reel
)

// Node is one end of edges.
type Node struct {
	ID    string // stable: "process/<comm>/<exe>", with "@<group>" if that is not the host, or "remote/<addr>", or "remote/<name>" if the user named it
	Kind  NodeKind
	Name  string
	PIDs  []format.PID
	Addrs []string
	Group string // container, pod or host
}

// Edge is all traffic from one client node to one server node on one server port and protocol.
type Edge struct {
	Client, Server string // Node IDs
	Port           uint16
	Protocol       string
	RoleBy         string
	ClientSide     *Side // nil: not recorded
	ServerSide     *Side
}

// Side is what one end of an edge saw.
type Side struct {
	Connections   uint64
	Exchanges     uint64
	TLS           TLS
	Incomplete    uint64 // exchanges with any Missing
	Errors4xx     uint64
	Errors5xx     uint64
	BytesRead     uint64
	BytesWrite    uint64
	LostBytes     uint64
	Retrans       uint64 // segments
	Dropped       uint64 // segments that the kernel threw away
	Resets        uint64 // sent and received
	Failed        uint64 // connections whose handshake failed
	ZeroWindows   uint64 // times that a window was closed, of either end
	ZeroWindow    time.Duration
	AcceptWaitMax time.Duration
	DurationSum   time.Duration
	DurationMax   time.Duration
	P50, P90, P99 time.Duration // within 1 % relative error; 0 without exchanges
	Durations     histogram.Histogram
	L4            L4
}

// Severity grades a ledger entry.
type Severity uint8

// The severities (DESIGN D6).
const (
	Info     Severity = 1
	Notice   Severity = 2
	DataLoss Severity = 3
	Error    Severity = 4
)

func (s Severity) String() string {
	return [...]string{"", "info", "notice", "data_loss", "error"}[min(int(s), 4)]
}

// LedgerEntry is one anomaly of the recording or the analysis: a registered name, how often, and where first.
type LedgerEntry struct {
	Name     string
	Severity Severity
	Source   string // "capture" or "analysis"
	Count    uint64
	Bytes    uint64 // that it touches; 0 none or not known
	Sentence string // what it means and what to do
	First    format.KTime
	Example  string // where: connection, exchange, segment and offset
}

// Summary is the totals of one analysis.
type Summary struct {
	ReelID      string
	Host        string
	Kernel      string
	Command     []string
	Start, End  Wall
	Duration    time.Duration
	Clean       bool
	Connections uint64
	Exchanges   uint64
	TLS         TLS
	Complete    uint64    // exchanges that lack nothing
	Statuses    [6]uint64 // exchanges by class of status: [2] is 2xx; [0]: not known, or none of 100 to 599
	Rows        map[string]uint64
	Bytes       [2]uint64
	LostEvents  uint64
	Overhead    Overhead
	Triggers    []Trigger // in the order of their first row
}

// Trigger is a rule of the capture and what became of it. A rule that never fired is one too.
type Trigger struct {
	Name     string
	Rule     string // as the recorder understood it
	Unit     string // of its values and its limit: "%", "/s", "ms", "B"; "" a plain number, or none
	Limit    int64  // thousandths of the unit
	Fired    uint64 // how often; Firings has the first of them
	Silenced uint64 // how often it did not fire, being silent after a firing
	Firings  []Firing
}

// Firing is one firing of a trigger rule.
type Firing struct {
	At       format.KTime
	AtWall   Wall
	Value    int64 // that the metric had, in thousandths of the rule's unit
	Held     uint16
	Periods  uint16     // of a second; the condition held in Held of the last Periods
	Others   uint32     // further subjects of which the condition held
	PID      format.PID // 0: all that was recorded
	Comm     string
	Local    format.Endpoint // of the connection that it is about, if it is about one
	Remote   format.Endpoint
	Detail   string
	Outcomes []Outcome
}

// Outcome is how an action of a firing went.
type Outcome struct {
	Action string
	Detail string // what came of it, or why it failed
	Failed bool
}

// Overhead is the recorder's receipt.
type Overhead struct {
	RecorderCPU time.Duration // all of it
	LoadCPU     time.Duration // of that, before the recording began: to load and attach
	MaxRSS      uint64
	Written     uint64
	Events      uint64
	Lost        uint64
	ProgramTime time.Duration // -1 n/a

	ProgramsMeasured time.Duration // of the capture, in which ProgramTime was measured; 0 not known
	ShedLevel        uint8         // the highest; 0: nothing was left out
	ShedTime         time.Duration // with something left out
	ShedCalls        uint64        // reads and writes that were counted instead of recorded
	ShedBytes        uint64        // that these moved
}

// RunningCPU is what the recorder used while it recorded.
func (o *Overhead) RunningCPU() time.Duration { return max(o.RecorderCPU-o.LoadCPU, 0) }
