//go:build linux && (amd64 || arm64)

package capture

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/format"
)

// choose finds the processes that the user named. Each name that leads to nothing is refused: a capture of nothing, found out
// after a minute, is worse.
func choose(proc Proc, cfg *Config, self format.PID, known *containers) (chosen []procfs.Stat, err error) {
	for _, pid := range cfg.PIDs {
		s, err := chooseProcess(proc, pid, self)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, s)
	}
	for _, comm := range cfg.Comms {
		found, err := chooseComm(proc, comm, self)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, found...)
	}
	for _, path := range cfg.Cgroups {
		found, err := chooseCgroup(proc, path, self)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, found...)
	}
	for _, word := range cfg.Containers {
		found, err := chooseContainer(proc, word, self, known)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, found...)
	}
	return chosen, nil
}

// chooseProcess returns the process that the user calls by an id.
func chooseProcess(proc Proc, named, self format.PID) (s procfs.Stat, err error) {
	target := fmt.Sprintf("process %d", named)
	leader, err := proc.Leader(named)
	if err == nil && leader != 0 && leader != named {
		return s, &TargetError{fmt.Sprintf("%d", named), fmt.Sprintf("is a thread of process %d", leader), fmt.Sprintf("processes are recorded as a whole, use -p %d", leader)}
	}
	pid, err := proc.Named(named)
	if err == nil {
		s, err = proc.Stat(pid)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return s, &TargetError{target, "does not exist", "ps -e lists those that do"}
	}
	if err != nil {
		return s, err
	}
	switch {
	case pid == self:
		return s, &TargetError{target, "is this recorder itself", "it does not record itself; choose another process"}
	case s.Kernel:
		return s, &TargetError{target, "is a thread of the kernel (" + s.Comm + ")", "only programs make system calls; choose one"}
	case s.Ended():
		return s, &TargetError{target, "has ended already (its parent has not waited for it)", "choose one that runs"}
	}
	return s, nil
}

// commLength is how much of a name the kernel keeps (TASK_COMM_LEN, without its NUL).
const commLength = 15

func cutComm(name string) string { return name[:min(len(name), commLength)] }

func chooseComm(proc Proc, comm string, self format.PID) (found []procfs.Stat, err error) {
	pids, err := proc.PIDs()
	if err != nil {
		return nil, err
	}
	sawSelf := false
	for _, pid := range pids {
		s, err := proc.Stat(pid)
		if err != nil || s.Comm != cutComm(comm) || s.Kernel || s.Ended() {
			continue
		}
		if pid == self {
			sawSelf = true
			continue
		}
		found = append(found, s)
	}
	target := "--comm " + comm
	switch {
	case len(found) > 0:
		return found, nil
	case sawSelf:
		return nil, &TargetError{target, "names this recorder itself and nothing else", "it does not record itself; choose another name"}
	}
	return nil, &TargetError{target, "names no process that runs now", "ps -eo pid,comm shows the names (the first 15 characters count)"}
}
