package keysearch

import (
	"encoding/binary"
	"slices"
)

// Near returns the pieces of memory, as pairs of addresses, in which nonces are most likely: those around the keys that were found.
// They are sorted and do not overlap.
func (s *Search) Near(reach uint64) (pieces [][2]uint64) {
	var at []uint64
	for _, c := range slices.Concat(s.keys, s.tied) {
		at = append(at, c.address)
	}
	slices.Sort(at)
	for _, a := range at {
		from := (a - min(a, reach)) &^ 3
		to := a + reach
		if n := len(pieces); n > 0 && pieces[n-1][1] >= from {
			pieces[n-1][1] = to
			continue
		}
		pieces = append(pieces, [2]uint64{from, to})
	}
	return pieces
}

// Windows looks in a piece of memory, for directions that are not found, for IVs or salts under which a record begins as a message does.
// Pieces that follow each other are to overlap by Overlap bytes. It is dear: the pieces of Near come first.
func (s *Search) Windows(mem []byte) {
	for _, d := range s.dirs {
		if d.found == nil && len(s.keys) > 0 && !s.Exhausted() {
			s.windows(d, mem)
		}
	}
}

// window13 is how far the sequence number of a record in TLS 1.3 may be from the expected one.
const window13 = 16

// windows tries what may be an IV or a salt for the first record of a direction.
func (s *Search) windows(d *direction, mem []byte) {
	first := slices.IndexFunc(d.Records, func(r Record) bool {
		return len(r.ciphertext(TLS12)) >= beginning || len(r.ciphertext(TLS13)) >= beginning
	})
	if first < 0 {
		return
	}
	r := &d.Records[first]
	text12, text13 := r.ciphertext(TLS12), r.ciphertext(TLS13)
	var explicit [explicitLen]byte
	copy(explicit[:], r.Body)
	from, to := s.expected(d, first)
	for p := 0; p+nonceLen <= len(mem) && !s.Exhausted() && d.found == nil; p += 4 {
		w := [nonceLen]byte(mem[p:])
		if len(text12) >= beginning && salty(&w, &explicit, d.MaxSeq+uint64(len(d.Records))) {
			nonce := w
			copy(nonce[saltLen:], explicit[:])
			s.window(d, first, TLS12, text12, nonce)
		}
		if len(text13) < beginning || plain(w[:]) {
			continue
		}
		for seq := from; seq <= to && d.found == nil; seq++ {
			nonce := w
			xorSeq(&nonce, seq)
			s.window(d, first, TLS13, text13, nonce) // what lies in memory may be the nonce of a record as well as the IV: seq is no proof
		}
	}
}

// window tries one nonce with all keys.
func (s *Search) window(d *direction, i int, v Version, text []byte, nonce [nonceLen]byte) bool {
	for k := range s.keys {
		c := &s.keys[k]
		s.tries++
		if c.begins(text, &nonce, begins) && s.prove(d, c, i, v, nonce) {
			return true
		}
	}
	return false
}

// salty reports whether a window is a salt and the explicit nonce of a record not far from the one at hand, as implementations keep them
// that have the nonce in one piece.
func salty(w *[nonceLen]byte, explicit *[explicitLen]byte, reach uint64) bool {
	if binary.LittleEndian.Uint32(w[:]) == 0 {
		return false
	}
	distance := binary.BigEndian.Uint64(w[saltLen:]) - binary.BigEndian.Uint64(explicit[:])
	return distance+reach <= 2*reach
}

func begins(b []byte) bool { return isRequest(b) || isResponse(b) }

// expected returns which sequence numbers a record may have: those around the number of the other direction, since messages of HTTP/1
// alternate; else the first, which are also how far the nonces of the last records are from each other.
func (s *Search) expected(d *direction, i int) (from, to uint64) {
	most := d.MaxSeq + uint64(i)
	middle := uint64(window13)
	if p := d.peer.found; p != nil && p.SeqMod == 0 && p.Version == TLS13 {
		middle = p.Seq - min(p.Seq, uint64(p.Record)) + uint64(i)
	}
	return min(most, middle-min(middle, window13)), min(most, middle+window13)
}

// plain reports whether a window is likely to be text, a pointer or small numbers: an IV is random, and of those one in some hundred
// looks so.
func plain(w []byte) bool {
	zeros, high := 0, 0
	for _, b := range w {
		if b == 0 {
			zeros++
		}
		high += int(b >> 7)
	}
	return zeros >= 2 || high == 0
}
