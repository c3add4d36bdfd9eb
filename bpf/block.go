//go:build linux && (amd64 || arm64)

package bpf

import (
	"bytes"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// chooseResume keeps the one of the two programs that take the user stack of a block: where the scheduler has a tracepoint for a thread
// that has come back, that one.
func chooseResume(spec *ebpf.CollectionSpec) error {
	if spec.Programs["block_resumed"] == nil {
		return nil
	}
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return noBTF("read the kernel's types", err)
	}
	n, err := tracepointArguments(kernel, "sched_exit_tp")
	if err != nil {
		return err
	}
	if n > 0 {
		delete(spec.Programs, "block_returned")
	} else {
		delete(spec.Programs, "block_resumed")
	}
	return nil
}

// BlockTotal counts all blocks of a thread in one state, long and short.
type BlockTotal struct {
	TID   uint32
	State uint8 // enum block_state of include/event.h
	PID   uint32
	Comm  string
	Count uint64
	Time  time.Duration
	Delay time.Duration // of Time, runnable
}

// Away is a thread that does not run.
type Away struct {
	TID, PID uint32
	Since    uint64 // CLOCK_MONOTONIC ns
	State    uint8
	Syscall  int16 // -1: none
}

// The values of the maps block_totals and away (include/block.h); a test compares them with the objects' BTF.
type (
	blockKey   struct{ TID, State uint32 }
	blockTotal struct {
		Count, TimeNS, DelayNS uint64
		PID, Pad               uint32
		Comm                   [16]byte
	}
	away struct {
		SinceNS, WakeNS         uint64
		PID, WakerPID, WakerTID uint32
		Syscall                 int16
		State, Pad              uint8
		WakerComm               [16]byte
	}
)

// BlockTotals returns the totals of all threads; none where blocks are not recorded.
func (o *Objects) BlockTotals() (all []BlockTotal, err error) {
	m := o.maps["block_totals"]
	if m == nil {
		return nil, nil
	}
	var k blockKey
	var v blockTotal
	it := m.Iterate()
	for it.Next(&k, &v) {
		comm, _, _ := bytes.Cut(v.Comm[:], []byte{0})
		all = append(all, BlockTotal{
			TID: k.TID, State: uint8(k.State), PID: v.PID, Comm: string(comm), Count: v.Count, Time: time.Duration(v.TimeNS), Delay: time.Duration(v.DelayNS),
		})
	}
	if err := it.Err(); err != nil {
		return nil, fmt.Errorf("read the totals of blocks: %w", err)
	}
	return all, nil
}

// Away returns the threads of targets that have left their CPU and not come back.
func (o *Objects) Away() (all []Away, err error) {
	m := o.maps["away"]
	if m == nil {
		return nil, nil
	}
	var tid uint32
	var v away
	it := m.Iterate()
	for it.Next(&tid, &v) {
		all = append(all, Away{TID: tid, PID: v.PID, Since: v.SinceNS, State: v.State, Syscall: v.Syscall})
	}
	if err := it.Err(); err != nil {
		return nil, fmt.Errorf("read the threads that wait: %w", err)
	}
	return all, nil
}
