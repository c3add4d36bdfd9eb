//go:build linux && (amd64 || arm64)

package bpf

import (
	"github.com/cilium/ebpf"
)

// Beside returns how many other recorders of this kind have their programs loaded now: each call of theirs and ours takes the
// time of all. It takes CAP_SYS_ADMIN to look; without, there seem to be none.
func (o *Objects) Beside() int {
	const name = "sys_exit"
	own, err := o.programs[name].Info()
	if err != nil {
		return 0
	}
	ownID, _ := own.ID()
	n := 0
	for id := ebpf.ProgramID(0); ; {
		if id, err = ebpf.ProgramGetNextID(id); err != nil {
			return n // the last, or not allowed
		}
		if id != ownID && isRecorder(id, name) {
			n++
		}
	}
}

func isRecorder(id ebpf.ProgramID, name string) bool {
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return false // it is gone
	}
	defer p.Close()
	info, err := p.Info()
	return err == nil && info.Name == name && info.Type == ebpf.Tracing
}
