package image

import (
	"encoding/binary"

	"golang.org/x/arch/x86/x86asm"
)

// Bounds of the way from an argument to the call.
const (
	callWindow       = 256 // bytes of code behind the argument that are there to be read
	callInstructions = 24
)

// secondArguments finds places where the address of one of the strings is put into RSI (lea rsi, [rip+…]), and tells which
// function is called, or jumped to, next. code lies at the virtual address base.
func (m *Image) secondArguments(code []byte, base uint64, strings map[uint64]string, found func(s string, callee uint64)) {
	const lea = 7
	for i := 0; i+lea <= len(code); i++ {
		if code[i] != 0x48 || code[i+1] != 0x8d || code[i+2] != 0x35 {
			continue
		}
		s, ok := strings[base+uint64(i+lea)+uint64(int64(int32(binary.LittleEndian.Uint32(code[i+3:]))))]
		if !ok {
			continue
		}
		if callee, ok := m.nextCall(code, base, i+lea); ok {
			found(s, callee)
		}
	}
}

// nextCall follows the code from its byte i on to the next call with a known address.
func (m *Image) nextCall(code []byte, base uint64, i int) (callee uint64, ok bool) {
	for range callInstructions {
		if i < 0 || i >= len(code) {
			return 0, false
		}
		inst, err := x86asm.Decode(code[i:], 64)
		if err != nil {
			return 0, false
		}
		i += inst.Len
		rel, direct := inst.Args[0].(x86asm.Rel)
		switch {
		case inst.Op == x86asm.RET || (inst.Op == x86asm.CALL || inst.Op == x86asm.JMP) && !direct:
			return 0, false
		case inst.Op == x86asm.CALL:
			return base + uint64(i) + uint64(int64(rel)), true
		case inst.Op == x86asm.JMP:
			if to := base + uint64(i) + uint64(int64(rel)); m.functionStart(to) {
				return to, true // the last thing that the function does
			}
			i += int(rel)
		}
	}
	return 0, false
}
