//go:build linux && (amd64 || arm64)

package capture

import (
	"io"
	"time"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/gauge"
	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/format"
)

// These are the ways in which capture touches the world. The real ones are bpf.Objects, format.Writer, procfs.FS and
// systemClock; fakes stand in for faults only (faults_test.go).

// Kernel is the kernel side: *bpf.Objects. Drain, Wait and Close are never called at the same time.
type Kernel interface {
	Attach() []bpf.HookResult
	AddTarget(pid uint32) error
	RemoveTarget(pid uint32) error
	Targets() ([]uint32, error)
	SetTies(bpf.Ties) error
	WatchCost(pid uint32, on bool) error
	ForgetCost(pid uint32) error
	Cost(pid uint32) (bpf.PlaintextCost, error)
	AttachUprobes(path string, pid uint32, probes []bpf.Uprobe) (io.Closer, error)
	WatchCgroup(id uint64, hierarchy uint32) error
	Snapshot(fn func(ev []byte)) error
	Wait(timeout time.Duration) error
	Drain(fn func(ev []byte) error) (int, error)
	Loss() ([]bpf.CPULoss, error)
	Counters() (bpf.Counters, error)
	Unseen() ([]bpf.Unseen, error)
	CountRunTime() (io.Closer, error)
	RunTime() (time.Duration, error)
	Fill() float64
	BlockTotals() ([]bpf.BlockTotal, error)
	Away() ([]bpf.Away, error)
	Beside() int
	SetSnaplen(bytes uint32) error
	SetShed(level bpf.ShedLevel) error
	Close() error
}

// Sink is where the recording goes: *format.Writer. Its methods may be called at the same time.
type Sink interface {
	AppendEvent(ev []byte) error
	AppendRow(row format.Row) error
	Flush() error
	Stats() format.WriterStats
	Helpers() []format.PID
	Abandon(why string)
	Close() error
}

// Clock is the time of the node.
type Clock interface {
	// Now is CLOCK_MONOTONIC, as in the events of the kernel.
	Now() format.KTime
	// Read reads all clocks as close together as it can.
	Read() (format.Clock, error)
	// Tick calls for something to be done at each interval, until stop.
	Tick(interval time.Duration) (ticks <-chan time.Time, stop func())
}

// Proc is the process table of the node: procfs.FS, or procfs.Inside in a pid namespace of its own. Processes have the ids of the
// initial pid namespace.
type Proc interface {
	// Named returns the process that has an id in the pid namespace of this process; errors.Is(err, fs.ErrNotExist): none has.
	Named(seen format.PID) (format.PID, error)
	// Seen returns the id that a process has there, and in the paths of /proc; 0: none.
	Seen(pid format.PID) format.PID
	PIDs() ([]format.PID, error)
	Stat(pid format.PID) (procfs.Stat, error)
	Comm(pid format.PID) (string, error)
	// Leader returns the process of a thread, both as the pid namespace of this process has them.
	Leader(tid format.PID) (format.PID, error)
	Describe(pid format.PID) (format.Process, error)
	Cgroups(pid format.PID) ([]procfs.Membership, error)
	CPUs() int
	Load() (int64, error)
	OwnPIDNamespace() (uint64, error)
}

// Gauges are readings of this process and of the node: *gauge.Gauges.
type Gauges interface {
	// Usage is what this process takes, with those that work for it.
	Usage(helpers []format.PID) (gauge.Usage, error)
	// Memory is what may still be had, and all that there is, in bytes.
	Memory() (free, total uint64, err error)
	// Disk is the same for the file system of a path.
	Disk(path string) (free, size uint64, err error)
	// Load is that of the last minute, for each CPU.
	Load() (float64, error)
}

// ports is the world that one recording runs in.
type ports struct {
	load   func(bpf.Options) (Kernel, error)
	create func(dir string, info format.CaptureInfo, cfg format.WriterConfig) (Sink, error)
	ring   func(dir string, info format.CaptureInfo, cfg format.FlightConfig) (*format.FlightRecorder, error)
	clock  Clock
	proc   Proc
	gauges Gauges
}

// realPorts is this machine.
func realPorts() ports {
	return ports{
		load: func(o bpf.Options) (Kernel, error) {
			objects, err := bpf.Load(o)
			if err != nil {
				return nil, err // not a Kernel that holds a nil *bpf.Objects
			}
			return objects, nil
		},
		create: func(dir string, info format.CaptureInfo, cfg format.WriterConfig) (Sink, error) {
			w, err := format.Create(dir, info, cfg)
			if err != nil {
				return nil, err
			}
			return w, nil
		},
		clock:  systemClock{},
		proc:   procfs.New(),
		gauges: gauge.New(),
		ring:   format.CreateFlight,
	}
}
