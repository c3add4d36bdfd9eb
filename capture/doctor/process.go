//go:build linux && (amd64 || arm64)

package doctor

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/format"
)

// Process says what a capture of one process will see of it. The error is fs.ErrNotExist if there is no such process.
func Process(pid format.PID) ([]format.Check, error) {
	p := process{pid: pid, dir: fmt.Sprintf("/proc/%d", pid)}
	row, err := procfs.New().Describe(pid)
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	checks := []format.Check{p.program(&row)}
	if errors.Is(err, fs.ErrPermission) {
		return append(checks, limited("process", "belongs to another user, and cannot be looked at", "its path and namespaces (its socket calls are recorded)",
			"run reel as root, or give it CAP_SYS_PTRACE")), nil
	}
	checks = append(checks, p.namespaces(&row)...)
	checks = append(checks, p.descriptors()...)
	return append(checks, p.libraries()...), nil
}

type process struct {
	pid format.PID
	dir string
}

// program tells the ABI of the calls, which the ELF class of the binary decides.
func (p process) program(row *format.Process) format.Check {
	const name = "program"
	found := fmt.Sprintf("%s (%s)", row.Comm, row.Exe)
	f, err := elf.Open(p.dir + "/exe")
	if err != nil {
		return ok(name, found)
	}
	defer f.Close()
	if f.Class == elf.ELFCLASS32 {
		return limited(name, found+", 32-bit", "its socket calls: those of the 32-bit ABI are counted, not recorded", "run a 64-bit build of it")
	}
	return ok(name, found+", 64-bit")
}

func (p process) namespaces(row *format.Process) (checks []format.Check) {
	for _, ns := range []struct {
		kind string
		of   uint64
	}{{"pid", row.PidNS}, {"net", row.NetNS}, {"mnt", row.MntNS}} {
		name := ns.kind + " namespace of the process"
		own, err := os.Readlink("/proc/self/ns/" + ns.kind)
		switch {
		case err != nil || ns.of == 0:
			checks = append(checks, ok(name, "not told"))
		case own == fmt.Sprintf("%s:[%d]", ns.kind, ns.of):
			checks = append(checks, ok(name, "that of reel"))
		default:
			checks = append(checks, ok(name, fmt.Sprintf("its own, %d: recorded all the same", ns.of)))
		}
	}
	return checks
}

// Kinds of sockets, by the file of /proc/PID/net that lists them, the column of the inode in it, and whether they are recorded.
var socketFiles = []struct {
	kind, file string
	column     int
	recorded   bool
}{
	{"TCP", "tcp", 9, true}, {"TCP", "tcp6", 9, true}, {"UDP", "udp", 9, true}, {"UDP", "udp6", 9, true},
	{"Unix", "unix", 6, true}, {"raw", "raw", 9, false}, {"raw", "raw6", 9, false}, {"packet", "packet", 8, false}, {"netlink", "netlink", 9, false},
}

// maxDescriptors bounds what is looked at: doctor answers at once, also for a process with a million of them.
const maxDescriptors = 100_000

func (p process) descriptors() []format.Check {
	dir, err := os.Open(p.dir + "/fd")
	if err != nil {
		return []format.Check{limited("sockets", "cannot be listed: "+reason(err), "not known", "run reel as root, or give it CAP_SYS_PTRACE")}
	}
	defer dir.Close()
	names, err := dir.Readdirnames(maxDescriptors)
	if err != nil && !errors.Is(err, io.EOF) {
		return []format.Check{limited("sockets", "cannot be listed: "+reason(err), "not known", "")}
	}
	inodes := map[string]bool{}
	rings := 0
	for _, fd := range names {
		link, err := os.Readlink(filepath.Join(p.dir, "fd", fd))
		switch inode, isSocket := strings.CutPrefix(link, "socket:["); {
		case err != nil: // closed meanwhile
		case isSocket:
			inodes[strings.TrimSuffix(inode, "]")] = true
		case link == "anon_inode:[io_uring]":
			rings++
		}
	}
	checks := p.sockets(inodes)
	if rings == 0 {
		return append(checks, ok("io_uring", "no ring is open"))
	}
	return append(checks, limited("io_uring", strconv.Itoa(rings)+" open", "what it does through them: they make no system calls that could be recorded",
		"if the program has a setting for it, make it use epoll"))
}

// sockets counts the descriptors by kind.
func (p process) sockets(inodes map[string]bool) []format.Check {
	count := map[string]int{}
	known := 0
	for _, f := range socketFiles {
		data, _ := os.ReadFile(filepath.Join(p.dir, "net", f.file))
		for line := range bytes.Lines(data) {
			fields := bytes.Fields(line)
			if len(fields) > f.column && inodes[string(fields[f.column])] {
				kind := f.kind
				if !f.recorded {
					kind += " (not recorded)"
				}
				count[kind]++
				known++
			}
		}
	}
	if rest := len(inodes) - known; rest > 0 {
		count["of another kind or network namespace"] = rest
	}
	return []format.Check{ok("sockets", countText(count))}
}

func countText(count map[string]int) string {
	if len(count) == 0 {
		return "none is open"
	}
	var parts []string
	for kind, n := range count {
		parts = append(parts, fmt.Sprintf("%d %s", n, kind))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// reason is the error without the path, which is our business.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
