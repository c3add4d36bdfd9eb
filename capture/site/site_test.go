package site_test

import (
	"bufio"
	"bytes"
	"debug/elf"
	"debug/gosym"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/capture/site"
)

// listing is what objdump says of an instruction.
type listing struct {
	at   uint64
	text string
}

// objdump disassembles [from, to) of a file: an oracle that nobody here wrote.
func objdump(t *testing.T, file string, from, to uint64) []listing {
	t.Helper()
	out, err := exec.Command("objdump", "-d", "--no-show-raw-insn", fmt.Sprintf("--start-address=%#x", from), fmt.Sprintf("--stop-address=%#x", to), file).Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []listing
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		addr, text, ok := strings.Cut(strings.TrimSpace(s.Text()), ":\t")
		at, err := strconv.ParseUint(addr, 16, 64)
		if ok && err == nil && at >= from && at < to {
			list = append(list, listing{at, strings.TrimSpace(text)})
		}
	}
	return list
}

type binary struct {
	path string
	elf  *elf.File
}

func open(t *testing.T, path string) binary {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return binary{path, f}
}

func (b binary) code(t *testing.T, addr, size uint64) []byte {
	t.Helper()
	for _, s := range b.elf.Sections {
		if s.Flags&elf.SHF_EXECINSTR != 0 && addr >= s.Addr && addr+size <= s.Addr+s.Size {
			code := make([]byte, size)
			if _, err := s.ReadAt(code, int64(addr-s.Addr)); err != nil {
				t.Fatal(err)
			}
			return code
		}
	}
	t.Fatalf("no code at %#x", addr)
	return nil
}

func count(list []listing, op string) (n int) {
	for _, l := range list {
		if first, _, _ := strings.Cut(l.text, " "); first == op {
			n++
		}
	}
	return n
}

const goProgram = `package main

import (
	"crypto/tls"
	"os"
)

func main() {
	c, err := tls.Dial("tcp", os.Args[1], nil)
	if err != nil {
		panic(err)
	}
	b := make([]byte, 9)
	n, _ := c.Read(b)
	c.Write(b[:n])
}
`

// The Go compiler's own table of functions, with objdump, is the oracle of places in Go programs: with symbols, without, and
// position-independent.
func TestGo(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(goProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"normal": nil, "stripped": {"-ldflags=-s -w"}, "pie": {"-buildmode=pie", "-ldflags=-s -w"}} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(dir, name)
			cmd := exec.Command("go", append(append([]string{"build", "-o", out}, args...), filepath.Join(dir, "main.go"))...)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GO111MODULE=off")
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			b := open(t, out)
			for _, name := range []string{"crypto/tls.(*Conn).Read", "crypto/tls.(*Conn).Write"} {
				fn := goFunction(t, b, name)
				code := b.code(t, fn.Entry, fn.End-fn.Entry)
				if !site.StartsGo(site.Arch(runtime.GOARCH), code) {
					t.Errorf("%s does not begin as a Go function", name)
				}
				p, err := site.Go(site.Arch(runtime.GOARCH), code)
				if err != nil {
					t.Fatal(err)
				}
				list := objdump(t, out, fn.Entry, fn.End)
				if rets := count(list, "ret"); len(p.Exits) != rets || rets == 0 {
					t.Errorf("%s: exits %v, objdump sees %d returns", name, p.Exits, rets)
				}
				for _, e := range p.Exits {
					if i := slices.IndexFunc(list, func(l listing) bool { return l.at == fn.Entry+uint64(e.Offset) }); i < 0 || !strings.HasPrefix(list[i].text, "ret") {
						t.Errorf("%s+%#x is no return", name, e.Offset)
					}
				}
				i := slices.IndexFunc(list, func(l listing) bool { return l.at == fn.Entry+uint64(p.Entry.Offset) })
				if i < 0 || runtime.GOARCH == "amd64" && !strings.HasPrefix(list[i].text, "push") {
					t.Errorf("%s: entry at %#x, %v", name, p.Entry.Offset, list[max(i, 0)])
				}
			}
		})
	}
}

func goFunction(t *testing.T, b binary, name string) *gosym.Func {
	t.Helper()
	section := b.elf.Section(".gopclntab")
	if section == nil {
		section = b.elf.Section(".data.rel.ro.gopclntab")
	}
	data, err := section.Data()
	if err != nil {
		t.Fatal(err)
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(data, b.elf.Section(".text").Addr))
	if err != nil {
		t.Fatal(err)
	}
	fn := table.LookupFunc(name)
	if fn == nil {
		t.Fatal("no function " + name)
	}
	return fn
}

// Code that is not understood gets the plain entry in C, and no place at all in Go.
func TestNotUnderstood(t *testing.T) {
	for name, code := range map[string][]byte{
		"empty":       {},
		"cut":         {0x48, 0x83},
		"not code":    {0xc5, 0xf8, 0x77, 0xc3},       // vzeroupper: the disassembler has no VEX
		"tail call":   {0xe9, 0x00, 0x10, 0x00, 0x00}, // jmp far behind the end
		"jump table":  {0xff, 0xe0},                   // jmp *%rax
		"no return":   {0x0f, 0x0b},
		"into middle": {0xeb, 0x01, 0xb8, 0xc3, 0x00, 0x00, 0x00, 0xc3}, // jmp into a mov
		"too long":    bytes.Repeat([]byte{0x90}, 1<<17),
	} {
		p := site.C(site.AMD64, code)
		if p.Entry.Offset != 0 {
			t.Errorf("%s: C entry at %d", name, p.Entry.Offset)
		}
		if p, err := site.Go(site.AMD64, code); !errors.Is(err, site.ErrCode) {
			t.Errorf("%s: Go plan %+v, %v", name, p, err)
		}
	}
}

// A branch back into what comes before a place would make one call look like two.
func TestNotTwice(t *testing.T) {
	// sub $8,%rsp; dec %eax; jne back to dec; add $8,%rsp; ret
	loop := []byte{0x48, 0x83, 0xec, 0x08, 0xff, 0xc8, 0x75, 0xfc, 0x48, 0x83, 0xc4, 0x08, 0xc3}
	if p := site.C(site.AMD64, loop); p.Entry.Offset != 0 {
		t.Errorf("entry at %d, in a loop", p.Entry.Offset)
	}
	// push; pop; jne back to push; ret
	again := []byte{0x55, 0x5d, 0x75, 0xfc, 0xc3}
	if p := site.C(site.AMD64, again); p.Entry.Offset != 0 {
		t.Errorf("plan %+v, of a function that begins again", p)
	}
}

func FuzzPlans(f *testing.F) {
	f.Add([]byte{0x55, 0x48, 0x89, 0xe5, 0x5d, 0xc3})
	f.Add([]byte{0x49, 0x3b, 0x66, 0x10, 0x76, 0x05, 0x55, 0x5d, 0xc3, 0x90, 0x90, 0xeb, 0xf3})
	f.Fuzz(func(t *testing.T, code []byte) {
		for _, arch := range []site.Arch{site.AMD64, site.ARM64} {
			plans := []site.Plan{site.C(arch, code)}
			if p, err := site.Go(arch, code); err == nil {
				plans = append(plans, p)
			}
			for _, p := range plans {
				for _, s := range append([]site.Site{p.Entry}, p.Exits...) {
					if s.Offset < 0 || s.Offset > 0 && s.Offset >= len(code) {
						t.Fatalf("%s: place %+v of %d bytes", arch, s, len(code))
					}
				}
			}
			site.StartsGo(arch, code)
		}
	})
}
