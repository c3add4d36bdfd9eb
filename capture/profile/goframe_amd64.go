//go:build linux

package profile

import (
	"bytes"

	"github.com/ebpf-reel/reel/capture/symbols"
)

// goPrologue makes a frame in code of Go's compiler: push %rbp, mov %rsp,%rbp. It comes within the first instructions of every function
// that has one.
var goPrologue = []byte{0x55, 0x48, 0x89, 0xe5}

// prologueBytes are enough to hold what comes before it: the check of the stack's room.
const prologueBytes = 64

// goFrameless reports whether a function of Go's compiler that begins at start has no frame at an address yet, or none at all.
func goFrameless(im *symbols.Image, start, addr uint64) bool {
	var buf [prologueBytes]byte
	code := im.Code(start, buf[:min(prologueBytes, addr-start)])
	return !bytes.Contains(code, goPrologue)
}
