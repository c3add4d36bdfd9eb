package format

import (
	"math"
	"net/netip"
	"time"
)

// The definitions of all tables, in the order of SPEC.md. Append columns at the end; never rename, renumber or remove one.

var socketTable = table[Socket]{
	id:   TableSocket,
	time: func(r *Socket) KTime { return r.Time },
	cpu:  func(r *Socket) uint16 { return r.CPU },
	cols: []column[Socket]{
		number("time_ns", "when the call returned, or the event happened", delta, func(r *Socket) *KTime { return &r.Time }),
		number("duration_ns", "of the call", plain, func(r *Socket) *time.Duration { return &r.Duration }).or(-1),
		number("cpu", "that it ran on", dict, func(r *Socket) *uint16 { return &r.CPU }),
		number("pid", "process; of a state change the one that happened to run", dict, func(r *Socket) *PID { return &r.PID }),
		number("tid", "thread", dict, func(r *Socket) *TID { return &r.TID }),
		number("fd", "file descriptor", dict, func(r *Socket) *FD { return &r.FD }).or(-1),
		number("socket", "id of the socket, unique while it lives", dict, func(r *Socket) *SocketID { return &r.Socket }),
		number("inode", "of the socket's file; 0 before accept", dict, func(r *Socket) *Inode { return &r.Inode }),
		number("netns", "inode of the network namespace", dict, func(r *Socket) *uint64 { return &r.NetNS }),
		enum("op", "what happened", func(r *Socket) *SockOp { return &r.Op }, SockOp.String, ParseSockOp),
		enum("role", "which end of the connection", func(r *Socket) *Role { return &r.Role }, Role.String, ParseRole),
		enum("family", "address family", func(r *Socket) *uint8 { return &r.Family }, FamilyName, ParseFamily),
		enum("protocol", "transport", func(r *Socket) *uint8 { return &r.Protocol }, ProtocolName, ParseProtocol),
		enum("old_state", "TCP state before", func(r *Socket) *TCPState { return &r.OldState }, TCPState.String, ParseTCPState),
		stateColumn(),
		howColumn(),
		enum("flags", "properties of the call, joined by |", func(r *Socket) *IOFlags { return &r.Flags }, IOFlags.String, ParseIOFlags),
		number("ret", "0, the fd of accept, or minus errno", dict, func(r *Socket) *int64 { return &r.Ret }),
		addr("local_addr", "this end", func(r *Socket) *netip.Addr { return &r.Local.Addr }),
		number("local_port", "this end", dict, func(r *Socket) *uint16 { return &r.Local.Port }),
		addr("remote_addr", "the other end", func(r *Socket) *netip.Addr { return &r.Remote.Addr }),
		number("remote_port", "the other end", dict, func(r *Socket) *uint16 { return &r.Remote.Port }),
		number("snd_seq", "sequence number of the next byte written (see io.seq)", plain, func(r *Socket) *Seq { return &r.SndSeq }),
		number("rcv_seq", "of the next byte that the process reads", plain, func(r *Socket) *Seq { return &r.RcvSeq }),
		number("rcv_nxt", "of the next byte expected from the peer", plain, func(r *Socket) *Seq { return &r.RcvNxt }),
		number("snd_una", "of the oldest byte not acknowledged", plain, func(r *Socket) *Seq { return &r.SndUna }),
		micros("srtt_us", "smoothed round trip time", func(r *Socket) *time.Duration { return &r.SRTT }),
		micros("rttvar_us", "its variance", func(r *Socket) *time.Duration { return &r.RTTVar }),
		number("retrans_segs", "segments sent again, over the socket's life", dict, func(r *Socket) *uint32 { return &r.Retrans }),
		number("lost_segs", "segments thought lost now", dict, func(r *Socket) *uint32 { return &r.Lost }),
		number("in_segs", "segments received, over the socket's life", dict, func(r *Socket) *uint32 { return &r.SegsIn }),
		number("out_segs", "segments sent, over the socket's life", dict, func(r *Socket) *uint32 { return &r.SegsOut }),
		number("acked_bytes", "acknowledged by the peer, over the socket's life; SYN and FIN count one each", plain, func(r *Socket) *uint64 { return &r.BytesAcked }).since(2),
		number("received_bytes", "in order, over the socket's life", plain, func(r *Socket) *uint64 { return &r.BytesReceived }).since(2),
		number("send_window_bytes", "that the peer takes", dict, func(r *Socket) *uint32 { return &r.SndWnd }).since(2),
		number("receive_window_bytes", "that this end takes", dict, func(r *Socket) *uint32 { return &r.RcvWnd }).since(2),
		number("cwnd_segs", "congestion window", dict, func(r *Socket) *uint32 { return &r.Cwnd }).since(2),
		number("mss_bytes", "data in a full segment", dict, func(r *Socket) *uint32 { return &r.MSS }).since(2),
		number("interface", "index of the network interface; 0 unknown", dict, func(r *Socket) *uint32 { return &r.Interface }).since(2),
		number("error", "errno that waits in the socket; 0 none", dict, func(r *Socket) *uint16 { return &r.Error }).since(2),
		micros("rtt_min_us", "least round trip time of the last minutes", func(r *Socket) *time.Duration { return &r.RTTMin }).since(2),
		enum("type", "of an AF_UNIX socket", func(r *Socket) *SockType { return &r.Type }, SockType.String, ParseSockType).since(2),
		filePath("local_path", "this end of an AF_UNIX socket: a file, or @ and an abstract name", func(r *Socket) *string { return &r.Local.Path }).since(2),
		filePath("remote_path", "the other end", func(r *Socket) *string { return &r.Remote.Path }).since(2),
		number("peer_socket", "id of the socket at the other end of an AF_UNIX socket", dict, func(r *Socket) *SocketID { return &r.Peer }).since(2),
		number("peer_inode", "of its file; 0 before it is accepted", dict, func(r *Socket) *Inode { return &r.PeerInode }).since(2),
		number("peer_pid", "process that connected, listened or made the pair at the other end", dict, func(r *Socket) *PID { return &r.PeerPID }).since(2),
		number("file_refs", "of a close: references to the socket's file before it, by descriptors and calls under way: 1 is the last; 0 unknown", dict, func(r *Socket) *uint32 { return &r.FileRefs }).since(2),
	},
}

// stateColumn is Socket.NewState where it is a state: a shutdown keeps its how there.
func stateColumn() column[Socket] {
	c := enum("new_state", "TCP state after", func(r *Socket) *TCPState { return &r.NewState }, TCPState.String, ParseTCPState)
	c.get = func(rows []Socket, out []int64) {
		for i := range out {
			if out[i] = int64(rows[i].NewState); rows[i].Op == SockShutdown {
				out[i] = 0
			}
		}
	}
	return c
}

var howNames = []string{"RD", "WR", "RDWR"}

func howColumn() column[Socket] {
	c := computed("how", "which direction shutdown(2) closed: RD, WR, RDWR", ColumnEnum, dict,
		func(r *Socket) int64 {
			if r.Op != SockShutdown {
				return -1
			}
			return int64(r.NewState)
		},
		func(r *Socket, v int64) {
			if v >= 0 {
				r.NewState = TCPState(v)
			}
		}).or(-1)
	c.top = math.MaxUint8
	c.name = func(v int64) string { return nameOf(howNames, "HOW", uint8(v)) }
	c.parse = func(s string) (int64, error) {
		v, err := parseName(howNames, "HOW", s)
		return int64(v), err
	}
	return c
}

// ioRow is an IO and where its payload is.
type ioRow struct {
	IO
	ref   int64  // row of the segment's payload table; -1 none
	block uint32 // that the row is stored in
}

var ioTable = table[ioRow]{
	id:   TableIO,
	time: func(r *ioRow) KTime { return r.Time },
	cpu:  func(r *ioRow) uint16 { return r.CPU },
	cols: []column[ioRow]{
		number("time_ns", "when the call returned", delta, func(r *ioRow) *KTime { return &r.Time }),
		number("duration_ns", "of the call", delta, func(r *ioRow) *time.Duration { return &r.Duration }).or(-1),
		number("cpu", "that it ran on", dict, func(r *ioRow) *uint16 { return &r.CPU }),
		number("pid", "process", dict, func(r *ioRow) *PID { return &r.PID }),
		number("tid", "thread", dict, func(r *ioRow) *TID { return &r.TID }),
		number("fd", "file descriptor", dict, func(r *ioRow) *FD { return &r.FD }),
		number("socket", "id of the socket, unique while it lives", dict, func(r *ioRow) *SocketID { return &r.Socket }),
		number("inode", "of the socket's file", dict, func(r *ioRow) *Inode { return &r.Inode }),
		enum("call", "system call", func(r *ioRow) *Call { return &r.Call }, Call.String, ParseCall),
		enum("direction", "read: socket to process; write: process to socket", func(r *ioRow) *Direction { return &r.Dir }, Direction.String, ParseDirection),
		enum("family", "address family", func(r *ioRow) *uint8 { return &r.Family }, FamilyName, ParseFamily),
		enum("flags", "properties of the call, joined by |", func(r *ioRow) *IOFlags { return &r.Flags }, IOFlags.String, ParseIOFlags),
		enum("cut", "why fewer bytes are stored than were moved", func(r *ioRow) *Cut { return &r.Cut }, Cut.String, ParseCut),
		number("ret", "bytes moved, or minus errno", dict, func(r *ioRow) *int64 { return &r.Ret }),
		computed("seq", "sequence number of the first byte moved: TCP's, else one that the probe counts from 1 in each direction", ColumnUint32, delta,
			func(r *ioRow) int64 {
				if r.Flags&IOOffsetValid == 0 {
					return math.MinInt64
				}
				return int64(r.Seq)
			},
			func(r *ioRow, v int64) {
				if v >= 0 {
					r.Seq = Seq(v)
				}
			}).or(math.MinInt64),
		micros("srtt_us", "smoothed round trip time", func(r *ioRow) *time.Duration { return &r.SRTT }),
		micros("rttvar_us", "its variance", func(r *ioRow) *time.Duration { return &r.RTTVar }),
		number("captured_bytes", "that the kernel copied", dict, func(r *ioRow) *uint32 { return &r.Captured }),
		number("local_port", "this end", dict, func(r *ioRow) *uint16 { return &r.LPort }),
		number("remote_port", "the other end", dict, func(r *ioRow) *uint16 { return &r.RPort }),
		number("payload_ref", "ref of the payload row; NULL: no bytes", delta, func(r *ioRow) *int64 { return &r.ref }).or(-1),
		number("block", "rows of a block follow each other, and later blocks are of later times", dict, func(r *ioRow) *uint32 { return &r.block }),
		addr("remote_addr", "peer of a UDP datagram", func(r *ioRow) *netip.Addr { return &r.Remote }).since(2),
	},
}

// payloadRow is the bytes of one IO.
type payloadRow struct {
	ref  int64
	data []byte
}

var payloadTable = table[payloadRow]{
	id: TablePayload,
	cols: []column[payloadRow]{
		number("ref", "what payload_ref of the segment's rows names", delta, func(r *payloadRow) *int64 { return &r.ref }),
		{
			Column:   Column{Name: "payload", Type: ColumnBytes, Doc: "the first bytes that the call moved"},
			enc:      delta,
			getBytes: func(r *payloadRow) []byte { return r.data },
			setBytes: func(r *payloadRow, b []byte) { r.data = b },
		},
	},
}

var processTable = table[Process]{
	id:   TableProcess,
	time: func(r *Process) KTime { return r.Time },
	cols: []column[Process]{
		number("time_ns", "when it happened, or was found", delta, func(r *Process) *KTime { return &r.Time }),
		enum("op", "what happened", func(r *Process) *ProcOp { return &r.Op }, ProcOp.String, ParseProcOp),
		number("pid", "process", dict, func(r *Process) *PID { return &r.PID }),
		number("tid", "thread", dict, func(r *Process) *TID { return &r.TID }),
		number("ppid", "parent", dict, func(r *Process) *PID { return &r.PPID }),
		number("start_boot_ns", "start of the process, CLOCK_BOOTTIME: its identity together with pid", dict, func(r *Process) *uint64 { return &r.Start }),
		number("uid", "user", dict, func(r *Process) *uint32 { return &r.UID }),
		text("comm", "name of the task", func(r *Process) *string { return &r.Comm }),
		text("exe", "path of the program, as the process sees it", func(r *Process) *string { return &r.Exe }),
		{
			Column:  Column{Name: "args", Type: ColumnStrings, Doc: "command line, masked"},
			enc:     dict,
			getList: func(r *Process) []string { return r.Args },
			setList: func(r *Process, v []string) { r.Args = v },
		},
		boolean("args_cut", "the command line was longer", func(r *Process) *bool { return &r.ArgsCut }),
		number("cgroup_id", "cgroup v2 id; 0 unknown", dict, func(r *Process) *uint64 { return &r.CgroupID }),
		text("cgroup", "its path", func(r *Process) *string { return &r.Cgroup }),
		number("pid_ns", "inode of the namespace", dict, func(r *Process) *uint64 { return &r.PidNS }),
		number("mnt_ns", "inode of the namespace", dict, func(r *Process) *uint64 { return &r.MntNS }),
		number("net_ns", "inode of the namespace", dict, func(r *Process) *uint64 { return &r.NetNS }),
		computed("exit_status", "as waitpid(2) gives it, of an exit", ColumnUint32, dict,
			func(r *Process) int64 {
				if r.Op != ProcExit {
					return -1
				}
				return int64(r.ExitStatus)
			},
			func(r *Process, v int64) {
				if v >= 0 {
					r.ExitStatus = uint32(v)
				}
			}).or(-1),
		boolean("target", "it was recorded", func(r *Process) *bool { return &r.Target }),
		number("ns_pid", "its id in the innermost pid namespace, as logs in a container say", dict, func(r *Process) *PID { return &r.NSPID }).or(0).since(2),
		text("container_id", "of the container, by the path of its cgroup; empty: none", func(r *Process) *string { return &r.ContainerID }).since(2),
		text("pod_uid", "of the Kubernetes pod, by the same path; empty: none", func(r *Process) *string { return &r.PodUID }).since(2),
	},
}

var clockTable = table[Clock]{
	id:   TableClock,
	time: func(r *Clock) KTime { return r.Time },
	cols: []column[Clock]{
		number("time_ns", "CLOCK_MONOTONIC", delta, func(r *Clock) *KTime { return &r.Time }),
		number("boottime_ns", "CLOCK_BOOTTIME at that moment", delta, func(r *Clock) *int64 { return &r.Boottime }),
		number("realtime_ns", "CLOCK_REALTIME at that moment", delta, func(r *Clock) *WallTime { return &r.Realtime }),
		number("width_ns", "between the first and the last reading: the error bound", delta, func(r *Clock) *time.Duration { return &r.Width }),
	},
}

var heartbeatTable = table[Heartbeat]{
	id:   TableHeartbeat,
	time: func(r *Heartbeat) KTime { return r.Time },
	cols: []column[Heartbeat]{
		number("time_ns", "of the reading", delta, func(r *Heartbeat) *KTime { return &r.Time }),
		number("recorder_cpu_ns", "user and system time of the recorder with its helper processes", delta, func(r *Heartbeat) *time.Duration { return &r.RecorderCPU }),
		number("rss_bytes", "of the recorder with its helper processes", delta, func(r *Heartbeat) *uint64 { return &r.RSS }),
		number("journal_bytes", "appended so far", delta, func(r *Heartbeat) *uint64 { return &r.JournalBytes }),
		number("sealed_bytes", "of Parquet written so far", delta, func(r *Heartbeat) *uint64 { return &r.SealedBytes }),
		number("unsealed_bytes", "of journals not sealed yet", delta, func(r *Heartbeat) *uint64 { return &r.UnsealedBytes }),
		number("events", "records taken from the rings so far", delta, func(r *Heartbeat) *uint64 { return &r.Events }),
		number("lost_events", "records that found no room so far", delta, func(r *Heartbeat) *uint64 { return &r.LostEvents }),
		number("program_ns", "run time of the BPF programs so far", delta, func(r *Heartbeat) *time.Duration { return &r.ProgramTime }).or(-1),
		number("shed_level", "0: nothing is shed", dict, func(r *Heartbeat) *uint8 { return &r.ShedLevel }),
		number("targets", "processes recorded now", dict, func(r *Heartbeat) *uint32 { return &r.Targets }),
		number("programs_measured_ns", "time in which program_ns was measured; the rest of the capture is taken to be like it", delta,
			func(r *Heartbeat) *time.Duration { return &r.ProgramsMeasured }).since(2),
		number("shed_calls", "reads and writes that were counted instead of recorded, so far", delta, func(r *Heartbeat) *uint64 { return &r.ShedCalls }).since(2),
		number("shed_bytes", "that these moved", delta, func(r *Heartbeat) *uint64 { return &r.ShedBytes }).since(2),
		number("free_memory_bytes", "of the node, or of the recorder's cgroup if that has less; 0: unknown", delta, func(r *Heartbeat) *uint64 { return &r.FreeMemory }).since(2),
		number("free_disk_bytes", "of the reel's file system; 0: unknown", delta, func(r *Heartbeat) *uint64 { return &r.FreeDisk }).since(2),
	},
}

var ringTable = table[Ring]{
	id:   TableRing,
	time: func(r *Ring) KTime { return r.Time },
	cpu:  func(r *Ring) uint16 { return r.CPU },
	cols: []column[Ring]{
		number("time_ns", "of the reading", delta, func(r *Ring) *KTime { return &r.Time }),
		number("cpu", "whose ring it is", dict, func(r *Ring) *uint16 { return &r.CPU }),
		number("captured", "records committed so far", delta, func(r *Ring) *uint64 { return &r.Captured }),
		number("lost", "records that found no room so far", delta, func(r *Ring) *uint64 { return &r.Lost }),
		number("lost_bytes", "that those would have held", delta, func(r *Ring) *uint64 { return &r.LostBytes }),
	},
}

var hookTable = table[Hook]{
	id:   TableHook,
	time: func(r *Hook) KTime { return r.Time },
	cols: []column[Hook]{
		number("time_ns", "of the report", delta, func(r *Hook) *KTime { return &r.Time }),
		text("name", "of the hook", func(r *Hook) *string { return &r.Name }),
		text("purpose", "what is not seen without it", func(r *Hook) *string { return &r.Purpose }),
		boolean("attached", "it was", func(r *Hook) *bool { return &r.Attached }),
		text("error", "why not", func(r *Hook) *string { return &r.Error }),
		number("hits", "at the end of the capture; 0 when not counted", delta, func(r *Hook) *uint64 { return &r.Hits }),
	},
}

var triggerTable = table[Trigger]{
	id:   TableTrigger,
	time: func(r *Trigger) KTime { return r.Time },
	cols: []column[Trigger]{
		number("time_ns", "of the step", delta, func(r *Trigger) *KTime { return &r.Time }),
		enum("op", "what happened", func(r *Trigger) *TriggerOp { return &r.Op }, TriggerOp.String, ParseTriggerOp),
		number("firing", "its number in this capture; 0: the row is about none", dict, func(r *Trigger) *uint32 { return &r.Firing }),
		text("name", "of the rule", func(r *Trigger) *string { return &r.Name }),
		text("rule", "as it was understood", func(r *Trigger) *string { return &r.Rule }),
		text("metric", "what the rule looks at", func(r *Trigger) *string { return &r.Metric }),
		text("unit", "of value and limit: %, /s, ms, B; empty: a number", func(r *Trigger) *string { return &r.Unit }),
		number("value_milli", "that the metric had, in thousandths of the unit", dict, func(r *Trigger) *int64 { return &r.Value }),
		number("limit_milli", "that it was compared with, in thousandths of the unit", dict, func(r *Trigger) *int64 { return &r.Limit }),
		number("held", "periods of a second in which the condition held", dict, func(r *Trigger) *uint16 { return &r.Held }),
		number("periods", "of the last how many", dict, func(r *Trigger) *uint16 { return &r.Periods }),
		number("others", "further processes of which the condition held", dict, func(r *Trigger) *uint32 { return &r.Others }),
		number("pid", "process that it is about; 0: all that is recorded", dict, func(r *Trigger) *PID { return &r.PID }),
		number("start_boot_ns", "start of that process", dict, func(r *Trigger) *uint64 { return &r.Start }),
		text("comm", "name of that process", func(r *Trigger) *string { return &r.Comm }),
		number("socket", "connection that it is about; 0: none", dict, func(r *Trigger) *SocketID { return &r.Socket }),
		number("inode", "of the socket's file", dict, func(r *Trigger) *Inode { return &r.Inode }),
		addr("local_addr", "this end", func(r *Trigger) *netip.Addr { return &r.Local.Addr }),
		number("local_port", "this end", dict, func(r *Trigger) *uint16 { return &r.Local.Port }),
		addr("remote_addr", "the other end", func(r *Trigger) *netip.Addr { return &r.Remote.Addr }),
		number("remote_port", "the other end", dict, func(r *Trigger) *uint16 { return &r.Remote.Port }),
		text("action", "that was done or failed", func(r *Trigger) *string { return &r.Action }),
		text("detail", "what else is known", func(r *Trigger) *string { return &r.Detail }),
		number("count", "of silenced: how often", dict, func(r *Trigger) *uint64 { return &r.Count }),
	},
}

var containerTable = table[Container]{
	id:   TableContainer,
	time: func(r *Container) KTime { return r.Time },
	cols: []column[Container]{
		number("time_ns", "when it was looked up", delta, func(r *Container) *KTime { return &r.Time }),
		text("container_id", "as in the table process; empty: the row is about a pod only", func(r *Container) *string { return &r.ID }),
		text("pod_uid", "as in the table process", func(r *Container) *string { return &r.PodUID }),
		text("runtime", "docker, containerd, cri-o, podman; empty: unknown", func(r *Container) *string { return &r.Runtime }),
		text("name", "of the container; empty: unknown, or a pod's sandbox", func(r *Container) *string { return &r.Name }),
		text("pod", "name of the pod", func(r *Container) *string { return &r.Pod }),
		text("namespace", "of the pod", func(r *Container) *string { return &r.Namespace }),
		text("image", "that it was made from", func(r *Container) *string { return &r.Image }),
		text("cgroup", "path of a process of it", func(r *Container) *string { return &r.Cgroup }),
	},
}

var noteTable = table[Note]{
	id:   TableNote,
	time: func(r *Note) KTime { return r.Time },
	cols: []column[Note]{
		number("time_ns", "of the note", delta, func(r *Note) *KTime { return &r.Time }),
		text("name", "registered name", func(r *Note) *string { return &r.Name }),
		number("count", "how often, or how many", delta, func(r *Note) *uint64 { return &r.Count }),
		text("detail", "the values", func(r *Note) *string { return &r.Detail }),
	},
}
