package http1

// fieldID names the fields that framing, pairing or tracing look at.
type fieldID uint8

const (
	idNone fieldID = iota
	idHost
	idContentLength
	idTransferEncoding
	idConnection
	idUpgrade
	idTrace // any field of a trace context
	idInvalid
)

type fieldSet uint16

func (s *fieldSet) add(id fieldID)     { *s |= 1 << id }
func (s fieldSet) has(id fieldID) bool { return s&(1<<id) != 0 }

// identify returns the id of a field name. Nearly all names fall out at the length and the first letter.
func identify(name []byte) fieldID {
	if len(name) == 0 {
		return idInvalid
	}
	c := name[0] | 0x20
	switch len(name) {
	case 2:
		if c == 'b' && name[1] == '3' {
			return idTrace
		}
	case 3:
		if c == 's' && equalFold(name, "sw8") {
			return idTrace
		}
	case 4:
		if c == 'h' && equalFold(name, "host") {
			return idHost
		}
	case 7:
		if c == 'u' && equalFold(name, "upgrade") {
			return idUpgrade
		}
	case 10:
		switch {
		case c == 'c' && equalFold(name, "connection"):
			return idConnection
		case c == 'x' && equalFold(name, "x-b3-flags"), c == 't' && equalFold(name, "tracestate"):
			return idTrace
		}
	case 11, 12, 17:
		switch {
		case c == 'x' && len(name) > 5 && equalFold(name[:5], "x-b3-"), c == 't' && equalFold(name, "traceparent"):
			return idTrace
		case c == 't' && equalFold(name, "transfer-encoding"):
			return idTransferEncoding
		}
	case 13:
		if c == 'u' && equalFold(name, "uber-trace-id") {
			return idTrace
		}
	case 14:
		if c == 'c' && equalFold(name, "content-length") {
			return idContentLength
		}
	}
	return idNone
}

// equalFold compares b with lower, which must be lower-case ASCII.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range b {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// tokenByte marks the characters of a token (RFC 9110 §5.6.2).
var tokenByte = func() (t [256]bool) {
	for c := range 256 {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			t[c] = true
		}
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenByte[c] {
			return false
		}
	}
	return len(b) > 0
}
