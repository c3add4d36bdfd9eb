package keysearch

import (
	"encoding/binary"
	"math/bits"
)

// Key is an AES key. Keys are compared by ==.
type Key struct {
	bytes [32]byte
	size  uint8
}

// Bytes returns the 16 or 32 bytes of the key.
func (k *Key) Bytes() []byte { return k.bytes[:k.size] }

// Lengths of expanded keys, in bytes (FIPS 197 §5.2): 11 and 15 blocks.
const (
	schedule128 = 11 * 16
	schedule256 = 15 * 16

	// Overlap is by how much the pieces of memory that are given to a Search must overlap, so that what lies on their border is found.
	Overlap = schedule256
)

// scanSchedules calls found for each expanded key of AES-128 or AES-256 in mem, which begins at a multiple of four bytes. An
// implementation that encrypts keeps the words of the schedule one behind the other, in the order of FIPS 197 (OpenSSL, BoringSSL, Go) or
// each in that of the host (JSSE). In both orders a word is the XOR of the one before and of the one a key before, but for each fourth:
// two words at a time, that rules out all else at the speed of memory. What is left is expanded again and compared as a whole.
func scanSchedules(mem []byte, found func(offset int, key Key)) {
	last := len(mem) - schedule128
	for p := 0; p <= last; p += 4 {
		m := mem[p : p+schedule128 : p+schedule128] // tells the compiler how far p reaches
		a := binary.LittleEndian.Uint64(m[4:])
		// Words 5, 6 and 9, 10 of the shorter kind. Memory is full of zeros; the second block is zero for one key in 2^128.
		if b := binary.LittleEndian.Uint64(m[16:]); a^b == binary.LittleEndian.Uint64(m[20:]) {
			if b|binary.LittleEndian.Uint64(m[24:]) != 0 {
				if binary.LittleEndian.Uint64(m[20:])^binary.LittleEndian.Uint64(m[32:]) == binary.LittleEndian.Uint64(m[36:]) {
					if key, ok := expands(m, 4); ok {
						found(p, key)
					}
				}
			} else if a == 0 {
				if n := zeros(mem[p+4:]); n > 0 {
					p += n
					continue
				}
			}
		}
		// Words 9, 10 and 10, 11 of the longer.
		if b := binary.LittleEndian.Uint64(m[32:]); a^b == binary.LittleEndian.Uint64(m[36:]) && b|binary.LittleEndian.Uint64(m[40:]) != 0 &&
			binary.LittleEndian.Uint64(m[8:])^binary.LittleEndian.Uint64(m[36:]) == binary.LittleEndian.Uint64(m[40:]) && p+schedule256 <= len(mem) {
			if key, ok := expands(mem[p:p+schedule256], 8); ok {
				found(p, key)
			}
		}
	}
}

// zeros returns how many of the first bytes of mem are zero, in pairs of words, less what a schedule may begin with.
func zeros(mem []byte) int {
	n := 0
	for n+8 <= len(mem) && binary.LittleEndian.Uint64(mem[n:]) == 0 {
		n += 8
	}
	return max(0, n-32)
}

// expands reports whether the whole schedule in mem is the expansion of its first words, and returns these as a key.
func expands(mem []byte, words int) (Key, bool) {
	if schedule(mem, words, bits.ReverseBytes32) {
		return keyOf(mem, words, binary.BigEndian, binary.BigEndian), true
	}
	if schedule(mem, words, func(w uint32) uint32 { return w }) {
		return keyOf(mem, words, binary.LittleEndian, binary.BigEndian), true
	}
	return Key{}, false
}

func keyOf(mem []byte, words int, from, to binary.ByteOrder) (k Key) {
	k.size = uint8(4 * words)
	for i := range words {
		to.PutUint32(k.bytes[4*i:], from.Uint32(mem[4*i:]))
	}
	return k
}

// schedule reports whether mem is an expanded key (FIPS 197 §5.2) of so many words. order makes the value of a word, its first byte the
// highest, of the same read as little-endian.
func schedule(mem []byte, words int, order func(uint32) uint32) bool {
	at := func(i int) uint32 { return order(binary.LittleEndian.Uint32(mem[4*i:])) }
	rcon := uint32(1)
	for i := words; i < len(mem)/4; i++ {
		t := at(i - 1)
		switch {
		case i%words == 0:
			t = subWord(bits.RotateLeft32(t, 8)) ^ rcon<<24
			if rcon <<= 1; rcon > 0xff {
				rcon ^= 0x11b
			}
		case words > 6 && i%words == 4:
			t = subWord(t)
		}
		if at(i) != at(i-words)^t {
			return false
		}
	}
	return true
}

func subWord(w uint32) uint32 {
	return uint32(sbox[w>>24])<<24 | uint32(sbox[w>>16&0xff])<<16 | uint32(sbox[w>>8&0xff])<<8 | uint32(sbox[w&0xff])
}

// sbox is the substitution of FIPS 197 §5.1.1: the inverse in GF(2^8), and an affine map of its bits. The key schedule needs it; no
// library gives it away.
var sbox = func() (s [256]byte) {
	// p runs through all elements but zero as powers of 3, q as those of its inverse.
	p, q := byte(1), byte(1)
	for {
		p ^= p<<1 ^ byte(int8(p)>>7)&0x1b
		q ^= q << 1
		q ^= q << 2
		q ^= q << 4
		q ^= byte(int8(q)>>7) & 0x09
		s[p] = 0x63 ^ q ^ bits.RotateLeft8(q, 1) ^ bits.RotateLeft8(q, 2) ^ bits.RotateLeft8(q, 3) ^ bits.RotateLeft8(q, 4)
		if p == 1 {
			break
		}
	}
	s[0] = 0x63
	return s
}()
