package symbols

import (
	"debug/elf"
	"debug/gosym"
	"errors"
	"fmt"

	"github.com/ebpf-reel/reel/format"
)

// maxPclntab bounds what is loaded of a Go program's table of functions: that of Kubernetes has 40 MB.
const maxPclntab = 256 << 20

// goFunctions are those of .gopclntab, which a Go program keeps when it is stripped.
type goFunctions struct{ table *gosym.Table }

// pclntab reads it; nil: the file is no Go program.
func (im *Image) pclntab() (_ functions, err error) {
	section := im.elf.Section(".gopclntab")
	if section == nil {
		section = im.elf.Section(".data.rel.ro.gopclntab")
	}
	if section == nil {
		return nil, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it cannot be read: %v", p)
		}
	}()
	text := im.elf.Section(".text")
	if text == nil || section.FileSize > maxPclntab || int64(section.FileSize) > im.size || section.Flags&elf.SHF_COMPRESSED != 0 {
		return nil, errors.New("it cannot be read: its size or place is not that of a Go program")
	}
	data, err := section.Data()
	if err != nil {
		return nil, err
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(data, text.Addr))
	if err != nil {
		return nil, err
	}
	return goFunctions{table}, nil
}

func (g goFunctions) count() int { return len(g.table.Funcs) }

func (g goFunctions) find(addr uint64) (Function, bool) {
	f := g.table.PCToFunc(addr)
	if f == nil || f.Sym == nil {
		return Function{}, false
	}
	return Function{Address: f.Entry, Bytes: f.End - f.Entry, Name: f.Name, Source: format.SymbolGopclntab}, true
}
