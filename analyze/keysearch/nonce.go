package keysearch

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math/bits"
)

const (
	nonceLen    = 12
	tagLen      = 16
	saltLen     = 4
	explicitLen = nonceLen - saltLen // of TLS 1.2, before the ciphertext (RFC 5288 §3)
	blockLen    = aes.BlockSize
)

func (c *candidate) init() (err error) {
	if c.block, err = aes.NewCipher(c.key.Bytes()); err != nil {
		return err
	}
	c.aead, err = cipher.NewGCM(c.block)
	return err
}

// nonceOf returns the nonce under which a block of ciphertext, the index-th of its record, is the text: GCM encrypts the nonce and a
// counter of 32 bits that begins with 2 (SP 800-38D §7.1), which is what tells a right key from all others but one in 2^32.
func (c *candidate) nonceOf(ciphertext, text *[blockLen]byte, index uint32) (nonce [nonceLen]byte, ok bool) {
	var b [blockLen]byte
	binary.LittleEndian.PutUint64(b[:], binary.LittleEndian.Uint64(ciphertext[:])^binary.LittleEndian.Uint64(text[:]))
	binary.LittleEndian.PutUint64(b[8:], binary.LittleEndian.Uint64(ciphertext[8:])^binary.LittleEndian.Uint64(text[8:]))
	c.block.Decrypt(b[:], b[:])
	if binary.BigEndian.Uint32(b[nonceLen:]) != index+2 {
		return nonce, false
	}
	return [nonceLen]byte(b[:nonceLen]), true
}

// begins reports whether the first bytes of a ciphertext are one of the beginnings under a nonce.
func (c *candidate) begins(ciphertext []byte, nonce *[nonceLen]byte, with func([]byte) bool) bool {
	var b [blockLen]byte
	copy(b[:], nonce[:])
	b[blockLen-1] = 2
	c.block.Encrypt(b[:], b[:])
	for i := range beginning {
		b[i] ^= ciphertext[i]
	}
	return with(b[:beginning])
}

// ciphertext returns what a record has of it in a version; nil: it is no such record.
func (r *Record) ciphertext(v Version) []byte {
	if r.Header[0] != 23 {
		return nil
	}
	at := 0
	if v == TLS12 {
		at = explicitLen
	}
	end := min(len(r.Body), r.length()-tagLen)
	if end < at {
		return nil
	}
	return r.Body[at:end]
}

// opens reports whether the tag of a whole record proves a key and a nonce. seq is of TLS 1.2 only.
func (c *candidate) opens(r *Record, v Version, nonce *[nonceLen]byte, seq uint64, dst []byte) bool {
	if !r.whole() {
		return false
	}
	if v == TLS13 {
		if len(r.Body) < tagLen+1 {
			return false
		}
		_, err := c.aead.Open(dst[:0], nonce[:], r.Body, r.Header[:])
		return err == nil
	}
	if len(r.Body) < explicitLen+tagLen {
		return false
	}
	var extra [13]byte // RFC 5246 §6.2.3.3
	binary.BigEndian.PutUint64(extra[:], seq)
	copy(extra[8:], r.Header[:3])
	binary.BigEndian.PutUint16(extra[11:], uint16(len(r.Body)-explicitLen-tagLen))
	_, err := c.aead.Open(dst[:0], nonce[:], r.Body[explicitLen:], extra[:])
	return err == nil
}

// prove13 proves that a nonce is that of record i, and tells how far the sequence number is known by the nonces of those behind it: from
// one to the next, its lowest bits up to the first zero change.
func (s *Search) prove13(c *candidate, d *direction, i int, nonce [nonceLen]byte) (f Found, ok bool) {
	var room [maxRecord]byte
	s.tries++
	proved := c.opens(&d.Records[i], TLS13, &nonce, 0, room[:])
	var low, mod uint64 = 0, 1 // the sequence number of record i is low modulo mod
	next := nonce
	for j := i + 1; j < min(len(d.Records), i+followed); j++ {
		behind := uint64(j - 1 - i)
		ones, ok := s.step13(c, &d.Records[j], &next, room[:], low+behind, mod, proved)
		if !ok {
			break
		}
		proved = true
		// The number of the record before ends in a zero and so many ones.
		if m := uint64(1) << (ones + 1); m > mod {
			low, mod = (m>>1-1-behind)&(m-1), m
		}
	}
	if !proved {
		return f, false
	}
	f = Found{Version: TLS13, IV: nonce, Seq: low, SeqMod: mod, Record: i}
	if most := d.MaxSeq + uint64(i); most >= d.MaxSeq && most < mod {
		f.SeqMod = 0 // no other number is possible
		if low > most {
			return f, false
		}
	}
	xorSeq(&f.IV, low)
	return f, true
}

const (
	followed  = 64 // records that are followed to know a sequence number
	maxRecord = 1<<14 + 2048
)

// step13 finds the nonce of a record from that of the one before it.
func (s *Search) step13(c *candidate, r *Record, nonce *[nonceLen]byte, room []byte, before, mod uint64, proved bool) (ones int, ok bool) {
	if !r.whole() {
		return 0, false
	}
	try := func(ones int) bool {
		s.tries++
		next := *nonce
		xorSeq(&next, 1<<(ones+1)-1)
		if !c.opens(r, TLS13, &next, 0, room) {
			return false
		}
		*nonce = next
		return true
	}
	// What is known of the number says which bits change, but where all of those are ones.
	known := bits.Len64(mod) - 1
	if n := bits.TrailingZeros64(^before); n < known {
		return n, try(n)
	}
	for n := known; n < 48; n++ {
		if try(n) {
			return n, true
		}
		if !proved && n == known+4 {
			break // it may be the wrong key: the tag of this one is the first
		}
	}
	return 0, false
}

// xorSeq puts a sequence number over the last eight bytes of a nonce (RFC 8446 §5.3).
func xorSeq(nonce *[nonceLen]byte, seq uint64) {
	binary.BigEndian.PutUint64(nonce[saltLen:], binary.BigEndian.Uint64(nonce[saltLen:])^seq)
}

// prove12 proves a salt by a record, and finds its sequence number, which the tag covers: the explicit nonce is that number in most
// libraries, else it is one of those that are possible.
func (s *Search) prove12(c *candidate, d *direction, salt [saltLen]byte) (f Found, ok bool) {
	// The shortest record is the cheapest to try.
	best := -1
	for j := range d.Records {
		if r := &d.Records[j]; r.whole() && r.ciphertext(TLS12) != nil && (best < 0 || r.length() < d.Records[best].length()) {
			best = j
		}
	}
	if best < 0 {
		return f, false
	}
	r := &d.Records[best]
	nonce := [nonceLen]byte(append(append(make([]byte, 0, nonceLen), salt[:]...), r.Body[:explicitLen]...))
	var room [maxRecord]byte
	try := func(seq uint64) bool {
		s.tries++
		if !c.opens(r, TLS12, &nonce, seq, room[:]) {
			return false
		}
		f = Found{Version: TLS12, Seq: seq, Record: best}
		copy(f.IV[:], salt[:])
		return true
	}
	first := uint64(best)
	if explicit := binary.BigEndian.Uint64(r.Body); explicit >= first && try(explicit) {
		return f, true
	}
	for seq := first; seq-first <= min(d.MaxSeq, maxTrial) && !s.Exhausted(); seq++ {
		if try(seq) {
			return f, true
		}
	}
	return f, false
}

// maxTrial bounds the sequence numbers that are tried for one direction.
const maxTrial = 1 << 22
