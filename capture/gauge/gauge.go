//go:build linux

// Package gauge turns files of /proc, of cgroups and of file systems into readings: what this process takes, and what the node
// has left.
package gauge

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format"
)

// Gauges read. They are not safe for concurrent use.
type Gauges struct {
	root    string // "/", or a folder of a test
	cgroups []hierarchy
	helpers map[helper]time.Duration // CPU time when last seen
}

// helper is a process that works for this one.
type helper struct {
	pid   format.PID
	start uint64 // in clock ticks since boot
}

// New returns the gauges of this machine.
func New() *Gauges { return newAt("/") }

func newAt(root string) *Gauges {
	return &Gauges{root: root, cgroups: memoryHierarchies(root), helpers: map[helper]time.Duration{}}
}

func (g *Gauges) read(path string) ([]byte, error) { return os.ReadFile(filepath.Join(g.root, path)) }

// Usage is what this process and its helpers take.
type Usage struct {
	CPU    time.Duration // user and system, since their starts; of a helper that has ended, what was read last
	Memory uint64        // resident bytes
}

// Usage reads it; helpers are the processes that work for this one now. One that has ended is no error.
func (g *Gauges) Usage(helpers []format.PID) (u Usage, err error) {
	var self unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &self); err != nil {
		return u, fmt.Errorf("read the recorder's CPU time: %w", err)
	}
	u.CPU = time.Duration(self.Utime.Nano() + self.Stime.Nano())
	if u.Memory, err = g.resident("proc/self/statm"); err != nil {
		return u, err
	}
	for _, pid := range helpers {
		dir := fmt.Sprintf("proc/%d/", pid)
		h, cpu, err := g.processTime(pid, dir+"stat")
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return u, err
		}
		g.helpers[h] = cpu
		if resident, err := g.resident(dir + "statm"); err == nil {
			u.Memory += resident
		}
	}
	for _, cpu := range g.helpers {
		u.CPU += cpu
	}
	return u, nil
}

var pageSize = uint64(os.Getpagesize())

// resident reads the second field of a statm file (proc(5)): pages.
func (g *Gauges) resident(path string) (uint64, error) {
	text, err := g.read(path)
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("/%s: %q is not memory in pages", path, text)
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/%s: %w", path, err)
	}
	return pages * pageSize, nil
}

// tick is the unit of times in /proc/PID/stat: USER_HZ is 100 on all architectures that reel records on.
const tick = 10 * time.Millisecond

// processTime reads user and system time, and the start, of a process with the children that it has waited for (proc(5)).
func (g *Gauges) processTime(pid format.PID, path string) (h helper, cpu time.Duration, err error) {
	text, err := g.read(path)
	if err != nil {
		return h, 0, err
	}
	// The name, in parentheses, may hold anything: count from the last one. What follows is state, the third field.
	_, rest, ok := bytes.Cut(text, []byte(")"))
	for ok {
		var more []byte
		if _, more, ok = bytes.Cut(rest, []byte(")")); ok {
			rest = more
		}
	}
	fields := bytes.Fields(rest)
	if len(fields) < 20 {
		return h, 0, fmt.Errorf("/%s: %q is no process status", path, text)
	}
	ticks := uint64(0)
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.ParseUint(string(f), 10, 63)
		if err != nil {
			return h, 0, fmt.Errorf("/%s: %w", path, err)
		}
		ticks += n
	}
	start, err := strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return h, 0, fmt.Errorf("/%s: %w", path, err)
	}
	return helper{pid, start}, time.Duration(ticks) * tick, nil
}

// Disk returns the bytes that an unprivileged user may still write to the file system of path, and its size.
func (g *Gauges) Disk(path string) (free, size uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}

// Load returns the load of the last minute for each CPU of the node.
func (g *Gauges) Load() (float64, error) {
	const path = "proc/loadavg"
	text, err := g.read(path)
	if err != nil {
		return 0, err
	}
	first, _, _ := bytes.Cut(text, []byte(" "))
	load, err := strconv.ParseFloat(string(first), 64)
	if err != nil {
		return 0, fmt.Errorf("/%s: %w", path, err)
	}
	return load / float64(runtime.NumCPU()), nil
}
