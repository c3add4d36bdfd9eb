package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/format/text"
)

func TestErrorsHaveTheirExitCodes(t *testing.T) {
	_, missing := os.Open("there is no such file")
	for _, test := range []struct {
		err  error
		want exitCode
	}{
		{nil, exitDone},
		{withCode(exitVerdict, nil), exitDone},
		{withCode(exitVerdict, errors.New("slower")), exitVerdict},
		{fmt.Errorf("while comparing: %w", withCode(exitInconclusive, errors.New("too few"))), exitInconclusive},
		{withCode(exitLoss, errors.New("lost")), exitLoss},
		{&usageError{"no"}, exitInput},
		{&existsError{"x"}, exitInput},
		{fmt.Errorf("x: %w", format.ErrNotReel), exitInput},
		{&format.TooNewError{Found: 9, Supported: 1}, exitInput},
		{&format.CorruptError{File: "x", Err: syscall.EIO}, exitInput},
		{&format.ExistsError{Dir: "x"}, exitInput},
		{&format.RowError{Table: format.TableIO, Err: errors.New("too long")}, exitInput},
		{fmt.Errorf("x: %w", &text.SyntaxError{Line: 1, Col: 1, Msg: "no"}), exitInput},
		{missing, exitInput},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.ENOTDIR}, exitInput},
		{&format.DiskFullError{File: "x", Err: syscall.ENOSPC}, exitEnvironment},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, exitEnvironment},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, exitEnvironment},
		{&fs.PathError{Op: "read", Path: "x", Err: syscall.EIO}, exitEnvironment},
	} {
		if got := codeOf(test.err); got != test.want {
			t.Errorf("%v: exit code %d, want %d", test.err, got, test.want)
		}
	}
}
