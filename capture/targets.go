//go:build linux && (amd64 || arm64)

package capture

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/format"
)

// targets makes targets of processes. From then on the kernel follows: children of a target are targets, one that ended is
// none any more.
type targets struct {
	kernel Kernel
	proc   Proc
	self   format.PID
	known  map[format.PID]uint64 // start of each process that was made a target here
}

func newTargets(kernel Kernel, proc Proc, self format.PID) *targets {
	return &targets{kernel: kernel, proc: proc, self: self, known: map[format.PID]uint64{}}
}

// adoptRounds bounds how often the process table is walked for descendants: each round only finds what was forked by a
// process that was not a target yet, so two are the rule.
const adoptRounds = 16

// adopt makes targets of roots and of all their descendants, and returns those that are. complete is false when there were
// still new ones in the last round.
func (t *targets) adopt(roots []procfs.Stat) (adopted []procfs.Stat, complete bool, err error) {
	next := roots
	for range adoptRounds {
		for _, s := range next {
			ok, err := t.add(s)
			if err != nil {
				return adopted, false, err
			}
			if ok {
				adopted = append(adopted, s)
			}
		}
		// A child that was forked before its parent became a target is in /proc by now, any later one is seen by the hook.
		if next, err = t.descendants(); err != nil {
			return adopted, false, err
		}
		if len(next) == 0 {
			return adopted, true, nil
		}
	}
	return adopted, false, nil
}

// add makes a target of one process, unless it has ended: another one may have its id then.
func (t *targets) add(s procfs.Stat) (bool, error) {
	if start, ok := t.known[s.PID]; ok && start == s.Start || s.PID == t.self {
		return false, nil
	}
	if err := t.kernel.AddTarget(uint32(s.PID)); err != nil {
		return false, fmt.Errorf("record process %d: %w", s.PID, err)
	}
	// The hook on exit clears a target. Had it run before AddTarget, the mark would stay, and go to the id's next owner.
	now, err := t.proc.Stat(s.PID)
	if err != nil || now.Start != s.Start || now.Ended() {
		return false, t.kernel.RemoveTarget(uint32(s.PID))
	}
	t.known[s.PID] = s.Start
	return true, nil
}

// descendants walks the process table for processes below a known one that are not known themselves.
func (t *targets) descendants() ([]procfs.Stat, error) {
	pids, err := t.proc.PIDs()
	if err != nil {
		return nil, err
	}
	children := make(map[format.PID][]procfs.Stat, len(pids))
	var queue []format.PID
	for _, pid := range pids {
		s, err := t.proc.Stat(pid)
		if err != nil || s.Kernel || s.Ended() || pid == t.self {
			continue
		}
		children[s.PPID] = append(children[s.PPID], s)
		if start, ok := t.known[pid]; ok && start == s.Start {
			queue = append(queue, pid)
		}
	}
	var found []procfs.Stat
	for len(queue) > 0 {
		below := children[queue[0]]
		delete(children, queue[0]) // each is walked once
		queue = queue[1:]
		for _, s := range below {
			if start, ok := t.known[s.PID]; !ok || start != s.Start {
				found = append(found, s)
				queue = append(queue, s.PID)
			}
		}
	}
	return found, nil
}

// sweep removes targets that have ended without the hook on exit telling.
func (t *targets) sweep() error {
	pids, err := t.kernel.Targets()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		s, err := t.proc.Stat(format.PID(pid))
		if err == nil && !s.Ended() || err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue // it lives; or nobody can say for now: no descriptor is left, or no memory
		}
		if err := t.kernel.RemoveTarget(pid); err != nil {
			return err
		}
	}
	return nil
}

// releaseRounds bounds how often targets are removed: one that forks meanwhile makes a new one.
const releaseRounds = 16

// release removes all targets: the hooks record nothing any more.
func (t *targets) release() error {
	for range releaseRounds {
		pids, err := t.kernel.Targets()
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			if err := t.kernel.RemoveTarget(pid); err != nil {
				return err
			}
		}
	}
	return nil
}
