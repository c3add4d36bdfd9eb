//go:build linux && (amd64 || arm64)

package bpf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"
)

// ProcessIDs are the ids of one process, and when it began.
type ProcessIDs struct {
	PID     uint32 // in the initial pid namespace, as in all events
	Seen    uint32 // in the namespace that OpenProcesses named
	StartNS uint64 // CLOCK_BOOTTIME
}

// Processes lists the processes of a pid namespace with the ids that the kernel gives them. /proc of a namespace does not tell
// those: it shows no namespace above its own.
type Processes struct {
	program *ebpf.Program
}

// OpenProcesses loads the program that tells. namespace is the inode number of the pid namespace of this process.
func OpenProcesses(namespace uint32) (*Processes, error) {
	if err := mayLoad(); err != nil {
		return nil, err
	}
	spec, err := loadPids()
	if err != nil {
		return nil, fmt.Errorf("read the object pids: %w", err)
	}
	if err := configure(spec, Options{OwnPIDNamespace: namespace}, 0); err != nil {
		return nil, err
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return nil, explain("list processes", err)
	}
	defer coll.Close()
	return &Processes{coll.DetachProgram("process_ids")}, nil
}

// Each calls fn for each process of the namespace, and of those below it, in no order.
func (p *Processes) Each(fn func(ProcessIDs)) error {
	err := walk(p.program, func(r *bufio.Reader) error {
		var raw [16]byte // struct process_ids of include/pids.h
		for {
			if _, err := io.ReadFull(r, raw[:]); err != nil {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return fmt.Errorf("read a process: %w", err)
			}
			ids := ProcessIDs{
				StartNS: binary.NativeEndian.Uint64(raw[0:]), PID: binary.NativeEndian.Uint32(raw[8:]), Seen: binary.NativeEndian.Uint32(raw[12:]),
			}
			if ids.Seen != 0 {
				fn(ids)
			}
		}
	})
	return explain("list processes", err)
}

// Close takes the program out of the kernel.
func (p *Processes) Close() error { return p.program.Close() }
