package tls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"

	"golang.org/x/crypto/chacha20"
)

// sealed is the keys of an AEAD suite. How the nonce is made differs: of TLS 1.3 (RFC 8446 §5.3), and of ChaCha20-Poly1305 in TLS 1.2
// (RFC 7905 §2), it is the sequence number XORed into an IV; of AES-GCM (RFC 5288 §3) and AES-CCM (RFC 6655 §3) in TLS 1.2, four
// bytes of the IV and eight that stand before the content.
type sealed struct {
	aead     cipher.AEAD
	block    cipher.Block                              // AES; nil for ChaCha20
	stream   func(nonce *[nonceLen]byte) cipher.Stream // the key stream from the first byte of the content on
	iv       [nonceLen]byte
	explicit int // bytes of the nonce in the record
	v13      bool
	gcm      bool

	// Of the last record that was opened, when its nonce was in it.
	lastSeq, lastNonce uint64
	last               bool

	nonce [nonceLen]byte // scratch: what interfaces are given must not be made anew for each record
	ad    additional
	found []byte
}

const (
	nonceLen      = 12
	explicitNonce = 8
)

// newSealed returns the keys of one direction; iv has ivLen bytes.
func newSealed(s *suite, v Version, key, iv []byte) *sealed {
	k := &sealed{aead: s.aead(key), v13: v == TLS13, gcm: s.mode == gcm, explicit: nonceLen - s.ivLen(v)}
	copy(k.iv[:], iv)
	if s.mode == chacha {
		k.stream = func(nonce *[nonceLen]byte) cipher.Stream { return chachaStream(key, nonce[:]) }
		return k
	}
	k.block = block(key)
	counterMode := gcmStream
	if s.mode == ccmTag16 || s.mode == ccmTag8 {
		counterMode = ccmStream
	}
	k.stream = func(nonce *[nonceLen]byte) cipher.Stream { return counterMode(k.block, nonce) }
	return k
}

// gcmStream is the key stream that GCM encrypts with: counter mode from 2 on (NIST SP 800-38D §7.1).
func gcmStream(b cipher.Block, nonce *[nonceLen]byte) cipher.Stream {
	var counter [aes.BlockSize]byte
	copy(counter[:], nonce[:])
	counter[aes.BlockSize-1] = 2
	return cipher.NewCTR(b, counter[:])
}

// ccmStream is the key stream that CCM encrypts with: counter mode from 1 on, behind the length of the length less one (RFC 3610 §2.3).
func ccmStream(b cipher.Block, nonce *[nonceLen]byte) cipher.Stream {
	var counter [aes.BlockSize]byte
	counter[0] = aes.BlockSize - 1 - nonceLen - 1
	copy(counter[1:], nonce[:])
	counter[aes.BlockSize-1] = 1
	return cipher.NewCTR(b, counter[:])
}

// chachaStream is the key stream of ChaCha20-Poly1305: from block 1 on (RFC 8439 §2.8).
func chachaStream(key, nonce []byte) cipher.Stream {
	s, err := chacha20.NewUnauthenticatedCipher(key, nonce)
	if err != nil {
		panic(err) // key and nonce have their lengths
	}
	s.SetCounter(1)
	return s
}

// setNonce makes the nonce of a record; body has the explicit part at least.
func (k *sealed) setNonce(seq uint64, body []byte) *[nonceLen]byte {
	n := &k.nonce
	*n = k.iv
	if k.explicit > 0 {
		copy(n[nonceLen-k.explicit:], body[:k.explicit])
		return n
	}
	binary.BigEndian.PutUint64(n[nonceLen-8:], binary.BigEndian.Uint64(n[nonceLen-8:])^seq)
	return n
}

func (k *sealed) open(dst []byte, seq uint64, h *header, body []byte) ([]byte, contentType, bool) {
	if len(body) < k.explicit+k.aead.Overhead() {
		return dst, 0, false
	}
	n := k.setNonce(seq, body)
	if !k.v13 {
		content := body[k.explicit:]
		plain, err := k.aead.Open(dst, n[:], content, k.ad.set(seq, h, len(content)-k.aead.Overhead()))
		if err != nil {
			return dst, 0, false
		}
		if k.explicit > 0 {
			k.lastSeq, k.lastNonce, k.last = seq, binary.BigEndian.Uint64(body), true
		}
		return plain, h.typ(), true
	}
	plain, err := k.aead.Open(dst, n[:], body, h[:])
	if err != nil {
		return dst, 0, false
	}
	// The type stands behind the content, before zeros (RFC 8446 §5.2).
	end := len(plain)
	for end > len(dst) && plain[end-1] == 0 {
		end--
	}
	if end == len(dst) {
		return dst, 0, false
	}
	return plain[:end-1], contentType(plain[end-1]), true
}

func (k *sealed) peek(dst []byte, seq uint64, h *header, body []byte) ([]byte, int) {
	total := max(h.length()+headerLen-k.overhead(), 0)
	if len(body) < k.explicit {
		return dst, total
	}
	stream := k.stream(k.setNonce(seq, body))
	content := body[k.explicit:]
	start := len(dst)
	dst = append(dst, content[:min(len(content), total)]...)
	stream.XORKeyStream(dst[start:], dst[start:])
	return dst, total
}

// find tells the sequence number in two cases. Where the nonce is in the record, and is counted as all libraries count it, its
// distance from the last one is that of the sequence numbers. In TLS 1.3 with GCM, the tag of a record is a hash of its content that
// does not depend on the number, XORed with one block that only depends on it (NIST SP 800-38D §7.1): encrypting the content once,
// under any number, tells the hash, and after that each number costs one block of AES instead of a whole record.
func (k *sealed) find(from, n uint64, h *header, body []byte) (uint64, bool) {
	switch {
	case k.explicit > 0:
		if !k.last || len(body) < k.explicit {
			return 0, false
		}
		seq := k.lastSeq + binary.BigEndian.Uint64(body) - k.lastNonce
		return seq, seq-from < n
	case !k.v13 || !k.gcm || n < 2 || len(body) < k.aead.Overhead():
		return 0, false
	}
	content, tag := body[:len(body)-aes.BlockSize], body[len(body)-aes.BlockSize:]
	nonce := k.setNonce(from, body)
	k.found = append(k.found[:0], content...)
	k.stream(nonce).XORKeyStream(k.found, k.found)
	k.found = k.aead.Seal(k.found[:0], nonce[:], k.found, h[:])
	var want, pad [aes.BlockSize]byte
	k.pad(&want, from)
	subtle.XORBytes(want[:], want[:], k.found[len(content):])
	subtle.XORBytes(want[:], want[:], tag)
	for seq := from; seq-from < n; seq++ {
		if k.pad(&pad, seq); pad == want {
			return seq, true
		}
	}
	return 0, false
}

// pad is the block that the tag of a record is XORed with.
func (k *sealed) pad(b *[aes.BlockSize]byte, seq uint64) {
	copy(b[:], k.setNonce(seq, nil)[:])
	b[aes.BlockSize-1] = 1
	clear(b[nonceLen : aes.BlockSize-1])
	k.block.Encrypt(b[:], b[:])
}

func (k *sealed) overhead() int {
	n := headerLen + k.explicit + k.aead.Overhead()
	if k.v13 {
		n++ // without padding, which nobody sends
	}
	return n
}

// alertLen: an alert looks like two bytes of data in TLS 1.3, where connections end with one.
func (k *sealed) alertLen() int {
	if !k.v13 {
		return 0
	}
	return 2 + 1 + k.aead.Overhead()
}
