// Package site turns the machine code of a function into the instructions where probes of its calls and results may stand.
//
// Where a probe stands decides what it costs. The kernel replaces an instruction by a trap, and then runs the original out of
// line, single-stepped, which is a second trap: unless it can carry out the instruction itself. So places are looked for whose
// instruction it emulates, and at which the arguments, or the result, are still in their registers.
//
// A place is never guessed: it is the start of an instruction that a disassembly from the function's first byte came by. What
// is not understood makes the function's first instruction the place of entry, and a return probe the place of exit.
package site

import (
	"errors"
	"fmt"
)

// Site is the place of a probe: bytes from the first of the function.
type Site struct {
	Offset   int
	Emulated bool // the kernel carries the instruction out itself
}

// Plan is where the calls of a function are seen, and their results.
type Plan struct {
	Entry Site   // the arguments are in their registers
	Exits []Site // every return comes by exactly one of them, with the result in its register; none: ReturnProbe
	// ReturnProbe says that returns are to be seen by a return probe at Entry, where the return address is on top of the stack.
	ReturnProbe bool
}

// Arch is the machine that code is for, by Go's name.
type Arch string

// The machines.
const (
	AMD64 Arch = "amd64"
	ARM64 Arch = "arm64"
)

// maxCode bounds a function that is looked at: the longest of TLS libraries have some KiB.
const maxCode = 1 << 16

// ErrCode says that a function's code is not understood well enough for what was asked.
var ErrCode = errors.New("its code is not understood")

// C plans probes of a function that keeps the C calling convention. It always finds a plan: the plain entry with a return probe
// is one for every function.
func C(arch Arch, code []byte) Plan {
	plain := Plan{ReturnProbe: true}
	f, err := decode(arch, code)
	if err != nil {
		return plain
	}
	plain.Entry.Emulated = f.list[0].emulated
	if arch != AMD64 {
		return plain
	}
	cheap, depth := f.entry(cArguments)
	if exits := f.guarded(); exits != nil {
		return Plan{Entry: cheap, Exits: exits}
	}
	if cheap.Emulated && depth == 0 {
		return Plan{Entry: cheap, ReturnProbe: true}
	}
	if exits, err := f.returns(); err == nil {
		return Plan{Entry: cheap, Exits: exits}
	}
	return plain
}

// Go plans probes of a function that keeps the register convention of Go (Go 1.17 and later on amd64, 1.18 on arm64). Return
// probes are no way out: they write into stacks, which Go moves. A call may come by the entry twice, the second time after its
// stack was moved. An error wraps ErrCode.
func Go(arch Arch, code []byte) (Plan, error) {
	f, err := decode(arch, code)
	if err != nil {
		return Plan{}, err
	}
	exits, err := f.returns()
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Exits: exits}
	if arch == AMD64 {
		p.Entry, _ = f.entry(goArguments)
	}
	return p, nil
}

// Entry returns the cheapest place at which the arguments of a C function are intact.
func Entry(arch Arch, code []byte) Site {
	f, err := decode(arch, code)
	if err != nil || arch != AMD64 {
		return Site{}
	}
	s, _ := f.entry(cArguments)
	return s
}

// flow is what an instruction does to the order of execution.
type flow uint8

const (
	next     flow = iota // the instruction behind it follows
	branch               // that, or target
	jump                 // target
	call                 // the instruction behind it follows, after others
	indirect             // nobody knows what follows
	ret
	trap // nothing follows
)

// instruction is one of a function, as far as places depend on it.
type instruction struct {
	at, size int
	flow     flow
	target   int      // of a branch or jump, relative to the function
	emulated bool     // by the kernel
	writes   register // registers that it changes; of a call all but those that it must keep
	plain    bool     // it is known to do nothing but compute and store
	frame    bool     // it makes room on the stack
	pushes   bool
	canary   bool // it compares the stack protector's word
}

// register is a set of registers of either machine.
type register uint32

// function is the disassembly of one.
type function struct {
	arch Arch
	size int
	list []instruction
}

func decode(arch Arch, code []byte) (*function, error) {
	if len(code) == 0 || len(code) > maxCode {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrCode, len(code))
	}
	f := &function{arch: arch, size: len(code)}
	for at := 0; at < len(code); {
		var in instruction
		var err error
		switch arch {
		case AMD64:
			in, err = decodeAMD64(code[at:])
		case ARM64:
			in, err = decodeARM64(code[at:])
		default:
			err = fmt.Errorf("machine %q is unknown", arch)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w at byte %d of %d", ErrCode, err, at, len(code))
		}
		in.at = at
		in.target += at
		f.list = append(f.list, in)
		at += in.size
	}
	return f, nil
}

// index returns the instruction at an offset; -1: none begins there.
func (f *function) index(at int) int {
	lo, hi := 0, len(f.list)
	for lo < hi {
		mid := (lo + hi) / 2
		if f.list[mid].at < at {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(f.list) && f.list[lo].at == at {
		return lo
	}
	return -1
}

// enters reports whether a branch or jump leads to a byte in (from, to], where execution comes by in order otherwise.
func (f *function) enters(from, to int) bool {
	for i := range f.list {
		in := &f.list[i]
		if (in.flow == branch || in.flow == jump) && in.target > from && in.target <= to {
			return true
		}
	}
	return false
}

// restarts reports whether the function jumps to its own beginning.
func (f *function) restarts() bool { return f.enters(-1, 0) }

// wanders reports whether nobody knows where the function goes.
func (f *function) wanders() bool {
	for i := range f.list {
		if f.list[i].flow == indirect {
			return true
		}
	}
	return false
}

// entry returns the first emulated instruction that every call comes by exactly once with its arguments intact, and the
// bytes that the stack has grown by then; the function's first instruction where there is none.
func (f *function) entry(arguments register) (s Site, depth int) {
	plain := Site{Emulated: f.list[0].emulated}
	guard := -1 // the branch to what begins the function again
	for i := range f.list {
		in := &f.list[i]
		if in.emulated && (i == 0 || !f.wanders()) && !f.enters(0, in.at) && f.once(i, guard) {
			return Site{in.at, true}, depth
		}
		switch {
		case in.flow == branch:
			if guard >= 0 {
				return plain, 0
			}
			guard = i
		case !in.plain || in.writes&arguments != 0 || in.flow != next:
			return plain, 0
		}
		if in.frame || in.pushes {
			depth++
		}
	}
	return plain, 0
}

// once reports whether instruction i is passed once for each call, though the function may begin again.
func (f *function) once(i, guard int) bool {
	if !f.restarts() {
		return true
	}
	if guard < 0 || f.list[i].flow != next {
		return false
	}
	// The only way back must be the one that begins at the guard's target and does nothing but call.
	j := f.index(f.list[guard].target)
	for j >= 0 && j < len(f.list) && (f.list[j].flow == next || f.list[j].flow == call) {
		j++
	}
	if j < 0 || j >= len(f.list) || f.list[j].flow != jump || f.list[j].target != 0 {
		return false
	}
	for k := range f.list {
		if in := &f.list[k]; k != j && (in.flow == branch || in.flow == jump) && in.target == 0 {
			return false
		}
	}
	return true
}

// leaves reports whether the function may end other than by its return instructions.
func (f *function) leaves() bool {
	for i := range f.list {
		in := &f.list[i]
		if (in.flow == branch || in.flow == jump) && f.index(in.target) < 0 {
			return true
		}
	}
	return f.wanders()
}

// returns lists the return instructions. It fails where the function may end otherwise.
func (f *function) returns() (sites []Site, err error) {
	if f.leaves() {
		return nil, fmt.Errorf("%w: it ends by a jump into another", ErrCode)
	}
	for i := range f.list {
		if f.list[i].flow == ret {
			sites = append(sites, Site{f.list[i].at, f.list[i].emulated})
		}
	}
	if sites == nil {
		return nil, fmt.Errorf("%w: it does not return", ErrCode)
	}
	return sites, nil
}

// guarded lists, for each return instruction, the branch of the stack protector before it, if the result is in its register
// there already: that branch is emulated, a return instruction is not. nil: not every return has one.
func (f *function) guarded() (sites []Site) {
	if f.leaves() {
		return nil
	}
	for i := range f.list {
		if f.list[i].flow != ret {
			continue
		}
		j := i - 1
		for j > 0 && f.list[j].flow == next && f.list[j].writes&result == 0 {
			j--
		}
		if j < 1 || f.list[j].flow != branch || !f.list[j].emulated || !f.list[j-1].canary || f.enters(f.list[j].at, f.list[i].at) {
			return nil
		}
		sites = append(sites, Site{f.list[j].at, true})
	}
	return sites
}
