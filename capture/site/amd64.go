package site

import (
	"encoding/binary"
	"errors"

	"golang.org/x/arch/x86/x86asm"
)

// Registers of amd64, by their numbers in instructions.
const (
	rax register = 1 << iota
	rcx
	rdx
	rbx
	rsp
	rbp
	rsi
	rdi

	// cArguments are those of the first four arguments (System V ABI, AMD64 supplement §3.2.3).
	cArguments = rdi | rsi | rdx | rcx
	// goArguments are those of a receiver and a slice (Go internal ABI), and the stack's pointer, by which moves are told.
	goArguments = rax | rbx | rcx | rdi
	result      = rax // of both

	allRegisters = ^register(0)
)

// canarySlot is where the stack protector's word lies in the thread's control block (%fs:0x28).
const canarySlot = 0x28

// endbr64 marks targets of indirect branches; the disassembler does not know it.
var endbr64 = [4]byte{0xf3, 0x0f, 0x1e, 0xfa}

var errInstruction = errors.New("no instruction that is known")

func decodeAMD64(b []byte) (in instruction, err error) {
	if len(b) >= 4 && [4]byte(b[:4]) == endbr64 {
		return instruction{size: 4, plain: true}, nil
	}
	x, err := x86asm.Decode(b, 64)
	if err != nil || x.Len <= 0 || x.Len > len(b) {
		return in, errInstruction
	}
	in = instruction{size: x.Len, emulated: emulatedAMD64(b[:x.Len]), writes: allRegisters}
	if rel, ok := x.Args[0].(x86asm.Rel); ok {
		in.target = x.Len + int(rel)
	}
	switch op := x.Op; op {
	case x86asm.RET, x86asm.LRET:
		in.flow = ret
	case x86asm.JMP:
		in.flow = jump
		if _, ok := x.Args[0].(x86asm.Rel); !ok {
			in.flow = indirect
		}
	case x86asm.CALL:
		in.flow = call
	case x86asm.UD1, x86asm.UD2, x86asm.HLT, x86asm.INT:
		in.flow = trap
	case x86asm.JA, x86asm.JAE, x86asm.JB, x86asm.JBE, x86asm.JE, x86asm.JG, x86asm.JGE, x86asm.JL, x86asm.JLE, x86asm.JNE,
		x86asm.JNO, x86asm.JNP, x86asm.JNS, x86asm.JO, x86asm.JP, x86asm.JS, x86asm.JCXZ, x86asm.JECXZ, x86asm.JRCXZ,
		x86asm.LOOP, x86asm.LOOPE, x86asm.LOOPNE, x86asm.XBEGIN:
		in.flow = branch
		in.writes = 0
	case x86asm.LJMP, x86asm.LCALL, x86asm.IRET, x86asm.IRETD, x86asm.IRETQ, x86asm.SYSRET, x86asm.SYSEXIT:
		in.flow = indirect
	case x86asm.NOP, x86asm.CMP, x86asm.TEST:
		in.plain, in.writes = true, 0
	case x86asm.PUSH:
		in.plain, in.pushes, in.writes = true, true, rsp
	case x86asm.POP, x86asm.MOV, x86asm.LEA, x86asm.MOVSX, x86asm.MOVSXD, x86asm.MOVZX, x86asm.ADD, x86asm.SUB, x86asm.XOR,
		x86asm.AND, x86asm.OR, x86asm.MOVUPS, x86asm.MOVAPS, x86asm.MOVDQA, x86asm.MOVDQU, x86asm.XORPS, x86asm.PXOR, x86asm.MOVQ:
		in.plain = true
		in.writes = destination(x.Args[0])
		if op == x86asm.POP {
			in.writes |= rsp
		}
		in.frame = in.writes == rsp
	}
	switch x.Op {
	case x86asm.SUB, x86asm.XOR, x86asm.CMP:
		for _, a := range x.Args {
			if m, ok := a.(x86asm.Mem); ok && m.Segment == x86asm.FS && m.Base == 0 && m.Index == 0 && m.Disp == canarySlot {
				in.canary = true
			}
		}
	}
	return in, nil
}

// destination returns the register of a first operand; none for memory.
func destination(a x86asm.Arg) register {
	r, ok := a.(x86asm.Reg)
	switch {
	case !ok:
		return 0
	case r >= x86asm.AL && r <= x86asm.BL:
		return 1 << (r - x86asm.AL)
	case r >= x86asm.AH && r <= x86asm.BH:
		return 1 << (r - x86asm.AH)
	case r >= x86asm.SPB && r <= x86asm.DIB:
		return 1 << (r - x86asm.SPB + 4)
	case r >= x86asm.AX && r <= x86asm.DI:
		return 1 << (r - x86asm.AX)
	case r >= x86asm.EAX && r <= x86asm.EDI:
		return 1 << (r - x86asm.EAX)
	case r >= x86asm.RAX && r <= x86asm.RDI:
		return 1 << (r - x86asm.RAX)
	}
	return 1 << 31 // one of the others
}

// emulatedAMD64 reports whether every kernel from 5.10 on carries the instruction out without stepping it: branch_setup_insn and
// push_setup_insn of arch/x86/kernel/uprobes.c. No prefix is allowed here, though some are there.
func emulatedAMD64(b []byte) bool {
	switch op := b[0]; {
	case op == 0x90: // nop
		return true
	case op == 0xe8, op == 0xe9: // call, jmp
		return len(b) == 5
	case op == 0xeb, op >= 0x70 && op <= 0x7f: // jmp, jcc
		return len(b) == 2
	case op == 0x0f:
		return len(b) == 6 && b[1] >= 0x80 && b[1] <= 0x8f // jcc
	case op >= 0x50 && op <= 0x57: // push
		return len(b) == 1
	case op == 0x41:
		return len(b) == 2 && b[1] >= 0x50 && b[1] <= 0x57
	}
	return false
}

// stackCheck reports whether code begins as functions of Go 1.17 and later do that may grow their stack: it compares the stack's
// pointer with the limit that the goroutine (r14) keeps. Go's linker writes nothing else there, so it tells that the place of
// a function was understood.
func stackCheck(code []byte) bool {
	const limit = 0x10 // of runtime.g: stackguard0
	for range 2 {
		x, err := x86asm.Decode(code, 64)
		if err != nil {
			return false
		}
		if m, ok := x.Args[1].(x86asm.Mem); ok && x.Op == x86asm.CMP {
			return m.Base == x86asm.R14 && m.Disp == limit && m.Index == 0
		}
		if x.Op != x86asm.LEA {
			return false
		}
		code = code[x.Len:]
	}
	return false
}

// StartsGo reports whether code is the beginning of a Go function that checks its stack, as all do that call others.
func StartsGo(arch Arch, code []byte) bool {
	switch arch {
	case AMD64:
		return stackCheck(code)
	case ARM64:
		// ldr x16, [x28, #16]
		return len(code) >= 4 && binary.LittleEndian.Uint32(code) == 0xf9400b90
	}
	return false
}
