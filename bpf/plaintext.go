//go:build linux && (amd64 || arm64)

package bpf

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
)

// plaintextCost is struct tls_cost.
type plaintextCost struct {
	PlaintextCost
	off uint64
}

// PlaintextCost is what plaintext probes have cost a process so far: struct tls_cost of include/plaintext.h.
type PlaintextCost struct {
	Hits uint64        // of entries and returns; each is a trap besides
	Time time.Duration // that programs took at returns
}

const costsMap = "tls_costs"

// WatchCost begins the account of what plaintext probes cost a process; or, off, ends it together with the recording of its
// plaintext, at once, whatever probes still stand.
func (o *Objects) WatchCost(pid uint32, on bool) error {
	value := plaintextCost{}
	if !on {
		value.off = 1
	}
	return o.changeCost(pid, func(m *ebpf.Map) error {
		return m.Put(pid, unsafe.Slice((*byte)(unsafe.Pointer(&value)), unsafe.Sizeof(value)))
	})
}

// ForgetCost drops the account of a process that is no more.
func (o *Objects) ForgetCost(pid uint32) error {
	return o.changeCost(pid, func(m *ebpf.Map) error {
		if err := m.Delete(pid); !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
		return nil
	})
}

func (o *Objects) changeCost(pid uint32, change func(*ebpf.Map) error) error {
	m := o.maps[costsMap]
	if m == nil {
		return o.refusedProgram("tls_return")
	}
	if err := change(m); err != nil {
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
	var value plaintextCost
	err = m.Lookup(pid, unsafe.Slice((*byte)(unsafe.Pointer(&value)), unsafe.Sizeof(value)))
	return value.PlaintextCost, err
}
