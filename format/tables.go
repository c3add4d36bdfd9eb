package format

import (
	"net/netip"
	"time"
)

// TableID numbers the tables of a reel. Numbers are on disk: they are never reused.
type TableID uint8

// The tables. SPEC.md fixes their columns.
const (
	TableSocket      TableID = 1
	TableIO          TableID = 2
	TablePayload     TableID = 3
	TableProcess     TableID = 4
	TableClock       TableID = 5
	TableHeartbeat   TableID = 6
	TableRing        TableID = 7
	TableHook        TableID = 8
	TableNote        TableID = 9
	TableTLS         TableID = 10
	TableTLSKey      TableID = 11
	TableTCP         TableID = 12
	TableOnCPU       TableID = 13
	TableOffCPU      TableID = 14
	TableStack       TableID = 15
	TableSymbol      TableID = 16
	TableModule      TableID = 17
	TableMapping     TableID = 18
	TableTrigger     TableID = 19
	TableContainer   TableID = 20
	TableProbe       TableID = 21
	TableOffCPUTotal TableID = 24
)

// Row is one fact of a reel: *Socket, *IO, *Process, *Clock, *Heartbeat, *Ring, *Hook, *Note, *Trigger, *TCP, *TLS, *TLSKey, *Probe, *Container, *OnCPU, *OffCPU, *OffCPUTotal, *Stack,
// *Module, *Mapping or *Symbol. (Payload bytes travel in
// their IO or TLS row.)
type Row interface {
	Table() TableID
	At() KTime
}

// Socket is one event in the life of a socket: connect, accept, close, shutdown, state change, first sight, snapshot.
type Socket struct {
	Time     KTime
	Duration time.Duration // of the call; -1 unknown
	CPU      uint16
	PID      PID // for SockState the task that happened to be current: not an owner
	TID      TID
	FD       FD // -1 none
	Socket   SocketID
	Inode    Inode
	NetNS    uint64
	Op       SockOp
	Role     Role
	Family   uint8 // AF_*
	Protocol uint8 // IPPROTO_*
	OldState TCPState
	NewState TCPState // for SockShutdown: the `how` argument
	Flags    IOFlags
	Ret      int64 // 0, the fd of accept, or -errno
	Local    Endpoint
	Remote   Endpoint
	SndSeq   Seq           // next byte written
	RcvSeq   Seq           // next byte read by the process
	RcvNxt   Seq           // next byte expected from the peer
	SndUna   Seq           // oldest byte not acknowledged
	SRTT     time.Duration // 0 unknown
	RTTVar   time.Duration
	Retrans  uint32 // segments, over the life of the socket
	Lost     uint32 // segments thought lost now
	SegsIn   uint32
	SegsOut  uint32
	// Since schema version 2.
	BytesAcked    uint64        // by the peer, over the life of the socket; SYN and FIN count one each
	BytesReceived uint64        // in order, over the life of the socket
	SndWnd        uint32        // bytes that the peer takes
	RcvWnd        uint32        // bytes that this end takes
	Cwnd          uint32        // segments
	MSS           uint32        // bytes of data in a full segment
	Interface     uint32        // index; 0 unknown
	Error         uint16        // errno that waits in the socket (SO_ERROR); 0 none
	RTTMin        time.Duration // the least of the last minutes; 0 unknown
	// AF_UNIX sockets have no protocol, addresses or ports, but these.
	Type      SockType
	Peer      SocketID // of the other end; 0 unknown
	PeerInode Inode    // 0: not accepted yet, or unknown
	PeerPID   PID      // process that connected, listened or made the pair at the other end; 0 unknown
	FileRefs  uint32   // of SockClose: references to the socket's file before it: 1 is the last; 0 unknown
}

// IO is one read/write-like call on a socket that moved bytes, met the end of the stream, or failed other than by EAGAIN.
type IO struct {
	Time     KTime         // exit of the call
	Duration time.Duration // -1 unknown
	CPU      uint16
	PID      PID
	TID      TID
	FD       FD
	Socket   SocketID
	Inode    Inode
	Call     Call
	Dir      Direction
	Family   uint8
	Flags    IOFlags
	Cut      Cut
	Ret      int64         // bytes moved, or -errno
	Seq      Seq           // of the first byte moved; valid iff Flags has IOOffsetValid
	SRTT     time.Duration // 0 unknown
	RTTVar   time.Duration
	Captured uint32 // bytes that the kernel copied; len(Payload) may be less by policy (CutPolicy)
	LPort    uint16
	RPort    uint16
	Remote   netip.Addr // of a UDP datagram: the peer's address, as far as the call or the socket tells
	Payload  []byte     // the first len(Payload) bytes moved; stored in the payload table (D4)
}

// Process is one event in the life of a process.
type Process struct {
	Time       KTime
	Op         ProcOp
	PID        PID
	TID        TID
	PPID       PID
	Start      uint64 // CLOCK_BOOTTIME nanoseconds: with PID, the identity of the process
	UID        uint32
	Comm       string
	Exe        string   // path as the process sees it; "" unknown
	Args       []string // masked (D15)
	ArgsCut    bool
	CgroupID   uint64
	Cgroup     string // path; "" unknown
	PidNS      uint64
	MntNS      uint64
	NetNS      uint64
	ExitStatus uint32 // wait status, valid iff Op is ProcExit
	Target     bool   // it was recorded, not merely a parent

	// Since schema 2.
	NSPID       PID    // in the innermost pid namespace: what logs inside a container say; 0 unknown
	ContainerID string // that the cgroup's path names; "" none
	PodUID      string // of Kubernetes, with dashes; "" none
}

// Container is what the container runtime's files say of a container, or that they say nothing: once for each that a process of
// the reel belongs to.
type Container struct {
	Time      KTime
	ID        string // as in Process.ContainerID; "" the row is about a pod only
	PodUID    string // as in Process.PodUID
	Runtime   string // "docker", "containerd", "cri-o", "podman"; "" unknown
	Name      string // "" unknown, or the sandbox of a pod
	Pod       string
	Namespace string // of the pod
	Image     string
	Cgroup    string // of the process that it was found by
}

// Clock is one reading of the node's clocks, taken as close together as user space can (D7).
type Clock struct {
	Time     KTime // CLOCK_MONOTONIC
	Boottime int64 // ns
	Realtime WallTime
	Width    time.Duration // between the first and the last reading: the error bound
}

// Heartbeat is the recorder's own receipt, once a second (D6). Counters are totals since the start of the capture.
type Heartbeat struct {
	Time          KTime
	RecorderCPU   time.Duration // user+system, of the recorder with its helper processes
	RSS           uint64        // bytes, of the recorder with its helper processes
	JournalBytes  uint64        // appended
	SealedBytes   uint64        // Parquet written
	UnsealedBytes uint64        // journal not yet sealed
	Events        uint64        // records taken from the rings
	LostEvents    uint64        // records that found no room in a ring
	ProgramTime   time.Duration // run time of the BPF programs; -1 n/a
	ShedLevel     uint8         // 0 none
	Targets       uint32        // processes recorded now

	// Since version 2.
	ProgramsMeasured time.Duration // of the time since the start, in which ProgramTime was measured; the rest is taken to be like it
	ShedCalls        uint64        // reads and writes that were counted instead of recorded
	ShedBytes        uint64        // that these moved
	FreeMemory       uint64        // bytes of the node, or of the recorder's cgroup if that has less; 0 unknown
	FreeDisk         uint64        // bytes of the reel's file system; 0 unknown
}

// Ring is the loss account of one CPU's ring, with each heartbeat in which it changed. Counters are totals.
type Ring struct {
	Time      KTime
	CPU       uint16
	Captured  uint64 // records committed
	Lost      uint64 // reservations that failed
	LostBytes uint64 // what those would have held
}

// Hook is one kernel hook: attached or why not (D1).
type Hook struct {
	Time     KTime
	Name     string // "raw_tracepoint/sys_exit"
	Purpose  string // what is not seen without it
	Attached bool
	Error    string // "" when attached
	Hits     uint64 // at the end of the capture; 0 when not counted
}

// Note is something that the recorder says about the recording: a registered name and its values.
type Note struct {
	Time   KTime
	Name   string // registered: "target_exited", "snapshot_incomplete", "shed", ...
	Count  uint64
	Detail string
}

// Trigger is a step in the life of a trigger rule: it was in force, it fired, an action of that firing was done.
type Trigger struct {
	Time    KTime
	Op      TriggerOp
	Firing  uint32 // number of the firing in this capture, from 1; 0 when the row is about none
	Name    string // of the rule
	Rule    string // as it was understood (docs/triggers.md)
	Metric  string // "cpu", "http_p99", ...
	Unit    string // of Value and Limit: "%", "/s", "ms", "B"; "" a plain number
	Value   int64  // that the metric had, in thousandths of the unit
	Limit   int64  // that it was compared with, in thousandths of the unit
	Held    uint16 // periods, of a second each, in which the condition held
	Periods uint16 // of the last how many
	Others  uint32 // further subjects of which the condition held
	// The subject: a process, a connection. Zero: all that is recorded.
	PID    PID
	Start  uint64 // of the process, as Process.Start
	Comm   string
	Socket SocketID
	Inode  Inode
	Local  Endpoint
	Remote Endpoint
	Action string // of TriggerActed and TriggerFailed, as the rule has it
	Detail string // what else is known: the samples, where a snap is, why an action failed
	Count  uint64 // of TriggerSilenced: how often
}

// Table returns TableSocket.
func (*Socket) Table() TableID { return TableSocket }

// Table returns TableIO.
func (*IO) Table() TableID { return TableIO }

// Table returns TableProcess.
func (*Process) Table() TableID { return TableProcess }

// Table returns TableClock.
func (*Clock) Table() TableID { return TableClock }

// Table returns TableHeartbeat.
func (*Heartbeat) Table() TableID { return TableHeartbeat }

// Table returns TableRing.
func (*Ring) Table() TableID { return TableRing }

// Table returns TableHook.
func (*Hook) Table() TableID { return TableHook }

// Table returns TableNote.
func (*Note) Table() TableID { return TableNote }

// Table returns TableContainer.
func (*Container) Table() TableID { return TableContainer }

// At returns the time of the row.
func (r *Container) At() KTime { return r.Time }

// At returns the time of the row.
func (r *Socket) At() KTime { return r.Time }

// At returns the time of the row.
func (r *IO) At() KTime { return r.Time }

// At returns the time of the row.
func (r *Process) At() KTime { return r.Time }

// At returns the time of the row.
func (r *Clock) At() KTime { return r.Time }

// At returns the time of the row.
func (r *Heartbeat) At() KTime { return r.Time }

// At returns the time of the row.
func (r *Ring) At() KTime { return r.Time }

// At returns the time of the row.
func (r *Hook) At() KTime { return r.Time }

// At returns the time of the row.
func (r *Note) At() KTime { return r.Time }

// Table returns TableTrigger.
func (*Trigger) Table() TableID { return TableTrigger }

// At returns the time of the row.
func (r *Trigger) At() KTime { return r.Time }
