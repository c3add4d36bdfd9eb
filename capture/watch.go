//go:build linux && (amd64 || arm64)

package capture

import (
	"slices"

	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/format"
)

// commWatch finds processes that get a wanted name while the capture runs and are no descendants of a target: a service that
// is restarted. No hook tells of them, since hooks look away from what is not a target: the process table does.
type commWatch struct {
	proc  Proc
	self  format.PID
	names map[string]bool
	looks map[format.PID]int // how often a process was looked at
}

func newCommWatch(proc Proc, self format.PID, comms []string) *commWatch {
	w := &commWatch{proc: proc, self: self, names: map[string]bool{}, looks: map[format.PID]int{}}
	for _, comm := range comms {
		w.names[cutComm(comm)] = true
	}
	return w
}

// maxLooks bounds what the watch costs: a process gets its name by exec within moments of its fork, so one that was
// there for a few looks is not read again.
const maxLooks = 5

// look returns processes with a wanted name that are not in known.
func (w *commWatch) look(known []uint32) ([]procfs.Stat, error) {
	if len(w.names) == 0 {
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
		comm, err := w.proc.Comm(pid)
		if err != nil || !w.names[comm] || slices.Contains(known, uint32(pid)) {
			continue
		}
		if s, err := w.proc.Stat(pid); err == nil && !s.Kernel && !s.Ended() {
			found = append(found, s)
		}
	}
	w.looks = looks
	return found, nil
}
