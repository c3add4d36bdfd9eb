//go:build linux

package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// FS is a mounted /proc.
type FS struct {
	Root string // "/proc"
}

// New returns the /proc of this machine.
func New() FS { return FS{Root: "/proc"} }

// Tick is the unit of start times in /proc/PID/stat: USER_HZ is 100 on every architecture that reel runs on.
const Tick = 10 * time.Millisecond

// Stat is what /proc/PID/stat says of a process.
type Stat struct {
	PID     format.PID
	PPID    format.PID // 0: none, or in another pid namespace
	Comm    string
	State   byte          // 'R', 'S', …, 'Z': ended, and not waited for yet
	Threads uint64        // that have not ended
	CPU     time.Duration // user and system time of all its threads, in steps of Tick
	Start   uint64        // CLOCK_BOOTTIME nanoseconds, cut to a multiple of Tick
	Kernel  bool          // a kernel thread
}

// Ended reports whether nothing of the process runs any more. Its first thread may have ended before others.
func (s Stat) Ended() bool { return (s.State == 'Z' || s.State == 'X') && s.Threads <= 1 }

const flagKernelThread = 0x00200000 // PF_KTHREAD of include/linux/sched.h

// PIDs returns the processes that exist now, in the order of the directory (ascending).
func (f FS) PIDs() ([]format.PID, error) {
	dir, err := os.Open(f.Root)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var pids []format.PID
	for _, name := range names {
		if name[0] < '1' || name[0] > '9' {
			continue
		}
		if pid, err := strconv.ParseUint(name, 10, 32); err == nil {
			pids = append(pids, format.PID(pid))
		}
	}
	return pids, nil
}

// Stat reads /proc/PID/stat. errors.Is(err, fs.ErrNotExist) holds when there is no such process.
func (f FS) Stat(pid format.PID) (Stat, error) {
	data, err := f.read(pid, "stat")
	if err != nil {
		return Stat{}, err
	}
	s, err := parseStat(data)
	if err != nil {
		return Stat{}, fmt.Errorf("%s: %w", f.path(pid, "stat"), err)
	}
	return s, nil
}

// Named returns the process that has an id in the pid namespace of this process: the id itself. Inside translates.
func (f FS) Named(seen format.PID) (format.PID, error) { return seen, nil }

// Seen is the way back.
func (f FS) Seen(pid format.PID) format.PID { return pid }

// CPUs returns how many CPUs are online; 1 when /proc/stat does not tell.
func (f FS) CPUs() int {
	data, _ := os.ReadFile(filepath.Join(f.Root, "stat"))
	n := 0
	for line := range bytes.Lines(data) {
		if number, ok := bytes.CutPrefix(line, []byte("cpu")); ok && number[0] != ' ' {
			n++
		}
	}
	return max(n, 1)
}

// Load reads the load average over one minute, in thousandths (proc_loadavg(5)).
func (f FS) Load() (int64, error) {
	path := filepath.Join(f.Root, "loadavg")
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	first, _, _ := bytes.Cut(data, []byte(" "))
	load, err := strconv.ParseFloat(string(first), 64)
	if err != nil || !(load >= 0 && load < 1e12) {
		return 0, fmt.Errorf("%s: %q is no load average", path, data)
	}
	return int64(math.Round(load * 1000)), nil
}

// Comm reads the name of the process's first thread: at most 15 bytes.
func (f FS) Comm(pid format.PID) (string, error) {
	data, err := f.read(pid, "comm")
	return string(bytes.TrimSuffix(data, []byte("\n"))), err
}

var errNoStat = errors.New("not the stat of a process")

// parseStat reads proc_pid_stat(5). The name stands in parentheses and may hold any byte, parentheses too.
func parseStat(data []byte) (s Stat, err error) {
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return s, errNoStat
	}
	pid, err := strconv.ParseUint(string(bytes.TrimSpace(data[:open])), 10, 32)
	if err != nil {
		return s, errNoStat
	}
	// Fields are numbered from 1 in the manual; the first after the name is 3.
	fields := bytes.Fields(data[end+1:])
	if len(fields) < 20 || len(fields[0]) != 1 {
		return s, errNoStat
	}
	ppid, err1 := strconv.ParseUint(string(fields[4-3]), 10, 32)
	flags, err2 := strconv.ParseUint(string(fields[9-3]), 10, 64)
	user, err5 := strconv.ParseUint(string(fields[14-3]), 10, 63)
	system, err6 := strconv.ParseUint(string(fields[15-3]), 10, 63)
	threads, err4 := strconv.ParseUint(string(fields[20-3]), 10, 64)
	start, err3 := strconv.ParseUint(string(fields[22-3]), 10, 64)
	if errors.Join(err1, err2, err3, err4, err5, err6) != nil {
		return s, errNoStat
	}
	return Stat{
		PID: format.PID(pid), PPID: format.PID(ppid), Comm: string(data[open+1 : end]), State: fields[0][0],
		Threads: threads, CPU: time.Duration(user+system) * Tick, Start: start * uint64(Tick), Kernel: flags&flagKernelThread != 0,
	}, nil
}

func (f FS) path(pid format.PID, name string) string {
	return filepath.Join(f.Root, strconv.FormatUint(uint64(pid), 10), name)
}

// read reads a file of a process. A process that ends while it is read is one that does not exist.
func (f FS) read(pid format.PID, name string) ([]byte, error) {
	data, err := os.ReadFile(f.path(pid, name))
	return data, gone(err)
}

func gone(err error) error {
	if errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}
