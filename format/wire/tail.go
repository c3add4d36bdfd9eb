package wire

// Tail is what follows a proc_event: arguments, each ended by NUL, and of each path its parts, the last first, each ended by NUL.
type Tail struct{ Args, Exe, Cgroup, CgroupV1 []byte }

// Tail divides the payload of a proc_event. Lengths that cannot be make all of it arguments.
func (e *Event) Tail() Tail {
	p, rest := &e.Proc, e.Payload
	paths := uint64(p.ExeLen) + uint64(p.CgroupLen) + uint64(p.CgroupV1Len)
	if paths > uint64(len(rest)) {
		return Tail{Args: rest}
	}
	var t Tail
	t.Args, rest = rest[:uint64(len(rest))-paths], rest[uint64(len(rest))-paths:]
	t.Exe, rest = rest[:p.ExeLen], rest[p.ExeLen:]
	t.Cgroup, t.CgroupV1 = rest[:p.CgroupLen], rest[p.CgroupLen:]
	return t
}
