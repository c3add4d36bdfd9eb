package unwind

import (
	"bytes"
	"debug/elf"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
)

// TestTableAgreesWithReadelf compares where functions begin and end, of every entry of a real library, with binutils.
func TestTableAgreesWithReadelf(t *testing.T) {
	path := "/usr/bin/openssl"
	if lib, err := exec.Command("sh", "-c", "/sbin/ldconfig -p | sed -n 's/.*=> //p' | grep -m1 'libc.so.6$'").Output(); err == nil && len(lib) > 1 {
		path = string(bytes.TrimSpace(lib))
	}
	out, err := exec.Command("readelf", "--debug-dump=frames", path).Output()
	if len(out) == 0 { // it ends with 1 when it warns
		t.Fatalf("readelf: %v (binutils)", err)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := NewTable(f)
	if err != nil || table == nil {
		t.Fatalf("%s: no table (%v)", path, err)
	}
	n := 0
	for _, m := range regexp.MustCompile(`(?m) FDE cie=\S+ pc=([0-9a-f]+)\.\.([0-9a-f]+)`).FindAllSubmatch(out, -1) {
		from, _ := strconv.ParseUint(string(m[1]), 16, 64)
		to, _ := strconv.ParseUint(string(m[2]), 16, 64)
		n++
		start, size, ok := table.Bounds(from)
		if !ok || start != from || size != to-from {
			t.Errorf("0x%x..0x%x: the table says 0x%x and %d bytes", from, to, start, size)
		}
		if r := table.row(from); r == nil || r.unsupported && from == 0 {
			t.Errorf("0x%x: no row", from)
		}
	}
	if n < 1000 || n != table.Functions() {
		t.Errorf("readelf knows %d functions, the table %d", n, table.Functions())
	}
}

// bare is code without tables.
type bare struct{}

func (bare) Table(addr uint64) (*Table, uint64, bool) { return nil, addr, addr > 0x1000 }
func (bare) Frameless(uint64) bool                    { return false }

func word(b []byte, v uint64) []byte {
	for range 8 {
		b = append(b, byte(v))
		v >>= 8
	}
	return b
}

func TestWalkByFramePointers(t *testing.T) {
	const base = 0x7000
	var stack []byte
	for _, v := range []uint64{base + 16, 0x2222, 0, 0x3333} {
		stack = word(stack, v)
	}
	for name, c := range map[string]struct {
		fp     uint64
		stack  []byte
		fault  bool
		frames int
		end    End
	}{
		"whole":                  {base, stack, false, 3, EndComplete},
		"beyond the copy":        {base, stack[:24], false, 2, EndCopy},
		"a page is not there":    {base, stack[:24], true, 2, EndNotResident},
		"points below the stack": {base - 8, stack, false, 1, EndNoTable},
		"points nowhere":         {1 << 60, stack, false, 1, EndNoTable},
		"not aligned":            {base + 3, stack, false, 1, EndNoTable},
		"points to itself":       {base, append(word(nil, base), word(nil, 0x2222)...), false, 2, EndNoTable},
	} {
		th := Thread{Base: base, Stack: c.stack, Fault: c.fault}
		th.Regs[regPC], th.Regs[regSP], th.Regs[regFP] = 0x1111, base, c.fp
		var r Result
		Walk(&th, bare{}, 100, &r)
		if r.End != c.end || len(r.Frames) != c.frames {
			t.Errorf("%s: %d frames, end %d; want %d, %d", name, len(r.Frames), r.End, c.frames, c.end)
		}
	}
}

// FuzzTable reads any bytes as .eh_frame and asks for every function that they tell of.
func FuzzTable(f *testing.F) {
	if exe, err := elf.Open("/bin/true"); err == nil {
		if s := exe.Section(".eh_frame"); s != nil {
			if data, err := s.Data(); err == nil {
				f.Add(data)
			}
		}
		exe.Close()
	}
	f.Add([]byte{4, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		table := &Table{section: bytes.NewReader(data), addr: 0x1000, cies: map[uint32]cie{}, rows: map[uint64]*row{}}
		_ = table.scan(bytes.NewReader(data), uint64(len(data)))
		for i, e := range table.entries {
			if i > 64 {
				break
			}
			table.row(e.start)
			table.row(e.start + uint64(e.size) - 1)
		}
	})
}
