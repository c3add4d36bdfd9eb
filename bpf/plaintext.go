//go:build linux && (amd64 || arm64)

package bpf

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
)

// PlaintextCost is what plaintext probes have cost a process so far: struct tls_cost of include/plaintext.h.
type PlaintextCost struct {
	Hits uint64        // of entries and returns; each is a trap besides
	Time time.Duration // that programs took at returns
}

const costsMap = "tls_costs"

// WatchCost begins or ends the account of what plaintext probes cost a process.
func (o *Objects) WatchCost(pid uint32, on bool) error {
	m := o.maps[costsMap]
	if m == nil {
		return o.refusedProgram("tls_return")
	}
	var err error
	if on {
		err = m.Update(pid, PlaintextCost{}, ebpf.UpdateAny)
	} else if err = m.Delete(pid); errors.Is(err, ebpf.ErrKeyNotExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("watch what probes cost process %d: %w", pid, err)
	}
	return nil
}

// Cost returns the account of a process that is watched.
func (o *Objects) Cost(pid uint32) (c PlaintextCost, err error) {
	m := o.maps[costsMap]
	if m == nil {
		return c, o.refusedProgram("tls_return")
	}
	err = m.Lookup(pid, &c)
	return c, err
}
