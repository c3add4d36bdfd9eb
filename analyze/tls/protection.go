package tls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/chacha20"
)

// contentType is the type of a record (RFC 8446 §5.1).
type contentType uint8

const (
	changeCipherSpec contentType = 20
	alert            contentType = 21
	handshake        contentType = 22
	applicationData  contentType = 23
)

const (
	headerLen  = 5
	maxPlain   = 1 << 14
	maxBodyLen = maxPlain + 2048 // RFC 5246 §6.2.3; RFC 8446 §5.2 allows 256
)

// header is the first five bytes of a record.
type header [headerLen]byte

func (h *header) typ() contentType { return contentType(h[0]) }
func (h *header) length() int      { return int(binary.BigEndian.Uint16(h[3:])) }

// plausible reports whether h can begin a record.
func (h *header) plausible() bool {
	n := h.length()
	return h.typ() >= changeCipherSpec && h.typ() <= applicationData && h[1] == 3 && h[2] <= 4 && n > 0 && n <= maxBodyLen
}

// protection is the keys of one direction.
type protection interface {
	// open decrypts the whole body of a record and proves it by its tag or MAC. The plaintext is appended to dst; body stays.
	open(dst []byte, seq uint64, h *header, body []byte) (plain []byte, typ contentType, ok bool)
	// peek decrypts the first bytes of a body that is not whole, without proof. total is the length of the plaintext of the
	// whole record, 0 if that cannot be told.
	peek(dst []byte, seq uint64, h *header, body []byte) (plain []byte, total int)
	// overhead is by how much a record is longer than its plaintext, header included; 0 if that varies.
	overhead() int
}

const tagLen = 16

// xored is an AEAD whose nonce is the sequence number XORed into an IV: all of TLS 1.3 (RFC 8446 §5.3), and ChaCha20-Poly1305 in
// TLS 1.2 (RFC 7905 §2).
type xored struct {
	aead   cipher.AEAD
	stream func(nonce []byte) cipher.Stream // the key stream of the first byte on
	iv     [12]byte
	v13    bool
}

func newXORed(s *suite, key, iv []byte, v Version) *xored {
	x := &xored{aead: s.aead(key), v13: v == TLS13}
	copy(x.iv[:], iv)
	if s.mode == chacha {
		x.stream = func(nonce []byte) cipher.Stream { return chachaStream(key, nonce) }
	} else {
		b := block(key)
		x.stream = func(nonce []byte) cipher.Stream { return gcmStream(b, nonce) }
	}
	return x
}

// gcmStream is the key stream that GCM encrypts with: counter mode from 2 on (NIST SP 800-38D §7.1).
func gcmStream(b cipher.Block, nonce []byte) cipher.Stream {
	var counter [aes.BlockSize]byte
	copy(counter[:], nonce)
	counter[aes.BlockSize-1] = 2
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

func (x *xored) nonce(seq uint64) (n [12]byte) {
	binary.BigEndian.PutUint64(n[4:], seq)
	subtle.XORBytes(n[:], n[:], x.iv[:])
	return n
}

func (x *xored) open(dst []byte, seq uint64, h *header, body []byte) ([]byte, contentType, bool) {
	n := x.nonce(seq)
	if !x.v13 {
		if len(body) < tagLen {
			return dst, 0, false
		}
		plain, err := x.aead.Open(dst, n[:], body, additional(seq, h, len(body)-tagLen))
		return plain, h.typ(), err == nil
	}
	plain, err := x.aead.Open(dst, n[:], body, h[:])
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

func (x *xored) peek(dst []byte, seq uint64, h *header, body []byte) ([]byte, int) {
	n := x.nonce(seq)
	total := h.length() + headerLen - x.overhead()
	return decryptPrefix(dst, x.stream(n[:]), body, total), total
}

func (x *xored) overhead() int {
	if x.v13 {
		return headerLen + 1 + tagLen // without padding, which nobody sends
	}
	return headerLen + tagLen
}

// decryptPrefix appends the plaintext of what lies in body before the tag.
func decryptPrefix(dst []byte, s cipher.Stream, body []byte, total int) []byte {
	n := min(len(body), max(total, 0))
	start := len(dst)
	dst = append(dst, body[:n]...)
	s.XORKeyStream(dst[start:], dst[start:])
	return dst
}

// additional is what TLS 1.2 authenticates besides the content (RFC 5246 §6.2.3.3).
func additional(seq uint64, h *header, n int) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 13), seq)
	b = append(b, h[:3]...)
	return binary.BigEndian.AppendUint16(b, uint16(n))
}

// gcm12 is AES-GCM in TLS 1.2: eight bytes of the nonce stand before the content (RFC 5288 §3).
type gcm12 struct {
	aead cipher.AEAD
	b    cipher.Block
	salt [4]byte
}

const explicitNonce = 8

func newGCM12(s *suite, key, salt []byte) *gcm12 {
	g := &gcm12{aead: s.aead(key), b: block(key)}
	copy(g.salt[:], salt)
	return g
}

func (g *gcm12) nonce(body []byte) []byte {
	return append(g.salt[:len(g.salt):len(g.salt)], body[:explicitNonce]...)
}

func (g *gcm12) open(dst []byte, seq uint64, h *header, body []byte) ([]byte, contentType, bool) {
	if len(body) < explicitNonce+tagLen {
		return dst, 0, false
	}
	plain, err := g.aead.Open(dst, g.nonce(body), body[explicitNonce:], additional(seq, h, len(body)-explicitNonce-tagLen))
	return plain, h.typ(), err == nil
}

func (g *gcm12) peek(dst []byte, _ uint64, h *header, body []byte) ([]byte, int) {
	total := h.length() + headerLen - g.overhead()
	if len(body) < explicitNonce {
		return dst, total
	}
	return decryptPrefix(dst, gcmStream(g.b, g.nonce(body)), body[explicitNonce:], total), total
}

func (g *gcm12) overhead() int { return headerLen + explicitNonce + tagLen }

// cbc is AES-CBC with HMAC in TLS 1.2: MAC then encrypt (RFC 5246 §6.2.3.2), or encrypt then MAC (RFC 7366).
type cbc struct {
	block cipher.Block
	mac   hash.Hash
	etm   bool
}

func (c *cbc) open(dst []byte, seq uint64, h *header, body []byte) ([]byte, contentType, bool) {
	sum := c.mac.Size()
	if c.etm {
		if len(body) < sum {
			return dst, 0, false
		}
		data := body[:len(body)-sum]
		if !c.proves(body[len(data):], seq, h, data) {
			return dst, 0, false
		}
		body, sum = data, 0
	}
	if len(body) < 2*aes.BlockSize || len(body)%aes.BlockSize != 0 {
		return dst, 0, false
	}
	start := len(dst)
	out := c.decrypt(dst, body)
	plain := out[start:]
	pad := int(plain[len(plain)-1])
	if pad+1+sum > len(plain) {
		return dst, 0, false
	}
	for _, b := range plain[len(plain)-1-pad:] {
		if int(b) != pad {
			return dst, 0, false
		}
	}
	content := plain[:len(plain)-1-pad-sum]
	if !c.etm && !c.proves(plain[len(content):len(content)+sum], seq, h, content) {
		return dst, 0, false
	}
	return out[:start+len(content)], h.typ(), true
}

// proves reports whether tag is the MAC of data.
func (c *cbc) proves(tag []byte, seq uint64, h *header, data []byte) bool {
	c.mac.Reset()
	c.mac.Write(additional(seq, h, len(data)))
	c.mac.Write(data)
	return subtle.ConstantTimeCompare(c.mac.Sum(nil), tag) == 1
}

// decrypt appends the plaintext of whole blocks; the first block is the IV.
func (c *cbc) decrypt(dst, body []byte) []byte {
	start := len(dst)
	dst = append(dst, body[aes.BlockSize:]...)
	cipher.NewCBCDecrypter(c.block, body[:aes.BlockSize]).CryptBlocks(dst[start:], dst[start:])
	return dst
}

func (c *cbc) peek(dst []byte, _ uint64, h *header, body []byte) ([]byte, int) {
	whole := len(body) / aes.BlockSize * aes.BlockSize
	// What may be MAC or padding, at most 256 bytes of it, is left out.
	if content := h.length() - 256 - c.mac.Size(); whole > content {
		whole = max(content, 0) / aes.BlockSize * aes.BlockSize
	}
	total := c.content(h.length())
	if whole < 2*aes.BlockSize {
		return dst, total
	}
	return c.decrypt(dst, body[:whole]), total
}

// content is the length of the plaintext of a record whose padding is the shortest, as all send it, if the record is as full as
// records of long messages are; else 0, for 16 lengths give the same record.
func (c *cbc) content(length int) int {
	most := length - aes.BlockSize - c.mac.Size() - 1
	if maxPlain <= most && most < maxPlain+aes.BlockSize {
		return maxPlain
	}
	return 0
}

func (c *cbc) overhead() int { return 0 }
