// Package symbols turns an ELF file into what a profile needs of it: where its code lies, its build id, the names of its functions.
//
// Files are those of processes that are recorded, and may be hostile: every length is checked before memory is taken by it, and
// whatever the readers of the standard library stumble over is an error.
package symbols

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ebpf-reel/reel/format"
)

// File is what an image is read from. It is read from as long as the image is in use.
type File interface {
	io.ReaderAt
	io.Closer
}

// Image is an ELF file of this machine's byte order. Its methods must not be called at the same time.
type Image struct {
	file   File
	size   int64
	elf    *elf.File
	loads  []load
	tables []functions // the best first
	errs   []error     // why there are fewer names than there could be

	BuildID     string // in hexadecimal; "" none
	BuildIDKind format.BuildIDKind
	Names       string // where names are from: "symtab+dynsym"
	Symbols     int    // functions that have names
	Go          bool   // made by Go's compiler
}

// load is an executable segment.
type load struct{ offset, addr, size uint64 }

// functions finds the function that an address lies in.
type functions interface {
	find(addr uint64) (Function, bool)
	count() int
}

// Function is a function of an image.
type Function struct {
	Address uint64 // of its first byte: an ELF virtual address
	Bytes   uint64 // 0: unknown
	Name    string // as the file has it
	Source  format.SymbolSource
}

const (
	maxSegments = 1 << 10
	maxSections = 1 << 12
)

// Open reads the headers and tables of names of a file of size bytes. The image closes the file.
func Open(file File, size int64) (im *Image, err error) {
	defer func() {
		if p := recover(); p != nil {
			im, err = nil, fmt.Errorf("its headers cannot be read: %v", p)
		}
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	f, err := elf.NewFile(io.NewSectionReader(file, 0, size))
	if err != nil {
		return nil, err
	}
	if f.Class != elf.ELFCLASS64 || f.ByteOrder.Uint16([]byte{1, 0}) != 1 {
		return nil, fmt.Errorf("it is no 64-bit little-endian ELF file")
	}
	if len(f.Progs) > maxSegments || len(f.Sections) > maxSections {
		return nil, fmt.Errorf("it has %d segments and %d sections", len(f.Progs), len(f.Sections))
	}
	im = &Image{file: file, size: size, elf: f}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 {
			im.loads = append(im.loads, load{p.Off, p.Vaddr, p.Filesz})
		}
	}
	slices.SortFunc(im.loads, func(a, b load) int { return cmp.Compare(a.offset, b.offset) })
	im.Go = f.Section(".gopclntab") != nil || f.Section(".data.rel.ro.gopclntab") != nil
	im.findBuildID()
	im.findNames()
	return im, nil
}

// Code reads code at an address into buf, and returns what there is of it.
func (im *Image) Code(addr uint64, buf []byte) []byte {
	for _, l := range im.loads {
		if addr-l.addr < l.size {
			n, _ := im.file.ReadAt(buf[:min(uint64(len(buf)), l.size-(addr-l.addr))], int64(addr-l.addr+l.offset)) // less is less
			return buf[:n]
		}
	}
	return nil
}

// ELF returns the file's headers and sections.
func (im *Image) ELF() *elf.File { return im.elf }

// Close closes the file.
func (im *Image) Close() error { return im.file.Close() }

// Address turns an offset in the file into the virtual address that the file gives it; false where it has no code there.
func (im *Image) Address(offset uint64) (uint64, bool) {
	for _, l := range im.loads {
		// A mapping covers whole pages: it may begin before the segment, and end behind it.
		const page = 1 << 16
		if offset+page >= l.offset && offset < l.offset+l.size+page {
			if offset >= l.offset && offset < l.offset+l.size || len(im.loads) == 1 {
				return offset - l.offset + l.addr, true
			}
		}
	}
	return 0, false
}

// Function returns the function that an address lies in.
func (im *Image) Function(addr uint64) (f Function, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			f, ok = Function{}, false
		}
	}()
	for _, t := range im.tables {
		if f, ok := t.find(addr); ok && f.Name != "" {
			return f, true
		}
	}
	return Function{}, false
}

// Trouble says why there are fewer names than there could be; "" there are not.
func (im *Image) Trouble() string {
	if err := errors.Join(im.errs...); err != nil {
		return err.Error()
	}
	if im.Symbols == 0 {
		return "stripped: it has no names"
	}
	return ""
}

// findNames loads what has names, the best first: .symtab has all functions, .dynsym those that are called from elsewhere.
func (im *Image) findNames() {
	found := func(name string, t functions, err error) {
		if err != nil {
			im.errs = append(im.errs, fmt.Errorf("%s: %w", name, err))
		}
		if t == nil || t.count() == 0 {
			return
		}
		im.tables = append(im.tables, t)
		im.Symbols += t.count()
		if im.Names != "" {
			im.Names += "+"
		}
		im.Names += name
	}
	symtab, err := im.symbols(elf.SHT_SYMTAB, format.SymbolSymtab)
	found("symtab", symtab, err)
	if symtab == nil {
		lines, err := im.pclntab()
		found("gopclntab", lines, err)
		dynsym, err := im.symbols(elf.SHT_DYNSYM, format.SymbolDynsym)
		found("dynsym", dynsym, err)
	}
}
