package text

import (
	"strconv"
	"time"

	"github.com/ebpf-reel/reel/format"
)

var offCPUColumns = []column{
	duration("duration", func(r *format.OffCPU) *time.Duration { return &r.Duration }),
	number("cpu", func(r *format.OffCPU) *uint16 { return &r.CPU }),
	number("pid", func(r *format.OffCPU) *format.PID { return &r.PID }),
	number("tid", func(r *format.OffCPU) *format.TID { return &r.TID }),
	quoted("comm", func(r *format.OffCPU) *string { return &r.Comm }),
	named("state", "sleep, disk, runnable, stopped or other", format.ParseBlockState, func(r *format.OffCPU) *format.BlockState { return &r.State }),
	withDefault(shortInteger("syscall", syscallOf), syscallOf, "-1", func(*format.OffCPU) int16 { return -1 }),
	withDefault(duration("run_delay", runDelayOf), runDelayOf, "-1", func(*format.OffCPU) time.Duration { return -1 }),
	number("waker_pid", func(r *format.OffCPU) *format.PID { return &r.WakerPID }),
	number("waker_tid", func(r *format.OffCPU) *format.TID { return &r.WakerTID }),
	quoted("waker_comm", func(r *format.OffCPU) *string { return &r.WakerComm }),
	number("stack", func(r *format.OffCPU) *format.StackID { return &r.Stack }),
	named("verdict", "complete, or why the user part is not", format.ParseStackVerdict, func(r *format.OffCPU) *format.StackVerdict { return &r.Verdict }),
	named("unwound", "frame_pointers, eh_frame or both", format.ParseUnwinding, func(r *format.OffCPU) *format.Unwinding { return &r.Unwound }),
	named("taken", "resumed, syscall, switch, later or same", format.ParseBlockTaken, func(r *format.OffCPU) *format.BlockTaken { return &r.Taken }),
	mark("unfinished", func(r *format.OffCPU) *bool { return &r.Unfinished }),
}

func syscallOf(r *format.OffCPU) *int16          { return &r.Syscall }
func runDelayOf(r *format.OffCPU) *time.Duration { return &r.RunDelay }

// shortInteger is integer for 16 bits.
func shortInteger[R any](key string, at func(*R) *int16) column {
	return field(key, "number", at, func(dst []byte, v int16) []byte { return strconv.AppendInt(dst, int64(v), 10) }, func(s []byte) (int16, error) {
		n, err := strconv.ParseInt(string(s), 10, 16)
		return int16(n), err
	})
}

var offCPUTotalColumns = []column{
	number("pid", func(r *format.OffCPUTotal) *format.PID { return &r.PID }),
	number("tid", func(r *format.OffCPUTotal) *format.TID { return &r.TID }),
	quoted("comm", func(r *format.OffCPUTotal) *string { return &r.Comm }),
	named("state", "sleep, disk, runnable, stopped or other", format.ParseBlockState, func(r *format.OffCPUTotal) *format.BlockState { return &r.State }),
	number("count", func(r *format.OffCPUTotal) *uint64 { return &r.Count }),
	duration("duration", func(r *format.OffCPUTotal) *time.Duration { return &r.Duration }),
	duration("run_delay", func(r *format.OffCPUTotal) *time.Duration { return &r.RunDelay }),
}
