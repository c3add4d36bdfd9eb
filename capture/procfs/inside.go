//go:build linux

package procfs

import (
	"io/fs"
	"slices"
	"sync"

	"github.com/ebpf-reel/reel/format"
)

// IDs are the ids of one process, and when it began.
type IDs struct {
	PID   format.PID // in the initial pid namespace
	Seen  format.PID // in that of /proc
	Start uint64     // CLOCK_BOOTTIME nanoseconds
}

// Inside is the /proc of a pid namespace that is not the initial one. It speaks of processes by their ids in the initial one, as
// the kernel side does, and looks them up by those that /proc shows.
type Inside struct {
	fs   FS
	list func(fn func(IDs)) error // all processes of the namespace

	mu    sync.Mutex
	known map[format.PID]IDs        // by PID
	seen  map[format.PID]format.PID // PID by Seen
}

// NewInside returns the /proc of this process's pid namespace. list calls fn for each process of it.
func NewInside(list func(fn func(IDs)) error) *Inside {
	return &Inside{fs: New(), list: list, known: map[format.PID]IDs{}, seen: map[format.PID]format.PID{}}
}

// Learn takes in the ids of a process that has just come.
func (f *Inside) Learn(ids IDs) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.learn(ids)
}

func (f *Inside) learn(ids IDs) {
	f.known[ids.PID] = ids
	f.seen[ids.Seen] = ids.PID
}

// Forget drops a process that has ended.
func (f *Inside) Forget(pid format.PID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.known, pid)
}

// walk asks for all ids anew: those of processes that have ended may belong to others by now.
func (f *Inside) walk() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.known)
	clear(f.seen)
	return f.list(f.learn)
}

func (f *Inside) lookup(pid format.PID) (IDs, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids, ok := f.known[pid]
	return ids, ok
}

// find returns the ids of a process, and what /proc says of it now. What was known is believed only if the process that has
// the id in /proc began when this one did.
func (f *Inside) find(pid format.PID) (IDs, Stat, error) {
	if ids, ok := f.lookup(pid); ok {
		if s, err := f.fs.Stat(ids.Seen); err == nil && s.Start/uint64(Tick) == ids.Start/uint64(Tick) {
			return ids, s, nil
		}
	}
	if err := f.walk(); err != nil {
		return IDs{}, Stat{}, err
	}
	ids, ok := f.lookup(pid)
	if !ok {
		return IDs{}, Stat{}, fs.ErrNotExist
	}
	s, err := f.fs.Stat(ids.Seen)
	return ids, s, err
}

// Named returns the process that has an id in the namespace. errors.Is(err, fs.ErrNotExist) holds when there is none.
func (f *Inside) Named(seen format.PID) (format.PID, error) {
	if err := f.walk(); err != nil {
		return 0, err
	}
	if pid := f.outside(seen); pid != 0 {
		return pid, nil
	}
	return 0, fs.ErrNotExist
}

// outside translates an id of /proc; 0 for none, and for a parent that is not in the namespace.
func (f *Inside) outside(seen format.PID) format.PID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[seen]
}

// Seen returns the id of a process in the namespace; 0 when it has none there.
func (f *Inside) Seen(pid format.PID) format.PID {
	ids, _, _ := f.find(pid)
	return ids.Seen
}

// PIDs returns the processes that exist now, in ascending order.
func (f *Inside) PIDs() (pids []format.PID, err error) {
	if err := f.walk(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for pid := range f.known {
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids, nil
}

// Stat is FS.Stat.
func (f *Inside) Stat(pid format.PID) (Stat, error) {
	_, s, err := f.find(pid)
	if err == nil {
		s.PID, s.PPID = pid, f.outside(s.PPID)
	}
	return s, err
}

// Comm is FS.Comm.
func (f *Inside) Comm(pid format.PID) (string, error) {
	_, s, err := f.find(pid)
	return s.Comm, err
}

// Leader is FS.Leader of a thread, and returns a process, both as the namespace has them.
func (f *Inside) Leader(tid format.PID) (format.PID, error) { return f.fs.Leader(tid) }

// Describe is FS.Describe.
func (f *Inside) Describe(pid format.PID) (format.Process, error) {
	ids, _, err := f.find(pid)
	if err != nil {
		return format.Process{}, err
	}
	row, err := f.fs.Describe(ids.Seen)
	row.PID, row.TID, row.PPID = pid, format.TID(pid), f.outside(row.PPID)
	return row, err
}

// Cgroups is FS.Cgroups.
func (f *Inside) Cgroups(pid format.PID) ([]Membership, error) {
	ids, _, err := f.find(pid)
	if err != nil {
		return nil, err
	}
	return f.fs.Cgroups(ids.Seen)
}

// CPUs is FS.CPUs.
func (f *Inside) CPUs() int { return f.fs.CPUs() }

// Load is FS.Load.
func (f *Inside) Load() (int64, error) { return f.fs.Load() }

// OwnPIDNamespace is FS.OwnPIDNamespace.
func (f *Inside) OwnPIDNamespace() (uint64, error) { return f.fs.OwnPIDNamespace() }
