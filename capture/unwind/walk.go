package unwind

import (
	"encoding/binary"
)

// Thread is what a walk begins with.
type Thread struct {
	Regs  Registers
	Base  uint64 // address of the first byte of Stack
	Stack []byte
	Fault bool // Stack ends where a page was not in memory, not where the copy would have ended
}

// Code finds the code that an address of the process lies in.
type Code interface {
	// Table returns the unwind table of the code at an address and the address that it goes by there. table is nil for code that has
	// none; ok is false where there is no code.
	Table(addr uint64) (table *Table, at uint64, ok bool)
	// Frameless reports whether the function at an address, which has no table, has not made a frame there: the caller's frame pointer
	// still holds, and the return address lies on top of the stack.
	Frameless(addr uint64) bool
}

// End says why a walk ended.
type End uint8

// The ends.
const (
	EndComplete    End = iota // nothing called the last frame
	EndDepth                  // the limit of frames
	EndCopy                   // the next frame lies behind the bytes that were copied
	EndNotResident            // the next frame lies in a page that was not in memory
	EndNoTable                // the code has no table, and no frame pointer leads on
	EndRule                   // the table asks for more than is supported
	EndBroken                 // an address leads nowhere
	EndUnmapped               // the last frame lies in no code
)

// Result is a walk: Walk reuses it.
type Result struct {
	Frames   []Frame // the innermost first
	End      End
	Tables   int // steps by a table
	Pointers int // steps by frame pointers
}

// Frame is a place in code.
type Frame struct {
	Addr  uint64
	Exact bool // it is the place itself; else where a call goes on
}

// Walk finds the frames of a thread, at most limit of them.
func Walk(t *Thread, code Code, limit int, r *Result) {
	*r = Result{Frames: r.Frames[:0]}
	w := walker{thread: t, regs: t.Regs, result: r}
	exact := true
	for len(r.Frames) < limit {
		r.Frames = append(r.Frames, Frame{w.regs[regPC], exact})
		look := w.regs[regPC]
		if !exact {
			look-- // of a call that never comes back, the next instruction is another function's
		}
		table, at, ok := code.Table(look)
		if !ok {
			w.end(EndUnmapped)
			return
		}
		var rw *row
		if table != nil {
			rw = table.row(at)
		}
		sp := w.regs[regSP]
		switch {
		case rw == nil:
			exact = false
			if len(r.Frames) == 1 && code.Frameless(look) {
				if !w.bare() {
					return
				}
				r.Pointers++
				break
			}
			if !w.pointer() {
				return
			}
			r.Pointers++
		case rw.unsupported:
			w.end(EndRule)
			return
		case rw.outermost:
			w.end(EndComplete)
			return
		case rw.signal:
			exact = true // what was interrupted did not call
			if !w.signal() {
				return
			}
			r.Tables++
		default:
			exact = false
			if !w.step(rw, len(r.Frames) == 1) {
				return
			}
			r.Tables++
		}
		if w.regs[regPC] == 0 {
			w.end(EndComplete)
			return
		}
		if w.regs[regSP] <= sp && !(w.regs[regSP] == sp && hasLink && len(r.Frames) == 1) {
			w.end(EndBroken)
			return
		}
	}
	w.end(EndDepth)
}

type walker struct {
	thread *Thread
	regs   Registers
	result *Result
}

func (w *walker) end(e End) { w.result.End = e }

// load reads a word of the stack; false ends the walk.
func (w *walker) load(addr uint64) (uint64, bool) {
	t := w.thread
	off := addr - t.Base
	switch {
	case addr < t.Base:
		w.end(EndBroken)
	case off+8 <= uint64(len(t.Stack)) && off+8 > off:
		return binary.LittleEndian.Uint64(t.Stack[off:]), true
	case off > maxStack:
		w.end(EndBroken)
	case t.Fault:
		w.end(EndNotResident)
	default:
		w.end(EndCopy)
	}
	return 0, false
}

// maxStack is how far from its top a stack is believed to reach.
const maxStack = 1 << 30

// farthest is how far up the next frame pointer may lie: further than any frame, and than the stack of a thread by default.
const farthest = 8 << 20

// step leaves a function by its table.
func (w *walker) step(r *row, innermost bool) bool {
	cfa := w.regs[r.reg] + uint64(r.offset)
	switch r.cfa {
	case cfaDeref:
		v, ok := w.load(cfa)
		if !ok {
			return false
		}
		cfa = v
	case cfaPLT:
		if w.regs[regPC]&15 >= uint64(r.pltFrom) {
			cfa += 8
		}
	}
	next := w.regs
	switch {
	case r.raSaved:
		ra, ok := w.load(cfa + uint64(r.ra))
		if !ok {
			return false
		}
		next[regPC] = ra
	case hasLink && innermost:
		next[regPC] = w.regs[regLink]
	default:
		w.end(EndBroken)
		return false
	}
	for _, s := range r.saved {
		if s.value {
			next[s.reg] = cfa + uint64(s.offset)
			continue
		}
		v, ok := w.load(cfa + uint64(s.offset))
		if !ok {
			return false
		}
		next[s.reg] = v
	}
	next[regSP] = cfa
	next[regPC] = stripAuthentication(next[regPC])
	w.regs = next
	return true
}

// bare leaves a function that has no frame.
func (w *walker) bare() bool {
	if hasLink {
		w.regs[regPC] = stripAuthentication(w.regs[regLink])
		return true
	}
	sp := w.regs[regSP]
	ra, ok := w.load(sp)
	if ok {
		w.regs[regPC], w.regs[regSP] = ra, sp+8
	}
	return ok
}

// pointer leaves a function by the frame pointer.
func (w *walker) pointer() bool {
	fp := w.regs[regFP]
	if fp == 0 { // where a thread begins, the pointer is 0 (psABI §3.4.1)
		w.end(EndComplete)
		return false
	}
	if fp < w.regs[regSP] || fp-w.regs[regSP] > farthest || fp&7 != 0 { // it points to something else
		w.end(EndNoTable)
		return false
	}
	next, ok := w.load(fp)
	if !ok {
		return false
	}
	ra, ok := w.load(fp + 8)
	if !ok {
		return false
	}
	w.regs[regFP], w.regs[regSP], w.regs[regPC] = next, fp+16, stripAuthentication(ra)
	return true
}

// Place returns the place of execution, the stack pointer and the frame pointer.
func (r *Registers) Place() (pc, sp, fp uint64) { return r[regPC], r[regSP], r[regFP] }
