//go:build linux && (amd64 || arm64)

package image

import (
	"bytes"
	"debug/elf"
	"fmt"
)

// Strings finds NUL-terminated strings in data that is only read, and returns the virtual addresses of each, beginnings of strings
// alone.
func (m *Image) Strings(list ...string) (found map[string][]uint64, err error) {
	found = map[string][]uint64{}
	longest := 0
	patterns := make([][]byte, len(list))
	for i, s := range list {
		patterns[i] = append(append([]byte{0}, s...), 0)
		longest = max(longest, len(patterns[i]))
	}
	for _, p := range m.Elf.Progs {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_W != 0 {
			continue
		}
		seen := map[uint64]bool{}
		err := m.scan(p.Off, p.Filesz, longest, func(at uint64, b []byte) {
			for i, pattern := range patterns {
				for from := 0; ; {
					k := bytes.Index(b[from:], pattern)
					if k < 0 {
						break
					}
					addr := at + uint64(from+k) + 1 - p.Off + p.Vaddr
					if !seen[addr] {
						seen[addr] = true
						found[list[i]] = append(found[list[i]], addr)
					}
					from += k + 1
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// CalledWith finds the function that is called next after each of the strings was taken as its second argument: of independent
// witnesses, all must name the same. least is how many of the strings must be there. The function's start is proved by the table
// of functions that unwinding uses. ErrNotHere says that the strings are not there.
func (m *Image) CalledWith(least int, list ...string) (f Function, err error) {
	defer recovered(&err)
	strings, err := m.Strings(list...)
	if err != nil {
		return f, err
	}
	if len(strings) < least {
		return f, ErrNotHere
	}
	at := map[uint64]string{}
	for s, addrs := range strings {
		for _, a := range addrs {
			at[a] = s
		}
	}
	callees := map[string]map[uint64]bool{}
	for _, p := range m.Elf.Progs {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_X == 0 {
			continue
		}
		err := m.scan(p.Off, p.Filesz, callWindow, func(off uint64, code []byte) {
			m.secondArguments(code, p.Vaddr+off-p.Off, at, func(s string, callee uint64) {
				if callees[s] == nil {
					callees[s] = map[uint64]bool{}
				}
				callees[s][callee] = true
			})
		})
		if err != nil {
			return f, err
		}
	}
	return m.agreed(least, callees)
}

// agreed returns the one function that all strings lead to.
func (m *Image) agreed(least int, callees map[string]map[uint64]bool) (f Function, err error) {
	if len(callees) < least {
		return f, fmt.Errorf("%d of its labels are passed to a function, %d are needed", len(callees), least)
	}
	for s, all := range callees {
		for callee := range all {
			if f.Addr != 0 && f.Addr != callee {
				return f, fmt.Errorf("its labels are passed to several functions (%s)", s)
			}
			f.Addr = callee
		}
	}
	if !m.functionStart(f.Addr) {
		return f, fmt.Errorf("what its labels are passed to, at %#x, is not known to be the start of a function", f.Addr)
	}
	return f, nil
}
