// Package ledger turns what went wrong, was cut or was guessed into entries that a reader can act on: every anomaly has a
// registered name, a severity, a source and one sentence with the remedy (DESIGN D6). There are no others.
package ledger

import (
	"iter"

	"github.com/ebpf-reel/reel/analyze/anomaly"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/http1"
	"github.com/ebpf-reel/reel/analyze/tracecontext"
	"github.com/ebpf-reel/reel/format"
)

// Name is a registered anomaly. Those of HTTP/1 messages and of trace fields are registered by their packages; see HTTP1, Trace.
type Name uint16

// Sources of entries.
const (
	Capture  = "capture"  // the recorder or the reel says so
	Analysis = "analysis" // the analysis found it
)

// What the reel says of itself: a Name for each format.ProblemKind.
const (
	UncleanEnd Name = iota
	TornFrame
	JournalGarbage
	FileMissing
	FileCorrupt
	StrayFile
	TailWithheld
	Recovered
	UnknownProblem

	// What the recorder says: rings, hooks, cut payloads.
	RingLoss
	HookRefused
	NoHeartbeat
	CutBudget
	CutNoCopy
	CutFault
	CutLimit
	CutShed
	CutLost
	CutProtocol
	CutPolicy
	CutDamaged
	CutUnknown
	Shed
	Masked

	// Notes of the recorder, by name.
	NoteTargetExited
	NoteTargetLate
	NoteSnapshotIncomplete
	NoteProcessUndescribed
	NoteProcessHidden
	NoteContainerUnnamed
	NoteContainerFile
	NoteMapFull
	NoteCompatCalls
	NoteIOUring
	NoteMPTCP
	NoteQUIC
	NoteKTLS
	NoteErrorQueue
	NoteExitUnseen
	NoteProbeSkipped
	NoteSealerLost
	NotePIDNamespace
	NoteRecorderBeside
	NoteShedLess
	NoteShedCalls
	NoteStopped
	NoteTLSPlaintextCapped
	NoteTriggerBlindTLS
	NoteTriggerBlindHTTP2
	NoteTriggerBlindBytes
	NoteTriggerUnpaired
	NoteTriggerDropped
	NoteSamplesDropped
	NoteMappingsUnread
	NoteKernelUnnamed
	NoteMappingsLost
	NoteMappingsLate
	NoteCarried
	NoteCarryEvicted
	NoteCarrySkipped
	NoteUnknown

	// What the analysis found.
	FlightWindow
	FlightWindowShort
	ReadError
	ClockMissing
	ClockStep
	ClockFar
	LateRow
	WindowFull
	StreamLost
	StreamTailLost
	StreamOverlap
	StreamReordered
	StreamUnordered
	StreamLate
	StreamJump
	StreamNoOffset
	StreamImpossible
	HoldFull
	SocketReused
	SocketUnattributed
	SocketUnnamed
	TCPUnattributed
	ListenOverflow
	ListenDrop
	SynAckResent
	ConnEvicted
	CallsUnmeasured
	ProcessUnknown
	ProcessesFolded
	RoleInferred
	RoleUnknown
	NodesFolded
	FlowsFolded
	RoutesFolded
	EndpointsFolded
	RequestUnanswered
	ResponseUnasked
	ResponsesUncertain
	PipelineFull
	LineageCrowded
	ParsersFull
	BodiesFull
	SamplesLeft
	TopFolded
	NotHTTP
	DNSUnread
	DNSUnasked
	DNSUnanswered
	DNSWaitingFull

	// What decryption says.
	TLSNoSecret
	TLSUnreadable
	TLSUnopened
	TLSUnproved
	TLSTrialsSpent
	TLSMemoryFull
	TLSUntied

	// What profiles say.
	StackIncomplete
	StackMissing
	ProfileFolded

	numNames
)

type registered struct {
	name     string
	severity facts.Severity
	source   string
	sentence string
}

var registry = [numNames]registered{
	UncleanEnd:     {string(format.ProblemUnclean), facts.Notice, Capture, "The recorder did not end the reel (killed, or still running): what it had not flushed, 1 s by default, is missing."},
	TornFrame:      {string(format.ProblemTorn), facts.Notice, Capture, "The last record of a journal is not whole, as after a kill or a power cut; everything before it was read."},
	JournalGarbage: {string(format.ProblemGarbage), facts.DataLoss, Capture, "A part of a journal holds no records (disk error, or a crash of the file system); everything around it was read."},
	FileMissing:    {string(format.ProblemMissing), facts.DataLoss, Capture, "A file that the manifest names is not there; copy the reel again as a whole directory."},
	FileCorrupt:    {string(format.ProblemCorrupt), facts.DataLoss, Capture, "A file of the reel is damaged; `reel verify` says which, copy it again from the node."},
	StrayFile:      {string(format.ProblemStray), facts.Info, Capture, "A file was left by an interrupted seal; its rows are in the reel elsewhere."},
	TailWithheld:   {string(format.ProblemWithheld), facts.Notice, Capture, "Payload of the unsealed tail was left out, since no filter was given to mask credentials in it."},
	Recovered:      {string(format.ProblemRecovered), facts.Notice, Capture, "The recorder did not end the reel (killed, power cut, full disk), and `reel recover` did: what had not been written when it ended, and what was cut, is missing."},
	UnknownProblem: {"reel_problem", facts.Notice, Capture, "The reel has a problem that this version of reel has no name for; a newer one may."},

	RingLoss:    {"ring_loss", facts.DataLoss, Capture, "Records found no room in a ring, so calls are missing: record again with larger rings (--ring-bytes), a smaller --snaplen, or fewer targets (--port)."},
	HookRefused: {"hook_refused", facts.Notice, Capture, "The kernel refused a hook: what only it shows is missing; the hook's row says why."},
	NoHeartbeat: {"heartbeat_missing", facts.Notice, Capture, "The reel holds no heartbeat: whether records were lost in the rings is not known."},
	CutBudget:   {"cut_budget", facts.Info, Capture, "Bytes beyond the budget of a message were not copied; lengths are exact, --snaplen raises the budget."},
	CutNoCopy:   {"cut_no_copy", facts.Info, Capture, "Bytes were moved without passing through the process (sendfile, splice, MSG_TRUNC); lengths are exact, the content is nowhere to read."},
	CutFault:    {"cut_fault", facts.Notice, Capture, "A page of a process was not in memory when the probe read it; lengths are exact, content is missing."},
	CutLimit:    {"cut_limit", facts.Notice, Capture, "A call had more buffers than the probe walks; lengths are exact, content is missing."},
	CutShed:     {"cut_shed", facts.Notice, Capture, "The recorder copied less to stay within its budget; lengths are exact. A smaller --snaplen, fewer targets or a larger budget avoid it."},
	CutLost:     {"cut_lost", facts.DataLoss, Capture, "The continuation of a call found no room in a ring; lengths are exact, content is missing. Record with larger rings (--ring-bytes)."},
	CutProtocol: {"cut_protocol", facts.Info, Capture, "The payload of UDP is recorded for DNS (port 53) only; lengths are exact."},
	CutPolicy:   {"cut_policy", facts.Info, Capture, "The payload policy of the recording (--payload) does not keep these bytes; lengths are exact."},
	CutDamaged:  {"cut_damaged", facts.DataLoss, Capture, "Bytes were recorded, but the reel's payload file is missing or damaged; lengths are exact. Copy the reel again."},
	CutUnknown:  {"cut_unknown", facts.Notice, Capture, "Bytes are missing for a reason that this version of reel has no name for; lengths are exact."},
	Shed:        {"shed", facts.Notice, Capture, "The recorder was over its budget and left out more; the note says of what. A smaller --snaplen, fewer targets (--port) or a larger budget avoid it."},
	Masked:      {"masked", facts.Info, Capture, "Credentials were replaced by '*' before they reached the disk; --keep-secrets keeps them."},

	NoteTargetExited:       {"target_exited", facts.Info, Capture, "A recorded process ended during the capture."},
	NoteTargetLate:         {"target_late", facts.Notice, Capture, "Processes got the name of --comm, or came into a container or cgroup, after the capture had started: what they did before they were found, within about a second, is missing."},
	NoteSnapshotIncomplete: {"snapshot_incomplete", facts.Notice, Capture, "Sockets or processes that were there already could not all be listed: addresses, roles or names of some may be missing."},
	NoteProcessUndescribed: {"process_undescribed", facts.Info, Capture, "Programs ended, or came too fast, before their path and cgroup could be read; their names are there."},
	NoteProcessHidden:      {"process_hidden", facts.Notice, Capture, "Processes did not let the recorder read their path or namespaces: record as root, or with CAP_SYS_PTRACE."},
	NoteContainerUnnamed:   {"container_unnamed", facts.Info, Capture, "Containers are known by their id only: no file of a container runtime on the recorded machine named them. In a container, mount the host's root at /host."},
	NoteContainerFile:      {"container_file", facts.Notice, Capture, "Files of a container runtime could not be used: names of containers or pods are missing."},
	NoteMapFull:            {"map_full", facts.Notice, Capture, "A table of the probes was full: some sockets or calls lack their addresses, durations or state changes. Record fewer targets at a time."},
	NoteCompatCalls:        {"compat_calls", facts.DataLoss, Capture, "Socket calls by 32-bit programs were not recorded: what they moved is missing."},
	NoteIOUring:            {"io_uring", facts.DataLoss, Capture, "A process submitted operations to io_uring, which the probes cannot see: what those moved on sockets is missing. The count is of calls of io_uring_enter; most servers can be told not to use it."},
	NoteMPTCP:              {"mptcp", facts.DataLoss, Capture, "Calls on MPTCP sockets were not recorded: what they moved is missing."},
	NoteQUIC:               {"quic", facts.Notice, Capture, "A process spoke QUIC (HTTP/3): its datagrams are counted, its requests are not shown."},
	NoteKTLS:               {"ktls", facts.Notice, Capture, "The kernel encrypts what a process writes on a socket (kTLS): calls have no place in the TCP stream, so lost bytes cannot be seen there."},
	NoteErrorQueue:         {"error_queue", facts.Info, Capture, "Reads of a socket's error queue were not recorded: they move no bytes of the stream."},
	NoteExitUnseen:         {"exit_unseen", facts.Info, Capture, "This kernel has no hook for the end of a process: it was looked for once a second."},
	NoteProbeSkipped:       {"probe_skipped", facts.DataLoss, Capture, "The kernel skipped runs of a probe, which cannot be interrupted by itself: calls may be missing. Sequence numbers tell on which connections."},
	NotePIDNamespace:       {"pid_namespace", facts.Info, Capture, "The recorder ran in a pid namespace of its own: process ids here are those of the kernel, and the column ns_pid of the table process has those inside."},
	NoteRecorderBeside:     {"recorder_beside", facts.Info, Capture, "Other recorders were at work when the capture began: calls of processes that both record take the time of both, and what they cost is in the durations."},
	NoteShedLess:           {"shed_less", facts.Info, Capture, "The recorder was within its budget again, and left out less."},
	NoteShedCalls:          {"shed_calls", facts.DataLoss, Capture, "Reads and writes were counted instead of recorded while the recorder was over its budget: exchanges that they belong to are incomplete. Raise the budget (--max-cpu, --max-rate, --max-memory) or record fewer targets (--port)."},
	NoteSealerLost:         {"sealer_lost", facts.Info, Capture, "The process that seals segments ended, or was ended, before its time: another took its place. No row is missing for it."},
	NoteTLSPlaintextCapped: {"tls_plaintext_capped", facts.Notice, Capture, "Probes on the plaintext of TLS connections from before the capture were taken out again, since the processes paid too much for them; what those connections say from then on is not shown. --tls plaintext keeps the probes whatever they cost."},
	NoteStopped:            {"stopped", facts.Info, Capture, "Why the capture ended."},
	NoteTriggerBlindTLS:    {"trigger_blind_tls", facts.Notice, Capture, "Triggers on HTTP could not look into encrypted connections: a rule that did not fire says nothing about these."},
	NoteTriggerBlindHTTP2:  {"trigger_blind_http2", facts.Notice, Capture, "Triggers on HTTP do not read HTTP/2: a rule that did not fire says nothing about these connections."},
	NoteTriggerBlindBytes:  {"trigger_blind_bytes", facts.Notice, Capture, "Triggers on HTTP could not look at messages of which no byte was copied (sendfile, load shedding)."},
	NoteTriggerUnpaired:    {"trigger_unpaired", facts.Info, Capture, "Triggers on HTTP did not count requests whose response they did not see before that of a later one, as in a pipeline; the analysis counts them."},
	NoteTriggerDropped:     {"trigger_dropped", facts.Notice, Capture, "Events came faster than triggers could be judged: they are in the reel, and fired nothing."},
	NoteCarried:            {format.NoteCarried, facts.Info, Capture, "Sockets and processes are older than the window that the flight recorder kept: their role, addresses, owner and place in the stream were carried over."},
	NoteCarryEvicted:       {format.NoteCarryEvicted, facts.Notice, Capture, "More sockets or processes lived than a flight recorder remembers: some that are older than the window lack addresses and role."},
	NoteSamplesDropped:     {"samples_dropped", facts.DataLoss, Capture, "Samples of stacks came faster than the recorder worked on them, and were left out; fewer (--cpu-hz) avoid it."},
	NoteMappingsUnread:     {"mappings_unread", facts.Notice, Capture, "Processes ended before their mappings could be read: frames of theirs have no names."},
	NoteKernelUnnamed:      {"kernel_unnamed", facts.Notice, Capture, "The kernel did not tell where its functions are: its frames have no names. Record with CAP_SYSLOG, or with kernel.kptr_restrict=1."},
	NoteMappingsLost:       {"mappings_lost", facts.Notice, Capture, "Mappings were made faster than the recorder read of them: frames in them may have no names."},
	NoteMappingsLate:       {"mappings_late", facts.Notice, Capture, "The kernel did not tell of mappings as they were made (perf_event_open was refused): processes that lived for less than a moment have frames without names. Record as root, or with CAP_PERFMON."},
	NoteCarrySkipped:       {format.NoteCarrySkipped, facts.Notice, Capture, "Bytes left the ring of the flight recorder before they could be read: some sockets that are older than the window lack addresses and role. A larger --ring-size avoids it."},
	NoteUnknown:            {"note", facts.Notice, Capture, "The recorder left a note that this version of reel has no name for."},

	FlightWindow:      {"flight_window", facts.Info, Analysis, "The reel holds a window of a flight recorder: what began before it has no beginning here, and no loss is meant by that."},
	FlightWindowShort: {"flight_window_short", facts.Notice, Analysis, "The flight recorder did not reach back as far as was asked for: it had not run for so long, or --ring-size holds less at this load."},

	ReadError:          {"read_error", facts.DataLoss, Analysis, "Rows of the reel could not be read; everything before and after them was. `reel verify` says where the damage is."},
	ClockMissing:       {"clock_missing", facts.Notice, Analysis, "The reel has no clock rows: wall times are not known, durations are."},
	ClockStep:          {"clock_step", facts.Notice, Analysis, "The node's wall clock was set during the capture: wall times near the step are uncertain by its size, durations are not affected."},
	ClockFar:           {"clock_far", facts.Info, Analysis, "Rows lie more than a minute from the nearest clock row: their wall times may be off by the drift of the clock."},
	LateRow:            {"late_row", facts.Notice, Analysis, "Rows came later than the reordering window reaches: they were used where they came, and may be out of order."},
	WindowFull:         {"window_full", facts.Notice, Analysis, "More rows fell into the reordering window than it holds: it was shortened, later rows may be out of order."},
	StreamLost:         {"stream_lost", facts.DataLoss, Analysis, "Bytes of a connection were moved by calls that are not in the reel (ring loss, shed load, a call that is not hooked, or the last moments of a recorder that was killed): exchanges there are incomplete."},
	StreamTailLost:     {"stream_tail_lost", facts.DataLoss, Analysis, "The last bytes of a connection were moved by calls that are not in the reel: its last exchange is incomplete."},
	StreamOverlap:      {"stream_overlap", facts.Notice, Analysis, "Two calls claim the same bytes of a connection: the bytes were given to the first, the other is a hole."},
	StreamReordered:    {"stream_reordered", facts.Info, Analysis, "Calls of several threads on one connection ended in another order than their bytes; the order was repaired."},
	StreamUnordered:    {"stream_unordered", facts.Notice, Analysis, "Two threads moved bytes of one Unix stream at the same time. Such sockets have no sequence numbers: the calls are in the order in which they returned, and their bytes may have been the other way round."},
	StreamLate:         {"stream_late", facts.Notice, Analysis, "A call came after its bytes were counted as lost: they are counted now, their content was not used."},
	StreamJump:         {"stream_jump", facts.Notice, Analysis, "A sequence number jumped by more than 1 GiB: how many bytes are missing is not known."},
	StreamNoOffset:     {"stream_no_offset", facts.Notice, Analysis, "Calls have no sequence number: lost bytes of their connections cannot be seen."},
	StreamImpossible:   {"stream_impossible", facts.Error, Analysis, "A call claims to have moved more bytes than any call can: the reel is not what a recorder writes, and the call was ignored."},
	HoldFull:           {"hold_full", facts.Notice, Analysis, "A connection waited for a missing call until the limit of waiting rows: the call was counted as lost early."},
	SocketReused:       {"socket_reused", facts.Notice, Analysis, "A new socket took the place of one whose end is not in the reel."},
	SocketUnattributed: {"socket_unattributed", facts.Info, Analysis, "A socket event belongs to no connection of the reel (its socket had ended before)."},
	SocketUnnamed:      {"socket_unnamed", facts.Notice, Analysis, "The addresses of a connection are not in the reel (it was open before the capture, or the row was lost); only ports are known."},
	TCPUnattributed:    {"tcp_unattributed", facts.Info, Analysis, "What TCP did on a socket (sent again, dropped, reset) belongs to no connection of the reel: the socket's other rows were lost, or its connection is over for long."},
	ListenOverflow:     {"listen_overflow", facts.Notice, Analysis, "A listening socket threw connections away since its accept queue was full: clients waited or failed. Accept faster, or raise the backlog (listen(2), net.core.somaxconn)."},
	ListenDrop:         {"listen_drop", facts.Notice, Analysis, "The kernel threw segments of a handshake away at a listening socket, for the reason of the example: clients waited or failed."},
	SynAckResent:       {"synack_resent", facts.Notice, Analysis, "A listening socket sent SYN-ACKs again: the client's last segment of the handshake did not arrive, or the accept queue was full. Connections took seconds to open."},
	ConnEvicted:        {"connection_evicted", facts.Notice, Analysis, "More connections were open than the analysis keeps: the idle ones were ended early, what follows on them counts as new connections."},
	CallsUnmeasured:    {"calls_unmeasured", facts.Notice, Analysis, "More connections were open than are measured one by one: calls of the others are counted with their bytes, but are in no histogram."},
	ProcessUnknown:     {"process_unknown", facts.Notice, Analysis, "A connection belongs to a process that the reel has no row of; it is named by its number."},
	ProcessesFolded:    {"processes_folded", facts.Notice, Analysis, "More processes were recorded than the analysis keeps; the later ones are named by their numbers."},
	RoleInferred:       {"role_inferred", facts.Info, Analysis, "Which end of a connection is the client was inferred (from a listener, the peer, the first bytes or the port), since connect or accept is not in the reel."},
	RoleUnknown:        {"role_unknown", facts.Notice, Analysis, "Which end of a connection is the client is not known; its edge points from the recorded process."},
	NodesFolded:        {"nodes_folded", facts.Notice, Analysis, "More remote addresses were seen than the topology keeps; the later ones are one node, \"others\"."},
	FlowsFolded:        {"flows_folded", facts.Notice, Analysis, "More pairs of processes and addresses were seen than the topology keeps; the later ones are counted with \"others\"."},
	RoutesFolded:       {"routes_folded", facts.Notice, Analysis, "More different paths were requested than routes are learned of: the later ones are one route, \"{other}\". Give templates by --route."},
	EndpointsFolded:    {"endpoints_folded", facts.Notice, Analysis, "There are more endpoints (methods and routes of an edge) than the analysis keeps: the later ones are one endpoint of each edge."},
	RequestUnanswered:  {"request_unanswered", facts.Notice, Analysis, "A request has no response in the reel: the connection or the capture ended before it, or it was lost."},
	ResponseUnasked:    {"response_unasked", facts.Notice, Analysis, "A response has no request in the reel: it was sent before the capture, or it was lost."},
	ResponsesUncertain: {"responses_uncertain", facts.Notice, Analysis, "After a gap on a connection with pipelined requests, responses could not be told apart: they are shown without their requests."},
	PipelineFull:       {"pipeline_full", facts.Notice, Analysis, "More requests of one connection wait for a response than the analysis keeps; the oldest are shown unanswered."},
	LineageCrowded:     {"lineage_crowded", facts.Notice, Analysis, "A process served more requests at a time than the analysis follows: what those beyond called is not known."},
	ParsersFull:        {"parsers_full", facts.DataLoss, Analysis, "More connections were inside a message than the analysis follows; the messages of the others are not shown."},
	BodiesFull:         {"bodies_full", facts.Info, Analysis, "More content of messages waited for its exchange to be complete than the analysis keeps: exchanges are shown without it."},
	SamplesLeft:        {"samples_left", facts.Notice, Analysis, "The rules choose more exchanges than their limit: the later ones are not in the samples; raise limit, or the rules' bounds."},
	TopFolded:          {"top_lists_folded", facts.Info, Analysis, "There are more edges than lists of their slowest exchanges are kept of: exchanges of the others are in the lists of all edges only."},
	NotHTTP:            {"not_http", facts.Info, Analysis, "Connections speak something other than HTTP/1: their bytes are counted, their content is not shown."},

	DNSUnread:      {"dns_unread", facts.Notice, Analysis, "Datagrams of port 53 are no DNS messages, or were cut before their question ends; if they were cut, raise --snaplen."},
	DNSUnasked:     {"dns_unasked", facts.Info, Analysis, "A DNS response has no query in the reel: it was sent before the capture, or was answered already."},
	DNSUnanswered:  {"dns_unanswered", facts.Notice, Analysis, "A DNS query has no response in the reel: none came, or the capture ended before it, or it was lost."},
	DNSWaitingFull: {"dns_waiting_full", facts.Notice, Analysis, "More DNS queries waited for a response at a time than are kept; the oldest were given out as unanswered."},
	TLSNoSecret:    {"tls_no_secret", facts.Notice, Analysis, "The key log has no secret for these TLS connections, or theirs opens nothing; let the program log its keys (SSLKEYLOGFILE) before it connects."},
	TLSUnreadable:  {"tls_unreadable", facts.Notice, Analysis, "TLS connections use a version or a cipher suite that cannot be decrypted; their ciphertext is counted."},
	TLSUnopened:    {"tls_unopened", facts.DataLoss, Analysis, "Ciphertext could not be decrypted, since bytes are missing before it; raise --snaplen, or the ring if bytes were lost."},
	TLSUnproved:    {"tls_unproved", facts.Info, Analysis, "TLS records were cut by the byte budget: what there is of them was decrypted, and no tag proves it. Raise --snaplen for whole records."},
	TLSUntied:      {"tls_untied", facts.DataLoss, Analysis, "Plaintext of TLS calls was recorded, but the connection that it belongs to could not be told, or was over; it is left out."},
	TLSTrialsSpent: {"tls_trials_spent", facts.DataLoss, Analysis, "The search for the next readable TLS record of a connection was given up after its limit."},
	TLSMemoryFull:  {"tls_memory_full", facts.Notice, Analysis, "More TLS records and handshakes were incomplete at a time than are kept; what follows in these connections is not decrypted until a whole record proves its place."},

	StackIncomplete: {"stack_incomplete", facts.Notice, Capture, "User stacks do not reach the function that their thread began in: what called their outermost frame is not known."},
	StackMissing:    {"stack_missing", facts.DataLoss, Analysis, "Samples name stacks that the reel does not hold: they count, without frames."},
	ProfileFolded:   {"profile_folded", facts.DataLoss, Analysis, "Samples, frames or symbols were beyond a limit of the analysis and are not in the profile; a shorter time range avoids it."},
}

// Names of other packages follow ours; their sets are machine words, so each has at most 64.
const (
	firstHTTP1 = numNames
	firstTrace = numNames + 64
)

// HTTP1 returns the Name of an anomaly of an HTTP/1 message.
func HTTP1(a http1.Anomaly) Name { return firstHTTP1 + Name(a) }

// Trace returns the Name of an anomaly of a request's trace fields.
func Trace(a tracecontext.Anomaly) Name { return firstTrace + Name(a) }

// All yields every registered name.
func All() iter.Seq[Name] {
	return func(yield func(Name) bool) {
		for n := range numNames {
			if !yield(n) {
				return
			}
		}
		for a := range http1.Registered() {
			if !yield(HTTP1(a)) {
				return
			}
		}
		for a := range tracecontext.Registered() {
			if !yield(Trace(a)) {
				return
			}
		}
	}
}

func (n Name) registered() registered {
	if n < firstHTTP1 {
		return registry[n]
	}
	if n < firstTrace {
		return found(http1.Anomaly(n - firstHTTP1).Def())
	}
	return found(tracecontext.Anomaly(n - firstTrace).Def())
}

func found(d anomaly.Def) registered { return registered{d.Name, d.Severity, Analysis, d.Sentence} }

// String returns the registered name, as tables and reports show it.
func (n Name) String() string { return n.registered().name }

// Severity returns how much it matters.
func (n Name) Severity() facts.Severity { return n.registered().severity }

// Source returns Capture or Analysis.
func (n Name) Source() string { return n.registered().source }

// Sentence returns what it means and what to do.
func (n Name) Sentence() string { return n.registered().sentence }

// Problem returns the Name of a problem of the reel.
func Problem(k format.ProblemKind) Name {
	for n := UncleanEnd; n < UnknownProblem; n++ {
		if registry[n].name == string(k) {
			return n
		}
	}
	return UnknownProblem
}

// Note returns the Name of a recorder's note; NoteUnknown when this version has none.
func Note(name string) Name {
	if name == registry[Shed].name {
		return Shed
	}
	for n := NoteTargetExited; n < NoteUnknown; n++ {
		if registry[n].name == name {
			return n
		}
	}
	return NoteUnknown
}

// Cut returns the Name of a cut reason; ok is false for CutNone.
func Cut(c format.Cut) (n Name, ok bool) {
	switch c {
	case format.CutNone:
		return 0, false
	case format.CutProtocol:
		return CutProtocol, true
	case format.CutPolicy:
		return CutPolicy, true
	case format.CutDamaged:
		return CutDamaged, true
	}
	if c <= format.CutLost {
		return CutBudget + Name(c-format.CutBudget), true
	}
	return CutUnknown, true
}
