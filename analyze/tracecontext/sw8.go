package tracecontext

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"
)

// maxSW8 bounds the decoded ids of an sw8 field, which are text of any form.
const maxSW8 = 256

// parseSW8 reads SkyWalking's cross-process header v3: sample, trace id, segment id, span number, service, instance, endpoint and
// address, all but sample and span number in Base64.
func parseSW8(v []byte) (c ids, ok bool) {
	var parts [8][]byte
	for i := range parts {
		var more bool
		parts[i], v, more = bytes.Cut(v, dash)
		if more != (i < 7) {
			return c, false
		}
	}
	if s := string(parts[0]); s != "0" && s != "1" {
		return c, false
	}
	c.sampled = string(parts[0])
	number := parts[3]
	if len(number) == 0 || len(number) > 9 || len(bytes.Trim(number, "0123456789")) > 0 {
		return c, false
	}
	var segment []byte
	if c.trace, ok = decode(parts[1]); !ok {
		return c, false
	}
	if segment, ok = decode(parts[2]); !ok {
		return c, false
	}
	for i, p := range parts[4:] {
		if c.caller[i], ok = decodeText(p); !ok {
			return c, false
		}
	}
	c.span = append(append(segment, '-'), number...)
	return c, true
}

// decodeText reads Base64 of any UTF-8 text: people name services in their own language.
func decodeText(v []byte) (string, bool) {
	if len(v) > base64.StdEncoding.EncodedLen(4*maxSW8) {
		return "", false
	}
	text, err := base64.StdEncoding.AppendDecode(nil, v)
	return string(text), err == nil && utf8.Valid(text)
}

// decode reads a Base64 id of printable characters.
func decode(v []byte) ([]byte, bool) {
	if len(v) == 0 || len(v) > base64.StdEncoding.EncodedLen(maxSW8) {
		return nil, false
	}
	id, err := base64.StdEncoding.AppendDecode(nil, v)
	if err != nil || len(id) == 0 {
		return nil, false
	}
	for _, c := range id {
		if c <= ' ' || c > '~' {
			return nil, false
		}
	}
	return id, true
}
