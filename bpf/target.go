//go:build linux && (amd64 || arm64)

package bpf

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// targetMap is the map "targets" (include/target.h): one byte for each process id, shared with the programs by mmap.
type targetMap struct {
	flags []byte
}

const targetsPerBlock = 64

// targetBlocks is how many blocks hold all process ids of this kernel.
func targetBlocks() (uint32, error) {
	const path = "/proc/sys/kernel/pid_max"
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil || limit > 1<<22 { // PID_MAX_LIMIT
		return 0, fmt.Errorf("%s: %q is no limit of process ids", path, text)
	}
	// The limit can be raised while we run: the largest costs 4 MiB, so only the default of a small machine is taken as said.
	if limit > 1<<15 {
		limit = 1 << 22
	}
	return uint32(limit/targetsPerBlock) + 1, nil
}

func openTargets(m *ebpf.Map) (*targetMap, error) {
	size := int(m.MaxEntries()) * targetsPerBlock
	size = (size + pageSize - 1) &^ (pageSize - 1)
	flags, err := unix.Mmap(m.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the table of targets: %w", err)
	}
	return &targetMap{flags[:int(m.MaxEntries())*targetsPerBlock]}, nil
}

func (t *targetMap) close() error { return unix.Munmap(t.flags[:cap(t.flags)]) }

// AddTarget records the process from now on, and every process that it starts. It is no error if the process does not exist.
func (o *Objects) AddTarget(pid uint32) error { return o.targets.set(pid, 1) }

// RemoveTarget stops recording the process. Processes that it has started stay targets.
func (o *Objects) RemoveTarget(pid uint32) error { return o.targets.set(pid, 0) }

func (t *targetMap) set(pid uint32, value byte) error {
	if pid == 0 || int64(pid) >= int64(len(t.flags)) {
		return fmt.Errorf("process id %d: this kernel has ids from 1 to %d", pid, len(t.flags)-1)
	}
	t.flags[pid] = value
	return nil
}

// Targets returns the processes that are recorded now, in ascending order.
func (o *Objects) Targets() ([]uint32, error) {
	var pids []uint32
	flags := o.targets.flags
	for i := 0; i < len(flags); i += 8 { // eight at a time: nearly all are 0
		if atomic.LoadUint64((*uint64)(unsafe.Pointer(&flags[i]))) == 0 {
			continue
		}
		for j := i; j < i+8; j++ {
			if flags[j] != 0 {
				pids = append(pids, uint32(j))
			}
		}
	}
	return pids, nil
}
