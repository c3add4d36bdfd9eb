//go:build linux && (amd64 || arm64)

package profile

import (
	"encoding/binary"
	"slices"

	"github.com/ebpf-reel/reel/format"
)

// roots are the functions that threads begin in: a stack that ends there is whole.
var roots = map[string]bool{
	"_start": true, "__libc_start_main": true, "__libc_start_call_main": true, "__libc_start_main_impl": true,
	"clone": true, "__clone": true, "clone3": true, "__clone3": true, "start_thread": true, "_dl_start_user": true,
	"runtime.goexit": true, "runtime.goexit.abi0": true, "runtime.rt0_go": true, "runtime.rt0_go.abi0": true, "runtime.mstart": true, "runtime.mstart.abi0": true,
	"runtime.mcall": true, "runtime.systemstack": true, "runtime.morestack": true,
}

// build puts the frames of a sample into p.path, the outermost first.
func (p *Profiler) build(s *space, parts sampleParts) (format.StackVerdict, format.Unwinding) {
	p.path = p.path[:0]
	verdict, unwound := p.pointers(s, parts.user)
	slices.Reverse(p.path)
	for at := len(parts.kernel) - 8; at >= 0; at -= 8 {
		p.path = append(p.path, p.kernelFrame(binary.LittleEndian.Uint64(parts.kernel[at:]), at > 0))
	}
	return verdict, unwound
}

// maxFrames is how many the kernel side finds by frame pointers.
const maxFrames = 127

// pointers appends the frames that the kernel side found by frame pointers, the innermost first.
func (p *Profiler) pointers(s *space, user []byte) (format.StackVerdict, format.Unwinding) {
	if len(user) == 0 {
		return format.StackNone, format.UnwoundNot
	}
	for at := 0; at+8 <= len(user); at += 8 {
		p.path = append(p.path, p.userFrame(s, binary.LittleEndian.Uint64(user[at:]), at > 0))
	}
	last := &p.path[len(p.path)-1]
	verdict := format.StackNoTable
	switch fn, _ := last.function(); {
	case roots[fn.Name]:
		verdict = format.StackComplete
	case len(user)/8 >= maxFrames:
		verdict = format.StackDepth
	case last.where == nil:
		verdict = format.StackUnmapped
	}
	return verdict, format.UnwoundPointers
}
