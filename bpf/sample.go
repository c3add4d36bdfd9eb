//go:build linux && (amd64 || arm64)

package bpf

import (
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// attachSamples makes the clock of each CPU run the program so many times a second. A CPU that comes up later has no samples.
func (o *Objects) attachSamples(prog *ebpf.Program) error {
	cpus, err := onlineCPUs()
	if err != nil {
		return err
	}
	for _, cpu := range cpus {
		attr := unix.PerfEventAttr{
			Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Size: unix.PERF_ATTR_SIZE_VER0,
			Sample: uint64(o.sampleHz), Bits: unix.PerfBitFreq | unix.PerfBitExcludeIdle,
		}
		fd, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if err != nil {
			return explain(fmt.Sprintf("sample CPU %d", cpu), err)
		}
		o.events = append(o.events, fd)
		if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_BPF, prog.FD()); err != nil {
			return explain("attach to perf_event/cpu-clock", err)
		}
		if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_ENABLE, 0); err != nil {
			return explain("start perf_event/cpu-clock", err)
		}
	}
	return nil
}

// SetStackCopy changes how many bytes are copied of the user stack with each sample: a multiple of 1 KiB, at most 32 KiB; 0: none, and
// no registers.
func (o *Objects) SetStackCopy(bytes int) error {
	for _, v := range o.live.copies {
		if err := v.Set(uint32(bytes / stackChunk)); err != nil {
			return fmt.Errorf("set the bytes that are copied of stacks: %w", err)
		}
	}
	return nil
}

// stackChunk is STACK_CHUNK of include/userstack.h.
const stackChunk = 1024
