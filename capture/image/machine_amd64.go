package image

import (
	"bytes"
	"debug/elf"
)

const machine = elf.EM_X86_64

// goPrologue reports whether code begins by comparing the stack pointer, or what a large frame leaves of it (R12), with the
// limit that R14 leads to: cmd/internal/obj/x86.
func goPrologue(code []byte) bool {
	for _, first := range [][]byte{{0x49, 0x3b, 0x66, 0x10}, {0x4c, 0x8d, 0x64, 0x24}, {0x4c, 0x8d, 0xa4, 0x24}} {
		if bytes.HasPrefix(code, first) {
			return true
		}
	}
	return false
}
