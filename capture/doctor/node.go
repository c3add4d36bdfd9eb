//go:build linux && (amd64 || arm64)

package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/capture/budget"
	"github.com/ebpf-reel/reel/capture/gauge"
	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/format"
)

// node is the machine, or a folder that a test has made of its files.
type node struct{ root string }

func (n node) path(path string) string { return filepath.Join(n.root, path) }

func (n node) read(path string) ([]byte, error) { return os.ReadFile(n.path(path)) }

// line reads a file of one line; "" if it cannot be read.
func (n node) line(path string) string {
	data, _ := n.read(path)
	return string(bytes.TrimSpace(data))
}

func ok(name, found string) format.Check {
	return format.Check{Name: name, State: format.CheckOK, Found: found}
}

func limited(name, found, lost, remedy string) format.Check {
	return format.Check{Name: name, State: format.CheckLimited, Found: found, Lost: lost, Remedy: remedy}
}

func blocked(name, found, remedy string) format.Check {
	return format.Check{Name: name, State: format.CheckBlocked, Found: found, Lost: "everything", Remedy: remedy}
}

// Kernels before oldest lack ring buffers (5.8) or iterators over files (5.8), and nobody has tried those between.
var oldest = version{5, 10}

type version struct{ major, minor int }

func (v version) before(other version) bool {
	return v.major < other.major || v.major == other.major && v.minor < other.minor
}

// parseVersion reads the start of a release: "6.1.0-50-cloud-amd64".
func parseVersion(release string) (v version, ok bool) {
	n, _ := fmt.Sscanf(release, "%d.%d", &v.major, &v.minor)
	return v, n == 2
}

// KernelBefore reports whether the kernel that runs is older than a version. One that does not tell is taken for old.
func KernelBefore(major, minor int) bool {
	v, known := parseVersion(node{root: "/"}.release())
	return !known || v.before(version{major, minor})
}

func (n node) release() string { return n.line("proc/sys/kernel/osrelease") }

func (n node) kernel() format.Check {
	release := n.release()
	found := fmt.Sprintf("Linux %s, %s", release, runtime.GOARCH)
	v, known := parseVersion(release)
	switch {
	case !known:
		return limited("kernel", found, "not known: the release has no number", "")
	case v.before(oldest):
		return blocked("kernel", found, "boot Linux 5.10 or later")
	}
	return ok("kernel", found)
}

func (n node) btf() format.Check {
	const path = "sys/kernel/btf/vmlinux"
	f, err := os.Open(n.path(path))
	if err == nil {
		f.Close()
		return ok("BTF", "/"+path)
	}
	if errors.Is(err, fs.ErrPermission) {
		return blocked("BTF", "/"+path+" cannot be read", "run reel as root, or mount /sys readable")
	}
	return blocked("BTF", "the kernel does not describe its types: no /"+path, "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y, or mount /sys")
}

// InitialPIDNamespace is the inode number of the pid namespace that the kernel starts with (PROC_PID_INIT_INO of
// include/linux/proc_ns.h). Hooks name processes by their ids there.
const InitialPIDNamespace = 0xEFFFFFFC

func (n node) pidNamespace() format.Check {
	link, err := os.Readlink(n.path("proc/self/ns/pid"))
	if err == nil && link == fmt.Sprintf("pid:[%d]", InitialPIDNamespace) {
		return ok("pid namespace", "the first")
	}
	if err != nil || !(procfs.FS{Root: n.path("proc")}).ShowsOwnNamespace() {
		return blocked("pid namespace", "one of its own, and /proc is that of another",
			"mount its own (unshare --pid --fork --mount-proc; mount -t proc proc /proc), or run reel in the namespace of /proc")
	}
	return limited("pid namespace", "one of its own", "processes outside of it; ids in the reel are the kernel's, process.ns_pid has those inside",
		"to record others run reel on the host, or in a container that shares the host's pid namespace (docker run --pid=host, hostPID: true)")
}

// lockdown reads kernel_lockdown(7): "[none] integrity confidentiality".
func (n node) lockdown() format.Check {
	text := n.line("sys/kernel/security/lockdown")
	_, rest, _ := strings.Cut(text, "[")
	mode, _, _ := strings.Cut(rest, "]")
	switch mode {
	case "confidentiality":
		return blocked("lockdown", mode, "BPF programs may not read memory: boot with lockdown=integrity or less")
	case "":
		return ok("lockdown", "not told (no /sys/kernel/security/lockdown)")
	}
	return ok("lockdown", mode)
}

func (n node) unprivileged() format.Check {
	const name = "unprivileged BPF"
	switch value := n.line("proc/sys/kernel/unprivileged_bpf_disabled"); value {
	case "":
		return ok(name, "not told")
	case "0":
		return ok(name, "allowed (reel does not need that)")
	default:
		return ok(name, "forbidden (reel has capabilities instead)")
	}
}

// seccomp tells a filter that may forbid bpf(2); whether it does, the hooks tell.
func (n node) seccomp() format.Check {
	status, _ := n.read("proc/self/status")
	for line := range bytes.Lines(status) {
		if mode, is := bytes.CutPrefix(line, []byte("Seccomp:")); is && string(bytes.TrimSpace(mode)) == "2" {
			return ok("seccomp", "a filter is on: if hooks are refused below, it may be what refuses bpf(2)")
		}
	}
	return ok("seccomp", "no filter")
}

// memoryOfCgroup is the first kernel that counts memory of maps in cgroups, not against RLIMIT_MEMLOCK.
var memoryOfCgroup = version{5, 11}

func (n node) memlock() format.Check {
	const name = "memlock limit"
	if v, known := parseVersion(n.release()); known && !v.before(memoryOfCgroup) {
		return ok(name, "not used since Linux 5.11")
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return limited(name, err.Error(), "not known", "")
	}
	status, _ := n.read("proc/self/status")
	switch {
	case limit.Cur == unix.RLIM_INFINITY:
		return ok(name, "unlimited")
	case Effective(status)>>unix.CAP_SYS_RESOURCE&1 == 1:
		return ok(name, fmt.Sprintf("%v, raised by CAP_SYS_RESOURCE", budget.Bytes(limit.Cur)))
	}
	return blocked(name, budget.Bytes(limit.Cur).String(), "before Linux 5.11 maps need more: ulimit -l unlimited (LimitMEMLOCK=infinity), or CAP_SYS_RESOURCE")
}

func (n node) tracefs() format.Check {
	for _, path := range []string{"sys/kernel/tracing", "sys/kernel/debug/tracing"} {
		if _, err := os.Stat(n.path(path + "/events")); err == nil {
			return ok("tracefs", "/"+path)
		}
	}
	return ok("tracefs", "not mounted or not readable (no hook of this version needs it)")
}

func (n node) runTimes() format.Check {
	const name = "run time of programs"
	if n.line("proc/sys/kernel/bpf_stats_enabled") == "1" {
		return ok(name, "the kernel keeps it (kernel.bpf_stats_enabled)")
	}
	status, _ := n.read("proc/self/status")
	if Effective(status)>>unix.CAP_SYS_ADMIN&1 == 1 {
		return ok(name, "sampled")
	}
	return limited(name, "not measured", "what the BPF programs cost, in the receipt", "run reel as root, or sysctl kernel.bpf_stats_enabled=1 (which costs each BPF program of the node)")
}

const (
	cgroup1Magic = 0x27e0eb   // CGROUP_SUPER_MAGIC of include/uapi/linux/magic.h
	cgroup2Magic = 0x63677270 // CGROUP2_SUPER_MAGIC
)

func (n node) cgroups() format.Check {
	const name = "cgroups"
	kind := func(path string) int64 {
		var s unix.Statfs_t
		if unix.Statfs(n.path(path), &s) != nil {
			return 0
		}
		return s.Type
	}
	switch {
	case kind("sys/fs/cgroup") == cgroup2Magic:
		return ok(name, "v2")
	case kind("sys/fs/cgroup/unified") == cgroup2Magic:
		return ok(name, "v1, with v2 beside")
	case kind("sys/fs/cgroup/memory") == cgroup1Magic || kind("sys/fs/cgroup/systemd") == cgroup1Magic:
		return limited(name, "v1", "the number of each cgroup (its path is recorded)", "boot with systemd.unified_cgroup_hierarchy=1")
	}
	return limited(name, "none is mounted at /sys/fs/cgroup", "containers, where the path of a cgroup does not tell them", "mount /sys/fs/cgroup")
}

// ringShare is how much of the free memory rings may take before doctor says something.
const ringShare = 4

func (n node) ringMemory(o Options) format.Check {
	const name = "ring memory"
	need := uint64(o.RingBytes) * uint64(o.CPUs)
	free, _, err := gauge.New().Memory()
	found := fmt.Sprintf("%v for %d CPUs", budget.Bytes(need), o.CPUs)
	if err != nil {
		return limited(name, found, "not known: "+err.Error(), "")
	}
	found += fmt.Sprintf(", %v is free", budget.Bytes(free))
	if need > free/ringShare {
		return limited(name, found, "calls, if the kernel has no memory for the rings", "take smaller rings: --ring-bytes "+strconv.Itoa(o.RingBytes/4))
	}
	return ok(name, found)
}

// What a capture leaves free, unless it is told otherwise (--min-free-disk): 1 GiB, or 5 % of a smaller disk.
const (
	minFreeDisk  = 1 << 30
	minFreeShare = 20
)

func (n node) disk(dir string) format.Check {
	const name = "disk"
	// The reel does not exist yet.
	dir = filepath.Dir(filepath.Clean(dir))
	free, size, err := gauge.New().Disk(dir)
	if err != nil {
		return limited(name, err.Error(), "the reel, if it cannot be written there", "write it elsewhere: -w DIR")
	}
	found := fmt.Sprintf("%v is free in %s", budget.Bytes(free), dir)
	if least := min(minFreeDisk, size/minFreeShare); free < least {
		return limited(name, found, "what comes after the disk has less than "+budget.Bytes(least).String()+" free", "write the reel to another disk: -w DIR")
	}
	return ok(name, found)
}
