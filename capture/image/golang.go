//go:build linux && (amd64 || arm64)

package image

import (
	"debug/buildinfo"
	"debug/elf"
	"debug/gosym"
	"encoding/binary"
	"fmt"
	"slices"
)

// GoVersion returns the version of Go that the program was built with, "go1.22.1"; "" if it is no Go program.
func (m *Image) GoVersion() (version string) {
	var err error
	defer recovered(&err)
	if m.Elf.Section(".go.buildinfo") == nil {
		return ""
	}
	info, err := buildinfo.Read(m.file)
	if err != nil {
		return ""
	}
	return info.GoVersion
}

const maxGoTable = 256 << 20

// pclntabNames are the sections that hold the table of functions; the second in position-independent programs of some versions.
var pclntabNames = []string{".gopclntab", ".data.rel.ro.gopclntab"}

// GoFunctions finds functions of a Go program by name in the table that its own tracebacks use, which stripping leaves.
func (m *Image) GoFunctions(names ...string) (found map[string]Function, err error) {
	defer recovered(&err)
	var section *elf.Section
	var data []byte
	for _, name := range pclntabNames {
		if section, data, err = m.section(name, maxGoTable); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	var sample []Function
	for _, start := range m.goTextStarts(section, data) {
		table, err := gosym.NewTable(nil, gosym.NewLineTable(data, start))
		if err != nil {
			return nil, err
		}
		found, sample = map[string]Function{}, sampleOf(table.Funcs)
		for i := range table.Funcs {
			if f := &table.Funcs[i]; slices.Contains(names, f.Name) {
				found[f.Name] = Function{Addr: f.Entry, Size: f.End - f.Entry}
			}
		}
		if m.goPrologues(found) {
			return found, nil
		}
	}
	if m.behindC(found, sample) {
		return found, nil
	}
	return nil, fmt.Errorf("its table of functions does not lead to their code")
}

// cBytes bounds the C code that comes before Go's: what the linker starts a program with, or a library that is linked in.
const cBytes = 4 << 20

// sampleOf chooses functions of some length from all over a program: most of these check their stack.
func sampleOf(all []gosym.Func) (sample []Function) {
	const functions, length = 256, 256
	for i := 0; i < len(all); i += max(len(all)/functions, 1) {
		for i < len(all) && all[i].End-all[i].Entry < length {
			i++
		}
		if i < len(all) {
			sample = append(sample, Function{Addr: all[i].Entry, Size: all[i].End - all[i].Entry})
		}
	}
	return sample
}

// behindC moves functions that were counted from the start of the code, which C code precedes, to where they and four fifths of the
// sample begin as Go's do: at any other place hardly one in ten would. From Go 1.26 on nothing in a position-independent program
// without symbols says where Go's code begins.
func (m *Image) behindC(found map[string]Function, sample []Function) bool {
	const alignment, least = 16, 16 // bytes; functions of the sample
	for by := uint64(alignment); len(found) > 0 && len(sample) >= least && by < cBytes; by += alignment {
		for name, f := range found {
			found[name] = Function{Addr: f.Addr + alignment, Size: f.Size}
		}
		if !m.goPrologues(found) {
			continue
		}
		n := 0
		for _, f := range sample {
			if _, code, err := m.Code(Function{Addr: f.Addr + by, Size: longestPrologue}); err == nil && goPrologue(code) {
				n++
			}
		}
		if n*5 >= len(sample)*4 {
			return true
		}
	}
	return false
}

// goTextStarts lists what the table's addresses may count from: what its header says, what the dynamic linker would put there, and
// the start of the code, which C code precedes in some programs.
func (m *Image) goTextStarts(section *elf.Section, data []byte) (starts []uint64) {
	const textStart = 8 + 2*8 // in the header: magic and sizes, numbers of functions and files
	if len(data) >= textStart+8 {
		if addr := binary.LittleEndian.Uint64(data[textStart:]); addr != 0 {
			starts = append(starts, addr)
		}
		if addr, ok := m.relocated(section.Addr + textStart); ok {
			starts = append(starts, addr)
		}
	}
	if text := m.Elf.Section(".text"); text != nil {
		starts = append(starts, text.Addr)
	}
	return starts
}

// relocated returns what the dynamic linker puts at a place of a program that is loaded at 0.
func (m *Image) relocated(place uint64) (addr uint64, ok bool) {
	const entry = 24 // of Elf64_Rela
	_, data, err := m.section(".rela.dyn", maxGoTable)
	if err != nil {
		if _, data, err = m.section(".rela", maxGoTable); err != nil {
			return 0, false
		}
	}
	for ; len(data) >= entry; data = data[entry:] {
		if binary.LittleEndian.Uint64(data) == place {
			return binary.LittleEndian.Uint64(data[16:]), true
		}
	}
	return 0, false
}

// longestPrologue is more than the code takes that looks for room.
const longestPrologue = 32

// goPrologues reports whether all functions begin as Go's do that look whether their stack has room.
func (m *Image) goPrologues(found map[string]Function) bool {
	for _, f := range found {
		_, code, err := m.Code(Function{Addr: f.Addr, Size: min(f.Size, longestPrologue)})
		if err != nil || !goPrologue(code) {
			return false
		}
	}
	return true
}
