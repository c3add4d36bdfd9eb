package unwind

import "encoding/binary"

// Registers are those of a thread, by their DWARF numbers (psABI amd64, figure 3.36); 16 is the place of execution.
type Registers [numRegs]uint64

const (
	numRegs = 17
	regFP   = 6
	regSP   = 7
	regPC   = 16
	regLink = 16
	hasLink = false
)

// order has the DWARF numbers of the words of struct pt_regs (arch/x86/include/uapi/asm/ptrace.h); -1: none.
var order = [21]int{15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5, -1, 16, -1, -1, 7, -1}

// ReadRegisters reads a struct pt_regs.
func ReadRegisters(b []byte) (r Registers, ok bool) {
	if len(b) != 8*len(order) {
		return r, false
	}
	for i, n := range order {
		if n >= 0 {
			r[n] = binary.LittleEndian.Uint64(b[8*i:])
		}
	}
	return r, true
}

func stripAuthentication(addr uint64) uint64 { return addr }

// Where struct rt_sigframe keeps registers, from the stack pointer in the function that a handler returns to: the sigcontext of its
// ucontext (arch/x86/include/uapi/asm/sigcontext.h).
const sigcontext = 40

var sigcontextOrder = [...]int{8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16}

// signal goes on with what a signal interrupted.
func (w *walker) signal() bool {
	sp := w.regs[regSP]
	var next Registers
	for i, n := range sigcontextOrder {
		v, ok := w.load(sp + sigcontext + 8*uint64(i))
		if !ok {
			return false
		}
		next[n] = v
	}
	w.regs = next
	return true
}
