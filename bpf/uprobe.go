//go:build linux && (amd64 || arm64)

package bpf

import (
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
)

// Uprobe is a place in a file with a program on it.
type Uprobe struct {
	Program string // of a part whose programs are uprobes
	Offset  uint64 // in the file: the first byte of an instruction
	Return  bool   // run when the function that starts there returns; not for Go, whose stacks move
	Cookie  uint64 // for bpf_get_attach_cookie, Linux 5.15 and later; 0: none
}

// AttachUprobes puts programs on places of the file at path, for one process or, with pid 0, for all that map the file. With a
// pid, no other process gets breakpoints; the process may exec meanwhile, but its children are processes of their own. Closing
// the result takes the breakpoints out. Either all are placed or none.
func (o *Objects) AttachUprobes(path string, pid uint32, probes []Uprobe) (io.Closer, error) {
	exe, err := link.OpenExecutable(path)
	if err != nil {
		return nil, err
	}
	var placed links
	for _, group := range o.groupUprobes(probes) {
		program := o.programs[group[0].Program]
		if program == nil {
			return nil, errors.Join(o.refusedProgram(group[0].Program), placed.Close())
		}
		l, err := attachGroup(exe, program, pid, group)
		if err != nil {
			return nil, errors.Join(explain("place probes", err), placed.Close())
		}
		placed = append(placed, l...)
	}
	return placed, nil
}

func (o *Objects) refusedProgram(name string) error {
	if err := o.refused[name]; err != nil {
		return err
	}
	return fmt.Errorf("there is no program %s", name)
}

// groupUprobes sorts probes by what one link can hold.
func (o *Objects) groupUprobes(probes []Uprobe) (groups [][]Uprobe) {
	type kind struct {
		program string
		ret     bool
	}
	at := map[kind]int{}
	for _, p := range probes {
		k := kind{p.Program, p.Return}
		i, ok := at[k]
		if !ok {
			i = len(groups)
			at[k] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], p)
	}
	return groups
}

func attachGroup(exe *link.Executable, program *ebpf.Program, pid uint32, group []Uprobe) (placed links, err error) {
	if haveUprobeMulti() {
		opts := link.UprobeMultiOptions{PID: pid}
		for _, p := range group {
			opts.Addresses = append(opts.Addresses, p.Offset)
			opts.Cookies = append(opts.Cookies, p.Cookie)
		}
		attach := exe.UprobeMulti
		if group[0].Return {
			attach = exe.UretprobeMulti
		}
		l, err := attach(nil, program, &opts)
		return links{l}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, placed.Close())
		}
	}()
	for _, p := range group {
		attach := exe.Uprobe
		if p.Return {
			attach = exe.Uretprobe
		}
		l, err := attach("", program, &link.UprobeOptions{Address: p.Offset, PID: int(pid), Cookie: p.Cookie})
		if err != nil {
			return placed, err
		}
		placed = append(placed, l)
	}
	return placed, nil
}

// haveUprobeMulti reports whether many places can be had by one link (Linux 6.6), which takes one file descriptor and is placed
// several times as fast.
var haveUprobeMulti = func() bool {
	const pidIsProcess = 6<<16 | 11<<8 // until then a pid meant its first thread only
	version, err := features.LinuxVersionCode()
	return err == nil && version >= pidIsProcess && features.HaveBPFLinkUprobeMulti() == nil
}

// chooseUprobes makes programs that are placed on functions ready for the kind of link that is used.
func chooseUprobes(spec *ebpf.CollectionSpec) {
	for _, p := range spec.Programs {
		if p.SectionName == "uprobe" && haveUprobeMulti() {
			p.AttachType = ebpf.AttachTraceUprobeMulti
		}
	}
}

// links are closed together.
type links []link.Link

func (l links) Close() error {
	var errs []error
	for _, one := range l {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}
