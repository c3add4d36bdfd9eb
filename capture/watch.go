//go:build linux && (amd64 || arm64)

package capture

import (
	"fmt"
	"slices"
	"syscall"

	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/format"
)

// watch finds processes that come to be what is wanted while the capture runs and are no descendants of a target: a service
// that is restarted, a new container of a pod. Hooks look away from what is not a target, but for the one that tells of a
// process in a cgroup that was wanted from the beginning (WatchCgroup); for all else it is the process table that tells.
type watch struct {
	proc    Proc
	self    format.PID
	names   map[string]bool // of Comms
	cgroups []string
	wanted  []string // Containers
	known   *containers
	looks   map[format.PID]int // how often a process was looked at
}

func newWatch(proc Proc, self format.PID, cfg *Config, known *containers) *watch {
	w := &watch{proc: proc, self: self, names: map[string]bool{}, wanted: cfg.Containers, known: known, looks: map[format.PID]int{}}
	for _, comm := range cfg.Comms {
		w.names[cutComm(comm)] = true
	}
	for _, path := range cfg.Cgroups {
		w.cgroups = append(w.cgroups, cgroupPath(path))
	}
	return w
}

// waits reports whether something may come that is not there yet.
func (w *watch) waits() bool { return len(w.names)+len(w.cgroups)+len(w.wanted) > 0 }

// maxLooks bounds what the watch costs: a process gets its name by exec, and its cgroup by its runtime, within moments of its
// fork, so one that was there for a few looks is not read again.
const maxLooks = 5

// look returns processes that are wanted and are not in known.
func (w *watch) look(known []uint32) ([]procfs.Stat, error) {
	if !w.waits() {
		return nil, nil
	}
	pids, err := w.proc.PIDs()
	if err != nil {
		return nil, err
	}
	var found []procfs.Stat
	looks := make(map[format.PID]int, len(pids)) // what has ended is forgotten: its id may come again
	for _, pid := range pids {
		looks[pid] = w.looks[pid]
		if looks[pid] == maxLooks || pid == w.self {
			continue
		}
		looks[pid]++
		if slices.Contains(known, uint32(pid)) || !w.wants(pid) {
			continue
		}
		if s, err := w.proc.Stat(pid); err == nil && !s.Kernel && !s.Ended() {
			found = append(found, s)
		}
	}
	w.looks = looks
	return found, nil
}

func (w *watch) wants(pid format.PID) bool {
	if len(w.names) > 0 {
		if comm, err := w.proc.Comm(pid); err == nil && w.names[comm] {
			return true
		}
	}
	if len(w.cgroups)+len(w.wanted) == 0 {
		return false
	}
	memberships, err := w.proc.Cgroups(pid)
	if err != nil {
		return false
	}
	for _, path := range w.cgroups {
		if len(within(memberships, path)) > 0 {
			return true
		}
	}
	id, names := w.known.of(memberships)
	return slices.ContainsFunc(w.wanted, func(word string) bool { return isContainer(word, id, names) })
}

// watchCgroups tells the kernel side which cgroups are wanted, as far as they can be seen from here: those that the user named,
// and those of the containers that were found.
func (r *recording) watchCgroups(chosen []procfs.Stat) {
	if len(r.cfg.Cgroups)+len(r.cfg.Containers) == 0 {
		return
	}
	done := map[procfs.Membership]bool{}
	for _, s := range chosen {
		memberships, err := r.proc.Cgroups(s.PID)
		if err != nil {
			continue
		}
		wanted := slices.Clone(memberships[:0:0])
		for _, path := range r.watch.cgroups {
			for _, m := range within(memberships, path) {
				m.Path = path
				wanted = append(wanted, m)
			}
		}
		if id, names := r.procs.containers.of(memberships); id.ID != "" &&
			slices.ContainsFunc(r.cfg.Containers, func(word string) bool { return isContainer(word, id, names) }) {
			for _, m := range memberships {
				if m.Path = upTo(m.Path, id.ID); m.Path != "" {
					wanted = append(wanted, m)
				}
			}
		}
		for _, m := range wanted {
			if done[m] {
				continue
			}
			done[m] = true
			for _, dir := range m.Directories() {
				var st syscall.Stat_t
				if syscall.Stat(dir, &st) != nil {
					continue
				}
				if err := r.kernel.WatchCgroup(st.Ino, m.Hierarchy); err != nil {
					r.note(NoteSnapshotIncomplete, 1, fmt.Sprintf("cgroups: %v", err))
				}
				break
			}
		}
	}
}
