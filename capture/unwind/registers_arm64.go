package unwind

import "encoding/binary"

// Registers are those of a thread, by their DWARF numbers (AADWARF64 §4.1); 32 is the place of execution.
type Registers [numRegs]uint64

const (
	numRegs = 33
	regFP   = 29
	regLink = 30
	regSP   = 31
	regPC   = 32
	hasLink = true
)

// ReadRegisters reads a struct user_pt_regs (arch/arm64/include/uapi/asm/ptrace.h): x0 to x30, sp, pc, pstate.
func ReadRegisters(b []byte) (r Registers, ok bool) {
	const words = 34
	if len(b) != 8*words {
		return r, false
	}
	for i := range r {
		r[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return r, true
}

// stripAuthentication takes the pointer authentication code out of a return address: user addresses have at most 48 bits.
func stripAuthentication(addr uint64) uint64 { return addr & (1<<48 - 1) }

// signal goes on with what a signal interrupted: struct rt_sigframe has siginfo (128 bytes), then ucontext, whose sigcontext
// (arch/arm64/include/uapi/asm/sigcontext.h) lies at 176 and begins with the faulting address.
func (w *walker) signal() bool {
	const regs = 128 + 176 + 8
	sp := w.regs[regSP]
	var next Registers
	for i := range next {
		v, ok := w.load(sp + regs + 8*uint64(i))
		if !ok {
			return false
		}
		next[i] = v
	}
	w.regs = next
	return true
}
