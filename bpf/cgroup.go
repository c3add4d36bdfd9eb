//go:build linux && (amd64 || arm64)

package bpf

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// cgroupKey is struct cgroup_key of include/cgroup.h.
type cgroupKey struct {
	id        uint64
	hierarchy uint32
	_         uint32
}

// WatchCgroup makes targets of processes that enter a cgroup, or one below it, from now on: id is the inode number of its
// directory, hierarchy the number of /proc/PID/cgroup (0: v2). Processes that are in it already are not touched.
func (o *Objects) WatchCgroup(id uint64, hierarchy uint32) error {
	m := o.maps["wanted_cgroups"]
	if m == nil {
		return o.refused["cgroup_attach_task"]
	}
	if err := m.Update(&cgroupKey{id: id, hierarchy: hierarchy}, uint8(1), ebpf.UpdateAny); err != nil {
		return fmt.Errorf("watch cgroup %d of hierarchy %d: %w", id, hierarchy, err)
	}
	return nil
}
