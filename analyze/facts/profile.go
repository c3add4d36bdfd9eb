package facts

import (
	"time"

	"github.com/ebpf-reel/reel/format"
)

// Profile is what threads did with their time, folded: each distinct stack of each thread once, with how often and how long.
type Profile struct {
	Kind      string        // "on-CPU"
	Scope     string        // what of the reel it is about: "all", "process nginx", ...
	Host      string        // that was recorded
	Period    time.Duration // that one sample stands for, of on-CPU
	Start     Wall          // of the time that it is about
	Duration  time.Duration // of that time
	Modules   []ProfileModule
	Functions []Function
	Locations []Location
	Stacks    []ProfileStack // in the order of process, thread, stack
	Counts    uint64         // samples, of all stacks
	Time      time.Duration  // of all stacks
	Verdicts  []VerdictShare // of user stacks, the most frequent first
}

// ProfileModule is what code is from.
type ProfileModule struct {
	Path        string // "/usr/sbin/nginx", "[kernel]"
	Kind        format.ModuleKind
	BuildID     string
	BuildIDKind format.BuildIDKind
	Start, End  uint64 // of the range that its addresses lie in: ELF virtual addresses
	Error       string // why its functions have no names, or not all
}

// Function is a function, or what stands for one that has no name.
type Function struct {
	Name   string // demangled
	Raw    string // as the module has it; "" it has none
	Module int32  // index in Profile.Modules; -1 none
	Kind   format.FrameKind
	Source format.SymbolSource // 0: it has no name, and Name says where it is
}

// Location is a place in code.
type Location struct {
	Function int32 // index in Profile.Functions
	Module   int32 // index in Profile.Modules; -1 none
	Address  uint64
}

// ProfileStack is one stack of one thread.
type ProfileStack struct {
	Frames  []int32 // indexes in Profile.Locations, the outermost first
	PID     format.PID
	TID     format.TID
	Process string // name of the process
	Thread  string // name of the thread
	Verdict format.StackVerdict
	Count   uint64
	Time    time.Duration
}

// VerdictShare is how many user stacks of a process ended in a way.
type VerdictShare struct {
	Process string
	Verdict format.StackVerdict
	Count   uint64
}
