//go:build linux && (amd64 || arm64)

package sealer

import (
	"errors"
	"syscall"

	"github.com/ebpf-reel/reel/format"
)

// The recorder asks and the worker answers in lines of JSON, over the worker's standard input and output. A request is answered by
// any number of lines with Progress, then one with a segment or an error. The end of the requests ends the worker.

// request asks for a journal to be sealed.
type request struct {
	Journal int `json:"journal"`
}

// answer is a line of the worker.
type answer struct {
	Ready    bool            `json:"ready,omitempty"`    // the first line: its priority is set
	Progress bool            `json:"progress,omitempty"` // a block of rows was written
	Segment  *format.Segment `json:"segment,omitempty"`
	Failed   *failure        `json:"failed,omitempty"`
}

// failure is an error of sealing, of which the recorder has to know the kind.
type failure struct {
	Message string        `json:"message"`
	Full    string        `json:"full,omitempty"` // the file that found no space
	Errno   syscall.Errno `json:"errno,omitempty"`
}

func failureOf(err error) *failure {
	f := &failure{Message: err.Error()}
	_ = errors.As(err, &f.Errno)
	if full := (*format.DiskFullError)(nil); errors.As(err, &full) {
		f.Full = full.File
	}
	return f
}

func (f *failure) err() error {
	switch {
	case f.Full != "":
		return &format.DiskFullError{File: f.Full, Err: f.Errno}
	case f.Errno != 0:
		return &sealError{f.Message, f.Errno}
	}
	return errors.New(f.Message)
}

// sealError is an error that the worker met.
type sealError struct {
	message string
	errno   syscall.Errno
}

func (e *sealError) Error() string { return e.message }

func (e *sealError) Unwrap() error { return e.errno }
