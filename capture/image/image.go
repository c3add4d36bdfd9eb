//go:build linux && (amd64 || arm64)

// Package image turns an ELF file into places where a probe may stand: by symbol, by Go's own function table, or by the strings
// that a function is called with. A place is a file offset, as the kernel takes it, and the start of a function or, if asked
// for, one of its returns: a probe in the middle of an instruction would break the program.
package image

import (
	"bytes"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// Image is an open ELF file. What it says of itself is not trusted: sizes are bounded by the file's.
type Image struct {
	Elf  *elf.File
	file io.ReaderAt
	size int64

	once       sync.Once // of what follows
	unwindBase uint64
	unwind     []byte
}

// ErrNotHere says that a file has no function of that kind.
var ErrNotHere = errors.New("no such function")

var errOutside = errors.New("a part of it lies behind its end")

// New reads the headers of an ELF file of size bytes. An error says that it is none that can run here.
func New(file io.ReaderAt, size int64) (_ *Image, err error) {
	defer recovered(&err)
	f, err := elf.NewFile(file)
	if err != nil {
		return nil, err
	}
	if f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB || f.Machine != machine {
		return nil, fmt.Errorf("a file for %v, %v", f.Machine, f.Class)
	}
	return &Image{Elf: f, file: file, size: size}, nil
}

// recovered makes an error of a panic: debug/elf and debug/gosym were not made for hostile files.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("reading it panicked: %v", p)
	}
}

// FileOffset returns where in the file the code at a virtual address lies.
func (m *Image) FileOffset(addr uint64) (uint64, bool) {
	for _, p := range m.Elf.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && addr >= p.Vaddr && addr-p.Vaddr < p.Filesz {
			return addr - p.Vaddr + p.Off, true
		}
	}
	return 0, false
}

// BuildID returns the build id that the linker gave the file, in hex; for a Go program without one, "".
func (m *Image) BuildID() string {
	s := m.Elf.Section(".note.gnu.build-id")
	if s == nil || s.Size < 16 || s.Size > 256 {
		return ""
	}
	note, err := s.Data()
	if err != nil {
		return ""
	}
	return hex.EncodeToString(note[16:]) // after the note's header and "GNU\0" (elf(5))
}

// section reads a section whole; at most limit bytes.
func (m *Image) section(name string, limit int64) (*elf.Section, []byte, error) {
	s := m.Elf.Section(name)
	if s == nil || s.Type == elf.SHT_NOBITS {
		return nil, nil, ErrNotHere
	}
	if s.Size > uint64(min(limit, m.size)) || s.Offset > uint64(m.size)-s.Size {
		return nil, nil, fmt.Errorf("its section %s of %d bytes does not fit", name, s.Size)
	}
	data := make([]byte, s.Size)
	if _, err := m.file.ReadAt(data, int64(s.Offset)); err != nil {
		return nil, nil, err
	}
	return s, data, nil
}

// Needs reports whether the file is linked against one of these libraries.
func (m *Image) Needs(sonames ...string) (needs bool) {
	var err error
	defer recovered(&err)
	list, _ := m.Elf.DynString(elf.DT_NEEDED)
	return slices.ContainsFunc(list, func(s string) bool { return slices.Contains(sonames, s) })
}

// Shared reports whether the file is a library, not a program.
func (m *Image) Shared() bool {
	return m.Elf.Type == elf.ET_DYN && m.Soname() != ""
}

// Soname returns the name that a library is linked by; "" if it has none.
func (m *Image) Soname() (name string) {
	var err error
	defer recovered(&err)
	if list, _ := m.Elf.DynString(elf.DT_SONAME); len(list) > 0 {
		name = list[0]
	}
	return name
}

// Text finds text in data that is only read: the first that begins with prefix, of n bytes, and that is, if asked, what is wanted. ""
// if there is none.
func (m *Image) Text(prefix string, n int, wanted func([]byte) bool) (text string) {
	for _, p := range m.Elf.Progs {
		if p.Type != elf.PT_LOAD || p.Flags&(elf.PF_W|elf.PF_X) != 0 || text != "" {
			continue
		}
		_ = m.scan(p.Off, p.Filesz, n, func(_ uint64, b []byte) {
			for text == "" {
				i := bytes.Index(b, []byte(prefix))
				if i < 0 || i+n > len(b) {
					return
				}
				if t := b[i : i+n]; wanted == nil || wanted(t) {
					text = string(t)
				}
				b = b[i+1:]
			}
		})
	}
	return text
}
