package unwind

import (
	"github.com/go-delve/delve/pkg/dwarf/frame"
)

// row says how to leave a function at one place in it.
type row struct {
	unsupported bool // it asks for more than is supported
	signal      bool // the frame holds the registers of what a signal interrupted
	outermost   bool // nothing called it

	cfa     cfaKind
	reg     uint8 // that the frame's address (CFA) is by
	offset  int64
	pltFrom uint8
	saved   []savedReg // what is in other places than it was
	ra      int64      // where the return address is, by the CFA; valid iff raSaved
	// raSaved: else it is in the link register (arm64), or there is none.
	raSaved bool
}

// cfaKind is how the address of a frame is found.
type cfaKind uint8

const (
	cfaRegister cfaKind = iota // reg + offset
	cfaDeref                   // what lies at reg + offset: stacks that were aligned anew
	cfaPLT                     // reg + offset, and 8 more in the part of a PLT entry that begins at pltFrom of 16
)

// savedReg is a register that the function has put elsewhere.
type savedReg struct {
	reg    uint8
	value  bool // it is CFA + offset itself, not what lies there
	offset int64
}

// Opcodes of DWARF expressions (DWARF 5 §7.7.1), as far as compilers use them for frames.
const (
	opDeref = 0x06
	opAnd   = 0x1a
	opPlus  = 0x22
	opShl   = 0x24
	opGE    = 0x2a
	opLit0  = 0x30
	opBreg0 = 0x70
)

func newRow(ctx *frame.FrameContext) *row {
	r := &row{}
	switch ctx.CFA.Rule {
	case frame.RuleCFA:
		if ctx.CFA.Reg >= numRegs {
			return &row{unsupported: true}
		}
		r.reg, r.offset = uint8(ctx.CFA.Reg), ctx.CFA.Offset
	case frame.RuleExpression:
		if !r.expression(ctx.CFA.Expression) {
			return &row{unsupported: true}
		}
	default:
		return &row{unsupported: true}
	}
	ra, ok := ctx.Regs[ctx.RetAddrReg]
	switch {
	case !ok:
	case ra.Rule == frame.RuleOffset:
		r.raSaved, r.ra = true, ra.Offset
	case ra.Rule == frame.RuleUndefined:
		r.outermost = true
	case ra.Rule == frame.RuleSameVal:
	default:
		return &row{unsupported: true}
	}
	for n, rule := range ctx.Regs {
		if n >= numRegs || n == ctx.RetAddrReg {
			continue
		}
		switch rule.Rule {
		case frame.RuleOffset:
			r.saved = append(r.saved, savedReg{reg: uint8(n), offset: rule.Offset})
		case frame.RuleValOffset:
			r.saved = append(r.saved, savedReg{reg: uint8(n), value: true, offset: rule.Offset})
		case frame.RuleUndefined, frame.RuleSameVal:
			// The library makes "restore what held at the function's entry" undefined; what was not saved there still holds.
		default:
			return &row{unsupported: true}
		}
	}
	return r
}

// expression takes the few forms that compilers and linkers make.
func (r *row) expression(b []byte) bool {
	if len(b) < 3 || b[0] < opBreg0 || uint64(b[0]-opBreg0) >= numRegs {
		return false
	}
	r.reg = b[0] - opBreg0
	offset, n := sleb(b[1:])
	if n == 0 {
		return false
	}
	r.offset = offset
	rest := b[1+n:]
	switch {
	case len(rest) == 1 && rest[0] == opDeref:
		r.cfa = cfaDeref
		return true
	case len(rest) == 9 && rest[0] == opBreg0+16 && rest[1] == 0 && rest[2] == opLit0+15 && rest[3] == opAnd &&
		rest[5] == opGE && rest[6] == opLit0+3 && rest[7] == opShl && rest[8] == opPlus && rest[4] >= opLit0 && rest[4] < opLit0+32:
		r.cfa = cfaPLT
		r.pltFrom = rest[4] - opLit0
		return true
	}
	return false
}

func sleb(b []byte) (v int64, n int) {
	for shift := uint(0); n < len(b) && shift < 63; shift += 7 {
		c := b[n]
		n++
		v |= int64(c&0x7f) << shift
		if c&0x80 == 0 {
			if c&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v, n
		}
	}
	return 0, 0
}
