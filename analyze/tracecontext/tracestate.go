package tracecontext

import "bytes"

// Limits of a tracestate (W3C Trace Context §3.3.1): members of a list, characters of a key and of a value.
const (
	maxMembers = 32
	maxKey     = 256
	maxValue   = 256
)

// addState joins a tracestate field to those before it (RFC 9110 §5.3).
func addState(state, value []byte) []byte {
	if len(state) == 0 {
		return value
	}
	return append(append(append(make([]byte, 0, len(state)+1+len(value)), state...), ','), value...)
}

// validState reports whether v is a list of key=value members. Empty members are allowed.
func validState(v []byte) bool {
	members := 0
	for member := range bytes.SplitSeq(v, []byte{','}) {
		member = bytes.Trim(member, " \t")
		if len(member) == 0 {
			continue
		}
		key, value, ok := bytes.Cut(member, []byte{'='})
		if members++; !ok || members > maxMembers || !stateKey(key) || !stateValue(value) {
			return false
		}
	}
	return true
}

// stateKey reads a key: lower-case letters, digits, _ - * /, at most one @, not beginning with punctuation.
func stateKey(k []byte) bool {
	if len(k) == 0 || len(k) > maxKey || bytes.Count(k, []byte{'@'}) > 1 {
		return false
	}
	for i, c := range k {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case i > 0 && (c == '_' || c == '-' || c == '*' || c == '/' || c == '@'):
		default:
			return false
		}
	}
	return true
}

// stateValue reads a value: printable ASCII without comma and equals sign, not ending with a space.
func stateValue(v []byte) bool {
	if len(v) == 0 || len(v) > maxValue || v[len(v)-1] == ' ' {
		return false
	}
	for _, c := range v {
		if c < ' ' || c > '~' || c == ',' || c == '=' {
			return false
		}
	}
	return true
}
