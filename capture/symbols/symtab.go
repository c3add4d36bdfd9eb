package symbols

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/ebpf-reel/reel/format"
)

const (
	symbolBytes = 24      // sizeof(Elf64_Sym)
	maxSymbols  = 4 << 20 // of one table: 64 MiB of ours
	maxName     = 4 << 10 // bytes of a name; what is longer is cut
)

// symbolTable is a symbol table without its names, which stay in the file: of the hundred thousands of a large program, a profile
// asks for hundreds.
type symbolTable struct {
	entries []symbolEntry // by address
	names   io.ReaderAt   // the string table
	length  int64         // of it
	source  format.SymbolSource
}

type symbolEntry struct {
	addr uint64
	size uint32
	name uint32 // offset of the name
}

// symbols reads the table of a type; nil: there is none.
func (im *Image) symbols(typ elf.SectionType, source format.SymbolSource) (functions, error) {
	section := im.elf.SectionByType(typ)
	if section == nil {
		return nil, nil
	}
	if int64(section.Link) >= int64(len(im.elf.Sections)) || section.Link == 0 {
		return nil, errors.New("it names no string table")
	}
	names := im.elf.Sections[section.Link]
	n := section.FileSize / symbolBytes
	if n > maxSymbols || int64(section.FileSize) > im.size {
		return nil, fmt.Errorf("it has %d symbols", n)
	}
	if section.Flags&elf.SHF_COMPRESSED != 0 || names.Flags&elf.SHF_COMPRESSED != 0 {
		return nil, errors.New("it is compressed")
	}
	t := &symbolTable{names: names.ReaderAt, length: int64(names.FileSize), source: source}
	buf := make([]byte, 1024*symbolBytes)
	for at := int64(0); at < int64(n)*symbolBytes; {
		part := buf[:min(int64(len(buf)), int64(n)*symbolBytes-at)]
		if _, err := section.ReaderAt.ReadAt(part, at); err != nil {
			return nil, err
		}
		at += int64(len(part))
		for ; len(part) >= symbolBytes; part = part[symbolBytes:] {
			im.addSymbol(t, part)
		}
	}
	// Of several names of one address the one that tells its size, then the first: aliases follow what they are of.
	slices.SortStableFunc(t.entries, func(a, b symbolEntry) int {
		return cmp.Or(cmp.Compare(a.addr, b.addr), -cmp.Compare(min(a.size, 1), min(b.size, 1)))
	})
	t.entries = slices.Clip(slices.CompactFunc(t.entries, func(a, b symbolEntry) bool { return a.addr == b.addr }))
	return t, nil
}

func (im *Image) addSymbol(t *symbolTable, b []byte) {
	name := binary.LittleEndian.Uint32(b)
	typ := elf.ST_TYPE(b[4])
	section := binary.LittleEndian.Uint16(b[6:])
	addr := binary.LittleEndian.Uint64(b[8:])
	size := binary.LittleEndian.Uint64(b[16:])
	if addr == 0 || name == 0 || section == uint16(elf.SHN_UNDEF) || !im.isCode(addr) {
		return
	}
	switch typ {
	case elf.STT_FUNC, elf.STT_GNU_IFUNC:
	case elf.STT_NOTYPE: // labels of assembly
		if size == 0 && elf.ST_BIND(b[4]) == elf.STB_LOCAL {
			return
		}
	default:
		return
	}
	t.entries = append(t.entries, symbolEntry{addr, uint32(min(size, 1<<32-1)), name})
}

func (im *Image) isCode(addr uint64) bool {
	for _, l := range im.loads {
		if addr-l.addr < l.size {
			return true
		}
	}
	return false
}

func (t *symbolTable) count() int { return len(t.entries) }

func (t *symbolTable) find(addr uint64) (Function, bool) {
	i := sort.Search(len(t.entries), func(i int) bool { return t.entries[i].addr > addr }) - 1
	if i < 0 {
		return Function{}, false
	}
	e := t.entries[i]
	size := uint64(e.size)
	if size == 0 && i+1 < len(t.entries) {
		size = t.entries[i+1].addr - e.addr // assembly without .size
	}
	if addr-e.addr >= size {
		return Function{}, false
	}
	return Function{Address: e.addr, Bytes: size, Name: t.name(e.name), Source: t.source}, true
}

func (t *symbolTable) name(offset uint32) string {
	if int64(offset) >= t.length {
		return ""
	}
	var buf [256]byte
	var name []byte
	for at := int64(offset); len(name) < maxName && at < t.length; at += int64(len(buf)) {
		part := buf[:min(int64(len(buf)), t.length-at)]
		n, err := t.names.ReadAt(part, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return ""
		}
		head, _, end := bytes.Cut(part[:n], []byte{0})
		name = append(name, head...)
		if end {
			break
		}
	}
	return string(name)
}
