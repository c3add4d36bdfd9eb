//go:build linux && (amd64 || arm64)

package capture

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ebpf-reel/reel/capture/container"
	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/format"
)

// cgroupPath takes a path in a hierarchy, or that of a directory below /sys/fs/cgroup, whose part before the hierarchy's own
// path goes: "/sys/fs/cgroup/unified/x", "/sys/fs/cgroup/memory/x" and "/x" are "/x".
func cgroupPath(path string) string {
	path = strings.TrimRight(path, "/")
	rest, ok := strings.CutPrefix(path, "/sys/fs/cgroup")
	if !ok {
		return "/" + strings.TrimLeft(path, "/")
	}
	for _, dirs := range []string{"unified", "systemd", "memory", "pids", "cpu", "cpuacct", "cpu,cpuacct", "blkio", "devices", "freezer", "cpuset"} {
		if below, ok := strings.CutPrefix(rest, "/"+dirs+"/"); ok {
			return "/" + below
		}
	}
	return "/" + strings.TrimLeft(rest, "/")
}

// within returns the memberships whose cgroup is path or below it.
func within(memberships []procfs.Membership, path string) (in []procfs.Membership) {
	for _, m := range memberships {
		if m.Path == path || strings.HasPrefix(m.Path, path+"/") {
			in = append(in, m)
		}
	}
	return in
}

// upTo returns the part of a path up to the directory that names id; "" when none does.
func upTo(path, id string) string {
	i := strings.LastIndex(path, id)
	if i < 0 {
		return ""
	}
	if end := strings.IndexByte(path[i:], '/'); end >= 0 {
		return path[:i+end]
	}
	return path
}

// of finds the container that memberships name, and its names.
func (c *containers) of(memberships []procfs.Membership) (container.Identity, container.Names) {
	id := container.FromCgroup(procfs.Best(memberships))
	if id.ID == "" {
		return id, container.Names{}
	}
	return id, c.lookup(id, 0)
}

// leastID is how many digits of an id name a container.
const leastID = 4

// isContainer reports whether word names a container: the beginning of its id, its name, that of its pod, or POD/NAME,
// NAMESPACE/POD or NAMESPACE/POD/NAME.
func isContainer(word string, id container.Identity, names container.Names) bool {
	switch {
	case id.ID == "":
		return false
	case len(word) >= leastID && strings.HasPrefix(id.ID, word):
		return true
	case word == "":
		return false
	case names.Pod == "":
		return word == names.Name
	}
	return slices.Contains([]string{
		names.Name, names.Pod, names.Pod + "/" + names.Name, names.Namespace + "/" + names.Pod, names.Namespace + "/" + names.Pod + "/" + names.Name,
	}, word)
}

func chooseCgroup(proc Proc, path string, self format.PID) (found []procfs.Stat, err error) {
	want := cgroupPath(path)
	found, sawSelf, err := chooseBy(proc, self, func(memberships []procfs.Membership) bool { return len(within(memberships, want)) > 0 })
	if err != nil || len(found) > 0 {
		return found, err
	}
	target := "--cgroup " + path
	if sawSelf {
		return nil, &TargetError{target, "holds this recorder and nothing else", "it does not record itself; choose another cgroup"}
	}
	return nil, &TargetError{target, "holds no process that runs now", "cat /proc/PID/cgroup shows the path of a process, systemd-cgls all"}
}

func chooseContainer(proc Proc, word string, self format.PID, known *containers) ([]procfs.Stat, error) {
	ids := map[string]bool{} // by beginning of the id
	seen := 0
	found, _, err := chooseBy(proc, self, func(memberships []procfs.Membership) bool {
		id, names := known.of(memberships)
		if id.ID != "" {
			seen++
		}
		if !isContainer(word, id, names) {
			return false
		}
		if strings.HasPrefix(id.ID, word) {
			ids[id.ID] = true
		}
		return true
	})
	target := "--container " + word
	switch {
	case err != nil:
		return nil, err
	case len(ids) > 1:
		return nil, &TargetError{target, fmt.Sprintf("is the beginning of %d ids", len(ids)), "give more of it"}
	case len(found) > 0:
		return found, nil
	case len(word) < leastID && word != "":
		return nil, &TargetError{target, "is no name of a container that runs now", fmt.Sprintf("of an id, give %d digits and more", leastID)}
	case seen == 0:
		return nil, &TargetError{target, "names nothing: no process that can be seen here is in a container", "run reel on the node, or in a container that shares its pid namespace"}
	}
	return nil, &TargetError{target, "names no container that runs now", "give the beginning of its id, its name, or NAMESPACE/POD (crictl ps, docker ps and podman ps show them)"}
}

// chooseBy returns the processes whose cgroups are wanted.
func chooseBy(proc Proc, self format.PID, wants func([]procfs.Membership) bool) (found []procfs.Stat, sawSelf bool, err error) {
	pids, err := proc.PIDs()
	if err != nil {
		return nil, false, err
	}
	for _, pid := range pids {
		memberships, err := proc.Cgroups(pid)
		if err != nil || !wants(memberships) {
			continue
		}
		s, err := proc.Stat(pid)
		if err != nil || s.Kernel || s.Ended() {
			continue
		}
		if pid == self {
			sawSelf = true
			continue
		}
		found = append(found, s)
	}
	return found, sawSelf, nil
}
