// Package visible turns captured bytes into text in which every character can be seen: what would be invisible, would move
// the cursor or would reorder the line (control characters, bidirectional and other format characters, broken UTF-8) is
// written out. A reader of a report sees what was sent, not what its terminal or browser makes of it.
package visible

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns s with its hidden characters written out: C0 controls and DEL by their names in ASCII as ⟨ESC⟩ (control
// pictures are missing in many fonts), other controls, format characters, line and paragraph separators, unusual spaces and
// private characters as ⟨U+202E⟩, bytes that are not UTF-8 as ⟨xFF⟩.
func Text(s string) string {
	hidden := strings.IndexFunc(s, isHidden)
	if hidden < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	b.WriteString(s[:hidden])
	for i := hidden; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, "⟨x%02X⟩", s[i])
		case r < 0x20:
			b.WriteString("⟨" + controls[r] + "⟩")
		case r == 0x7f:
			b.WriteString("⟨DEL⟩")
		case isHidden(r):
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

var controls = [0x20]string{"NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR", "SO", "SI",
	"DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US"}

// isHidden reports whether r cannot be seen as itself. RuneError counts, since it may stand for a broken byte.
func isHidden(r rune) bool {
	if r < utf8.RuneSelf {
		return r < 0x20 || r == 0x7f
	}
	return r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp, unicode.Zs,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Cut shortens s to at most n characters, with an ellipsis for the rest.
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	count := 0
	for i := range s {
		if count == n-1 {
			if utf8.RuneCountInString(s[i:]) > 1 {
				return s[:i] + "…"
			}
			return s
		}
		count++
	}
	return s
}
