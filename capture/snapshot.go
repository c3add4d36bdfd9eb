//go:build linux && (amd64 || arm64)

package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// snapshot records what is there now: the targets and their parents, and the targets' sockets with their sequence numbers, so
// that analysis knows who a connection that was open already belongs to, and what was lost at its end.
func (r *recording) snapshot() error {
	pids, err := r.kernel.Targets()
	if err != nil {
		return err
	}
	if err := r.snapshotProcesses(pids); err != nil {
		return err
	}
	if r.ready {
		return r.snapshotSockets(nil)
	}
	if err := r.snapshotSockets(r.probing.snapshot); err != nil {
		return err
	}
	r.probing.beginElders()
	return nil
}

func (r *recording) snapshotProcesses(pids []uint32) error {
	parents := map[format.PID]bool{}
	for _, pid := range pids {
		if r.command != nil && !r.ready && format.PID(pid) == r.command.pid {
			continue // not the command yet: its exec says who it is
		}
		row, err := r.describe(format.PID(pid), true)
		if err != nil {
			return err
		}
		if row != nil && row.PPID > 1 && row.PPID != r.self && !slices.Contains(pids, uint32(row.PPID)) {
			parents[row.PPID] = true
		}
	}
	for pid := range parents {
		if _, err := r.describe(pid, false); err != nil {
			return err
		}
	}
	return nil
}

// describe appends the row of a process; nil when it is gone.
func (r *recording) describe(pid format.PID, target bool) (*format.Process, error) {
	row, err := r.proc.Describe(pid)
	switch {
	case errors.Is(err, fs.ErrPermission):
		r.procs.hidden.Add(1)
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil // its exit is recorded, if it was a target
	case err != nil:
		return nil, err
	}
	row.Time = r.clock.Now()
	row.Target = target
	row.Start = r.procs.exact(pid, row.Start)
	if id, named := r.procs.containers.identify(&row); !named {
		if err := r.procs.describeContainer(id, row.UID, row.Cgroup); err != nil {
			return nil, err
		}
	}
	return &row, r.procs.append(&row)
}

// commandTries bounds, in milliseconds, the wait for a command to be what it will be.
const commandTries = 20

// describeCommand describes the command as soon as it runs: the record of its exec comes later, and may be too late for one that
// is short. The gate's pipe closes in the middle of the exec, when the process has its new program but no arguments yet.
func (r *recording) describeCommand() error {
	for range commandTries {
		row, err := r.proc.Describe(r.command.pid)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if len(row.Args) > 0 {
			_, err := r.describe(r.command.pid, true)
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// endOfWindow records what the end of a recording would, for a snap while it goes on.
func (r *recording) endOfWindow() error {
	return firstOf(r.snapshotSockets(nil), r.heart.clocks(), r.sink.Flush())
}

// snapshotSockets records the sockets that are open now, and shows each to look, if that is not nil.
func (r *recording) snapshotSockets(look func(ev []byte, decoded *format.Decoded)) error {
	r.snapshots.Lock() // snaps do this beside the recording
	defer r.snapshots.Unlock()
	var failed error
	var decoded format.Decoded
	err := r.kernel.Snapshot(func(ev []byte) {
		if look != nil {
			look(ev, &decoded)
		}
		if failed == nil {
			failed = r.sink.AppendEvent(ev)
		}
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		r.note(NoteSnapshotIncomplete, 1, fmt.Sprintf("sockets: %v", err))
	}
	return nil
}
