package text

import (
	"time"

	"github.com/ebpf-reel/reel/format"
)

var onCPUColumns = []column{
	number("cpu", func(r *format.OnCPU) *uint16 { return &r.CPU }),
	number("pid", func(r *format.OnCPU) *format.PID { return &r.PID }),
	number("tid", func(r *format.OnCPU) *format.TID { return &r.TID }),
	quoted("comm", func(r *format.OnCPU) *string { return &r.Comm }),
	duration("period", func(r *format.OnCPU) *time.Duration { return &r.Period }),
	mark("kernel", func(r *format.OnCPU) *bool { return &r.Kernel }),
	number("stack", func(r *format.OnCPU) *format.StackID { return &r.Stack }),
	named("verdict", "complete, or why the user part is not: depth, copy_end, not_resident, no_table, rule, broken, unmapped, not_read", format.ParseStackVerdict,
		func(r *format.OnCPU) *format.StackVerdict { return &r.Verdict }),
	named("unwound", "frame_pointers, eh_frame or both", format.ParseUnwinding, func(r *format.OnCPU) *format.Unwinding { return &r.Unwound }),
}

var stackColumns = []column{
	number("id", func(r *format.Stack) *format.StackID { return &r.ID }),
	number("parent", func(r *format.Stack) *format.StackID { return &r.Parent }),
	named("kind", "user or kernel", format.ParseFrameKind, func(r *format.Stack) *format.FrameKind { return &r.Kind }),
	number("module", func(r *format.Stack) *format.ModuleID { return &r.Module }),
	hexNumber("address", func(r *format.Stack) *uint64 { return &r.Address }),
}

var moduleColumns = []column{
	number("id", func(r *format.Module) *format.ModuleID { return &r.ID }),
	named("kind", "elf, kernel, vdso, jit or unknown", format.ParseModuleKind, func(r *format.Module) *format.ModuleKind { return &r.Kind }),
	number("pid", func(r *format.Module) *format.PID { return &r.PID }),
	quoted("path", func(r *format.Module) *string { return &r.Path }),
	quoted("build_id", func(r *format.Module) *string { return &r.BuildID }),
	named("build_id_kind", "gnu, go or hash", format.ParseBuildIDKind, func(r *format.Module) *format.BuildIDKind { return &r.BuildIDKind }),
	number("bytes", func(r *format.Module) *uint64 { return &r.Bytes }),
	number("symbols", func(r *format.Module) *uint32 { return &r.Symbols }),
	quoted("names", func(r *format.Module) *string { return &r.Names }),
	quoted("error", func(r *format.Module) *string { return &r.Error }),
}

var mappingColumns = []column{
	number("pid", func(r *format.Mapping) *format.PID { return &r.PID }),
	hexNumber("start", func(r *format.Mapping) *uint64 { return &r.Start }),
	hexNumber("end", func(r *format.Mapping) *uint64 { return &r.End }),
	hexNumber("offset", func(r *format.Mapping) *uint64 { return &r.Offset }),
	number("module", func(r *format.Mapping) *format.ModuleID { return &r.Module }),
	quoted("path", func(r *format.Mapping) *string { return &r.Path }),
}

var symbolColumns = []column{
	number("module", func(r *format.Symbol) *format.ModuleID { return &r.Module }),
	hexNumber("address", func(r *format.Symbol) *uint64 { return &r.Address }),
	hexNumber("bytes", func(r *format.Symbol) *uint64 { return &r.Bytes }),
	named("source", "symtab, dynsym, gopclntab, perf_map, kallsyms, debug, inferred or bounds", format.ParseSymbolSource,
		func(r *format.Symbol) *format.SymbolSource { return &r.Source }),
	quoted("name", func(r *format.Symbol) *string { return &r.Name }),
}
