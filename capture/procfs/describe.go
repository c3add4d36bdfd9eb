//go:build linux

package procfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ebpf-reel/reel/format"
)

// ArgsBytes is how much of a command line is kept: as much as the exec hook copies (bpf/include/process.h).
const ArgsBytes = 4096

// Describe says what there is to know of a process as a row of operation ProcSnapshot; its time and whether it is a target are
// the caller's to fill in. Start is cut to a multiple of Tick. errors.Is(err, fs.ErrNotExist) means that the process is gone,
// fs.ErrPermission that the row lacks what this user may not read.
func (f FS) Describe(pid format.PID) (format.Process, error) {
	s, err := f.Stat(pid)
	if err != nil {
		return format.Process{}, err
	}
	row := format.Process{
		Op: format.ProcSnapshot, PID: s.PID, TID: format.TID(s.PID), PPID: s.PPID, Start: s.Start, Comm: s.Comm,
	}
	status, err := f.read(pid, "status")
	if err != nil {
		return row, err
	}
	row.UID = uint32(statusField(status, "Uid:"))
	row.NSPID = format.PID(statusLast(status, "NSpid:"))

	var hidden error
	note := func(err error) {
		if errors.Is(err, fs.ErrPermission) {
			hidden = err
		}
	}
	// A kernel thread and a process that has ended have no exe, no arguments, maybe no namespaces: that is no failure.
	exe, err := os.Readlink(f.path(pid, "exe"))
	note(err)
	row.Exe = exe
	row.Args, row.ArgsCut, err = f.args(pid)
	note(err)
	cgroups, err := f.Cgroups(pid)
	note(err)
	row.Cgroup = Best(cgroups)
	row.CgroupID = cgroupID(cgroups)
	for name, to := range map[string]*uint64{"pid": &row.PidNS, "mnt": &row.MntNS, "net": &row.NetNS} {
		*to, err = namespace(f.path(pid, "ns/"+name))
		note(err)
	}
	return row, hidden
}

// Leader returns the process that the thread tid belongs to.
func (f FS) Leader(tid format.PID) (format.PID, error) {
	status, err := f.read(tid, "status")
	return format.PID(statusField(status, "Tgid:")), err
}

// OwnPIDNamespace returns the inode number of the pid namespace of this process. It asks for "self", which is right even where
// /proc shows other ids than those that this process knows.
func (f FS) OwnPIDNamespace() (uint64, error) { return namespace(filepath.Join(f.Root, "self/ns/pid")) }

// ShowsOwnNamespace reports whether Root has the ids of the pid namespace of this process, and not of one above it.
func (f FS) ShowsOwnNamespace() bool {
	// NSpid has an id for each namespace from that of Root down to the process's own.
	status, err := os.ReadFile(filepath.Join(f.Root, "self/status"))
	return err == nil && statusField(status, "NSpid:") == uint64(os.Getpid()) && statusLast(status, "NSpid:") == uint64(os.Getpid())
}

// namespace reads the inode number of a namespace from its link in /proc.
func namespace(path string) (uint64, error) {
	link, err := os.Readlink(path)
	if err != nil {
		return 0, gone(err)
	}
	// "net:[4026531840]"
	_, number, _ := strings.Cut(strings.TrimSuffix(link, "]"), "[")
	return strconv.ParseUint(number, 10, 64)
}

// args reads at most ArgsBytes of the command line; cut says that it is longer.
func (f FS) args(pid format.PID) (args []string, cut bool, err error) {
	file, err := os.Open(f.path(pid, "cmdline"))
	if err != nil {
		return nil, false, gone(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, ArgsBytes+1))
	if err != nil {
		return nil, false, gone(err)
	}
	if len(data) > ArgsBytes {
		data, cut = data[:ArgsBytes], true
	}
	return splitArgs(data), cut, nil
}

// splitArgs splits arguments that end with NUL. A process that has written over its arguments (setproctitle) may have
// left out the last NUL, and filled up with more.
func splitArgs(data []byte) []string {
	data = bytes.TrimRight(data, "\x00")
	if len(data) == 0 {
		return nil
	}
	return strings.Split(string(data), "\x00")
}

// statusField reads the first number of a line of /proc/PID/status; 0 when it is not there.
func statusField(status []byte, name string) uint64 {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			if fields := bytes.Fields(rest); len(fields) > 0 {
				n, _ := strconv.ParseUint(string(fields[0]), 10, 64)
				return n
			}
		}
	}
	return 0
}

// statusLast reads the last number of a line of /proc/PID/status; 0 when it is not there.
func statusLast(status []byte, name string) uint64 {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			if fields := bytes.Fields(rest); len(fields) > 0 {
				n, _ := strconv.ParseUint(string(fields[len(fields)-1]), 10, 32)
				return n
			}
		}
	}
	return 0
}
