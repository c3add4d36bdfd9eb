//go:build linux && (amd64 || arm64)

package profile

import (
	"errors"
	"strings"
	"testing"
)

func TestMapLines(t *testing.T) {
	for line, want := range map[string]*mapLine{
		"55d0-55d1 r-xp 00001000 fd:01 42   /usr/bin/a b (deleted)": {start: 0x55d0, end: 0x55d1, offset: 0x1000, dev: "fd:01", inode: 42, path: "/usr/bin/a b", deleted: true},
		"7f00-7f01 r-xp 00000000 00:00 0":                           {start: 0x7f00, end: 0x7f01, dev: "00:00"},
		"7f00-7f01 r-xp 00000000 00:00 0    [vdso]":                 {start: 0x7f00, end: 0x7f01, dev: "00:00", path: "[vdso]"},
		`7f00-7f01 r-xp 0 00:00 7 /a\012b`:                          {start: 0x7f00, end: 0x7f01, dev: "00:00", inode: 7, path: "/a\nb"},
		"7f00-7f01 rw-p 00000000 00:00 0":                           nil,
		"7f00 r-xp":                                                 nil,
		"x-y r-xp 0 00:00 0":                                        nil,
		"":                                                          nil,
	} {
		m, ok := parseMapLine([]byte(line))
		if ok != (want != nil) || ok && m != *want {
			t.Errorf("%q: %+v, %v", line, m, ok)
		}
	}
}

func TestKernelNames(t *testing.T) {
	k, err := parseKernel(strings.NewReader("ffffffff81000000 T _stext\nffffffff81000100 t two\nffffffff81000100 t alias\nffffffff81000180 D data\n" +
		"ffffffffc0000000 t first\t[mod]\nffffffffc0000040 t second\t[mod]\nnonsense\n"))
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[uint64]string{
		0xffffffff81000000: "[kernel] _stext 0", 0xffffffff810000ff: "[kernel] _stext 0", 0xffffffff81000100: "[kernel] two 100",
		0xffffffffc0000041: "[mod] second 40", 0xffffffff80ffffff: "", 0xffffffffc0200041: "",
	} {
		got := ""
		if p, s, ok := k.find(addr); ok {
			got = p.name + " " + s.Name + " " + hex(s.Address)
		}
		if got != want {
			t.Errorf("0x%x: %q, want %q", addr, got, want)
		}
	}
	if _, err := parseKernel(strings.NewReader("0000000000000000 T _stext\n")); !errors.Is(err, errKernelHidden) {
		t.Errorf("hidden addresses: %v", err)
	}
}

func hex(v uint64) string {
	const digits = "0123456789abcdef"
	s := ""
	for ; v > 0; v >>= 4 {
		s = string(digits[v&15]) + s
	}
	if s == "" {
		return "0"
	}
	return s
}

func TestSpaceTakesNewMappingsOverOldOnes(t *testing.T) {
	a, b := &module{}, &module{}
	s := &space{}
	s.add(codeRange{start: 100, end: 200, offset: 1000, module: a})
	s.add(codeRange{start: 140, end: 160, module: b})
	for addr, want := range map[uint64]*codeRange{
		99: nil, 100: {offset: 1000, module: a}, 139: {offset: 1000, module: a}, 140: {module: b}, 159: {module: b}, 160: {offset: 1060, module: a}, 200: nil,
	} {
		r := s.find(addr)
		if (r == nil) != (want == nil) || r != nil && (r.module != want.module || r.offset != want.offset) {
			t.Errorf("%d: %+v, want %+v", addr, r, want)
		}
	}
}

// FuzzMapLine takes any line of /proc/PID/maps: names in it are the process's to choose.
func FuzzMapLine(f *testing.F) {
	f.Add([]byte("55d0-55d1 r-xp 00001000 fd:01 42   /usr/bin/a b (deleted)"))
	f.Fuzz(func(_ *testing.T, line []byte) { parseMapLine(line) })
}
