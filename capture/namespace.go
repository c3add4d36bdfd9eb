//go:build linux && (amd64 || arm64)

package capture

import (
	"os"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/doctor"
	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/format"
)

// translated returns the process table in ids of the initial pid namespace, which hooks and the reel speak of: proc itself, unless
// this process runs in a namespace of its own. done gives back what that took.
func translated(proc Proc) (_ Proc, done func(), err error) {
	inode, err := proc.OwnPIDNamespace()
	if err == nil && inode == doctor.InitialPIDNamespace {
		return proc, func() {}, nil
	}
	if err != nil || !procfs.New().ShowsOwnNamespace() {
		// Without an entry of ours, /proc is that of a pid namespace that does not hold us.
		return nil, nil, &RefusedError{
			Why: "reel runs inside a pid namespace, and /proc is that of another one",
			Do:  "mount its own (unshare --pid --fork --mount-proc; mount -t proc proc /proc), or run reel in the namespace of /proc",
			Err: err,
		}
	}
	processes, err := bpf.OpenProcesses(uint32(inode))
	if err != nil {
		return nil, nil, explainLoad(err)
	}
	inside := procfs.NewInside(func(fn func(procfs.IDs)) error {
		return processes.Each(func(ids bpf.ProcessIDs) {
			fn(procfs.IDs{PID: format.PID(ids.PID), Seen: format.PID(ids.Seen), Start: ids.StartNS})
		})
	})
	return inside, func() { _ = processes.Close() }, nil
}

// ownNamespace returns what the kernel side is told of the pid namespace that proc translates; 0 when it translates none.
func ownNamespace(proc Proc) uint32 {
	if _, inside := proc.(learner); !inside {
		return 0
	}
	inode, _ := proc.OwnPIDNamespace()
	return uint32(inode)
}

// learner is a process table that remembers ids of processes: procfs.Inside.
type learner interface {
	Learn(ids procfs.IDs)
	Forget(pid format.PID)
}

// self is this process.
func self(proc Proc) (format.PID, error) { return proc.Named(format.PID(os.Getpid())) }
