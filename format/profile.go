package format

import "time"

// StackID names a stack of a reel: the row of TableStack that is its innermost frame. 0 is no stack.
type StackID uint32

// ModuleID names a row of TableModule. 0 is none: the address is that of the process.
type ModuleID uint32

// OnCPU is one sample of a thread that was running.
type OnCPU struct {
	Time    KTime
	CPU     uint16
	PID     PID
	TID     TID
	Comm    string        // of the thread
	Period  time.Duration // that the sample stands for
	Kernel  bool          // the thread was in the kernel
	Stack   StackID
	Verdict StackVerdict // of the user part
	Unwound Unwinding
}

// Stack is one frame and the frames that called it: the row of Parent, and so on up to 0.
type Stack struct {
	Time    KTime // when it was first met
	ID      StackID
	Parent  StackID
	Kind    FrameKind
	Module  ModuleID
	Address uint64 // ELF virtual address in the module; of a caller one less than where it goes on, so that it lies within the call
}

// Module is a file, or another thing, that holds code.
type Module struct {
	Time        KTime
	ID          ModuleID
	Kind        ModuleKind
	PID         PID    // of ModuleJIT the process whose it is; else of the first that had it mapped
	Path        string // as the process sees it; "[kernel]", "[vdso]", ...
	BuildID     string // in hexadecimal; "" none
	BuildIDKind BuildIDKind
	Bytes       uint64 // size of the file
	Symbols     uint32 // functions that it has names for
	Names       string // where from: "symtab", "dynsym", "gopclntab"... joined by "+"
	Error       string // why it has no names, or fewer
}

// Mapping is a range of a process's memory that code lies in.
type Mapping struct {
	Time   KTime
	PID    PID
	Start  uint64
	End    uint64
	Offset uint64 // in the file
	Module ModuleID
	Path   string
}

// Symbol is a function that a frame of the reel lies in.
type Symbol struct {
	Time    KTime
	Module  ModuleID
	Address uint64 // of its first byte, as in Stack
	Bytes   uint64 // 0 unknown
	Source  SymbolSource
	Name    string // as the file has it: not demangled
}

// StackVerdict says whether the user part of a stack is whole, and why not.
type StackVerdict uint8

// The verdicts.
const (
	StackNone        StackVerdict = 0 // there is no user part
	StackComplete    StackVerdict = 1 // it ends where the thread began
	StackDepth       StackVerdict = 2 // there are more frames than are kept
	StackCopyEnd     StackVerdict = 3 // the next frame lies beyond the bytes that were copied
	StackNotResident StackVerdict = 4 // a page of the stack was not in memory
	StackNoTable     StackVerdict = 5 // code without unwind information, or without frame pointers where they were needed
	StackRule        StackVerdict = 6 // its unwind information asks for more than is supported
	StackBroken      StackVerdict = 7 // an address leads nowhere
	StackUnmapped    StackVerdict = 8 // an address lies in no code that is known
	StackNotRead     StackVerdict = 9 // the user memory could not be read at that point
)

// Unwinding says how the user part of a stack was found.
type Unwinding uint8

// The ways.
const (
	UnwoundNot      Unwinding = 0
	UnwoundPointers Unwinding = 1 // by frame pointers
	UnwoundTable    Unwinding = 2 // by .eh_frame
	UnwoundBoth     Unwinding = 3 // by .eh_frame as far as there is any, else by frame pointers
)

// FrameKind says which side of the kernel boundary a frame is on.
type FrameKind uint8

// The kinds.
const (
	FrameUser   FrameKind = 1
	FrameKernel FrameKind = 2
)

// ModuleKind says what a module is.
type ModuleKind uint8

// The kinds.
const (
	ModuleELF     ModuleKind = 1 // a file
	ModuleKernel  ModuleKind = 2 // the kernel, or a module of it; addresses count from its first symbol
	ModuleVDSO    ModuleKind = 3
	ModuleJIT     ModuleKind = 4 // code that a process made: addresses are the process's
	ModuleUnknown ModuleKind = 5 // mapped, but its file could not be read
)

// BuildIDKind says what a build id is.
type BuildIDKind uint8

// The kinds.
const (
	BuildIDNone BuildIDKind = 0
	BuildIDGNU  BuildIDKind = 1 // NT_GNU_BUILD_ID
	BuildIDGo   BuildIDKind = 2 // of Go's linker, hashed
	BuildIDHash BuildIDKind = 3 // SHA-256 of the first and last 4 KiB and the length, cut to 128 bits
)

// SymbolSource says where the name of a function is from.
type SymbolSource uint8

// The sources.
const (
	SymbolSymtab    SymbolSource = 1
	SymbolDynsym    SymbolSource = 2
	SymbolGopclntab SymbolSource = 3
	SymbolPerfMap   SymbolSource = 4
	SymbolKallsyms  SymbolSource = 5
	SymbolDebug     SymbolSource = 6 // .symtab of a separate debug file
	SymbolInferred  SymbolSource = 7 // from RTTI and vtables of stripped C++
	SymbolBounds    SymbolSource = 8 // .eh_frame: where a function begins and ends, without its name
)

var stackVerdictNames = []string{"none", "complete", "depth", "copy_end", "not_resident", "no_table", "rule", "broken", "unmapped", "not_read"}

var unwindingNames = []string{"none", "frame_pointers", "eh_frame", "both"}

var frameKindNames = []string{"", "user", "kernel"}

var moduleKindNames = []string{"", "elf", "kernel", "vdso", "jit", "unknown"}

var buildIDKindNames = []string{"none", "gnu", "go", "hash"}

var symbolSourceNames = []string{"", "symtab", "dynsym", "gopclntab", "perf_map", "kallsyms", "debug", "inferred", "bounds"}

// String returns "complete", "depth", ...
func (v StackVerdict) String() string { return nameOf(stackVerdictNames, "VERDICT", uint8(v)) }

// ParseStackVerdict is the inverse of StackVerdict.String.
func ParseStackVerdict(s string) (StackVerdict, error) {
	n, err := parseName(stackVerdictNames, "VERDICT", s)
	return StackVerdict(n), err
}

// String returns "frame_pointers", "eh_frame", ...
func (u Unwinding) String() string { return nameOf(unwindingNames, "UNWINDING", uint8(u)) }

// ParseUnwinding is the inverse of Unwinding.String.
func ParseUnwinding(s string) (Unwinding, error) {
	n, err := parseName(unwindingNames, "UNWINDING", s)
	return Unwinding(n), err
}

// String returns "user" or "kernel".
func (k FrameKind) String() string { return nameOf(frameKindNames, "FRAME", uint8(k)) }

// ParseFrameKind is the inverse of FrameKind.String.
func ParseFrameKind(s string) (FrameKind, error) {
	n, err := parseName(frameKindNames, "FRAME", s)
	return FrameKind(n), err
}

// String returns "elf", "kernel", ...
func (k ModuleKind) String() string { return nameOf(moduleKindNames, "MODULE", uint8(k)) }

// ParseModuleKind is the inverse of ModuleKind.String.
func ParseModuleKind(s string) (ModuleKind, error) {
	n, err := parseName(moduleKindNames, "MODULE", s)
	return ModuleKind(n), err
}

// String returns "gnu", "go", ...
func (k BuildIDKind) String() string { return nameOf(buildIDKindNames, "BUILD_ID", uint8(k)) }

// ParseBuildIDKind is the inverse of BuildIDKind.String.
func ParseBuildIDKind(s string) (BuildIDKind, error) {
	n, err := parseName(buildIDKindNames, "BUILD_ID", s)
	return BuildIDKind(n), err
}

// String returns "symtab", "kallsyms", ...
func (s SymbolSource) String() string { return nameOf(symbolSourceNames, "SOURCE", uint8(s)) }

// ParseSymbolSource is the inverse of SymbolSource.String.
func ParseSymbolSource(s string) (SymbolSource, error) {
	n, err := parseName(symbolSourceNames, "SOURCE", s)
	return SymbolSource(n), err
}

// Table returns TableOnCPU.
func (*OnCPU) Table() TableID { return TableOnCPU }

// Table returns TableStack.
func (*Stack) Table() TableID { return TableStack }

// Table returns TableModule.
func (*Module) Table() TableID { return TableModule }

// Table returns TableMapping.
func (*Mapping) Table() TableID { return TableMapping }

// Table returns TableSymbol.
func (*Symbol) Table() TableID { return TableSymbol }

// At returns the time of the row.
func (r *OnCPU) At() KTime { return r.Time }

// At returns the time of the row.
func (r *Stack) At() KTime { return r.Time }

// At returns the time of the row.
func (r *Module) At() KTime { return r.Time }

// At returns the time of the row.
func (r *Mapping) At() KTime { return r.Time }

// At returns the time of the row.
func (r *Symbol) At() KTime { return r.Time }

var onCPUTable = table[OnCPU]{
	id:   TableOnCPU,
	time: func(r *OnCPU) KTime { return r.Time },
	cpu:  func(r *OnCPU) uint16 { return r.CPU },
	cols: []column[OnCPU]{
		number("time_ns", "when the sample was taken", delta, func(r *OnCPU) *KTime { return &r.Time }),
		number("cpu", "that it ran on", dict, func(r *OnCPU) *uint16 { return &r.CPU }),
		number("pid", "process", dict, func(r *OnCPU) *PID { return &r.PID }),
		number("tid", "thread", dict, func(r *OnCPU) *TID { return &r.TID }),
		text("comm", "name of the thread", func(r *OnCPU) *string { return &r.Comm }),
		number("period_ns", "time that the sample stands for", dict, func(r *OnCPU) *time.Duration { return &r.Period }),
		boolean("kernel", "the thread was in the kernel", func(r *OnCPU) *bool { return &r.Kernel }),
		number("stack", "id of its innermost frame; 0: none", dict, func(r *OnCPU) *StackID { return &r.Stack }),
		enum("verdict", "whether the user part of the stack is whole, or why not", func(r *OnCPU) *StackVerdict { return &r.Verdict },
			StackVerdict.String, ParseStackVerdict),
		enum("unwound", "how the user part was found", func(r *OnCPU) *Unwinding { return &r.Unwound }, Unwinding.String, ParseUnwinding),
	},
}

var stackTable = table[Stack]{
	id:   TableStack,
	time: func(r *Stack) KTime { return r.Time },
	cols: []column[Stack]{
		number("time_ns", "when the frame was first met", delta, func(r *Stack) *KTime { return &r.Time }),
		number("id", "of the frame with all that called it", delta, func(r *Stack) *StackID { return &r.ID }),
		number("parent", "id of the calling frame; 0: none", delta, func(r *Stack) *StackID { return &r.Parent }),
		enum("kind", "side of the kernel boundary", func(r *Stack) *FrameKind { return &r.Kind }, FrameKind.String, ParseFrameKind),
		number("module", "id of the module that the code is of; 0: none, the address is the process's", dict, func(r *Stack) *ModuleID { return &r.Module }),
		number("address", "ELF virtual address in the module; of a caller one less than where it goes on", dict, func(r *Stack) *uint64 { return &r.Address }),
	},
}

var moduleTable = table[Module]{
	id:   TableModule,
	time: func(r *Module) KTime { return r.Time },
	cols: []column[Module]{
		number("time_ns", "when it was first met", delta, func(r *Module) *KTime { return &r.Time }),
		number("id", "of the module", delta, func(r *Module) *ModuleID { return &r.ID }),
		enum("kind", "what it is", func(r *Module) *ModuleKind { return &r.Kind }, ModuleKind.String, ParseModuleKind),
		number("pid", "of jit the process whose it is; else of the first that had it mapped", dict, func(r *Module) *PID { return &r.PID }),
		text("path", "of the file, as the process sees it; else a name in brackets", func(r *Module) *string { return &r.Path }),
		text("build_id", "in hexadecimal; empty: none", func(r *Module) *string { return &r.BuildID }),
		enum("build_id_kind", "what the build id is", func(r *Module) *BuildIDKind { return &r.BuildIDKind }, BuildIDKind.String, ParseBuildIDKind),
		number("file_bytes", "of the file", dict, func(r *Module) *uint64 { return &r.Bytes }),
		number("symbols", "functions that it has names for", dict, func(r *Module) *uint32 { return &r.Symbols }),
		text("names", "where they are from, joined by +", func(r *Module) *string { return &r.Names }),
		text("error", "why it has no names, or fewer; empty: it has", func(r *Module) *string { return &r.Error }),
	},
}

var mappingTable = table[Mapping]{
	id:   TableMapping,
	time: func(r *Mapping) KTime { return r.Time },
	cols: []column[Mapping]{
		number("time_ns", "when it was made, or found", delta, func(r *Mapping) *KTime { return &r.Time }),
		number("pid", "process", dict, func(r *Mapping) *PID { return &r.PID }),
		number("start", "first address", dict, func(r *Mapping) *uint64 { return &r.Start }),
		number("end", "first address behind it", dict, func(r *Mapping) *uint64 { return &r.End }),
		number("offset", "in the file", dict, func(r *Mapping) *uint64 { return &r.Offset }),
		number("module", "id of the module", dict, func(r *Mapping) *ModuleID { return &r.Module }),
		text("path", "of the file, or a name in brackets", func(r *Mapping) *string { return &r.Path }),
	},
}

var symbolTable = table[Symbol]{
	id:   TableSymbol,
	time: func(r *Symbol) KTime { return r.Time },
	cols: []column[Symbol]{
		number("time_ns", "when a frame in it was first met", delta, func(r *Symbol) *KTime { return &r.Time }),
		number("module", "id of the module", dict, func(r *Symbol) *ModuleID { return &r.Module }),
		number("address", "of its first byte, as in the table stack", dict, func(r *Symbol) *uint64 { return &r.Address }),
		number("bytes", "that it has; 0: unknown", dict, func(r *Symbol) *uint64 { return &r.Bytes }),
		enum("source", "where the name is from", func(r *Symbol) *SymbolSource { return &r.Source }, SymbolSource.String, ParseSymbolSource),
		text("name", "as the file has it, not demangled", func(r *Symbol) *string { return &r.Name }),
	},
}
