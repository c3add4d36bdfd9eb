//go:build linux && (amd64 || arm64)

package profile

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"

	"github.com/ebpf-reel/reel/format"
)

// kernelNames are the functions of the kernel and of its modules. Addresses that leave this package count from the first
// function of their module: where the kernel lies in memory (KASLR) is told to nobody.
type kernelNames struct {
	entries []kernelEntry // by address
	names   []byte
	parts   []kernelPart
}

type kernelEntry struct {
	addr uint64
	name uint32 // offset in names
	len  uint16
	part uint16
}

// kernelPart is the kernel, or a module of it.
type kernelPart struct {
	name  string // "[kernel]", "[nf_tables]"
	base  uint64
	count uint32
}

const (
	kernelPath     = "/proc/kallsyms"
	kernelName     = "[kernel]"
	maxKernelNames = 4 << 20
	maxKernelParts = 1 << 14
)

var errKernelHidden = errors.New("the kernel does not tell where its functions are: sysctl kernel.kptr_restrict=1 and CAP_SYSLOG let it")

// readKernel reads /proc/kallsyms.
func readKernel() (*kernelNames, error) {
	f, err := os.Open(kernelPath)
	if err != nil {
		return &kernelNames{}, err
	}
	defer f.Close()
	k, err := parseKernel(f)
	if err != nil {
		return &kernelNames{}, fmt.Errorf("%s: %w", kernelPath, err)
	}
	return k, nil
}

// parseKernel reads lines such as "ffffffff81000000 T _stext" and "ffffffffc0000000 t nft_do_chain	[nf_tables]".
func parseKernel(r io.Reader) (*kernelNames, error) {
	k := &kernelNames{parts: []kernelPart{{name: kernelName}}}
	parts := map[string]uint16{kernelName: 0}
	lines := bufio.NewScanner(r)
	hidden := true
	for lines.Scan() && len(k.entries) < maxKernelNames {
		b := lines.Bytes()
		addr, n := hexPrefix(b)
		if n == 0 || len(b) < n+4 {
			continue
		}
		typ, rest := b[n+1], b[n+3:]
		if addr != 0 {
			hidden = false
		}
		if addr == 0 || typ != 't' && typ != 'T' && typ != 'w' && typ != 'W' {
			continue
		}
		name, module, _ := bytes.Cut(rest, []byte("\t"))
		part := uint16(0)
		if len(module) > 0 {
			p, ok := parts[string(module)]
			if !ok && len(k.parts) < maxKernelParts {
				p = uint16(len(k.parts))
				parts[string(module)] = p
				k.parts = append(k.parts, kernelPart{name: string(module)})
			}
			part = p
		}
		k.entries = append(k.entries, kernelEntry{addr, uint32(len(k.names)), uint16(min(len(name), 1<<16-1)), part})
		k.names = append(k.names, name...)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if hidden {
		return nil, errKernelHidden
	}
	slices.SortStableFunc(k.entries, func(a, b kernelEntry) int { return cmp.Compare(a.addr, b.addr) })
	k.entries = slices.CompactFunc(k.entries, func(a, b kernelEntry) bool { return a.addr == b.addr })
	for _, e := range k.entries {
		p := &k.parts[e.part]
		if p.count++; p.base == 0 || e.addr < p.base {
			p.base = e.addr
		}
	}
	return k, nil
}

func hexPrefix(b []byte) (v uint64, n int) {
	for n < len(b) && n < 16 {
		c := b[n]
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return v, n
		}
		n++
	}
	return v, n
}

// maxKernelFunction bounds the last function of a part, whose end nothing tells.
const maxKernelFunction = 1 << 20

// find returns the part that an address is in and its function there.
func (k *kernelNames) find(addr uint64) (p *kernelPart, s format.Symbol, ok bool) {
	i := sort.Search(len(k.entries), func(i int) bool { return k.entries[i].addr > addr }) - 1
	if i < 0 {
		return nil, s, false
	}
	e := k.entries[i]
	end := e.addr + maxKernelFunction
	if i+1 < len(k.entries) {
		end = min(end, k.entries[i+1].addr)
	}
	if addr >= end {
		return nil, s, false
	}
	p = &k.parts[e.part]
	return p, format.Symbol{Address: e.addr - p.base, Bytes: end - e.addr, Source: format.SymbolKallsyms, Name: string(k.names[e.name : e.name+uint32(e.len)])}, true
}
