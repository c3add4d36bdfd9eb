package tls

import (
	"crypto"
	"crypto/hkdf"
	"crypto/hmac"
	"encoding/binary"
	"hash"
)

// expandLabel is HKDF-Expand-Label with an empty context (RFC 8446 §7.1).
func expandLabel(h crypto.Hash, secret []byte, label string, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(len("tls13 ")+len(label)))
	info = append(info, "tls13 "+label...)
	info = append(info, 0)
	out, err := hkdf.Expand(func() hash.Hash { return h.New() }, secret, string(info), n)
	if err != nil {
		panic(err) // n is small
	}
	return out
}

// nextSecret is the traffic secret after a KeyUpdate (RFC 8446 §7.2).
func nextSecret(h crypto.Hash, secret []byte) []byte {
	return expandLabel(h, secret, "traffic upd", h.Size())
}

// prf12 is the pseudorandom function of TLS 1.2 (RFC 5246 §5).
func prf12(h crypto.Hash, secret []byte, label string, seed []byte, n int) []byte {
	labelled := append([]byte(label), seed...)
	sum := func(parts ...[]byte) []byte {
		m := hmac.New(h.New, secret)
		for _, p := range parts {
			m.Write(p)
		}
		return m.Sum(nil)
	}
	var out []byte
	for a := sum(labelled); len(out) < n; a = sum(a) {
		out = append(out, sum(a, labelled)...)
	}
	return out[:n]
}

// keyBlock12 returns what protects the records of each direction, client first (RFC 5246 §6.3).
func keyBlock12(s *suite, master, clientRandom, serverRandom []byte, encryptThenMAC bool) [2]protection {
	seed := append(append([]byte{}, serverRandom...), clientRandom...)
	pair, _ := splitBlock(s, prf12(s.hash, master, "key expansion", seed, s.blockLen()), encryptThenMAC)
	return pair
}

// blockLen is the length of the key block of TLS 1.2.
func (s *suite) blockLen() int {
	n := s.key + s.ivLen(TLS12)
	if s.mode == cbcHMAC {
		n += s.mac.Size()
	}
	return 2 * n
}

// splitBlock returns what protects the records of each direction, client first, under a key block. One that is longer than is
// needed is one of a library that derives more; false: it is shorter.
func splitBlock(s *suite, b []byte, encryptThenMAC bool) (p [2]protection, ok bool) {
	if len(b) < s.blockLen() {
		return p, false
	}
	mac, iv := 0, s.ivLen(TLS12)
	if s.mode == cbcHMAC {
		mac = s.mac.Size()
	}
	take := func(n int) (part []byte) { part, b = b[:n:n], b[n:]; return part }
	var macs, keys, ivs [2][]byte
	for _, parts := range []struct {
		of *[2][]byte
		n  int
	}{{&macs, mac}, {&keys, s.key}, {&ivs, iv}} {
		parts.of[0], parts.of[1] = take(parts.n), take(parts.n)
	}
	for i := range p {
		if s.mode == cbcHMAC {
			p[i] = newCBC(block(keys[i]), hmac.New(s.mac.New, macs[i]), encryptThenMAC)
			continue
		}
		p[i] = newSealed(s, TLS12, keys[i], ivs[i])
	}
	return p, true
}

// traffic13 returns what protects records under a traffic secret (RFC 8446 §7.3).
func traffic13(s *suite, secret []byte) protection {
	return newSealed(s, TLS13, expandLabel(s.hash, secret, "key", s.key), expandLabel(s.hash, secret, "iv", s.ivLen(TLS13)))
}
