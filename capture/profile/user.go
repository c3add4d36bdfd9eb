//go:build linux && (amd64 || arm64)

package profile

import (
	"encoding/binary"
	"slices"

	"github.com/ebpf-reel/reel/capture/unwind"
	"github.com/ebpf-reel/reel/format"
)

// roots are the functions that threads begin in: a stack that ends there is whole.
var roots = map[string]bool{
	"_start": true, "__libc_start_main": true, "__libc_start_call_main": true, "__libc_start_main_impl": true,
	"clone": true, "__clone": true, "clone3": true, "__clone3": true, "start_thread": true, "_dl_start_user": true,
	"runtime.goexit": true, "runtime.goexit.abi0": true, "runtime.rt0_go": true, "runtime.rt0_go.abi0": true, "runtime.mstart": true, "runtime.mstart.abi0": true,
	"runtime.mcall": true, "runtime.systemstack": true, "runtime.morestack": true,
}

// userPart puts the user frames into p.path, the outermost first.
func (p *Profiler) userPart(s *space, parts sampleParts) (format.StackVerdict, format.Unwinding) {
	p.path = p.path[:0]
	verdict, unwound := p.user(s, parts)
	slices.Reverse(p.path)
	return verdict, unwound
}

// kernelPart puts the kernel frames behind them.
func (p *Profiler) kernelPart(kernel []byte) {
	for at := len(kernel) - 8; at >= 0; at -= 8 {
		p.path = append(p.path, p.kernelFrame(binary.LittleEndian.Uint64(kernel[at:]), at > 0))
	}
}

// How many frames are kept of a user stack: those that the kernel side finds by frame pointers, and those that are found here.
const (
	maxPointers = 127
	maxFrames   = 512
)

// user appends the frames of the user stack, the innermost first. Unwind tables go first, since a frame pointer may be anything where
// code was compiled without; where they end the kernel's chain of frame pointers goes on, which reads more of the stack than was copied.
func (p *Profiler) user(s *space, parts sampleParts) (format.StackVerdict, format.Unwinding) {
	regs, ok := unwind.ReadRegisters(parts.regs)
	if len(parts.user) == 0 && !ok {
		return format.StackNone, format.UnwoundNot
	}
	if !ok || len(parts.stack) == 0 {
		p.pointers(s, parts.user, 0)
		return p.verdict(pointerEnd(parts.user)), format.UnwoundPointers
	}
	p.thread = unwind.Thread{Regs: regs, Base: p.copied.addr, Stack: parts.stack, Fault: p.copied.fault}
	unwind.Walk(&p.thread, code{p, s}, maxFrames, &p.walk)
	for _, f := range p.walk.Frames {
		p.path = append(p.path, p.userFrame(s, f.Addr, !f.Exact))
	}
	end, pointers := verdicts[p.walk.End], p.walk.Pointers
	if end != format.StackComplete && end != format.StackDepth {
		if n := p.joinPointers(s, parts.user); n > 0 {
			pointers += n
			end = pointerEnd(parts.user)
		}
	}
	unwound := format.UnwoundTable
	switch {
	case p.walk.Tables == 0:
		unwound = format.UnwoundPointers
	case pointers > 0:
		unwound = format.UnwoundBoth
	}
	return p.verdict(end), unwound
}

// verdicts are what the ends of a walk are called in a reel.
var verdicts = [...]format.StackVerdict{
	unwind.EndComplete: format.StackComplete, unwind.EndDepth: format.StackDepth, unwind.EndCopy: format.StackCopyEnd,
	unwind.EndNotResident: format.StackNotResident, unwind.EndNoTable: format.StackNoTable, unwind.EndRule: format.StackRule,
	unwind.EndBroken: format.StackBroken, unwind.EndUnmapped: format.StackUnmapped,
}

// joinPointers goes on from the last frame of a walk where the chain of frame pointers has it too. It returns how many frames that gave.
func (p *Profiler) joinPointers(s *space, user []byte) int {
	last := p.walk.Frames[len(p.walk.Frames)-1].Addr
	for at := 0; at+8 <= len(user); at += 8 {
		if binary.LittleEndian.Uint64(user[at:]) == last {
			return p.pointers(s, user, at+8)
		}
	}
	return 0
}

// pointers appends frames that the kernel side found by frame pointers, from an offset on.
func (p *Profiler) pointers(s *space, user []byte, from int) (n int) {
	for at := from; at+8 <= len(user); at += 8 {
		p.path = append(p.path, p.userFrame(s, binary.LittleEndian.Uint64(user[at:]), at > 0))
		n++
	}
	return n
}

// pointerEnd is how a chain of frame pointers ends, unless its last frame tells better.
func pointerEnd(user []byte) format.StackVerdict {
	if len(user)/8 >= maxPointers {
		return format.StackDepth
	}
	return format.StackNoTable
}

// verdict looks at the last frame: what ends in a function that threads begin in is whole.
func (p *Profiler) verdict(end format.StackVerdict) format.StackVerdict {
	if end == format.StackComplete || len(p.path) == 0 {
		return end
	}
	last := &p.path[len(p.path)-1]
	if fn, ok := last.function(); ok && roots[fn.Name] {
		return format.StackComplete
	}
	if end == format.StackNoTable && last.where == nil {
		return format.StackUnmapped
	}
	return end
}

// code is the code of a process, for unwinding.
type code struct {
	profiler *Profiler
	space    *space
}

// Frameless reports whether the function at an address has no frame there: known of Go alone, whose leaves have none.
func (c code) Frameless(addr uint64) bool {
	r := c.profiler.locate(c.space, addr)
	if r == nil || r.module.image == nil || !r.module.image.Go {
		return false
	}
	at := r.address(addr)
	fn, ok := r.module.image.Function(at)
	return ok && goFrameless(r.module.image, fn.Address, at)
}

// Table returns the unwind table of the code at an address.
func (c code) Table(addr uint64) (*unwind.Table, uint64, bool) {
	r := c.profiler.locate(c.space, addr)
	if r == nil {
		return nil, 0, false
	}
	return r.module.table, r.address(addr), true
}
