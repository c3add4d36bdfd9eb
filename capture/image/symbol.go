//go:build linux && (amd64 || arm64)

package image

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// Function is a function of a file.
type Function struct {
	Addr uint64 // virtual
	Size uint64 // bytes; 0 unknown
}

const (
	symbolSize  = 24 // of Elf64_Sym
	blockBytes  = 64 << 10
	maxStrings  = 1 << 30
	maxPatterns = 64
)

// Functions finds functions by name, in the symbols for the dynamic linker and in those for debuggers. It reads the tables in
// pieces: those of a program like Node.js have hundreds of thousands of symbols.
func (m *Image) Functions(names ...string) (found map[string]Function, err error) {
	defer recovered(&err)
	found = map[string]Function{}
	for _, typ := range []elf.SectionType{elf.SHT_DYNSYM, elf.SHT_SYMTAB} {
		table := m.Elf.SectionByType(typ)
		if table == nil || table.Type == elf.SHT_NOBITS || int(table.Link) >= len(m.Elf.Sections) || len(found) == len(names) {
			continue
		}
		offsets, err := m.nameOffsets(m.Elf.Sections[table.Link], names)
		if err != nil {
			return nil, err
		}
		if err := m.walkSymbols(table, offsets, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// nameOffsets finds where in a string table the names stand. One name may stand at several places, also as the end of a longer one.
func (m *Image) nameOffsets(strings *elf.Section, names []string) (map[uint32]string, error) {
	offsets := map[uint32]string{}
	err := m.scan(strings.Offset, min(strings.Size, maxStrings), 256, func(at uint64, b []byte) {
		for _, name := range names {
			pattern := append([]byte(name), 0)
			for from := 0; ; {
				i := bytes.Index(b[from:], pattern)
				if i < 0 {
					break
				}
				offsets[uint32(at-strings.Offset)+uint32(from+i)] = name
				from += i + 1
			}
		}
	})
	return offsets, err
}

// scan gives fn the bytes of a part of the file in blocks, which overlap so that nothing of up to overlap bytes is missed.
func (m *Image) scan(off, size uint64, overlap int, fn func(at uint64, b []byte)) error {
	if off > uint64(m.size) {
		return errOutside
	}
	size = min(size, uint64(m.size)-off)
	buf := make([]byte, blockBytes+overlap)
	for at := uint64(0); at < size; at += blockBytes {
		n := int(min(uint64(len(buf)), size-at))
		if _, err := m.file.ReadAt(buf[:n], int64(off+at)); err != nil {
			return err
		}
		fn(off+at, buf[:n])
	}
	return nil
}

func (m *Image) walkSymbols(table *elf.Section, offsets map[uint32]string, found map[string]Function) error {
	if len(offsets) == 0 {
		return nil
	}
	buf := make([]byte, blockBytes/symbolSize*symbolSize)
	for at := uint64(0); at+symbolSize <= min(table.Size, uint64(m.size)); at += uint64(len(buf)) {
		n := int(min(uint64(len(buf)), table.Size-at)) / symbolSize * symbolSize
		if _, err := m.file.ReadAt(buf[:n], int64(table.Offset+at)); err != nil {
			return err
		}
		for b := buf[:n]; len(b) > 0; b = b[symbolSize:] {
			name, ok := offsets[binary.LittleEndian.Uint32(b)]
			if !ok || elf.SymType(b[4]&0xf) != elf.STT_FUNC || binary.LittleEndian.Uint16(b[6:]) == uint16(elf.SHN_UNDEF) {
				continue
			}
			found[name] = Function{Addr: binary.LittleEndian.Uint64(b[8:]), Size: binary.LittleEndian.Uint64(b[16:])}
		}
	}
	return nil
}
