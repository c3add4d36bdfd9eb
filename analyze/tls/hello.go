package tls

import (
	"bytes"
	"crypto/sha256"

	"golang.org/x/crypto/cryptobyte"
)

// Types of handshake messages (RFC 8446 §4, RFC 5246 §7.4).
const (
	msgClientHello = 1
	msgServerHello = 2
	msgTicket      = 4 // NewSessionTicket
	msgEndOfEarly  = 5
	msgExtensions  = 8 // EncryptedExtensions
	msgKeyUpdate   = 24
)

// Extensions (IANA TLS ExtensionType values).
const (
	extServerName       = 0
	extALPN             = 16
	extEncryptThenMAC   = 22
	extSessionTicket    = 35
	extEarlyData        = 42
	extSupportedVersion = 43
)

// retryRandom is the random of a ServerHello that is a HelloRetryRequest (RFC 8446 §4.1.3).
var retryRandom = sha256.Sum256([]byte("HelloRetryRequest"))

// hello is what is read of a ClientHello, a ServerHello, or (alpn and early) EncryptedExtensions.
type hello struct {
	random     [32]byte
	session    sessionKey // of its id
	ticket     sessionKey // ClientHello: of its ticket of TLS 1.2 (RFC 5077)
	version    Version    // ServerHello: the one chosen
	suite      Suite      // ServerHello
	etm        bool       // ServerHello: encrypt then MAC
	retry      bool       // ServerHello: it is a HelloRetryRequest
	serverName string     // ClientHello
	alpn       string     // the protocol that the server chose
	early      bool       // the server takes early data
}

// parseHello reads the body of a ClientHello or a ServerHello.
func parseHello(msg byte, body []byte) (h hello, ok bool) {
	s := cryptobyte.String(body)
	var version uint16
	var session, list, extensions cryptobyte.String
	if !s.ReadUint16(&version) || !s.CopyBytes(h.random[:]) || !s.ReadUint8LengthPrefixed(&session) {
		return h, false
	}
	h.version, h.session = Version(version), sessionKeyOf(session)
	if msg == msgClientHello {
		if !s.ReadUint16LengthPrefixed(&list) || !s.ReadUint8LengthPrefixed(&list) {
			return h, false
		}
	} else {
		var compression uint8
		if !s.ReadUint16((*uint16)(&h.suite)) || !s.ReadUint8(&compression) {
			return h, false
		}
		h.retry = h.random == retryRandom
	}
	if s.Empty() {
		return h, true // TLS 1.2 without extensions
	}
	return h, s.ReadUint16LengthPrefixed(&extensions) && h.extensions(msg, extensions)
}

// parseExtensions reads the body of EncryptedExtensions.
func parseExtensions(body []byte) (h hello, ok bool) {
	s := cryptobyte.String(body)
	var extensions cryptobyte.String
	return h, s.ReadUint16LengthPrefixed(&extensions) && h.extensions(msgExtensions, extensions)
}

// parseTicket reads the body of a NewSessionTicket of TLS 1.2 (RFC 5077 §3.3).
func parseTicket(body []byte) (ticket sessionKey, ok bool) {
	s := cryptobyte.String(body)
	var lifetime uint32
	var t cryptobyte.String
	ok = s.ReadUint32(&lifetime) && s.ReadUint16LengthPrefixed(&t) && len(t) > 0
	return sessionKeyOf(t), ok
}

func (h *hello) extensions(msg byte, extensions cryptobyte.String) bool {
	for !extensions.Empty() {
		var typ uint16
		var data cryptobyte.String
		if !extensions.ReadUint16(&typ) || !extensions.ReadUint16LengthPrefixed(&data) {
			return false
		}
		h.extension(msg, typ, data)
	}
	return true
}

// extension takes one extension. One that is malformed is as good as none.
func (h *hello) extension(msg byte, typ uint16, data cryptobyte.String) {
	var list, name cryptobyte.String
	var kind uint8
	switch {
	case typ == extServerName && msg == msgClientHello:
		if data.ReadUint16LengthPrefixed(&list) && list.ReadUint8(&kind) && kind == 0 && list.ReadUint16LengthPrefixed(&name) && len(name) <= 255 {
			h.serverName = string(bytes.ToValidUTF8(name, []byte("?")))
		}
	case typ == extALPN && msg != msgClientHello:
		if data.ReadUint16LengthPrefixed(&list) && list.ReadUint8LengthPrefixed(&name) {
			h.alpn = string(bytes.ToValidUTF8(name, []byte("?")))
		}
	case typ == extEncryptThenMAC && msg == msgServerHello:
		h.etm = true
	case typ == extSessionTicket && msg == msgClientHello:
		h.ticket = sessionKeyOf(data)
	case typ == extEarlyData && msg == msgExtensions:
		h.early = true
	case typ == extSupportedVersion && msg == msgServerHello:
		var v uint16
		if data.ReadUint16(&v) {
			h.version = Version(v)
		}
	}
}

// maxMessage bounds a handshake message that is put together: hellos are shorter, others are not needed whole.
const maxMessage = 1<<14 + 1<<12

// messages puts the handshake messages of one direction together (RFC 8446 §5.1: they may be split and joined by records).
type messages struct {
	buf  []byte
	skip int // bytes of a message that is not kept
}

// add takes the content of a handshake record and calls take for each message that is whole.
func (m *messages) add(b []byte, take func(msg byte, body []byte)) {
	for len(b) > 0 {
		if m.skip > 0 {
			n := min(m.skip, len(b))
			m.skip -= n
			b = b[n:]
			continue
		}
		want := 4
		if len(m.buf) >= 4 {
			want += int(m.buf[1])<<16 | int(m.buf[2])<<8 | int(m.buf[3])
		}
		n := min(want-len(m.buf), len(b))
		m.buf = append(m.buf, b[:n]...)
		b = b[n:]
		if len(m.buf) < 4 {
			continue
		}
		length := int(m.buf[1])<<16 | int(m.buf[2])<<8 | int(m.buf[3])
		switch {
		case !wanted(m.buf[0]) || length > maxMessage:
			m.skip = length - (len(m.buf) - 4)
			m.buf = m.buf[:0]
		case len(m.buf) == 4+length:
			take(m.buf[0], m.buf[4:])
			m.buf = m.buf[:0]
		}
	}
	if len(m.buf) == 0 {
		m.buf = nil
	}
}

func wanted(msg byte) bool {
	switch msg {
	case msgClientHello, msgServerHello, msgTicket, msgEndOfEarly, msgExtensions, msgKeyUpdate:
		return true
	}
	return false
}

// reset forgets what a hole cut off.
func (m *messages) reset() { *m = messages{} }
