package format

import "time"

// OffCPU is a time in which a thread did not run: a block.
type OffCPU struct {
	Time       KTime         // when it ran again; of one that is unfinished, the end of the recording
	Duration   time.Duration // how long it did not run
	CPU        uint16        // that it came back on
	PID        PID
	TID        TID
	Comm       string // of the thread
	State      BlockState
	Syscall    int16         // in flight, as the architecture numbers it; -1 none
	RunDelay   time.Duration // of Duration, in which it could have run and another had the CPU; -1 unknown
	WakerPID   PID           // who made it runnable, or was interrupted by what did; 0 unknown
	WakerTID   TID
	WakerComm  string
	Stack      StackID
	Verdict    StackVerdict // of the user part
	Unwound    Unwinding
	Taken      BlockTaken // where the user part was taken
	Unfinished bool       // it had not come back when the recording ended
}

// OffCPUTotal counts all blocks of a thread in one state, long and short, since the start of the recording.
type OffCPUTotal struct {
	Time     KTime
	PID      PID
	TID      TID
	Comm     string
	State    BlockState
	Count    uint64
	Duration time.Duration
	RunDelay time.Duration
}

// BlockState is why a thread did not run: enum block_state of event.h.
type BlockState uint8

// The states.
const (
	BlockSleep    BlockState = 1 // it waited, and a signal could have ended that
	BlockDisk     BlockState = 2 // it waited, and no signal could
	BlockRunnable BlockState = 3 // another had its CPU
	BlockStopped  BlockState = 4
	BlockOther    BlockState = 5
)

// BlockTaken is where the user stack of a block was taken: enum block_taken of event.h.
type BlockTaken uint8

// The places.
const (
	TakenNot     BlockTaken = 0
	TakenResumed BlockTaken = 1 // as the thread came back
	TakenSyscall BlockTaken = 2 // as the system call returned
	TakenSwitch  BlockTaken = 3 // as it left again, in the same system call
	TakenLater   BlockTaken = 4 // as it left again: it may be another by then
	TakenSame    BlockTaken = 5 // of an earlier block of the thread with the same registers
)

var blockStateNames = []string{"", "sleep", "disk", "runnable", "stopped", "other"}

var blockTakenNames = []string{"none", "resumed", "syscall", "switch", "later", "same"}

// String returns "sleep", "disk", ...
func (s BlockState) String() string { return nameOf(blockStateNames, "BLOCK", uint8(s)) }

// ParseBlockState is the inverse of BlockState.String.
func ParseBlockState(s string) (BlockState, error) {
	n, err := parseName(blockStateNames, "BLOCK", s)
	return BlockState(n), err
}

// String returns "resumed", "syscall", ...
func (t BlockTaken) String() string { return nameOf(blockTakenNames, "TAKEN", uint8(t)) }

// ParseBlockTaken is the inverse of BlockTaken.String.
func ParseBlockTaken(s string) (BlockTaken, error) {
	n, err := parseName(blockTakenNames, "TAKEN", s)
	return BlockTaken(n), err
}

// Table returns TableOffCPU.
func (*OffCPU) Table() TableID { return TableOffCPU }

// Table returns TableOffCPUTotal.
func (*OffCPUTotal) Table() TableID { return TableOffCPUTotal }

// At returns the time of the row.
func (r *OffCPU) At() KTime { return r.Time }

// At returns the time of the row.
func (r *OffCPUTotal) At() KTime { return r.Time }

var offCPUTable = table[OffCPU]{
	id:   TableOffCPU,
	time: func(r *OffCPU) KTime { return r.Time },
	cpu:  func(r *OffCPU) uint16 { return r.CPU },
	cols: []column[OffCPU]{
		number("time_ns", "when the thread ran again; of one that is unfinished, the end of the recording", delta, func(r *OffCPU) *KTime { return &r.Time }),
		number("cpu", "that it came back on", dict, func(r *OffCPU) *uint16 { return &r.CPU }),
		number("duration_ns", "how long it did not run", delta, func(r *OffCPU) *time.Duration { return &r.Duration }),
		number("pid", "process", dict, func(r *OffCPU) *PID { return &r.PID }),
		number("tid", "thread", dict, func(r *OffCPU) *TID { return &r.TID }),
		text("comm", "name of the thread", func(r *OffCPU) *string { return &r.Comm }),
		enum("state", "why it did not run", func(r *OffCPU) *BlockState { return &r.State }, BlockState.String, ParseBlockState),
		computed("syscall", "call in flight, as the architecture numbers it; NULL: none", ColumnInt32, dict,
			func(r *OffCPU) int64 { return int64(r.Syscall) }, func(r *OffCPU, v int64) { r.Syscall = int16(v) }).or(-1),
		number("run_delay_ns", "of the duration, in which it could have run and another had the CPU", delta, func(r *OffCPU) *time.Duration { return &r.RunDelay }).or(-1),
		number("waker_pid", "process that made it runnable, or that was interrupted by what did; 0: unknown", dict, func(r *OffCPU) *PID { return &r.WakerPID }),
		number("waker_tid", "its thread", dict, func(r *OffCPU) *TID { return &r.WakerTID }),
		text("waker_comm", "name of that thread", func(r *OffCPU) *string { return &r.WakerComm }),
		number("stack", "id of its innermost frame; 0: none", dict, func(r *OffCPU) *StackID { return &r.Stack }),
		enum("verdict", "whether the user part of the stack is whole, or why not", func(r *OffCPU) *StackVerdict { return &r.Verdict },
			StackVerdict.String, ParseStackVerdict),
		enum("unwound", "how the user part was found", func(r *OffCPU) *Unwinding { return &r.Unwound }, Unwinding.String, ParseUnwinding),
		enum("taken", "where the user part was taken", func(r *OffCPU) *BlockTaken { return &r.Taken }, BlockTaken.String, ParseBlockTaken),
		boolean("unfinished", "the thread had not come back when the recording ended", func(r *OffCPU) *bool { return &r.Unfinished }),
	},
}

var offCPUTotalTable = table[OffCPUTotal]{
	id:   TableOffCPUTotal,
	time: func(r *OffCPUTotal) KTime { return r.Time },
	cols: []column[OffCPUTotal]{
		number("time_ns", "of the reading", delta, func(r *OffCPUTotal) *KTime { return &r.Time }),
		number("pid", "process", dict, func(r *OffCPUTotal) *PID { return &r.PID }),
		number("tid", "thread", dict, func(r *OffCPUTotal) *TID { return &r.TID }),
		text("comm", "name of the thread", func(r *OffCPUTotal) *string { return &r.Comm }),
		enum("state", "why it did not run", func(r *OffCPUTotal) *BlockState { return &r.State }, BlockState.String, ParseBlockState),
		number("count", "blocks so far, long and short", delta, func(r *OffCPUTotal) *uint64 { return &r.Count }),
		number("duration_ns", "of all of them", delta, func(r *OffCPUTotal) *time.Duration { return &r.Duration }),
		number("run_delay_ns", "of that, in which the thread could have run", delta, func(r *OffCPUTotal) *time.Duration { return &r.RunDelay }),
	},
}
