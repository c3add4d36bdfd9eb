package format

import (
	"errors"
	"fmt"
)

// ErrNotReel means that a path is no reel: no directory, or one without a manifest.
var ErrNotReel = errors.New("not a reel")

// ErrCorrupt is what errors.Is finds in every *CorruptError.
var ErrCorrupt = errors.New("corrupt reel")

// TooNewError means that a reel was written by a newer version of reel than this one.
type TooNewError struct {
	Found, Supported int // schema versions
}

func (e *TooNewError) Error() string {
	return fmt.Sprintf("the reel has schema version %d, this reel reads up to %d: use a newer reel to read it", e.Found, e.Supported)
}

// CorruptError says where a reel is damaged.
type CorruptError struct {
	File    string // within the reel: "segment-000003/io.parquet"
	Segment int    // 0: not in a segment
	Offset  int64  // in the file, bytes; -1 unknown
	Err     error  // what is wrong there
}

func (e *CorruptError) Error() string {
	if e.File == manifestName && e.Segment == 0 {
		if e.Offset < 0 {
			return fmt.Sprintf("%s is corrupt: %v (reel recover rebuilds it of the other files)", e.File, e.Err)
		}
		return fmt.Sprintf("%s is corrupt at byte %d: %v (reel recover rebuilds it of the other files)", e.File, e.Offset, e.Err)
	}
	if e.Offset < 0 {
		return fmt.Sprintf("%s is corrupt: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s is corrupt at byte %d: %v", e.File, e.Offset, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrCorrupt) hold.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// UnsealedError means that a Writer was told to leave its last journals as they are.
type UnsealedError struct {
	Journals int
	Why      string // what Writer.Abandon was given
}

func (e *UnsealedError) Error() string { return unsealedText(e.Journals, e.Why) }

func unsealedText(journals int, why string) string {
	if journals == 1 {
		return "1 journal is not sealed: " + why
	}
	return fmt.Sprintf("%d journals are not sealed: %s", journals, why)
}

// DiskFullError means that a reel could not grow: no space, or the quota is used up. What was sealed stays whole.
type DiskFullError struct {
	File string // within the reel
	Err  error  // ENOSPC, EDQUOT or EFBIG
}

func (e *DiskFullError) Error() string {
	return fmt.Sprintf("no space left to write %s: free some, or write the reel (-w) to another disk", e.File)
}

func (e *DiskFullError) Unwrap() error { return e.Err }

// ExistsError means that Create found something at the path.
type ExistsError struct{ Dir string }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("%s exists already: choose another name, or remove it first", e.Dir)
}

// LockedError means that another process writes the reel right now.
type LockedError struct{ Dir string }

func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is being written right now: wait until its recorder has ended, or end it", e.Dir)
}

// RowError means that a row cannot be stored: a value is out of range or too long.
type RowError struct {
	Table  TableID
	Column string
	Err    error
}

func (e *RowError) Error() string {
	return fmt.Sprintf("%s row cannot be stored: column %s: %v", e.Table, e.Column, e.Err)
}

func (e *RowError) Unwrap() error { return e.Err }
