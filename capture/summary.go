//go:build linux && (amd64 || arm64)

package capture

import (
	"syscall"
	"time"

	"github.com/ebpf-reel/reel/capture/budget"
	"github.com/ebpf-reel/reel/format"
)

// Summary is the account of a capture.
type Summary struct {
	Dir      string // the reel
	Clean    bool   // it was sealed to its end
	Reason   Reason
	Duration time.Duration

	Events    map[format.EventKind]uint64 // records taken, by kind; 0: of a kind that this version does not know
	Lost      uint64                      // records that found no room in a ring
	LostBytes uint64
	Targets   int // processes that were targets when the capture began
	Hooks     []Hook
	Notes     []Noted
	Flight    bool // nothing was sealed but these, which were asked for
	Snaps     []Snap

	// The receipt: the recorder with its helper processes.
	RecorderCPU  time.Duration // user and system, from the program's start to its end: loading and sealing included
	RunningCPU   time.Duration // of that, while it recorded
	ProgramTime  time.Duration // of the BPF programs, on all CPUs, while it recorded; -1 unknown
	Measured     time.Duration // of Duration, in which ProgramTime was measured
	MaxRSS       uint64        // bytes
	JournalBytes int64         // appended
	ReelBytes    int64         // of Parquet
	Shed         budget.Level  // the highest
	ShedCalls    uint64        // reads and writes that have no rows
	Stop         *budget.Stop  // why the budget ended the capture; nil: it did not

	// Command is how the command ended. CommandRuns: it has not.
	Command     syscall.WaitStatus
	CommandRuns bool
}

// Total is the number of records taken.
func (s *Summary) Total() (n uint64) {
	for _, count := range s.Events {
		n += count
	}
	return n
}

// Noted is a note as it stands in the reel, its counts added up.
type Noted struct {
	Name   NoteName
	Count  uint64
	Detail string // of the first
}

// Reason is why a capture ended.
type Reason string

// The reasons.
const (
	ReasonStopped  Reason = "stopped"                           // the context is done
	ReasonDuration Reason = "the duration is over"              // Config.Duration
	ReasonTargets  Reason = "all targets have ended"            // and no --comm can bring new ones
	ReasonCommand  Reason = "the command has ended"             // and what it has started, unless there are other targets
	ReasonDisk     Reason = "the reel has the size it may have" // Config.Limits.Disk
	ReasonNode     Reason = "the node is short of something"    // other limits; Summary.Stop says of what
	ReasonTrigger  Reason = "a trigger asked for it"            // its action is stop
	ReasonBroken   Reason = "the capture cannot go on"          // an error says why
)
