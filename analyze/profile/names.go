package profile

import (
	"slices"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/symbol"
	"github.com/ebpf-reel/reel/format"
)

// namer gives the frames of stacks their places in a profile.
type namer struct {
	fold      *Fold
	modules   []facts.ProfileModule
	functions []facts.Function
	locations []facts.Location

	moduleIndex   map[format.ModuleID]int32
	functionIndex map[functionKey]int32
	locationIndex map[locationKey]int32
}

type functionKey struct {
	module format.ModuleID
	kind   format.FrameKind
	start  uint64 // of the symbol, or the address itself
	name   string
}

type locationKey struct {
	module  format.ModuleID
	kind    format.FrameKind
	address uint64
}

func newNamer(f *Fold) *namer {
	return &namer{fold: f, moduleIndex: map[format.ModuleID]int32{}, functionIndex: map[functionKey]int32{}, locationIndex: map[locationKey]int32{}}
}

// why says in a flame graph why a stack does not begin where its thread did.
var why = map[format.StackVerdict]string{
	format.StackDepth:       "[incomplete: more frames than are kept]",
	format.StackCopyEnd:     "[incomplete: beyond the part of the stack that was copied]",
	format.StackNotResident: "[incomplete: a page of the stack was not in memory]",
	format.StackNoTable:     "[incomplete: code without unwind information or frame pointers]",
	format.StackRule:        "[incomplete: unwind information of a kind that is not supported]",
	format.StackBroken:      "[incomplete: the stack leads nowhere]",
	format.StackUnmapped:    "[incomplete: code that is in no known mapping]",
	format.StackNotRead:     "[incomplete: user memory could not be read]",
}

// stateText says in a flame graph what a thread that did not run was waiting for, where its stack does not.
var stateText = map[format.BlockState]string{
	format.BlockRunnable: "[runnable: another thread had the CPU]",
	format.BlockStopped:  "[stopped]",
}

// stack returns the frames of a stack, the outermost first; nil: the reel does not have it.
func (n *namer) stack(id format.StackID, verdict format.StackVerdict) []int32 {
	var frames []int32
	for id != 0 && len(frames) < maxDepth {
		f, ok := n.fold.frames[id]
		if !ok {
			return nil
		}
		frames = append(frames, n.location(f))
		id = f.parent
	}
	if text := why[verdict]; text != "" {
		frames = append(frames, n.note(text)...)
	}
	if len(frames) == 0 {
		return n.note("[no stack]")
	}
	slices.Reverse(frames)
	return frames
}

// note is a frame that says something instead of naming code.
func (n *namer) note(text string) []int32 {
	fn := n.function(functionKey{name: text}, facts.Function{Name: text, Module: -1})
	return []int32{n.place(locationKey{address: uint64(fn)}, facts.Location{Function: fn, Module: -1})}
}

func (n *namer) location(f frame) int32 {
	k := locationKey{f.module, f.kind, f.address}
	if i, ok := n.locationIndex[k]; ok {
		return i
	}
	module := n.module(f.module, f.address)
	fn := facts.Function{Module: module, Kind: f.kind}
	fk := functionKey{module: f.module, kind: f.kind, start: f.address}
	if s, ok := n.fold.symbols.Find(f.module, f.address); ok {
		fk.start = s.Address
		fn.Source = s.Source
		fn.Raw, fn.Name = s.Name, symbol.Demangle(s.Name)
		if s.Name == "" {
			fn.Name = symbol.Place(n.fold.symbols.Module(f.module), s.Address)
		}
	} else {
		fn.Name = symbol.Place(n.fold.symbols.Module(f.module), f.address)
	}
	return n.place(k, facts.Location{Function: n.function(fk, fn), Module: module, Address: f.address})
}

func (n *namer) place(k locationKey, l facts.Location) int32 {
	if i, ok := n.locationIndex[k]; ok {
		return i
	}
	i := int32(len(n.locations))
	n.locations = append(n.locations, l)
	n.locationIndex[k] = i
	return i
}

func (n *namer) function(k functionKey, f facts.Function) int32 {
	if i, ok := n.functionIndex[k]; ok {
		return i
	}
	i := int32(len(n.functions))
	n.functions = append(n.functions, f)
	n.functionIndex[k] = i
	return i
}

// module returns the index of a module, which covers the address from then on.
func (n *namer) module(id format.ModuleID, addr uint64) int32 {
	row := n.fold.symbols.Module(id)
	if row == nil {
		return -1
	}
	i, ok := n.moduleIndex[id]
	if !ok {
		i = int32(len(n.modules))
		n.moduleIndex[id] = i
		n.modules = append(n.modules, facts.ProfileModule{
			Path: row.Path, Kind: row.Kind, BuildID: row.BuildID, BuildIDKind: row.BuildIDKind, Error: row.Error, Start: addr, End: addr,
		})
	}
	m := &n.modules[i]
	m.Start, m.End = min(m.Start, addr), max(m.End, addr)
	if m.End < 1<<64-1 {
		m.End = max(m.End, addr+1)
	}
	return i
}
