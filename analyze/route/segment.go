package route

import (
	"maps"
	"slices"
	"strings"
)

// form tells whether a segment of a path is a value by its form, and returns what stands for it; else the segment itself.
// An extension stays: 17.png is {id}.png.
func form(segment string) (word string, isValue bool) {
	stem, ext := segment, ""
	if i := strings.LastIndexByte(segment, '.'); i > 0 && len(segment)-i <= 6 && letters(segment[i+1:]) {
		stem, ext = segment[:i], segment[i:]
	}
	if name := class(stem); name != "" {
		return name + ext, true
	}
	// A word and a number: customer-17. Versions (v2) and names (s3) have no sign between.
	if i := strings.LastIndexAny(stem, "-_"); i > 0 && i < len(stem)-1 && digits(stem[i+1:]) && letters(strings.NewReplacer("-", "", "_", "").Replace(stem[:i])) {
		return stem[:i+1] + "{id}" + ext, true
	}
	if len(segment) > maxWord {
		return value, true
	}
	return segment, false
}

// class returns the name of the form that a segment has; "" none.
func class(s string) string {
	switch {
	case s == "":
		return ""
	case digits(s), s[0] == '-' && digits(s[1:]):
		return "{id}"
	case uuid(s):
		return "{uuid}"
	case date(s):
		return "{date}"
	case len(s) >= 8 && hex(s):
		return "{hex}"
	case strings.IndexByte(s, '@') > 0:
		return "{email}"
	case token(s):
		return "{token}"
	}
	return ""
}

func every(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return s != ""
}

func digit(c byte) bool  { return c >= '0' && c <= '9' }
func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func digits(s string) bool  { return every(s, digit) }
func letters(s string) bool { return every(s, letter) }

// hex reports whether s is a number in base 16: with a digit, so that no word is one.
func hex(s string) bool {
	return every(s, func(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }) && strings.ContainsAny(s, "0123456789")
}

// uuid reports whether s has the form of RFC 9562 §4.
func uuid(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !digit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
				return false
			}
		}
	}
	return true
}

// date reports whether s begins with a date of ISO 8601.
func date(s string) bool {
	return len(s) >= 10 && digits(s[:4]) && s[4] == '-' && digits(s[5:7]) && s[7] == '-' && digits(s[8:10]) &&
		every(s, func(c byte) bool { return digit(c) || strings.IndexByte("-:.+TZtz", c) >= 0 })
}

// token reports whether s looks like something drawn by lot: long, of one word, with digits among the letters.
func token(s string) bool {
	if len(s) < 20 {
		return false
	}
	var numbers, others, changes int
	for i := range len(s) {
		c := s[i]
		switch {
		case digit(c):
			numbers++
		case letter(c), c == '_', c == '-', c == '=', c == '~':
			others++
		default:
			return false
		}
		if i > 0 && digit(c) != digit(s[i-1]) {
			changes++
		}
	}
	return numbers >= 3 && others > 0 && changes >= 4
}

// sorted returns the places of a set in the order of their words.
func sorted(m map[string]*node) []*node {
	out := make([]*node, 0, len(m))
	for _, word := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[word])
	}
	return out
}
