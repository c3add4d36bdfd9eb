//go:build linux && (amd64 || arm64)

package sealer

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ioprio_set(2): classes of include/uapi/linux/ioprio.h, for one thread.
const (
	ioprioWhoProcess = 1
	ioprioClassShift = 13
	ioprioBestEffort = 2<<ioprioClassShift | 4 // what a process has that asked for nothing
	ioprioIdle       = 3 << ioprioClassShift
)

// setIdle makes all threads of a process work only where no other wants to (on), or as others do. New threads are as the one that
// makes them, so it is done when a look at all of them finds nothing to change. Leaving SCHED_IDLE takes CAP_SYS_NICE or
// RLIMIT_NICE (sched(7)): EPERM without.
func setIdle(pid int, on bool) error {
	policy, ioprio := uint32(unix.SCHED_NORMAL), ioprioBestEffort
	if on {
		policy, ioprio = unix.SCHED_IDLE, ioprioIdle
	}
	for changed := true; changed; {
		changed = false
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return err
		}
		for _, e := range entries {
			tid, err := strconv.Atoi(e.Name())
			if err != nil {
				return err
			}
			did, err := setThread(tid, policy, ioprio)
			if err != nil {
				return err
			}
			changed = changed || did
		}
	}
	return nil
}

func setThread(tid int, policy uint32, ioprio int) (changed bool, err error) {
	attr, err := unix.SchedGetAttr(tid, 0)
	if errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the priority of a sealing thread: %w", err)
	}
	if attr.Policy == policy {
		return false, nil
	}
	// The disk's priority is a wish that some schedulers do not know; the CPU's counts.
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, uintptr(tid), uintptr(ioprio))
	err = unix.SchedSetAttr(tid, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policy}, 0)
	if errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("set the priority of a sealing thread: %w", err)
	}
	return true, nil
}
