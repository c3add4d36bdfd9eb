// Package symbol turns addresses of modules into names of functions, as far as a reel has them, and the names of linkers into
// those of programmers.
package symbol

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/ianlancetaylor/demangle"

	"github.com/ebpf-reel/reel/format"
)

// Table holds the modules and symbols of a reel.
type Table struct {
	modules map[format.ModuleID]*format.Module
	symbols map[format.ModuleID][]format.Symbol
	sorted  bool
	n       int
	limit   int
	left    uint64 // rows beyond the limit
}

// DefaultLimit bounds the symbols and modules that a Table keeps.
const DefaultLimit = 4 << 20

// NewTable returns an empty table of at most limit rows; 0 is DefaultLimit.
func NewTable(limit int) *Table {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return &Table{modules: map[format.ModuleID]*format.Module{}, symbols: map[format.ModuleID][]format.Symbol{}, limit: limit}
}

// AddModule takes a row, in any order.
func (t *Table) AddModule(r *format.Module) {
	if t.room() {
		row := *r
		t.modules[r.ID] = &row
	}
}

// AddSymbol takes a row, in the order of time.
func (t *Table) AddSymbol(r *format.Symbol) {
	if t.room() {
		t.symbols[r.Module] = append(t.symbols[r.Module], *r)
		t.sorted = false
	}
}

func (t *Table) room() bool {
	if t.n >= t.limit {
		t.left++
		return false
	}
	t.n++
	return true
}

// Left returns how many rows were beyond the limit.
func (t *Table) Left() uint64 { return t.left }

// Module returns the row of a module; nil: the reel has none.
func (t *Table) Module(id format.ModuleID) *format.Module { return t.modules[id] }

// Find returns the symbol that an address lies in.
func (t *Table) Find(id format.ModuleID, addr uint64) (format.Symbol, bool) {
	if !t.sorted {
		t.sort()
	}
	list := t.symbols[id]
	for i := sort.Search(len(list), func(i int) bool { return list[i].Address > addr }) - 1; i >= 0; i-- {
		if s := list[i]; addr-s.Address < max(s.Bytes, 1) {
			return s, true
		}
		if i > 0 && list[i-1].Address != list[i].Address {
			break
		}
	}
	return format.Symbol{}, false
}

// sort orders symbols by address. Of those of one address the last in time holds, and comes last.
func (t *Table) sort() {
	for id, list := range t.symbols {
		slices.SortStableFunc(list, func(a, b format.Symbol) int { return cmp.Compare(a.Address, b.Address) })
		t.symbols[id] = list
	}
	t.sorted = true
}

// maxName bounds what is demangled: the names of hostile files grow when they are read.
const maxName = 4 << 10

// Demangle turns the name of a C++ or Rust function, as a linker has it, into what its author wrote, without parameters. Other
// names stay as they are.
func Demangle(name string) string {
	if len(name) > maxName || !strings.HasPrefix(name, "_Z") && !strings.HasPrefix(name, "_R") && !strings.HasPrefix(name, "__Z") {
		return name
	}
	const longest = 14 // 2^14 bytes
	out, err := demangle.ToString(name, demangle.NoParams, demangle.NoEnclosingParams, demangle.MaxLength(longest))
	if err != nil {
		return name
	}
	return out
}

// Base is the last part of a path, by which people call a module.
func Base(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 && i+1 < len(path) {
		return path[i+1:]
	}
	return path
}

// Place names code that has no name: its module, and where it is there.
func Place(m *format.Module, addr uint64) string {
	if m == nil {
		return fmt.Sprintf("[unmapped 0x%x]", addr)
	}
	if m.Kind == format.ModuleKernel && addr == 0 {
		return m.Path
	}
	return fmt.Sprintf("%s+0x%x", Base(m.Path), addr)
}
