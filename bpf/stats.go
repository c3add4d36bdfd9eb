//go:build linux && (amd64 || arm64)

package bpf

import (
	"fmt"
	"io"
	"time"

	"github.com/cilium/ebpf"
)

// CPULoss is the account of one CPU's ring: totals since Load.
type CPULoss struct {
	CPU       int
	Captured  uint64 // records committed
	Lost      uint64 // reservations that failed
	LostBytes uint64 // bytes that those asked for
}

// Counters count what the programs saw and, for a stated reason, did not record as it is: totals since Load, of all CPUs.
type Counters struct {
	Retries       uint64 // calls that ended with EAGAIN, or that the kernel restarts: no row
	Compat        uint64 // socket calls by the 32-bit ABI: no row
	ErrQueue      uint64 // reads of a socket's error queue: no row
	InflightFull  uint64 // blocked calls that found no room: their rows have IO_NO_ENTRY
	SocketsFull   uint64 // sockets that found no room: no rows of their state changes
	ListenersFull uint64 // listening ports that found no room: connections are seen from accept on
	ShedCalls     uint64 // read/write-like calls at ShedIO: no row
	ShedBytes     uint64 // that these moved, in either direction; those of a peek do not count
	QueueCut      uint64 // accept queues with more than 4,096 connections: the others are seen from accept on
	Missed        uint64 // runs that the kernel skipped, since an interrupt came while the same program ran on that CPU (5.12 and later)
}

func (o *Objects) cpuStates(fn func(cpu int, s *cpuState)) error {
	m := o.maps["cpus"]
	raw := make([]byte, m.ValueSize())
	for cpu := uint32(0); cpu < m.MaxEntries(); cpu++ {
		if err := m.Lookup(&cpu, raw); err != nil {
			return fmt.Errorf("read the counters of CPU %d: %w", cpu, err)
		}
		fn(int(cpu), (*cpuState)(bytesPointer(raw)))
	}
	return nil
}

// Loss returns the account of each possible CPU.
func (o *Objects) Loss() ([]CPULoss, error) {
	var loss []CPULoss
	err := o.cpuStates(func(cpu int, s *cpuState) {
		loss = append(loss, CPULoss{CPU: cpu, Captured: s.Captured, Lost: s.Lost, LostBytes: s.LostBytes})
	})
	return loss, err
}

// Counters returns the sum over all CPUs.
func (o *Objects) Counters() (Counters, error) {
	var c Counters
	err := o.cpuStates(func(_ int, s *cpuState) {
		c.Retries += s.Retries
		c.Compat += s.Compat
		c.ErrQueue += s.Errqueue
		c.InflightFull += s.InflightFull
		c.SocketsFull += s.SocketsFull
		c.ListenersFull += s.ListenersFull
		c.ShedCalls += s.ShedCalls
		c.ShedBytes += s.ShedBytes
		c.QueueCut += s.QueueCut
	})
	if err != nil {
		return c, err
	}
	for name, p := range o.programs {
		s, err := p.Stats()
		if err != nil {
			return c, fmt.Errorf("read the statistics of %s: %w", name, err)
		}
		c.Missed += s.RecursionMisses
	}
	return c, nil
}

// CountRunTime makes the kernel add up the run times of all BPF programs of the node until the result is closed. That costs
// every run of every program some 20 ns, so it should not be left on. It needs Linux 5.8 and CAP_SYS_ADMIN.
func (o *Objects) CountRunTime() (io.Closer, error) {
	return ebpf.EnableStats(bpfStatsRunTime)
}

const bpfStatsRunTime = 0 // BPF_STATS_RUN_TIME

// RunTime returns how long the programs have run, on all CPUs, while the kernel added it up.
func (o *Objects) RunTime() (total time.Duration, err error) {
	for name, p := range o.programs {
		s, err := p.Stats()
		if err != nil {
			return 0, fmt.Errorf("read the statistics of %s: %w", name, err)
		}
		total += s.Runtime
	}
	return total, nil
}
