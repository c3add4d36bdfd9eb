package tls

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	_ "crypto/sha1" // the hashes that suites name
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"

	"github.com/pion/dtls/v3/pkg/crypto/ccm"
	"golang.org/x/crypto/chacha20poly1305"
)

// Version is a TLS version as the wire has it.
type Version uint16

// The versions whose records can be decrypted.
const (
	TLS12 Version = 0x0303
	TLS13 Version = 0x0304
)

func (v Version) String() string {
	switch {
	case v == 0:
		return ""
	case v == 0x0300:
		return "SSL 3.0"
	case v>>8 == 3 && v <= TLS13:
		return fmt.Sprintf("TLS 1.%d", v&0xff-1)
	}
	return fmt.Sprintf("0x%04x", uint16(v))
}

// Suite is a cipher suite as the wire has it.
type Suite uint16

// mode is how a suite protects records.
type mode uint8

const (
	gcm      mode = iota + 1 // RFC 5288, RFC 8446 §5.2
	chacha                   // RFC 7905, RFC 8446 §5.2
	ccmTag16                 // RFC 6655, RFC 7251, RFC 8446 §5.2
	ccmTag8                  // the same with a tag of half the length
	cbcHMAC                  // RFC 5246 §6.2.3.2, RFC 7366
)

type suite struct {
	name string
	mode mode
	key  int         // bytes
	hash crypto.Hash // of the key schedule
	mac  crypto.Hash // of cbcHMAC
}

// suites are those of the IANA registry that servers of the last ten years choose.
var suites = map[Suite]suite{
	0x1301: {"TLS_AES_128_GCM_SHA256", gcm, 16, crypto.SHA256, 0},
	0x1302: {"TLS_AES_256_GCM_SHA384", gcm, 32, crypto.SHA384, 0},
	0x1303: {"TLS_CHACHA20_POLY1305_SHA256", chacha, 32, crypto.SHA256, 0},
	0x1304: {"TLS_AES_128_CCM_SHA256", ccmTag16, 16, crypto.SHA256, 0},
	0x1305: {"TLS_AES_128_CCM_8_SHA256", ccmTag8, 16, crypto.SHA256, 0},

	0x009c: {"TLS_RSA_WITH_AES_128_GCM_SHA256", gcm, 16, crypto.SHA256, 0},
	0x009d: {"TLS_RSA_WITH_AES_256_GCM_SHA384", gcm, 32, crypto.SHA384, 0},
	0x009e: {"TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", gcm, 16, crypto.SHA256, 0},
	0x009f: {"TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", gcm, 32, crypto.SHA384, 0},
	0x00a8: {"TLS_PSK_WITH_AES_128_GCM_SHA256", gcm, 16, crypto.SHA256, 0},
	0x00a9: {"TLS_PSK_WITH_AES_256_GCM_SHA384", gcm, 32, crypto.SHA384, 0},
	0xc02b: {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", gcm, 16, crypto.SHA256, 0},
	0xc02c: {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", gcm, 32, crypto.SHA384, 0},
	0xc02f: {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", gcm, 16, crypto.SHA256, 0},
	0xc030: {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", gcm, 32, crypto.SHA384, 0},

	0xcca8: {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", chacha, 32, crypto.SHA256, 0},
	0xcca9: {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", chacha, 32, crypto.SHA256, 0},
	0xccaa: {"TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", chacha, 32, crypto.SHA256, 0},
	0xccab: {"TLS_PSK_WITH_CHACHA20_POLY1305_SHA256", chacha, 32, crypto.SHA256, 0},
	0xccac: {"TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256", chacha, 32, crypto.SHA256, 0},

	0x002f: {"TLS_RSA_WITH_AES_128_CBC_SHA", cbcHMAC, 16, crypto.SHA256, crypto.SHA1},
	0x0035: {"TLS_RSA_WITH_AES_256_CBC_SHA", cbcHMAC, 32, crypto.SHA256, crypto.SHA1},
	0x0033: {"TLS_DHE_RSA_WITH_AES_128_CBC_SHA", cbcHMAC, 16, crypto.SHA256, crypto.SHA1},
	0x0039: {"TLS_DHE_RSA_WITH_AES_256_CBC_SHA", cbcHMAC, 32, crypto.SHA256, crypto.SHA1},
	0xc009: {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", cbcHMAC, 16, crypto.SHA256, crypto.SHA1},
	0xc00a: {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", cbcHMAC, 32, crypto.SHA256, crypto.SHA1},
	0xc013: {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", cbcHMAC, 16, crypto.SHA256, crypto.SHA1},
	0xc014: {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", cbcHMAC, 32, crypto.SHA256, crypto.SHA1},
	0x003c: {"TLS_RSA_WITH_AES_128_CBC_SHA256", cbcHMAC, 16, crypto.SHA256, crypto.SHA256},
	0x003d: {"TLS_RSA_WITH_AES_256_CBC_SHA256", cbcHMAC, 32, crypto.SHA256, crypto.SHA256},
	0x0067: {"TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", cbcHMAC, 16, crypto.SHA256, crypto.SHA256},
	0x006b: {"TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", cbcHMAC, 32, crypto.SHA256, crypto.SHA256},
	0xc023: {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", cbcHMAC, 16, crypto.SHA256, crypto.SHA256},
	0xc024: {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", cbcHMAC, 32, crypto.SHA384, crypto.SHA384},
	0xc027: {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", cbcHMAC, 16, crypto.SHA256, crypto.SHA256},
	0xc028: {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", cbcHMAC, 32, crypto.SHA384, crypto.SHA384},

	0xc09c: {"TLS_RSA_WITH_AES_128_CCM", ccmTag16, 16, crypto.SHA256, 0},
	0xc09d: {"TLS_RSA_WITH_AES_256_CCM", ccmTag16, 32, crypto.SHA256, 0},
	0xc09e: {"TLS_DHE_RSA_WITH_AES_128_CCM", ccmTag16, 16, crypto.SHA256, 0},
	0xc09f: {"TLS_DHE_RSA_WITH_AES_256_CCM", ccmTag16, 32, crypto.SHA256, 0},
	0xc0a0: {"TLS_RSA_WITH_AES_128_CCM_8", ccmTag8, 16, crypto.SHA256, 0},
	0xc0a1: {"TLS_RSA_WITH_AES_256_CCM_8", ccmTag8, 32, crypto.SHA256, 0},
	0xc0a4: {"TLS_PSK_WITH_AES_128_CCM", ccmTag16, 16, crypto.SHA256, 0},
	0xc0a8: {"TLS_PSK_WITH_AES_128_CCM_8", ccmTag8, 16, crypto.SHA256, 0},
	0xc0ac: {"TLS_ECDHE_ECDSA_WITH_AES_128_CCM", ccmTag16, 16, crypto.SHA256, 0},
	0xc0ad: {"TLS_ECDHE_ECDSA_WITH_AES_256_CCM", ccmTag16, 32, crypto.SHA256, 0},
	0xc0ae: {"TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", ccmTag8, 16, crypto.SHA256, 0},
	0xc0af: {"TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8", ccmTag8, 32, crypto.SHA256, 0},
}

func (s Suite) String() string {
	switch known, ok := suites[s]; {
	case s == 0:
		return ""
	case ok:
		return known.name
	}
	return fmt.Sprintf("0x%04x", uint16(s))
}

// ivLen is how many bytes of the nonce come from the handshake.
func (s *suite) ivLen(v Version) int {
	switch {
	case s.mode == cbcHMAC:
		return 0
	case v == TLS12 && s.mode != chacha:
		return nonceLen - explicitNonce
	}
	return nonceLen
}

// aead returns the AEAD of a suite under a key. The key has the suite's length.
func (s *suite) aead(key []byte) cipher.AEAD {
	var a cipher.AEAD
	var err error
	switch s.mode {
	case chacha:
		a, err = chacha20poly1305.New(key)
	case ccmTag16:
		a, err = ccm.NewCCM(block(key), 16, nonceLen)
	case ccmTag8:
		a, err = ccm.NewCCM(block(key), 8, nonceLen)
	default:
		a, err = cipher.NewGCM(block(key))
	}
	if err != nil {
		panic(err) // a key of another length
	}
	return a
}

func block(key []byte) cipher.Block {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // a key of another length
	}
	return b
}
