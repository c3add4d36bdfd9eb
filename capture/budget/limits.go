package budget

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Bytes is an amount of memory or disk.
type Bytes uint64

// String prints it with a binary unit: "1.5 GiB".
func (b Bytes) String() string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	v, unit := float64(b), 0
	for v >= 1024 && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", uint64(b))
	}
	return fmt.Sprintf("%.1f %s", v, units[unit])
}

// Share is CPU time by time: 0.2 is a fifth of one core, 2 is two cores.
type Share float64

// String prints it in percent of one core: "20 %", "20.3 %", "0.4 %".
func (s Share) String() string {
	return strconv.FormatFloat(math.Round(float64(s)*1000)/10, 'f', -1, 64) + " %"
}

// Limits are a budget. Zero is no limit.
type Limits struct {
	// Above these load is shed.
	CPU    Share // of one core: the recorder with its children, and the BPF programs as far as their time is known
	Rate   Bytes // a second, into the journal
	Memory Bytes // resident, of the recorder with its children

	// These end the capture.
	Disk          Bytes   // of the reel
	MinFreeDisk   Bytes   // on the reel's file system
	MinFreeMemory Bytes   // of the node, or of what the recorder's cgroup may have if that is less
	Load          float64 // of the last minute, per core
}

// Unlimited as a limit that was given means that there is none, where zero would mean the default.
const Unlimited = ^Bytes(0)

// Node is what the defaults depend on.
type Node struct {
	Disk   Bytes // size of the reel's file system
	Memory Bytes // of the node, or the recorder's cgroup's limit if that is less
	Rings  Bytes // of all CPUs
}

// What the defaults are made of.
const (
	mostFreeDisk    = 1 << 30   // or a twentieth of the file system, if that is less
	mostFreeMemory  = 256 << 20 // or a fiftieth of the memory, if that is less
	leastFreeMemory = 32 << 20
	ownMemory       = 384 << 20 // the recorder's and its sealer's, without rings
)

// Complete puts defaults for the limits that protect the node: those that are zero. Unlimited becomes none.
func (l Limits) Complete(n Node) Limits {
	def := func(limit *Bytes, value Bytes) {
		switch *limit {
		case 0:
			*limit = value
		case Unlimited:
			*limit = 0
		}
	}
	def(&l.MinFreeDisk, min(mostFreeDisk, n.Disk/20))
	def(&l.MinFreeMemory, max(leastFreeMemory, min(mostFreeMemory, n.Memory/50)))
	def(&l.Memory, ownMemory+n.Rings)
	for _, optional := range []*Bytes{&l.Rate, &l.Disk} {
		if *optional == Unlimited {
			*optional = 0
		}
	}
	return l
}

// Describe says in one line what the budget is.
func (l Limits) Describe(r Reading) string {
	var sheds, stops, none []string
	add := func(list *[]string, flag, text string, set bool) {
		if set {
			*list = append(*list, text)
		} else {
			none = append(none, flag)
		}
	}
	add(&sheds, "--max-cpu", fmt.Sprintf("%v of one core", l.CPU), l.CPU > 0)
	add(&sheds, "--max-rate", fmt.Sprintf("%v/s", l.Rate), l.Rate > 0)
	add(&sheds, "--max-memory", fmt.Sprintf("%v of memory", l.Memory), l.Memory > 0)
	add(&stops, "--max-disk", fmt.Sprintf("at %v of disk", l.Disk), l.Disk > 0)
	add(&stops, "--min-free-disk", fmt.Sprintf("below %v of free disk (now %v)", l.MinFreeDisk, r.FreeDisk), l.MinFreeDisk > 0)
	add(&stops, "--min-free-memory", fmt.Sprintf("below %v of free memory (now %v)", l.MinFreeMemory, r.FreeMemory), l.MinFreeMemory > 0)
	add(&stops, "--max-load", fmt.Sprintf("above a load of %.1f per core (now %.1f)", l.Load, r.Load), l.Load > 0)
	var parts []string
	if len(sheds) > 0 {
		parts = append(parts, "records less above "+strings.Join(sheds, " or "))
	}
	if len(stops) > 0 {
		parts = append(parts, "ends "+strings.Join(stops, " or "))
	}
	if len(none) > 0 {
		parts = append(parts, "no "+strings.Join(none, ", "))
	}
	return strings.Join(parts, "; ")
}

// Refusal says why a capture must not even begin; nil when it may.
func (l Limits) Refusal(r Reading) *Stop { return l.breaker(r) }

// Times of the decisions. docs/capture.md explains them to the user.
const (
	// Window is the time over which CPU and rate are held: a seal takes all it may for a moment, and that is no overload.
	Window = 10 * time.Second
	// Settle is how long a level is given to show its effect on memory, loss and sealing before the next.
	Settle = 2 * time.Second
	// RingSettle is the same for the rings, which are full within a fraction of a second.
	RingSettle = 200 * time.Millisecond
	// Hold is how long all readings must be calm before a level is taken back.
	Hold = 10 * time.Second
	// MaxHold bounds Hold, which doubles each time a level that was taken back is needed again within Trial.
	MaxHold = 5 * time.Minute
	// Trial is how long a level must have been taken back to count as recovered.
	Trial = time.Minute
)

// Marks.
const (
	calm     = 0.7  // of a limit: below it a reading is calm
	ringHigh = 0.75 // of a ring
	ringCalm = 0.25
)
