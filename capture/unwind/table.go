// Package unwind turns the registers of a thread and the top of its stack into the places that it was called from, by the unwind
// information that compilers leave in .eh_frame, and by frame pointers where there is none.
//
// What it reads is a stranger's: a wrong table leads to a wrong or a short stack, never out of the copy of the stack, and every step
// goes up in it.
package unwind

import (
	"bufio"
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/go-delve/delve/pkg/dwarf/frame"
)

// Table is the unwind information of one file. Its methods must not be called at the same time.
type Table struct {
	section io.ReaderAt
	addr    uint64 // of the section
	entries []entry
	cies    map[uint32]cie // by offset
	rows    map[uint64]*row
}

// entry is a frame description entry: what is to be known of one function.
type entry struct {
	start uint64
	size  uint32
	off   uint32 // in the section
}

// cie is what is needed of a common information entry to read entries.
type cie struct {
	size     uint32 // with its length
	encoding byte   // of addresses
	signal   bool   // the frame is one that the kernel made to run a signal handler
	ok       bool
}

const (
	maxSection = 512 << 20
	maxEntries = 8 << 20
	maxEntry   = 8 << 10 // bytes of one that is interpreted
	maxRows    = 1 << 16 // of one file, kept for the next time
	headBytes  = 64      // of an entry, that are enough to know what it is
)

// NewTable reads where the functions of a file begin and end; nil: it has no .eh_frame.
func NewTable(f *elf.File) (_ *Table, err error) {
	s := f.Section(".eh_frame")
	if s == nil || s.Type == elf.SHT_NOBITS {
		return nil, nil
	}
	if s.FileSize > maxSection || s.Flags&elf.SHF_COMPRESSED != 0 {
		return nil, fmt.Errorf(".eh_frame has %d bytes", s.FileSize)
	}
	t := &Table{section: s.ReaderAt, addr: s.Addr, cies: map[uint32]cie{}, rows: map[uint64]*row{}}
	if err := t.scan(s.Open(), s.FileSize); err != nil {
		return nil, fmt.Errorf(".eh_frame: %w", err)
	}
	slices.SortFunc(t.entries, func(a, b entry) int { return cmp.Compare(a.start, b.start) })
	t.entries = slices.Clip(t.entries)
	return t, nil
}

// scan walks the section: lengths and first fields only.
func (t *Table) scan(r io.Reader, size uint64) error {
	in := bufio.NewReaderSize(r, 256<<10)
	for off := uint64(0); off+4 <= size; {
		head, err := in.Peek(int(min(headBytes, size-off)))
		if err != nil && len(head) < 4 {
			return err
		}
		length := binary.LittleEndian.Uint32(head)
		if length == 0 { // the end, or one of several
			if _, err := in.Discard(4); err != nil {
				return err
			}
			off += 4
			continue
		}
		if length >= 0xfffffff0 {
			return errors.New("entries of 64 bits are not supported")
		}
		whole := uint64(length) + 4
		if whole > size-off || length < 4 || len(head) < 8 {
			return io.ErrUnexpectedEOF
		}
		if binary.LittleEndian.Uint32(head[4:]) == 0 {
			t.cies[uint32(off)] = parseCIE(head[:min(uint64(len(head)), whole)], uint32(whole))
		} else if e, ok := t.parseFDE(head[:min(uint64(len(head)), whole)], uint32(off)); ok {
			if len(t.entries) >= maxEntries {
				return fmt.Errorf("more than %d functions", maxEntries)
			}
			t.entries = append(t.entries, e)
		}
		if _, err := in.Discard(int(whole)); err != nil {
			return err
		}
		off += whole
	}
	return nil
}

// parseCIE reads the first fields of a CIE (LSB 5.0 §10.6.1.1).
func parseCIE(b []byte, size uint32) (c cie) {
	c.size = size
	if len(b) < 10 {
		return c
	}
	version := b[8]
	augmentation, rest, found := bytes.Cut(b[9:], []byte{0})
	if !found || version != 1 && version != 3 || bytes.HasPrefix(augmentation, []byte("eh")) {
		return c
	}
	for range 2 { // alignment factors
		rest = skipLEB(rest)
	}
	if version == 1 {
		rest = rest[min(1, len(rest)):]
	} else {
		rest = skipLEB(rest)
	}
	if len(augmentation) == 0 {
		c.ok = true
		return c
	}
	if augmentation[0] != 'z' {
		return c
	}
	rest = skipLEB(rest) // length of what follows
	for _, a := range augmentation[1:] {
		if len(rest) == 0 && a != 'S' && a != 'B' {
			return c
		}
		switch a {
		case 'R':
			c.encoding = rest[0]
			rest = rest[1:]
		case 'L':
			rest = rest[1:]
		case 'P':
			n := pointerSize(rest[0])
			if n == 0 || n+1 > len(rest) {
				return c
			}
			rest = rest[n+1:]
		case 'S':
			c.signal = true
		case 'B':
		default:
			return c
		}
	}
	c.ok = true
	return c
}

func skipLEB(b []byte) []byte {
	for i := range b {
		if b[i]&0x80 == 0 {
			return b[i+1:]
		}
	}
	return nil
}

// pointerSize is the size of an encoded pointer (DW_EH_PE_*); 0: not supported.
func pointerSize(encoding byte) int {
	switch encoding & 0x0f {
	case 0x00, 0x04, 0x0c, 0x08:
		return 8
	case 0x03, 0x0b:
		return 4
	case 0x02, 0x0a:
		return 2
	}
	return 0
}

func (t *Table) parseFDE(b []byte, off uint32) (e entry, ok bool) {
	c, known := t.cies[off+4-binary.LittleEndian.Uint32(b[4:])]
	n := pointerSize(c.encoding)
	if !known || !c.ok || n == 0 || len(b) < 8+2*n {
		return e, false
	}
	start := readPointer(b[8:], c.encoding)
	switch c.encoding & 0x70 {
	case 0x00:
	case 0x10: // relative to where it stands
		start += t.addr + uint64(off) + 8
	default:
		return e, false
	}
	size := readPointer(b[8+n:], c.encoding&0x07)
	if start == 0 || size == 0 || size > 1<<32-1 {
		return e, false
	}
	return entry{start, uint32(size), off}, true
}

func readPointer(b []byte, encoding byte) uint64 {
	switch encoding & 0x0f {
	case 0x02:
		return uint64(binary.LittleEndian.Uint16(b))
	case 0x0a:
		return uint64(int64(int16(binary.LittleEndian.Uint16(b))))
	case 0x03:
		return uint64(binary.LittleEndian.Uint32(b))
	case 0x0b:
		return uint64(int64(int32(binary.LittleEndian.Uint32(b))))
	}
	return binary.LittleEndian.Uint64(b)
}

// Functions is how many functions the table knows.
func (t *Table) Functions() int { return len(t.entries) }

// Bounds returns where the function begins that an address lies in, and its size.
func (t *Table) Bounds(addr uint64) (start, size uint64, ok bool) {
	e, ok := t.entry(addr)
	return e.start, uint64(e.size), ok
}

func (t *Table) entry(addr uint64) (entry, bool) {
	i := sort.Search(len(t.entries), func(i int) bool { return t.entries[i].start > addr }) - 1
	if i < 0 || addr-t.entries[i].start >= uint64(t.entries[i].size) {
		return entry{}, false
	}
	return t.entries[i], true
}

// row returns what holds at an address; nil: the table says nothing of it.
func (t *Table) row(addr uint64) *row {
	if r, ok := t.rows[addr]; ok {
		return r
	}
	var r *row
	if e, ok := t.entry(addr); ok {
		r = t.interpret(e, addr)
	}
	if len(t.rows) >= maxRows {
		clear(t.rows)
	}
	t.rows[addr] = r
	return r
}

// interpret runs the instructions of a function up to an address. What cannot be run is a row that says so.
func (t *Table) interpret(e entry, addr uint64) (r *row) {
	defer func() {
		if p := recover(); p != nil { // the interpreter was made for one's own programs
			r = &row{unsupported: true}
		}
	}()
	var head [8]byte
	if _, err := t.section.ReadAt(head[:], int64(e.off)); err != nil {
		return &row{unsupported: true}
	}
	cieOff := e.off + 4 - binary.LittleEndian.Uint32(head[4:])
	c := t.cies[cieOff]
	if c.signal {
		return &row{signal: true}
	}
	size := uint64(binary.LittleEndian.Uint32(head[:])) + 4
	if size > maxEntry || c.size > maxEntry {
		return &row{unsupported: true}
	}
	// A section of the two entries alone, at an address that leaves the function's where it was.
	mini := make([]byte, uint64(c.size)+size)
	if _, err := t.section.ReadAt(mini[:c.size], int64(cieOff)); err != nil {
		return &row{unsupported: true}
	}
	if _, err := t.section.ReadAt(mini[c.size:], int64(e.off)); err != nil {
		return &row{unsupported: true}
	}
	binary.LittleEndian.PutUint32(mini[c.size+4:], c.size+4)
	entries, err := frame.Parse(mini, binary.LittleEndian, 0, 8, t.addr+uint64(e.off)-uint64(c.size))
	if err != nil || len(entries) != 1 {
		return &row{unsupported: true}
	}
	ctx, err := entries[0].EstablishFrame(addr)
	if err != nil {
		return &row{unsupported: true}
	}
	return newRow(ctx)
}
