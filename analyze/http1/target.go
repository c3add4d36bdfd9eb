package http1

import (
	"bytes"
	"strings"
)

// form tells which of the four forms of RFC 9112 §3.2 a target has.
func form(method, target []byte) Form {
	if len(target) == 0 {
		return FormUnknown
	}
	switch c := target[0]; {
	case c == '/':
		return FormOrigin
	case c == '*' && len(target) == 1:
		return FormAsterisk
	case string(method) == "CONNECT":
		if i := bytes.LastIndexByte(target, ':'); i > 0 && i < len(target)-1 && !bytes.ContainsAny(target, "/?#@ ") {
			return FormAuthority
		}
	case schemeEnd(target) > 0:
		return FormAbsolute
	}
	return FormUnknown
}

// schemeEnd returns the index of "://" behind a scheme (RFC 3986 §3.1); 0 when there is none.
func schemeEnd(target []byte) int {
	for i, c := range target {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		case i > 0 && c == ':' && bytes.HasPrefix(target[i:], []byte("://")):
			return i
		default:
			return 0
		}
	}
	return 0
}

// authority returns host and port of an absolute-form target, without userinfo.
func authority(target []byte) []byte {
	i := schemeEnd(target)
	if i == 0 {
		return nil
	}
	a := target[i+3:]
	if end := bytes.IndexAny(a, "/?#"); end >= 0 {
		a = a[:end]
	}
	if at := bytes.LastIndexByte(a, '@'); at >= 0 {
		a = a[at+1:]
	}
	return a
}

// SplitTarget returns path and query of a request target: of an absolute-form one without scheme and authority. The target of
// CONNECT and the asterisk are paths here.
func SplitTarget(target string) (path, query string) {
	if i := schemeEnd([]byte(target[:min(len(target), maxScheme)])); i > 0 {
		rest := target[i+len("://"):]
		slash := strings.IndexAny(rest, "/?")
		switch {
		case slash < 0:
			return "/", ""
		case rest[slash] == '?':
			return "/", rest[slash+1:]
		}
		target = rest[slash:]
	}
	path, query, _ = strings.Cut(target, "?")
	return path, query
}

// maxScheme bounds where the end of a scheme is looked for.
const maxScheme = 32
