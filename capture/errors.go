//go:build linux && (amd64 || arm64)

package capture

import (
	"errors"
	"fmt"

	"github.com/ebpf-reel/reel/format"
)

// UsageError means that a Config asks for what makes no sense.
type UsageError struct{ Sentence string }

func (e *UsageError) Error() string { return e.Sentence }

// TargetError means that what was to be recorded is not there, or cannot be recorded.
type TargetError struct {
	Target string // "process 4711", "--comm nginx"
	Why    string // "does not exist"
	Do     string // what the user can do about it
}

func (e *TargetError) Error() string { return fmt.Sprintf("%s %s: %s", e.Target, e.Why, e.Do) }

// RefusedError means that this machine, or this user on it, cannot record.
type RefusedError struct {
	Why string
	Do  string // what the user can do about it
	Err error  // of the kernel; may be nil
}

func (e *RefusedError) Error() string { return e.Why + ": " + e.Do }

func (e *RefusedError) Unwrap() error { return e.Err }

// NodeError means that a capture ended before its time because the node was short of something. Its reel is whole.
type NodeError struct {
	Dir string // the reel
	Why string
}

func (e *NodeError) Error() string {
	return fmt.Sprintf("%s: the capture ended before its time, the reel %s is whole until then", e.Why, e.Dir)
}

// BrokenError means that a capture ended because it could not go on. What it had recorded until then is in the reel.
type BrokenError struct {
	Dir string // the reel
	Err error
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("%v (the capture ended early; what was recorded until then is in %s)", e.Err, e.Dir)
}

func (e *BrokenError) Unwrap() error { return e.Err }

// SnapError means that a snap is refused.
type SnapError struct{ Sentence string }

func (e *SnapError) Error() string { return e.Sentence }

// SnapFailedError means that this machine could not make a snap. Nothing is left of it.
type SnapFailedError struct {
	Err  error
	Told string // by the recorder that was asked, instead of Err
}

func (e *SnapFailedError) Error() string {
	if e.Told != "" {
		return e.Told
	}
	if full := (*format.DiskFullError)(nil); errors.As(e.Err, &full) {
		return fmt.Sprintf("no space left for the snap (%s): free some, or make it on another disk (-o)", full.File)
	}
	return "the snap was not made: " + e.Err.Error()
}

func (e *SnapFailedError) Unwrap() error { return e.Err }

// SnapBrokenError means that a snap ended early. What it has is in Dir.
type SnapBrokenError struct {
	Dir string // the snap
	Err error
}

func (e *SnapBrokenError) Error() string {
	return fmt.Sprintf("%v (the snap %s is not sealed to its end: reel recover makes a clean reel of what it has)", e.Err, e.Dir)
}

func (e *SnapBrokenError) Unwrap() error { return e.Err }
