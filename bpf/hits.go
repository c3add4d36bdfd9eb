//go:build linux && (amd64 || arm64)

package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

const hitsMap = "tls_hits"

// CountHits begins or ends the counting of how often a process comes by plaintext probes.
func (o *Objects) CountHits(pid uint32, on bool) error {
	m := o.maps[hitsMap]
	if m == nil {
		return o.refusedProgram("tls_return")
	}
	var err error
	if on {
		err = m.Update(pid, uint64(0), ebpf.UpdateAny)
	} else if err = m.Delete(pid); errors.Is(err, ebpf.ErrKeyNotExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("count the probes that process %d comes by: %w", pid, err)
	}
	return nil
}

// Hits returns how often a process whose hits are counted came by plaintext probes so far.
func (o *Objects) Hits(pid uint32) (n uint64, err error) {
	m := o.maps[hitsMap]
	if m == nil {
		return 0, o.refusedProgram("tls_return")
	}
	err = m.Lookup(pid, &n)
	return n, err
}
