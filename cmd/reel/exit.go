package main

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/ebpf-reel/reel/format"
)

// exitCode is what the command tells its caller (DESIGN D16).
type exitCode int

// The exit codes. docs/cli.md describes them.
const (
	exitDone         exitCode = 0
	exitVerdict      exitCode = 1 // a check or a comparison failed
	exitInput        exitCode = 2 // usage, or an input that cannot be used
	exitInconclusive exitCode = 3 // not comparable, or too little data
	exitLoss         exitCode = 4 // finished, but with data loss, and --strict was given
	exitEnvironment  exitCode = 5 // privilege, kernel, disk, network
)

// codedError is an error whose exit code the command knows.
type codedError struct {
	code exitCode
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// withCode gives err its exit code; nil stays nil.
func withCode(code exitCode, err error) error {
	if err == nil {
		return nil
	}
	return &codedError{code, err}
}

// usageError is a command line that does not make sense.
type usageError struct{ sentence string }

func (e *usageError) Error() string { return e.sentence }

// codeOf maps an error to the exit code. Errors without a code are about the input: what the environment refuses comes
// as a typed error or as an error number of the system.
func codeOf(err error) exitCode {
	var coded *codedError
	var full *format.DiskFullError
	var errno syscall.Errno
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &full):
		return exitEnvironment
	case errors.Is(err, format.ErrNotReel), errors.Is(err, format.ErrCorrupt):
		return exitInput
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTDIR):
		return exitInput
	case errors.As(err, &errno):
		return exitEnvironment
	}
	return exitInput
}
