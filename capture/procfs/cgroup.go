//go:build linux

package procfs

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/ebpf-reel/reel/format"
)

// Membership is the cgroup that a process is in, in one hierarchy: a line of /proc/PID/cgroup (cgroups(7)).
type Membership struct {
	Hierarchy   uint32 // 0: v2
	Controllers string // "cpu,cpuacct", "name=systemd"; "" in v2
	Path        string // in the hierarchy, as this process's cgroup namespace shows it
}

// Cgroups returns the cgroups that a process is in. errors.Is(err, fs.ErrNotExist) holds when it is gone.
func (f FS) Cgroups(pid format.PID) ([]Membership, error) {
	data, err := f.read(pid, "cgroup")
	return parseCgroups(data), err
}

func parseCgroups(data []byte) (out []Membership) {
	for line := range bytes.Lines(data) {
		hierarchy, rest, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), ":")
		controllers, path, ok := strings.Cut(rest, ":")
		n, err := strconv.ParseUint(hierarchy, 10, 32)
		if !ok || err != nil || !strings.HasPrefix(path, "/") {
			continue
		}
		out = append(out, Membership{uint32(n), controllers, path})
	}
	return out
}

// Best returns the path that says most of a process: the longest, and of several the one of the v2 hierarchy, or else of
// systemd's. Where v1 and v2 are mounted side by side, one is often the root, or the service that started a container.
func Best(memberships []Membership) string {
	var best string
	var rank int
	for _, m := range memberships {
		r := 1
		switch {
		case m.Hierarchy == 0:
			r = 3
		case m.Controllers == "name=systemd":
			r = 2
		}
		if len(m.Path) > len(best) || len(m.Path) == len(best) && r > rank {
			best, rank = m.Path, r
		}
	}
	return best
}

// cgroupRoots are where the v2 hierarchy is mounted: alone, or beside v1.
var cgroupRoots = []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}

const cgroup2Magic = 0x63677270 // CGROUP2_SUPER_MAGIC of include/uapi/linux/magic.h

// Directories are where the cgroup can be, by the usual mount points. Nothing when the path leads out of the cgroup namespace.
func (m Membership) Directories() (dirs []string) {
	if strings.HasPrefix(m.Path, "/..") {
		return nil
	}
	if m.Hierarchy != 0 {
		return []string{filepath.Join("/sys/fs/cgroup", strings.TrimPrefix(m.Controllers, "name="), m.Path)}
	}
	for _, root := range cgroupRoots {
		var mount syscall.Statfs_t
		if syscall.Statfs(root, &mount) == nil && mount.Type == cgroup2Magic {
			dirs = append(dirs, filepath.Join(root, m.Path))
		}
	}
	return dirs
}

// cgroupID is the number that the kernel side gives for the same cgroup: the inode of its directory in the v2 hierarchy.
func cgroupID(memberships []Membership) uint64 {
	for _, m := range memberships {
		if m.Hierarchy != 0 {
			continue
		}
		for _, path := range m.Directories() {
			var dir syscall.Stat_t
			if syscall.Stat(path, &dir) == nil {
				return dir.Ino
			}
		}
	}
	return 0
}
