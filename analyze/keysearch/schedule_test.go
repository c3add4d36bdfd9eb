package keysearch

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// expand is the key expansion of FIPS 197 §5.2.
func expand(key []byte) []byte {
	words := len(key) / 4
	out := append([]byte(nil), key...)
	rcon := uint32(1)
	for i := words; i < 4*(words+7); i++ {
		t := binary.BigEndian.Uint32(out[4*(i-1):])
		switch {
		case i%words == 0:
			t = subWord(bits.RotateLeft32(t, 8)) ^ rcon<<24
			if rcon <<= 1; rcon > 0xff {
				rcon ^= 0x11b
			}
		case words > 6 && i%words == 4:
			t = subWord(t)
		}
		out = binary.BigEndian.AppendUint32(out, t^binary.BigEndian.Uint32(out[4*(i-words):]))
	}
	return out
}

// swapWords turns the order of bytes in each word, as JSSE keeps it.
func swapWords(b []byte) []byte {
	out := make([]byte, len(b))
	for i := 0; i < len(b); i += 4 {
		binary.LittleEndian.PutUint32(out[i:], binary.BigEndian.Uint32(b[i:]))
	}
	return out
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FIPS 197, appendix A.1 and A.3: the last words of the expansion.
func TestExpansionOfTheStandard(t *testing.T) {
	for key, last := range map[string]string{
		"2b7e151628aed2a6abf7158809cf4f3c":                                 "d014f9a8c9ee2589e13f0cc8b6630ca6",
		"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4": "fe4890d1e6188d0b046df344706c631e",
	} {
		s := expand(unhex(t, key))
		if got := hex.EncodeToString(s[len(s)-16:]); got != last {
			t.Errorf("the expansion of %s ends in %s, not %s", key, got, last)
		}
	}
}

type place struct {
	offset int
	key    string
}

func scanned(mem []byte) (got []place) {
	scanSchedules(mem, func(offset int, key Key) { got = append(got, place{offset, hex.EncodeToString(key.Bytes())}) })
	return got
}

func TestScanFindsSchedules(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	fillings := map[string]func([]byte){
		"zeros": func([]byte) {},
		"noise": func(b []byte) {
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
		},
		"pointers": func(b []byte) {
			for i := 0; i+8 <= len(b); i += 8 {
				binary.LittleEndian.PutUint64(b[i:], 0xc000_0000_0000+uint64(rng.IntN(1<<20))*8)
			}
		},
		"ones": func(b []byte) { copy(b, bytes.Repeat([]byte{0xff}, len(b))) },
	}
	for name, fill := range fillings {
		for _, size := range []int{16, 32} {
			for round := range 200 {
				mem := make([]byte, 4096)
				fill(mem)
				key := make([]byte, size)
				for i := range key {
					key[i] = byte(rng.Uint32())
				}
				switch round % 4 { // keys that look like a filling where they begin
				case 1:
					clear(key[:12])
				case 2:
					clear(key[4:])
				}
				s := expand(key)
				if round%2 == 1 {
					s = swapWords(s)
				}
				at := 4 * rng.IntN((len(mem)-len(s))/4+1)
				copy(mem[at:], s)
				got := scanned(mem)
				if len(got) != 1 || got[0] != (place{at, hex.EncodeToString(key)}) {
					t.Fatalf("%s, round %d: %x at %d: found %v", name, round, key, at, got)
				}
				mem[at+rng.IntN(len(s))] ^= 1 << rng.IntN(8)
				if got := scanned(mem); len(got) != 0 {
					t.Fatalf("%s: a schedule with a bit turned is found: %v", name, got)
				}
			}
		}
	}
}

// The ends of what is given, and lengths that are none.
func TestScanAtTheEdges(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	s := expand(key)
	for n := range len(s) + 1 {
		want := 0
		if n == len(s) {
			want = 1
		}
		if got := scanned(s[:n]); len(got) != want {
			t.Errorf("%d bytes of a schedule: %v", n, got)
		}
	}
	if got := scanned(append(make([]byte, 4000), s...)); len(got) != 1 || got[0].offset != 4000 {
		t.Errorf("at the end: %v", got)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(expand(bytes.Repeat([]byte{1}, 16)))
	f.Add(make([]byte, 1000))
	f.Fuzz(func(t *testing.T, mem []byte) {
		for _, p := range scanned(mem) {
			s := expand(unhex(t, p.key))
			got := mem[p.offset : p.offset+len(s)]
			if !bytes.Equal(got, s) && !bytes.Equal(got, swapWords(s)) {
				t.Errorf("%v is no schedule", p)
			}
		}
	})
}

// BenchmarkScan is to reach 500 MB/s on a core, whatever the memory holds; reading it alone is what it is compared with.
func BenchmarkScan(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 4))
	mem := make([]byte, 4<<20)
	fillings := []struct {
		name string
		fill func(at int) uint64
	}{
		{"noise", func(int) uint64 { return rng.Uint64() }},
		{"zeros", func(int) uint64 { return 0 }},
		{"counters", func(at int) uint64 { return uint64(at) }},
		{"pointers", func(int) uint64 { return 0x7f00_0000_0000 + rng.Uint64N(1<<24)*16 }},
		{"same", func(int) uint64 { return 0x0101010101010101 }},
		{"sparse", func(at int) uint64 { return uint64(at/8) % 7 / 6 }},
	}
	for _, f := range fillings {
		for i := 0; i < len(mem); i += 8 {
			binary.LittleEndian.PutUint64(mem[i:], f.fill(i))
		}
		b.Run(f.name, func(b *testing.B) {
			b.SetBytes(int64(len(mem)))
			for b.Loop() {
				scanSchedules(mem, func(int, Key) { b.Fatal("found") })
			}
		})
	}
}
