package site_test

import (
	"debug/elf"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/capture/site"
)

// The libraries of this machine are for its own processor, and so is this file.

func (b binary) functions(t *testing.T) []elf.Symbol {
	t.Helper()
	symbols, err := b.elf.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	symbols = slices.DeleteFunc(symbols, func(s elf.Symbol) bool {
		return elf.ST_TYPE(s.Info) != elf.STT_FUNC || s.Section == elf.SHN_UNDEF || s.Size == 0
	})
	if len(symbols) == 0 {
		t.Fatal("no functions in " + b.path)
	}
	return symbols
}

func library(t *testing.T, name string) binary {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/*-linux-gnu/", "/lib/*-linux-gnu/", "/usr/lib64/"} {
		if found, _ := filepath.Glob(pattern + name); len(found) > 0 {
			return open(t, found[0])
		}
	}
	t.Fatalf("%s is not installed: scripts/setup.sh does that", name)
	return binary{}
}

// emulatable says of objdump's text whether the kernel emulates such an instruction.
func emulatable(text string) bool {
	op, _, _ := strings.Cut(text, " ")
	switch op {
	case "nop", "push", "call", "jmp":
		return !strings.Contains(text, "*") && !strings.Contains(text, "(")
	}
	return strings.HasPrefix(op, "j")
}

// Every place that is named begins an instruction, is emulated as said, and exits are where objdump sees the function return.
func TestLibraries(t *testing.T) {
	for _, name := range []string{"libssl.so.3", "libgnutls.so.30"} {
		t.Run(name, func(t *testing.T) {
			b := library(t, name)
			symbols := b.functions(t)
			step := max(len(symbols)/100, 1)
			emulated, exits := 0, 0
			for i := 0; i < len(symbols); i += step {
				s := symbols[i]
				list := objdump(t, b.path, s.Value, s.Value+s.Size)
				p := site.C(site.AMD64, b.code(t, s.Value, s.Size))
				at := map[int]string{}
				for _, l := range list {
					at[int(l.at-s.Value)] = l.text
				}
				for _, place := range append([]site.Site{p.Entry}, p.Exits...) {
					text, ok := at[place.Offset]
					if !ok || place.Emulated && !emulatable(text) {
						t.Errorf("%s+%#x: %q, emulated %v", s.Name, place.Offset, text, place.Emulated)
					}
				}
				if p.Entry.Emulated {
					emulated++
				}
				if len(p.Exits) > 0 {
					exits++
				}
				for _, l := range list {
					if l.at-s.Value >= uint64(p.Entry.Offset) {
						break
					}
					if op, _, _ := strings.Cut(l.text, " "); op == "ret" || op == "call" || op == "jmp" {
						t.Errorf("%s: %q comes before the entry at %#x", s.Name, l.text, p.Entry.Offset)
					}
				}
				if p.ReturnProbe == (len(p.Exits) > 0) {
					t.Errorf("%s: exits %v and a return probe %v", s.Name, p.Exits, p.ReturnProbe)
				}
				if rets := count(list, "ret"); len(p.Exits) > 0 && rets != len(p.Exits) {
					t.Errorf("%s: %d exits, objdump sees %d returns", s.Name, len(p.Exits), rets)
				}
				for _, l := range list {
					moves := strings.HasSuffix(l.text, ",%rsp") || strings.HasPrefix(l.text, "push") || strings.HasPrefix(l.text, "pop")
					if p.ReturnProbe && moves && l.at-s.Value < uint64(p.Entry.Offset) {
						t.Errorf("%s: %q comes before the return probe at %#x", s.Name, l.text, p.Entry.Offset)
					}
				}
			}
			t.Logf("%d functions, %d with an emulated entry, %d with exits of their own", len(symbols)/step, emulated, exits)
			if emulated == 0 || exits == 0 {
				t.Error("no function was understood")
			}
		})
	}
}

// What reel probes of OpenSSL costs the least: no instruction of SSL_read and SSL_write is stepped.
func TestOpenSSL(t *testing.T) {
	b := library(t, "libssl.so.3")
	found := 0
	for _, s := range b.functions(t) {
		if s.Name != "SSL_read" && s.Name != "SSL_write" {
			continue
		}
		found++
		p := site.C(site.AMD64, b.code(t, s.Value, s.Size))
		if !p.Entry.Emulated || p.ReturnProbe || len(p.Exits) == 0 || slices.ContainsFunc(p.Exits, func(e site.Site) bool { return !e.Emulated }) {
			t.Errorf("%s: %+v", s.Name, p)
		}
	}
	if found != 2 {
		t.Errorf("found %d of 2 functions", found)
	}
}
