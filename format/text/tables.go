package text

import (
	"time"

	"github.com/ebpf-reel/reel/format"
)

// table is one kind of row in the text form.
type table struct {
	id      format.TableID
	name    string
	about   string
	fresh   func() format.Row
	clear   func(format.Row) format.Row // makes a row of fresh zero again
	time    func(format.Row) *format.KTime
	columns []column
	finish  func(row format.Row, given func(key string) *token) error // after all columns; nil: nothing to do
}

// newTable ties columns to the row type R.
func newTable[R any, P interface {
	*R
	format.Row
}](id format.TableID, name, about string, at func(*R) *format.KTime, columns []column) table {
	return table{
		id: id, name: name, about: about, columns: columns,
		fresh: func() format.Row { return P(new(R)) },
		clear: func(row format.Row) format.Row {
			*row.(P) = *new(R)
			return row
		},
		time: func(row format.Row) *format.KTime { return at(row.(P)) },
	}
}

func (t table) finishedBy(finish func(format.Row, func(string) *token) error) table {
	t.finish = finish
	return t
}

// tables is the one specification of the text form of rows: writer, parser, README and tests follow it. It is
// append-only: columns keep name and meaning, new ones have a default, so that old texts stay readable.
var tables = []table{
	newTable(format.TableSocket, "socket", "one event in the life of a socket",
		func(r *format.Socket) *format.KTime { return &r.Time }, socketColumns),
	newTable(format.TableIO, "io", "one read or write call on a socket, with its bytes",
		func(r *format.IO) *format.KTime { return &r.Time }, ioColumns).finishedBy(finishIO),
	newTable(format.TableProcess, "process", "one event in the life of a process",
		func(r *format.Process) *format.KTime { return &r.Time }, processColumns),
	newTable(format.TableClock, "clock", "one reading of the node's clocks",
		func(r *format.Clock) *format.KTime { return &r.Time }, clockColumns),
	newTable(format.TableHeartbeat, "heartbeat", "the recorder's own receipt; totals since the start",
		func(r *format.Heartbeat) *format.KTime { return &r.Time }, heartbeatColumns),
	newTable(format.TableRing, "ring", "the loss account of one CPU's ring; totals since the start",
		func(r *format.Ring) *format.KTime { return &r.Time }, ringColumns),
	newTable(format.TableHook, "hook", "one kernel hook: attached, or why not",
		func(r *format.Hook) *format.KTime { return &r.Time }, hookColumns),
	newTable(format.TableNote, "note", "what the recorder says about the recording",
		func(r *format.Note) *format.KTime { return &r.Time }, noteColumns),
	newTable(format.TableTrigger, "trigger", "a step in the life of a trigger rule",
		func(r *format.Trigger) *format.KTime { return &r.Time }, triggerColumns),
	newTable(format.TableTCP, "tcp", "what TCP did on a socket: sent a segment again, dropped one, reset, or met a closed window",
		func(r *format.TCP) *format.KTime { return &r.Time }, tcpColumns),
	newTable(format.TableTLSKey, "tls_key", "a secret of a TLS connection",
		func(r *format.TLSKey) *format.KTime { return &r.Time }, tlsKeyColumns),
	newTable(format.TableProbe, "probe", "probes on a file that a process maps, or why there are none",
		func(r *format.Probe) *format.KTime { return &r.Time }, probeColumns),
	newTable(format.TableOnCPU, "oncpu", "one sample of a thread that was running",
		func(r *format.OnCPU) *format.KTime { return &r.Time }, onCPUColumns),
	newTable(format.TableOffCPU, "offcpu", "a time in which a thread did not run",
		func(r *format.OffCPU) *format.KTime { return &r.Time }, offCPUColumns),
	newTable(format.TableOffCPUTotal, "offcpu_total", "all such times of a thread, since the start",
		func(r *format.OffCPUTotal) *format.KTime { return &r.Time }, offCPUTotalColumns),
	newTable(format.TableStack, "stack", "one frame of stacks, with the frame that called it",
		func(r *format.Stack) *format.KTime { return &r.Time }, stackColumns),
	newTable(format.TableModule, "module", "what code is from: a file, the kernel",
		func(r *format.Module) *format.KTime { return &r.Time }, moduleColumns),
	newTable(format.TableMapping, "mapping", "where a module lies in the memory of a process",
		func(r *format.Mapping) *format.KTime { return &r.Time }, mappingColumns),
	newTable(format.TableSymbol, "symbol", "a function that frames lie in",
		func(r *format.Symbol) *format.KTime { return &r.Time }, symbolColumns),
	newTable(format.TableTLS, "tls", "plaintext that one call of a TLS library moved",
		func(r *format.TLS) *format.KTime { return &r.Time }, tlsColumns),
	newTable(format.TableContainer, "container", "what the container runtime says of a container",
		func(r *format.Container) *format.KTime { return &r.Time }, containerColumns),
}

var containerColumns = []column{
	quoted("id", func(r *format.Container) *string { return &r.ID }),
	quoted("pod_uid", func(r *format.Container) *string { return &r.PodUID }),
	quoted("runtime", func(r *format.Container) *string { return &r.Runtime }),
	quoted("name", func(r *format.Container) *string { return &r.Name }),
	quoted("pod", func(r *format.Container) *string { return &r.Pod }),
	quoted("namespace", func(r *format.Container) *string { return &r.Namespace }),
	quoted("image", func(r *format.Container) *string { return &r.Image }),
	quoted("cgroup", func(r *format.Container) *string { return &r.Cgroup }),
}

// reserved are names that a connection cannot have: they are statements, or tables that DESIGN §3 plans.
var reserved = []string{magic, "info", "problem", "conn", "step", "lost", "payload", "tls", "tls_key", "tcp", "oncpu", "offcpu",
	"stack", "symbol", "module", "mapping"}

var clockColumns = []column{
	seconds("boottime", func(r *format.Clock) *int64 { return &r.Boottime }),
	wall("realtime", func(r *format.Clock) *format.WallTime { return &r.Realtime }),
	duration("width", func(r *format.Clock) *time.Duration { return &r.Width }),
}

var ringColumns = []column{
	number("cpu", func(r *format.Ring) *uint16 { return &r.CPU }),
	number("captured", func(r *format.Ring) *uint64 { return &r.Captured }),
	number("lost", func(r *format.Ring) *uint64 { return &r.Lost }),
	number("lost_bytes", func(r *format.Ring) *uint64 { return &r.LostBytes }),
}

var hookColumns = []column{
	quoted("name", func(r *format.Hook) *string { return &r.Name }),
	mark("attached", func(r *format.Hook) *bool { return &r.Attached }),
	quoted("purpose", func(r *format.Hook) *string { return &r.Purpose }),
	quoted("error", func(r *format.Hook) *string { return &r.Error }),
	number("hits", func(r *format.Hook) *uint64 { return &r.Hits }),
}

var noteColumns = []column{
	quoted("name", func(r *format.Note) *string { return &r.Name }),
	number("count", func(r *format.Note) *uint64 { return &r.Count }),
	quoted("detail", func(r *format.Note) *string { return &r.Detail }),
}

var triggerColumns = []column{
	required(word(named("op", "a step: armed, fired, acted, failed or silenced", format.ParseTriggerOp,
		func(r *format.Trigger) *format.TriggerOp { return &r.Op }), format.ParseTriggerOp)),
	number("firing", func(r *format.Trigger) *uint32 { return &r.Firing }),
	quoted("name", func(r *format.Trigger) *string { return &r.Name }),
	quoted("rule", func(r *format.Trigger) *string { return &r.Rule }),
	quoted("metric", func(r *format.Trigger) *string { return &r.Metric }),
	quoted("unit", func(r *format.Trigger) *string { return &r.Unit }),
	integer("value_milli", func(r *format.Trigger) *int64 { return &r.Value }),
	integer("limit_milli", func(r *format.Trigger) *int64 { return &r.Limit }),
	number("held", func(r *format.Trigger) *uint16 { return &r.Held }),
	number("periods", func(r *format.Trigger) *uint16 { return &r.Periods }),
	number("others", func(r *format.Trigger) *uint32 { return &r.Others }),
	number("pid", func(r *format.Trigger) *format.PID { return &r.PID }),
	unsignedSeconds("start", func(r *format.Trigger) *uint64 { return &r.Start }),
	quoted("comm", func(r *format.Trigger) *string { return &r.Comm }),
	hexNumber("sock", func(r *format.Trigger) *format.SocketID { return &r.Socket }),
	number("inode", func(r *format.Trigger) *format.Inode { return &r.Inode }),
	endpoint("local", func(r *format.Trigger) *format.Endpoint { return &r.Local }),
	endpoint("remote", func(r *format.Trigger) *format.Endpoint { return &r.Remote }),
	quoted("action", func(r *format.Trigger) *string { return &r.Action }),
	quoted("detail", func(r *format.Trigger) *string { return &r.Detail }),
	number("count", func(r *format.Trigger) *uint64 { return &r.Count }),
}

var heartbeatColumns = []column{
	duration("recorder_cpu", func(r *format.Heartbeat) *time.Duration { return &r.RecorderCPU }),
	number("rss", func(r *format.Heartbeat) *uint64 { return &r.RSS }),
	number("journal", func(r *format.Heartbeat) *uint64 { return &r.JournalBytes }),
	number("sealed", func(r *format.Heartbeat) *uint64 { return &r.SealedBytes }),
	number("unsealed", func(r *format.Heartbeat) *uint64 { return &r.UnsealedBytes }),
	number("events", func(r *format.Heartbeat) *uint64 { return &r.Events }),
	number("lost", func(r *format.Heartbeat) *uint64 { return &r.LostEvents }),
	duration("programs", func(r *format.Heartbeat) *time.Duration { return &r.ProgramTime }),
	number("shed", func(r *format.Heartbeat) *uint8 { return &r.ShedLevel }),
	number("targets", func(r *format.Heartbeat) *uint32 { return &r.Targets }),
	duration("programs_measured", func(r *format.Heartbeat) *time.Duration { return &r.ProgramsMeasured }),
	number("shed_calls", func(r *format.Heartbeat) *uint64 { return &r.ShedCalls }),
	number("shed_bytes", func(r *format.Heartbeat) *uint64 { return &r.ShedBytes }),
	number("free_memory", func(r *format.Heartbeat) *uint64 { return &r.FreeMemory }),
	number("free_disk", func(r *format.Heartbeat) *uint64 { return &r.FreeDisk }),
}

var processColumns = []column{
	required(word(named("op", "an operation: fork, exec, exit, snapshot or rename", format.ParseProcOp,
		func(r *format.Process) *format.ProcOp { return &r.Op }), format.ParseProcOp)),
	number("pid", func(r *format.Process) *format.PID { return &r.PID }),
	withDefault(number("tid", processTID), processTID, "pid", func(r *format.Process) format.TID { return format.TID(r.PID) }),
	number("ppid", func(r *format.Process) *format.PID { return &r.PPID }),
	unsignedSeconds("start", func(r *format.Process) *uint64 { return &r.Start }),
	number("uid", func(r *format.Process) *uint32 { return &r.UID }),
	quoted("comm", func(r *format.Process) *string { return &r.Comm }),
	quoted("exe", func(r *format.Process) *string { return &r.Exe }),
	list("args", func(r *format.Process) *[]string { return &r.Args }),
	mark("args_cut", func(r *format.Process) *bool { return &r.ArgsCut }),
	number("cgroup_id", func(r *format.Process) *uint64 { return &r.CgroupID }),
	quoted("cgroup", func(r *format.Process) *string { return &r.Cgroup }),
	number("pidns", func(r *format.Process) *uint64 { return &r.PidNS }),
	number("mntns", func(r *format.Process) *uint64 { return &r.MntNS }),
	number("netns", func(r *format.Process) *uint64 { return &r.NetNS }),
	number("status", func(r *format.Process) *uint32 { return &r.ExitStatus }),
	mark("target", func(r *format.Process) *bool { return &r.Target }),
	number("nspid", func(r *format.Process) *format.PID { return &r.NSPID }),
	quoted("container", func(r *format.Process) *string { return &r.ContainerID }),
	quoted("pod", func(r *format.Process) *string { return &r.PodUID }),
}

func processTID(r *format.Process) *format.TID { return &r.TID }

// tableByName returns the specification of a table, nil when there is none of that name.
func tableByName(name string) *table {
	for i := range tables {
		if tables[i].name == name {
			return &tables[i]
		}
	}
	return nil
}

// Tables returns the names of the tables that the text form has, in the order of their numbers.
func Tables() []string {
	names := make([]string, len(tables))
	for i := range tables {
		names[i] = tables[i].name
	}
	return names
}

// TableByName returns the table of a name that Tables gives.
func TableByName(name string) (id format.TableID, ok bool) {
	if t := tableByName(name); t != nil {
		return t.id, true
	}
	return 0, false
}

func tableByID(id format.TableID) *table {
	for i := range tables {
		if tables[i].id == id {
			return &tables[i]
		}
	}
	return nil
}
