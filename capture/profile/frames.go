//go:build linux && (amd64 || arm64)

package profile

import (
	"github.com/ebpf-reel/reel/capture/symbols"
	"github.com/ebpf-reel/reel/format"
)

// splitTail divides what follows a sample_event or a block_event.
func splitTail(kernel, user, regs uint16, stack uint32, tail []byte) (parts sampleParts, ok bool) {
	k, u, r, s := uint64(kernel), uint64(user), uint64(regs), uint64(stack)
	if k+u+r+s != uint64(len(tail)) {
		return parts, false
	}
	parts.kernel, tail = tail[:k], tail[k:]
	parts.user, tail = tail[:u], tail[u:]
	parts.regs, parts.stack = tail[:r], tail[r:]
	return parts, true
}

// sampleParts are the bytes of a sample. Frames are words, the innermost first.
type sampleParts struct{ kernel, user, regs, stack []byte }

// met is a frame of the stack at hand, with what is known of its place.
type met struct {
	kind    format.FrameKind
	address uint64 // as in format.Stack
	module  *module
	where   *codeRange    // of a user frame; nil: none
	symbol  format.Symbol // of a kernel frame
	spaceOf *space
}

// userFrame places an address of a process. That of a caller is where it goes on: one less lies within the call.
func (p *Profiler) userFrame(s *space, addr uint64, caller bool) met {
	if caller {
		addr--
	}
	f := met{kind: format.FrameUser, address: addr, spaceOf: s} // of no module until it is found
	if f.where = p.locate(s, addr); f.where != nil {
		f.module = f.where.module
		f.address = f.where.address(addr)
	}
	return f
}

// kernelFrame places an address of the kernel, and hides where the kernel lies.
func (p *Profiler) kernelFrame(addr uint64, caller bool) met {
	if caller {
		addr--
	}
	f := met{kind: format.FrameKernel}
	<-p.named
	part, symbol, ok := p.kernel.find(addr)
	if !ok {
		f.module = p.modules.named(format.ModuleKernel, kernelName)
		if p.hidden != nil {
			f.module.row.Error = p.hidden.Error()
		}
		return f
	}
	f.module = p.modules.named(format.ModuleKernel, part.name)
	f.module.row.Symbols, f.module.row.Names = part.count, "kallsyms"
	f.address, f.symbol = addr-part.base, symbol
	f.symbol.Module = f.module.row.ID
	return f
}

// function returns the function that a frame lies in.
func (f *met) function() (symbols.Function, bool) {
	switch {
	case f.kind == format.FrameKernel:
		return symbols.Function{Address: f.symbol.Address, Bytes: f.symbol.Bytes, Name: f.symbol.Name, Source: f.symbol.Source}, f.symbol.Name != ""
	case f.module == nil || f.module.image == nil:
		return symbols.Function{}, false
	}
	if fn, ok := f.module.image.Function(f.address); ok {
		return fn, true
	}
	if f.module.table == nil {
		return symbols.Function{}, false
	}
	start, size, ok := f.module.table.Bounds(f.address)
	return symbols.Function{Address: start, Bytes: size, Source: format.SymbolBounds}, ok
}

// store interns the frames of p.path, the outermost first, and returns the innermost one's id.
func (p *Profiler) store(at format.KTime) (id format.StackID, err error) {
	for i := range p.path {
		f := &p.path[i]
		key := frame{parent: id, kind: f.kind, address: f.address}
		if f.module != nil {
			key.module = f.module.row.ID
		}
		next, fresh := p.stacks.intern(key)
		if fresh {
			if err := p.describe(at, f); err != nil {
				return 0, err
			}
			if err := p.append(&format.Stack{Time: at, ID: next, Parent: id, Kind: f.kind, Module: key.module, Address: f.address}); err != nil {
				return 0, err
			}
		}
		id = next
	}
	return id, nil
}

// describe stores what a frame needs to be understood, unless it is there already: its module, where that lies, its function.
func (p *Profiler) describe(at format.KTime, f *met) error {
	m := f.module
	if m == nil {
		return nil
	}
	if !m.stored {
		m.stored = true
		row := m.row
		row.Time = at
		if err := p.append(&row); err != nil {
			return err
		}
	}
	if r := f.where; r != nil && !r.stored {
		r.stored = true
		if err := p.append(&format.Mapping{Time: at, PID: f.spaceOf.pid, Start: r.start, End: r.end, Offset: r.offset, Module: m.row.ID, Path: r.path}); err != nil {
			return err
		}
	}
	fn, ok := f.function()
	if !ok || m.named[fn.Address] {
		return nil
	}
	m.named[fn.Address] = true
	return p.append(&format.Symbol{Time: at, Module: m.row.ID, Address: fn.Address, Bytes: fn.Bytes, Source: fn.Source, Name: fn.Name})
}
