package table

import (
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
)

// The rows of the tables. A field's tags are its column: parquet and json its name and encoding, doc its line in
// docs/tables.md (unit first, where there is one). Names are stable: a column is never renamed and never changes its unit.

// Wall is wall time in nanoseconds since the Unix epoch; JSON has it as RFC 3339 in UTC.
type Wall int64

const wallLayout = "2006-01-02T15:04:05.000000000Z"

// MarshalJSON writes RFC 3339 with nanoseconds.
func (w Wall) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 40)
	b = append(b, '"')
	b = time.Unix(0, int64(w)).UTC().AppendFormat(b, wallLayout)
	return append(b, '"'), nil
}

type connectionRow struct {
	ID            uint64  `parquet:"id,delta" json:"id" doc:"number of this end of a connection, from 1"`
	Peer          *uint64 `parquet:"peer_id,optional" json:"peer_id" doc:"the other end, when it is in the same reel"`
	Socket        uint64  `parquet:"socket" json:"socket" doc:"salted name of the kernel's socket"`
	Inode         uint64  `parquet:"inode" json:"inode" doc:"of the socket; 0: it was never accepted"`
	NetNS         uint64  `parquet:"netns,dict" json:"netns" doc:"inode of the network namespace"`
	PID           uint32  `parquet:"pid,dict" json:"pid" doc:"first process that used it; 0: none did"`
	Process       string  `parquet:"process,dict" json:"process" doc:"name of that process"`
	Role          string  `parquet:"role,dict" json:"role" doc:"client, server or unknown"`
	RoleBy        string  `parquet:"role_by,dict" json:"role_by" doc:"how the role was found: connect, accept, listener, peer, first bytes, port"`
	LocalAddress  string  `parquet:"local_address,dict" json:"local_address" doc:"empty: unknown"`
	LocalPort     uint16  `parquet:"local_port" json:"local_port" doc:"0: unknown"`
	RemoteAddress string  `parquet:"remote_address,dict" json:"remote_address" doc:"empty: unknown"`
	RemotePort    uint16  `parquet:"remote_port" json:"remote_port" doc:"0: unknown"`
	Protocol      string  `parquet:"protocol,dict" json:"protocol" doc:"what the first bytes show: http, http2, grpc, tls, dns, mysql, postgresql, redis, mongodb, kafka, amqp, memcached, cassandra, nats, mqtt, stomp, ldap, smtp, ssh, fastcgi; https: HTTP that was decrypted; tcp, udp, unix: nothing that is known"`
	Start         int64   `parquet:"start_ns,delta" json:"start_ns" doc:"ns, CLOCK_MONOTONIC of the recorded node"`
	End           int64   `parquet:"end_ns,delta" json:"end_ns" doc:"ns, CLOCK_MONOTONIC; its last sign of life"`
	StartWall     *Wall   `parquet:"start_time,optional,timestamp(nanosecond)" json:"start_time" doc:"UTC; null: the reel has no clock"`
	SawStart      bool    `parquet:"saw_start" json:"saw_start" doc:"its beginning is in the reel"`
	SawEnd        bool    `parquet:"saw_end" json:"saw_end" doc:"its end is in the reel"`
	Errno         uint16  `parquet:"errno" json:"errno" doc:"of connect, or of the call that met the end; 0: none"`
	Connect       *int64  `parquet:"connect_ns,optional" json:"connect_ns" doc:"ns, of the handshake, or until it failed (client); of accept (server)"`
	SRTT          *int64  `parquet:"srtt_ns,optional" json:"srtt_ns" doc:"ns, last smoothed round trip time of the kernel"`
	Retrans       uint32  `parquet:"retransmitted_segments" json:"retransmitted_segments" doc:"TCP segments sent again"`
	ReadCalls     uint64  `parquet:"read_calls" json:"read_calls" doc:"system calls"`
	WriteCalls    uint64  `parquet:"write_calls" json:"write_calls" doc:"system calls"`
	ReadBytes     uint64  `parquet:"read_bytes" json:"read_bytes" doc:"bytes read by the process, peeked ones not counted"`
	WriteBytes    uint64  `parquet:"write_bytes" json:"write_bytes" doc:"bytes written by the process"`
	ReadCaptured  uint64  `parquet:"read_captured_bytes" json:"read_captured_bytes" doc:"bytes of read_bytes whose content is in the reel"`
	WriteCaptured uint64  `parquet:"write_captured_bytes" json:"write_captured_bytes" doc:"bytes of write_bytes whose content is in the reel"`
	ReadLost      uint64  `parquet:"read_lost_bytes" json:"read_lost_bytes" doc:"bytes read by calls that are not in the reel"`
	WriteLost     uint64  `parquet:"write_lost_bytes" json:"write_lost_bytes" doc:"bytes written by calls that are not in the reel"`
	ReadGaps      uint32  `parquet:"read_gaps" json:"read_gaps" doc:"places where read bytes are lost"`
	WriteGaps     uint32  `parquet:"write_gaps" json:"write_gaps" doc:"places where written bytes are lost"`
	ReadTime      int64   `parquet:"read_call_ns" json:"read_call_ns" doc:"ns in read calls, waiting included"`
	WriteTime     int64   `parquet:"write_call_ns" json:"write_call_ns" doc:"ns in write calls, waiting included"`
	Exchanges     uint64  `parquet:"exchanges" json:"exchanges" doc:"rows of it in the table exchanges"`
	TLSVersion    string  `parquet:"tls_version,dict" json:"tls_version" doc:"empty: no TLS, or its handshake was not seen"`
	TLSCipher     string  `parquet:"tls_cipher,dict" json:"tls_cipher" doc:"IANA name of the cipher suite"`
	TLSServerName string  `parquet:"tls_server_name,dict" json:"tls_server_name" doc:"that the client asked for (SNI)"`
	TLSALPN       string  `parquet:"tls_alpn,dict" json:"tls_alpn" doc:"protocol that the server chose (ALPN), as far as it can be read"`
	TLSRecords    uint64  `parquet:"tls_records" json:"tls_records" doc:"records of application data that were decrypted"`
	TLSUnproved   uint64  `parquet:"tls_unproved_records" json:"tls_unproved_records" doc:"of them, those that were cut: no tag proves their plaintext"`
	TLSRead       uint64  `parquet:"tls_plain_read_bytes" json:"tls_plain_read_bytes" doc:"bytes of plaintext in read_bytes, of decrypted connections"`
	TLSWrite      uint64  `parquet:"tls_plain_write_bytes" json:"tls_plain_write_bytes" doc:"bytes of plaintext in write_bytes, of decrypted connections"`

	AcceptWait     *int64   `parquet:"accept_wait_ns,optional" json:"accept_wait_ns" doc:"ns, from the end of the handshake to accept(2); null: not seen"`
	Close          *int64   `parquet:"close_ns,optional" json:"close_ns" doc:"ns, from the first FIN of this end to the end of the socket, TIME_WAIT not counted; null: not seen"`
	RTTMin         *int64   `parquet:"rtt_min_ns,optional" json:"rtt_min_ns" doc:"ns, least round trip time"`
	RTTMean        *int64   `parquet:"rtt_mean_ns,optional" json:"rtt_mean_ns" doc:"ns, mean of the smoothed round trip time over its calls"`
	ResentFast     uint32   `parquet:"resent_fast" json:"resent_fast" doc:"segments sent again since acknowledgements showed them lost"`
	ResentTimeout  uint32   `parquet:"resent_timeout" json:"resent_timeout" doc:"segments sent again after a timeout, or asked for by acknowledgements after one"`
	ResentProbe    uint32   `parquet:"resent_probe" json:"resent_probe" doc:"segments sent again as tail loss probes"`
	ResentSYN      uint32   `parquet:"resent_syn" json:"resent_syn" doc:"SYNs sent again"`
	ResentOther    uint32   `parquet:"resent_other" json:"resent_other" doc:"segments sent again for another cause"`
	Dropped        uint32   `parquet:"dropped_segments" json:"dropped_segments" doc:"segments that the kernel threw away, on the way in or out"`
	DropReasons    []string `parquet:"drop_reasons,list" json:"drop_reasons" doc:"the kernel's names of why, and how many: NETFILTER_DROP 3"`
	ResetsSent     uint32   `parquet:"resets_sent" json:"resets_sent" doc:"RST segments"`
	ResetsReceived uint32   `parquet:"resets_received" json:"resets_received" doc:"RST segments"`
	ResetReason    string   `parquet:"reset_reason,dict" json:"reset_reason" doc:"the kernel's name of why the first was sent; empty: none, or not known"`
	OwnZero        uint32   `parquet:"own_zero_windows" json:"own_zero_windows" doc:"times that this end's window was seen closed: the process did not read"`
	OwnZeroTime    int64    `parquet:"own_zero_window_ns" json:"own_zero_window_ns" doc:"ns, until its next read each"`
	PeerZero       uint32   `parquet:"peer_zero_windows" json:"peer_zero_windows" doc:"times that the peer's window was seen closed: the peer did not read"`
	PeerZeroTime   int64    `parquet:"peer_zero_window_ns" json:"peer_zero_window_ns" doc:"ns in which it was closed"`
	TLSAlert       string   `parquet:"tls_alert,dict" json:"tls_alert" doc:"who sent the first alert but close_notify, and which (RFC 8446 §6); empty: none that can be read"`
	TLSClear       uint64   `parquet:"tls_clear_bytes" json:"tls_clear_bytes" doc:"bytes, both directions, of records that are not encrypted: the handshake up to its keys"`
	TLSOpened      uint64   `parquet:"tls_opened_bytes" json:"tls_opened_bytes" doc:"bytes, both directions, of encrypted records whose plaintext is known"`
	TLSUnread      string   `parquet:"tls_unread,dict" json:"tls_unread" doc:"why other encrypted bytes are not: no_handshake, no_key, suite, gap, bounded; empty: there are none"`
	Upgrade        string   `parquet:"upgrade,dict" json:"upgrade" doc:"what it went over to after HTTP/1: websocket, h2c, connect (a tunnel), ...; empty: it did not"`
	PeerBy         string   `parquet:"peer_by,dict" json:"peer_by" doc:"how the other end was found: endpoints, or sequence (the same first sequence numbers: a redirect or NAT changed the addresses); empty: it is not in the reel"`
	CloseCall      *int64   `parquet:"close_call_ns,optional" json:"close_call_ns" doc:"ns, of the close(2) that dropped the last descriptor; null: not seen"`
}

type exchangeRow struct {
	ID              uint64   `parquet:"id,delta" json:"id" doc:"number of the exchange, from 1, in order of its beginning"`
	Connection      uint64   `parquet:"connection_id" json:"connection_id" doc:"id in connections"`
	Index           uint32   `parquet:"connection_index" json:"connection_index" doc:"number on its connection, from 1"`
	Peer            *uint64  `parquet:"peer_id,optional" json:"peer_id" doc:"the same exchange at the other end, when that one ended first: of two rows, one names the other"`
	Sequence        *uint32  `parquet:"tcp_sequence,optional" json:"tcp_sequence" doc:"TCP sequence number of the first request byte: equal at both ends"`
	Role            string   `parquet:"role,dict" json:"role" doc:"whose view it is: client or server"`
	PID             uint32   `parquet:"pid,dict" json:"pid" doc:"process that moved the first byte"`
	TID             uint32   `parquet:"tid,dict" json:"tid" doc:"thread that moved the first byte"`
	LocalAddress    string   `parquet:"local_address,dict" json:"local_address" doc:"empty: unknown"`
	LocalPort       uint16   `parquet:"local_port" json:"local_port" doc:"0: unknown"`
	RemoteAddress   string   `parquet:"remote_address,dict" json:"remote_address" doc:"empty: unknown"`
	RemotePort      uint16   `parquet:"remote_port" json:"remote_port" doc:"0: unknown"`
	Protocol        string   `parquet:"protocol,dict" json:"protocol" doc:"http, https"`
	Method          string   `parquet:"method,dict" json:"method" doc:"empty: unknown"`
	Host            string   `parquet:"host,dict" json:"host" doc:"authority that the request is for"`
	Target          string   `parquet:"target" json:"target" doc:"request target as sent, credentials masked"`
	Status          *uint16  `parquet:"status,optional" json:"status" doc:"null: no response, or its start is lost"`
	Interim         []uint16 `parquet:"interim_statuses,list" json:"interim_statuses" doc:"1xx responses before it"`
	StartWall       *Wall    `parquet:"start_time,optional,timestamp(nanosecond)" json:"start_time" doc:"UTC, of the first request byte; null: the reel has no clock"`
	Start           int64    `parquet:"start_ns" json:"start_ns" doc:"ns, CLOCK_MONOTONIC of the recorded node, of the first request byte"`
	Duration        *int64   `parquet:"duration_ns,optional" json:"duration_ns" doc:"ns. client: first request byte written to last response byte read; server: first request byte read to last response byte written"`
	TTFB            *int64   `parquet:"first_byte_ns,optional" json:"first_byte_ns" doc:"ns, from the same start to the first response byte"`
	RequestVersion  string   `parquet:"request_version,dict" json:"request_version" doc:"HTTP/1.1, HTTP/1.0 or HTTP/1.x"`
	ResponseVersion string   `parquet:"response_version,dict" json:"response_version" doc:"the same"`
	RequestHead     uint64   `parquet:"request_head_bytes" json:"request_head_bytes" doc:"bytes, start line to blank line"`
	RequestBody     uint64   `parquet:"request_body_bytes" json:"request_body_bytes" doc:"bytes of content, framing removed"`
	RequestWire     uint64   `parquet:"request_wire_bytes" json:"request_wire_bytes" doc:"bytes as sent: head, framing, content, trailers"`
	RequestChunked  bool     `parquet:"request_chunked" json:"request_chunked" doc:"Transfer-Encoding: chunked"`
	RequestCalls    uint32   `parquet:"request_calls" json:"request_calls" doc:"system calls that moved it"`
	ResponseHead    uint64   `parquet:"response_head_bytes" json:"response_head_bytes" doc:"bytes, start line to blank line"`
	ResponseBody    uint64   `parquet:"response_body_bytes" json:"response_body_bytes" doc:"bytes of content, framing removed"`
	ResponseWire    uint64   `parquet:"response_wire_bytes" json:"response_wire_bytes" doc:"bytes as sent: head, framing, content, trailers"`
	ResponseChunked bool     `parquet:"response_chunked" json:"response_chunked" doc:"Transfer-Encoding: chunked"`
	ResponseCalls   uint32   `parquet:"response_calls" json:"response_calls" doc:"system calls that moved it"`
	Pipelined       bool     `parquet:"pipelined" json:"pipelined" doc:"its request was sent before the response before it was complete"`
	Complete        bool     `parquet:"complete" json:"complete" doc:"nothing is missing"`
	Missing         []string `parquet:"missing,list" json:"missing" doc:"what is missing, see below"`
	Pairing         string   `parquet:"pairing,dict" json:"pairing" doc:"that the response answers this request: exact, inferred (after a gap) or unknown (one of them is missing)"`
	Anomalies       []string `parquet:"anomalies,list" json:"anomalies" doc:"names in the ledger"`
	TraceFormat     string   `parquet:"trace_format,dict" json:"trace_format" doc:"of the trace context: b3, b3multi, w3c, sw8 or jaeger; empty: none"`
	TraceID         string   `parquet:"trace_id" json:"trace_id" doc:"as sent, hex in lower case"`
	SpanID          string   `parquet:"span_id" json:"span_id" doc:"of the caller"`
	ParentSpanID    string   `parquet:"parent_span_id" json:"parent_span_id" doc:"of the caller's caller, where the format has it"`
	Sampled         string   `parquet:"trace_sampled,dict" json:"trace_sampled" doc:"1, 0, d (debug) or empty (left to the callee)"`
	Process         string   `parquet:"process,dict" json:"process" doc:"name of the process"`
	Upgrade         string   `parquet:"upgrade,dict" json:"upgrade" doc:"what the connection speaks behind it: websocket, h2c, connect (a tunnel), ...; empty: HTTP/1"`
	Upload          *int64   `parquet:"upload_ns,optional" json:"upload_ns" doc:"ns, from the first to the last request byte, on this end"`
	Download        *int64   `parquet:"download_ns,optional" json:"download_ns" doc:"ns, from the first to the last response byte, on this end"`
	RequestTime     int64    `parquet:"request_call_ns" json:"request_call_ns" doc:"ns in the system calls that moved the request, waiting included: also for the request"`
	RequestBlocked  uint32   `parquet:"request_blocked_calls" json:"request_blocked_calls" doc:"of these calls, those inside which the thread left its CPU"`
	ResponseTime    int64    `parquet:"response_call_ns" json:"response_call_ns" doc:"ns in the system calls that moved the response, waiting included"`
	ResponseBlocked uint32   `parquet:"response_blocked_calls" json:"response_blocked_calls" doc:"of these calls, those inside which the thread left its CPU"`
	TraceState      string   `parquet:"trace_state" json:"trace_state" doc:"tracestate of a w3c context, as sent"`
	TraceService    string   `parquet:"trace_service,dict" json:"trace_service" doc:"calling service, of an sw8 context"`
	TraceInstance   string   `parquet:"trace_instance,dict" json:"trace_instance" doc:"its instance"`
	TraceEndpoint   string   `parquet:"trace_endpoint,dict" json:"trace_endpoint" doc:"the endpoint that it was serving"`
	TraceAddress    string   `parquet:"trace_address,dict" json:"trace_address" doc:"the address that it called"`
	Parent          *uint64  `parquet:"parent_id,optional" json:"parent_id" doc:"of a client: the exchange that its process served by it; null: unknown"`
	ParentBy        string   `parquet:"parent_by,dict" json:"parent_by" doc:"how the parent was found: trace (exact), thread, process, request, turn (inferred): see below; empty: unknown"`
	ParentSure      string   `parquet:"parent_certainty,dict" json:"parent_certainty" doc:"exact, inferred or unknown"`
	Calls           uint32   `parquet:"calls" json:"calls" doc:"of a server: exchanges whose parent it is (calls per request)"`
	SameCalls       uint32   `parquet:"same_calls" json:"same_calls" doc:"the most of them with one method, host and form of path: 1 + N"`
	CallsTime       int64    `parquet:"calls_ns" json:"calls_ns" doc:"ns in any of these calls"`
	CriticalCalls   uint32   `parquet:"critical_calls" json:"critical_calls" doc:"calls on its critical path: back from its end, each the one that ended last before the one behind it began"`
	CriticalTime    int64    `parquet:"critical_calls_ns" json:"critical_calls_ns" doc:"ns in calls on its critical path; the rest of duration_ns it worked, or waited for something else"`
	SlowestCall     *uint64  `parquet:"slowest_call_id,optional" json:"slowest_call_id" doc:"the longest of the calls"`
	SlowestCallTime int64    `parquet:"slowest_call_ns" json:"slowest_call_ns" doc:"ns, its duration"`
	PeerDuration    *int64   `parquet:"peer_duration_ns,optional" json:"peer_duration_ns" doc:"ns, duration of the exchange peer_id, at the other end"`
}

type edgeRow struct {
	Client   string `parquet:"client,dict" json:"client" doc:"id in nodes"`
	Server   string `parquet:"server,dict" json:"server" doc:"id in nodes"`
	Port     uint16 `parquet:"port" json:"port" doc:"of the server"`
	Protocol string `parquet:"protocol,dict" json:"protocol" doc:"as in connections"`
	RoleBy   string `parquet:"role_by,dict" json:"role_by" doc:"as in connections; the best of its connections"`
	Side     string `parquet:"side,dict" json:"side" doc:"who saw these numbers: client or server; an edge that both ends recorded has two rows"`

	Connections uint64 `parquet:"connections" json:"connections" doc:"connections"`
	Exchanges   uint64 `parquet:"exchanges" json:"exchanges" doc:"exchanges"`
	Incomplete  uint64 `parquet:"incomplete_exchanges" json:"incomplete_exchanges" doc:"exchanges that lack more than body bytes that were cut on purpose"`
	Errors4xx   uint64 `parquet:"status_4xx" json:"status_4xx" doc:"exchanges"`
	Errors5xx   uint64 `parquet:"status_5xx" json:"status_5xx" doc:"exchanges"`
	ReadBytes   uint64 `parquet:"read_bytes" json:"read_bytes" doc:"bytes read by this side"`
	WriteBytes  uint64 `parquet:"write_bytes" json:"write_bytes" doc:"bytes written by this side"`
	LostBytes   uint64 `parquet:"lost_bytes" json:"lost_bytes" doc:"bytes moved by calls that are not in the reel, both directions"`
	Retrans     uint64 `parquet:"retransmitted_segments" json:"retransmitted_segments" doc:"TCP segments sent again"`
	Dropped     uint64 `parquet:"dropped_segments" json:"dropped_segments" doc:"segments that this side's kernel threw away"`
	Resets      uint64 `parquet:"resets" json:"resets" doc:"RST segments, sent and received"`
	Failed      uint64 `parquet:"failed_connections" json:"failed_connections" doc:"connections whose handshake failed"`
	ZeroWindows uint64 `parquet:"zero_windows" json:"zero_windows" doc:"times that the window of an end was closed, since its process did not read"`
	ZeroWindow  int64  `parquet:"zero_window_ns" json:"zero_window_ns" doc:"ns in which they were closed"`
	AcceptWait  int64  `parquet:"accept_wait_max_ns" json:"accept_wait_max_ns" doc:"ns, the longest time that a connection waited to be accepted"`
	DurationSum int64  `parquet:"duration_sum_ns" json:"duration_sum_ns" doc:"ns, of exchanges whose duration is known"`
	DurationMax int64  `parquet:"duration_max_ns" json:"duration_max_ns" doc:"ns"`
	P50         int64  `parquet:"duration_p50_ns" json:"duration_p50_ns" doc:"ns, within 1 %; 0 without exchanges"`
	P90         int64  `parquet:"duration_p90_ns" json:"duration_p90_ns" doc:"ns, within 1 %"`
	P99         int64  `parquet:"duration_p99_ns" json:"duration_p99_ns" doc:"ns, within 1 %"`
}

type nodeRow struct {
	ID        string   `parquet:"id" json:"id" doc:"process/NAME/EXECUTABLE or remote/ADDRESS"`
	Kind      string   `parquet:"kind,dict" json:"kind" doc:"process or remote"`
	Name      string   `parquet:"name" json:"name" doc:"what people call it"`
	PIDs      []uint32 `parquet:"pids,list" json:"pids" doc:"processes, at most 1,024"`
	Addresses []string `parquet:"addresses,list" json:"addresses" doc:"of a remote"`
	Group     string   `parquet:"node_group,dict" json:"node_group" doc:"container, pod or host"`
}

type processRow struct {
	PID         uint32   `parquet:"pid" json:"pid" doc:"process, in the initial pid namespace"`
	NSPID       uint32   `parquet:"ns_pid" json:"ns_pid" doc:"the same in its own pid namespace, as logs in a container say; 0: unknown"`
	PPID        uint32   `parquet:"ppid" json:"ppid" doc:"parent"`
	UID         uint32   `parquet:"uid" json:"uid" doc:"user"`
	Comm        string   `parquet:"comm,dict" json:"comm" doc:"name"`
	Exe         string   `parquet:"exe,dict" json:"exe" doc:"path of the program; empty: unknown"`
	Args        []string `parquet:"args,list" json:"args" doc:"command line, credentials masked; its first 512 bytes"`
	Cgroup      string   `parquet:"cgroup,dict" json:"cgroup" doc:"path; empty: unknown"`
	ContainerID string   `parquet:"container_id,dict" json:"container_id" doc:"empty: in none"`
	Container   string   `parquet:"container,dict" json:"container" doc:"its name; empty: unknown"`
	Runtime     string   `parquet:"runtime,dict" json:"runtime" doc:"docker, containerd, cri-o, podman; empty: unknown"`
	Image       string   `parquet:"image,dict" json:"image" doc:"of the container"`
	Pod         string   `parquet:"pod,dict" json:"pod" doc:"name; empty: unknown, or in none"`
	Namespace   string   `parquet:"namespace,dict" json:"namespace" doc:"of the pod"`
	PodUID      string   `parquet:"pod_uid,dict" json:"pod_uid" doc:"empty: in none"`
	From        int64    `parquet:"from_ns" json:"from_ns" doc:"ns, CLOCK_MONOTONIC: when it began, or was first seen"`
	FromWall    *Wall    `parquet:"from_time,optional,timestamp(nanosecond)" json:"from_time" doc:"the same, UTC; null: the reel has no clock"`
	SawStart    bool     `parquet:"saw_start" json:"saw_start" doc:"its fork or exec is in the reel"`
	Until       *int64   `parquet:"until_ns,optional" json:"until_ns" doc:"ns, CLOCK_MONOTONIC: when it ended; null: it was there when the reel ended"`
	UntilWall   *Wall    `parquet:"until_time,optional,timestamp(nanosecond)" json:"until_time" doc:"the same, UTC"`
	End         string   `parquet:"end,dict" json:"end" doc:"exec (its process went on with another program), rename (under another name), exit, signal; empty: it did not"`
	ExitCode    *uint16  `parquet:"exit_code,optional" json:"exit_code" doc:"of an exit"`
	Signal      *uint16  `parquet:"signal,optional" json:"signal" doc:"number of the signal that ended it"`
	Core        bool     `parquet:"core_dumped" json:"core_dumped" doc:"it left a core dump"`
}

type coverageRow struct {
	PID         uint32   `parquet:"pid" json:"pid" doc:"process; 0: of all that have no row of their own"`
	Process     string   `parquet:"process,dict" json:"process" doc:"its name"`
	Exe         string   `parquet:"exe,dict" json:"exe" doc:"path of its program; empty: unknown"`
	Libraries   []string `parquet:"libraries,list" json:"libraries" doc:"that speak TLS in it, with version and path, as far as known"`
	Probes      uint32   `parquet:"probes" json:"probes" doc:"that were attached to them"`
	Errors      []string `parquet:"errors,list" json:"errors" doc:"why a library has none"`
	Connections uint64   `parquet:"connections" json:"connections" doc:"ends of connections that speak TLS"`
	Handshakes  uint64   `parquet:"handshakes" json:"handshakes" doc:"of them, those whose ClientHello was recorded"`
	Decrypted   uint64   `parquet:"decrypted" json:"decrypted" doc:"of them, those of which an encrypted record was read"`
	Failed      uint64   `parquet:"failed" json:"failed" doc:"of them, those that an alert ended before any data"`
	Alert       string   `parquet:"alert,dict" json:"alert" doc:"the first of these alerts"`
	Ciphertext  uint64   `parquet:"ciphertext_bytes" json:"ciphertext_bytes" doc:"bytes of encrypted records, both directions, headers included"`
	Opened      uint64   `parquet:"opened_bytes" json:"opened_bytes" doc:"of them, those whose plaintext is known"`
	Plaintext   uint64   `parquet:"plaintext_bytes" json:"plaintext_bytes" doc:"bytes of plaintext, as far as their number is known"`
	Inferred    uint64   `parquet:"inferred_bytes" json:"inferred_bytes" doc:"of them, those whose socket was inferred"`
	Untied      uint64   `parquet:"untied_bytes" json:"untied_bytes" doc:"of them, those whose socket is not known"`
	NoHandshake uint64   `parquet:"no_handshake_bytes" json:"no_handshake_bytes" doc:"not read, since their connections are older than the capture"`
	NoKey       uint64   `parquet:"no_key_bytes" json:"no_key_bytes" doc:"not read, since there is no key"`
	Suite       uint64   `parquet:"suite_bytes" json:"suite_bytes" doc:"not read, since their version or suite is not decrypted"`
	Gap         uint64   `parquet:"gap_bytes" json:"gap_bytes" doc:"not read, since bytes before them, or of their record, are missing"`
	Bounded     uint64   `parquet:"bounded_bytes" json:"bounded_bytes" doc:"not read, since a bound of the analysis was reached"`
}

type ledgerRow struct {
	Name     string `parquet:"name" json:"name" doc:"registered name of the anomaly"`
	Severity string `parquet:"severity,dict" json:"severity" doc:"info, notice, data_loss or error"`
	Source   string `parquet:"source,dict" json:"source" doc:"who says so: capture or analysis"`
	Count    uint64 `parquet:"count" json:"count" doc:"how often"`
	Bytes    uint64 `parquet:"bytes" json:"bytes" doc:"bytes that it touches; 0: none, or not known"`
	First    int64  `parquet:"first_ns" json:"first_ns" doc:"ns, CLOCK_MONOTONIC of the first one; 0: not known"`
	Example  string `parquet:"example" json:"example" doc:"where the first one is"`
	Sentence string `parquet:"sentence" json:"sentence" doc:"what it means and what to do"`
}

// missingSets holds the list for each set of bits that was met: they are few.
type missingSets map[facts.Completeness][]string

func (s missingSets) list(c facts.Completeness) []string {
	if list, ok := s[c]; ok {
		return list
	}
	list := append([]string{}, c.Names()...) // an empty list, not NULL
	s[c] = list
	return list
}
