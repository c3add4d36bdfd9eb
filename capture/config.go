//go:build linux && (amd64 || arm64)

package capture

import (
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/budget"
	"github.com/ebpf-reel/reel/capture/doctor"
	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/capture/trigger"
	"github.com/ebpf-reel/reel/format"
)

// DefaultSnaplen is how many bytes of each message the kernel side copies unless told otherwise.
const DefaultSnaplen = 4096

// Config says what is recorded, how, and where to. Sizes and times that are 0 take the defaults of bpf.Options and
// format.WriterConfig.
type Config struct {
	Dir string // the reel; must not exist

	// What is recorded: these processes, all that are called so, and the command that is started for it; with all their
	// descendants. At least one must be given.
	PIDs    []format.PID
	Comms   []string
	Cgroups []string // paths, as /proc/PID/cgroup or below /sys/fs/cgroup: all processes there and below, those that come too
	// Containers are beginnings of ids, names, pods, POD/NAME, NAMESPACE/POD or NAMESPACE/POD/NAME, those that are started meanwhile too.
	Containers []string
	Command    []string
	// Reexec are the arguments with which this program, run again, calls ExecHeld with what follows them: there the command is
	// held until it is a target. Needed with Command.
	Reexec []string
	// SealReexec are those with which it calls sealer.Work with what follows them, and with Filter: segments are sealed there. Empty:
	// in this process.
	SealReexec []string

	Duration time.Duration // 0: until the context is done, or nothing is left to record
	Snaplen  uint32        // bytes of each message; bpf.SnapFull: all
	Ports    []uint16      // local or remote; empty: all

	// SampleHz is how often a second each CPU is looked at for what targets run; 0: never.
	SampleHz int
	// MinBlock is how long a thread must not run for that to be recorded; shorter times are counted. 0: neither.
	MinBlock time.Duration

	// HostRoots are directories where the files of container runtimes are looked for, as below "/"; nil: those of this machine.
	HostRoots []string

	Filter   format.Filter // masks what is sealed
	TLS      TLSMode
	KeepKeys bool // the reel keeps the secrets of TLS connections, and what they open as it was sent
	// Opener replaces secrets and what they open by plaintext when the reel is finished; needed unless KeepKeys.
	Opener format.Opener
	// TLSShare is how much of one processor plaintext probes that nobody asked for (TLSAuto) may take from a process; 0: DefaultTLSShare.
	TLSShare float64
	// Deriver makes what turns master secrets into keys; nil: master secrets are dropped.
	Deriver func() format.KeyDeriver

	// Triggers are rules that are judged each second (docs/triggers.md). Heads makes what counts HTTP exchanges for them: needed
	// when a rule is about HTTP.
	Triggers []trigger.Rule
	Heads    func([]format.HeadScope) format.HeadWatcher
	// For the manifest.
	Payload     string   // the policy that Filter follows
	Tool        string   // "reel 0.1.0"
	CommandLine []string // of the recorder, masked

	// Leave, once closed, makes a capture that has ended quick: what is not sealed yet stays in journals. nil: never.
	Leave <-chan struct{}

	Limits budget.Limits // zero: the defaults of budget.Limits.Complete
	Flight *FlightConfig // keep only the last; nil: all

	RingBytes     int // of each CPU; 0: 8 MiB, and less on more than 16 CPUs, so that all take 128 MiB or 1 MiB each
	SegmentBytes  int64
	SegmentTime   time.Duration
	FlushInterval time.Duration

	Privileges Privileges // what this process keeps of its own

	// OnReady is called once when everything is attached, before a Command runs; OnProgress each second. Both may be nil.
	OnReady    func(Ready)
	OnProgress func(Progress)
	// OnFiring is called when a trigger rule fires, OnAction for each of its actions once it was done or failed. Both may be nil.
	OnFiring func(Firing)
	OnAction func(ActionDone)
}

// Ready says what a capture that has begun records.
type Ready struct {
	Dir string
	// Snap keeps what the ring holds, of a flight recorder; nil of any other capture. See SnapRequest.
	Snap    func(SnapRequest) (Snap, error)
	Targets []Target // with their descendants, in order of their pids
	Refused []Hook   // what could not be attached
	Budget  string   // the limits, in one line
}

// Target is a process that is recorded.
type Target struct {
	PID  format.PID // in the pid namespace of this process
	Comm string
}

// Hook is a kernel hook and how it went.
type Hook struct {
	Name    string
	Purpose string // what is not seen without it
	Err     error  // nil: attached
}

// Progress is the state of a capture now. Counters are totals.
type Progress struct {
	Elapsed time.Duration
	Events  uint64
	Lost    uint64
	Bytes   int64 // of journal
	Targets int
	Shed    budget.Level // what is left out now
}

func (c *Config) check() error {
	switch {
	case len(c.PIDs)+len(c.Comms)+len(c.Cgroups)+len(c.Containers)+len(c.Command) == 0:
		return &UsageError{"nothing to record: choose processes with -p PID, --comm NAME, --container NAME, --cgroup PATH, or a command after --"}
	case c.Dir == "":
		return &UsageError{"the name of the reel is empty: give one with -w NAME.reel"}
	case c.Filter == nil:
		return &UsageError{"capture: Config.Filter is missing"}
	case len(c.Command) > 0 && len(c.Reexec) == 0:
		return &UsageError{"capture: Config.Reexec is missing"}
	case c.Duration < 0:
		return &UsageError{fmt.Sprintf("a capture of %v is not possible: the duration is positive, or 0 for no limit", c.Duration)}
	case c.RingBytes != 0 && (c.RingBytes < os.Getpagesize() || c.RingBytes > 1<<30 || bits.OnesCount(uint(c.RingBytes)) != 1):
		return &UsageError{fmt.Sprintf("rings of %d bytes are not possible: the size is a power of two from %d to %d", c.RingBytes, os.Getpagesize(), 1<<30)}
	case c.SegmentBytes != 0 && (c.SegmentBytes < minSegmentBytes || c.SegmentBytes > 1<<30):
		return &UsageError{fmt.Sprintf("segments of %d bytes are not possible: 64 KiB to 1 GiB are", c.SegmentBytes)}
	case c.SegmentTime != 0 && c.SegmentTime < 100*time.Millisecond:
		return &UsageError{fmt.Sprintf("segments of %v are not possible: 100ms is the least", c.SegmentTime)}
	case c.FlushInterval != 0 && c.FlushInterval < 10*time.Millisecond:
		return &UsageError{fmt.Sprintf("a flush each %v is not possible: 10ms is the least", c.FlushInterval)}
	case c.Limits.CPU < 0 || c.Limits.Load < 0:
		return &UsageError{"a negative limit is not possible: 0 is none"}
	case c.Flight != nil && c.Flight.Bytes != 0 && c.Flight.Bytes < format.MinFlightBytes:
		return &UsageError{fmt.Sprintf("a ring of %d bytes is not possible: 4 MiB is the least", c.Flight.Bytes)}
	case c.Flight != nil && c.Flight.Time != 0 && c.Flight.Time < time.Second:
		return &UsageError{fmt.Sprintf("a ring of %v is not possible: 1s is the least", c.Flight.Time)}
	case c.Flight != nil && (c.SegmentBytes != 0 || c.SegmentTime != 0):
		return &UsageError{"a flight recorder seals no segments: leave out --segment-bytes and --segment-time"}
	case c.SampleHz < 0 || c.SampleHz > maxSampleHz:
		return &UsageError{fmt.Sprintf("%d samples a second are not possible: 1 to %d are", c.SampleHz, maxSampleHz)}
	case c.MinBlock < 0:
		return &UsageError{"a block of negative length is not possible: --min-block takes 1us and more"}
	case slices.Contains(c.PIDs, 0):
		return &UsageError{"0 is no process id: -p takes ids as ps shows them"}
	case slices.Contains(c.Comms, ""):
		return &UsageError{"--comm needs a name: ps -eo comm shows them"}
	case slices.Contains(c.Containers, ""):
		return &UsageError{"--container needs the beginning of an id, a name, or NAMESPACE/POD"}
	case slices.ContainsFunc(c.Cgroups, func(path string) bool { return cgroupPath(path) == "/" }):
		return &UsageError{"--cgroup needs the path of a cgroup below the root, which holds everything"}
	case slices.Contains(c.Ports, 0):
		return &UsageError{"0 is no port: --port takes 1 to 65535"}
	}
	return c.checkTriggers()
}

// maxSampleHz is what the kernel allows by default (kernel.perf_event_max_sample_rate, less as it costs more).
const maxSampleHz = 10_000

// Memory of all rings, unless their size is given: on a node of many CPUs each has less to take.
const (
	ringsBytes   = 128 << 20
	minRingBytes = 1 << 20
)

// ringBytes is the size of each CPU's ring.
func (c *Config) ringBytes(cpus int) int {
	if c.RingBytes != 0 {
		return c.RingBytes
	}
	n := bpf.DefaultRingBytes
	for n > minRingBytes && n*cpus > ringsBytes {
		n /= 2
	}
	return n
}

func (c *Config) hostRoots() []string {
	if c.HostRoots != nil {
		return c.HostRoots
	}
	return hostRoots()
}

// DoctorOptions is what a doctor has to know of this capture.
func (c *Config) DoctorOptions() doctor.Options {
	cpus := procfs.New().CPUs()
	return doctor.Options{Dir: c.Dir, RingBytes: c.ringBytes(cpus), CPUs: cpus}
}

func (c *Config) bpfOptions(salt uint64, cpus int) bpf.Options {
	return bpf.Options{WatchCgroups: len(c.Cgroups)+len(c.Containers) > 0, Snaplen: c.Snaplen, RingBytes: c.ringBytes(cpus), Ports: c.Ports, Transfer: c.transfer(), Salt: salt, SampleHz: uint32(c.SampleHz), MinBlock: c.MinBlock}
}

// A reel of bounded size is sealed in small pieces: what is not sealed takes many times as much, and the bound is on both.
const (
	segmentsOfDisk  = 8
	minSegmentBytes = 64 << 10
	segmentBytes    = 32 << 20
)

// segment is the size of a segment, in bytes of journal.
func (c *Config) segment() int64 {
	switch disk := int64(min(c.Limits.Disk, 1<<62)); {
	case c.SegmentBytes != 0:
		return c.SegmentBytes
	case disk != 0:
		return max(minSegmentBytes, min(segmentBytes, disk/segmentsOfDisk))
	}
	return segmentBytes
}

func (c *Config) writerConfig() format.WriterConfig {
	return format.WriterConfig{SegmentBytes: c.segment(), SegmentTime: c.SegmentTime, FlushInterval: c.FlushInterval, Filter: c.Filter, Opener: c.opener()}
}

func (c *Config) flightConfig() format.FlightConfig {
	return format.FlightConfig{Bytes: c.Flight.Bytes, Time: c.Flight.Time, FlushInterval: c.FlushInterval, Filter: c.Filter, Opener: c.opener()}
}

// opener is what finishes a reel; nil: keys stay.
func (c *Config) opener() format.Opener {
	if c.KeepKeys {
		return nil
	}
	return c.Opener
}

// targetNames says for the manifest how processes were chosen.
func (c *Config) targetNames() []string {
	var names []string
	for _, pid := range c.PIDs {
		names = append(names, fmt.Sprintf("pid %d", pid))
	}
	for _, comm := range c.Comms {
		names = append(names, "comm "+comm)
	}
	for _, path := range c.Cgroups {
		names = append(names, "cgroup "+path)
	}
	for _, word := range c.Containers {
		names = append(names, "container "+word)
	}
	if len(c.Command) > 0 {
		names = append(names, "command "+filepath.Base(c.Command[0]))
	}
	return names
}

// DefaultDir is the name of a reel that was given none: what is recorded, and when.
func DefaultDir(c *Config, now time.Time) string {
	name := ""
	switch {
	case len(c.Command) > 0:
		name = filepath.Base(c.Command[0])
	case len(c.Comms) > 0:
		name = c.Comms[0]
	case len(c.Containers) > 0:
		name = c.Containers[0]
	case len(c.Cgroups) > 0:
		name = filepath.Base(c.Cgroups[0])
	case len(c.PIDs) > 0:
		name, _ = procfs.New().Comm(c.PIDs[0]) // one that does not exist is refused later
	}
	name = strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r) {
			return r
		}
		return '-'
	}, name), "-.")
	if name == "" {
		name = "capture"
	}
	if c.Flight != nil {
		return name + ".flight"
	}
	return name + now.Format("-20060102-150405") + ".reel"
}
