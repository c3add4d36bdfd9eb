//go:build linux && (amd64 || arm64)

package capture

import (
	"syscall"
	"time"

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

	// The receipt.
	RecorderCPU  time.Duration // user and system, from the program's start to its end: loading and sealing included
	RunningCPU   time.Duration // of that, while it recorded
	MaxRSS       uint64        // bytes
	JournalBytes int64         // appended
	ReelBytes    int64         // of Parquet

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
	ReasonStopped  Reason = "stopped"                  // the context is done
	ReasonDuration Reason = "the duration is over"     // Config.Duration
	ReasonTargets  Reason = "all targets have ended"   // and no --comm can bring new ones
	ReasonCommand  Reason = "the command has ended"    // and what it has started, unless there are other targets
	ReasonBroken   Reason = "the capture cannot go on" // an error says why
)
