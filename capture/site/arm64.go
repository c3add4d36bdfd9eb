package site

import "golang.org/x/arch/arm64/arm64asm"

func decodeARM64(b []byte) (in instruction, err error) {
	if len(b) < 4 {
		return in, errInstruction
	}
	in = instruction{size: 4, writes: allRegisters}
	x, err := arm64asm.Decode(b)
	if err != nil {
		// The disassembler does not know all of the machine's instructions, but all that decide what comes next.
		if controls(b) {
			return in, errInstruction
		}
		return in, nil
	}
	switch x.Op {
	case arm64asm.RET:
		in.flow, in.emulated = ret, true // arch/arm64/kernel/probes/decode-insn.c simulates it
	case arm64asm.B:
		in.flow = jump
		if _, conditional := x.Args[0].(arm64asm.Cond); conditional {
			in.flow = branch
		}
	case arm64asm.CBZ, arm64asm.CBNZ, arm64asm.TBZ, arm64asm.TBNZ:
		in.flow = branch
	case arm64asm.BL, arm64asm.BLR:
		in.flow = call
	case arm64asm.BR, arm64asm.ERET, arm64asm.DRPS:
		in.flow = indirect
	case arm64asm.BRK, arm64asm.HLT:
		in.flow = trap
	}
	if in.flow == jump || in.flow == branch {
		for _, a := range x.Args {
			if rel, ok := a.(arm64asm.PCRel); ok {
				in.target = int(rel)
			}
		}
	}
	return in, nil
}

// controls reports whether an instruction is of the group of branches, exceptions and system instructions (Arm ARM C4.1.65: bits
// 28 to 26 are 101).
func controls(b []byte) bool { return b[3]>>2&7 == 5 }
