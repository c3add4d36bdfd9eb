package tls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"hash"
)

// cbcMode is what crypto/cipher's CBC decrypters are: one serves for all records.
type cbcMode interface {
	cipher.BlockMode
	SetIV(iv []byte)
}

func newCBC(b cipher.Block, mac hash.Hash, encryptThenMAC bool) *cbc {
	return &cbc{blocks: cipher.NewCBCDecrypter(b, make([]byte, aes.BlockSize)).(cbcMode), mac: mac, etm: encryptThenMAC}
}

// cbc is AES-CBC with HMAC in TLS 1.2: MAC then encrypt (RFC 5246 §6.2.3.2), or encrypt then MAC (RFC 7366).
type cbc struct {
	blocks cbcMode
	mac    hash.Hash
	etm    bool
	ad     additional
	sum    []byte // scratch
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
	c.mac.Write(c.ad.set(seq, h, len(data)))
	c.mac.Write(data)
	c.sum = c.mac.Sum(c.sum[:0])
	return subtle.ConstantTimeCompare(c.sum, tag) == 1
}

// decrypt appends the plaintext of whole blocks; the first block is the IV.
func (c *cbc) decrypt(dst, body []byte) []byte {
	start := len(dst)
	dst = append(dst, body[aes.BlockSize:]...)
	c.blocks.SetIV(body[:aes.BlockSize])
	c.blocks.CryptBlocks(dst[start:], dst[start:])
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

func (c *cbc) find(uint64, uint64, *header, []byte) (uint64, bool) { return 0, false }

func (c *cbc) overhead() int { return 0 }

func (c *cbc) alertLen() int { return 0 }
