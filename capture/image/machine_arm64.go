package image

import (
	"bytes"
	"debug/elf"
)

const machine = elf.EM_AARCH64

// goPrologue reports whether code begins by loading the limit of the stack (MOVD 16(g), R16): cmd/internal/obj/arm64.
func goPrologue(code []byte) bool { return bytes.HasPrefix(code, []byte{0x90, 0x0b, 0x40, 0xf9}) }
