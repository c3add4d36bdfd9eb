package filter

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// scales are the units that a number may carry: times in nanoseconds, sizes in bytes.
var scales = map[string]float64{
	"ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": float64(time.Second), "m": float64(time.Minute), "h": float64(time.Hour),
	"B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}

// units remembers where numbers with units stood, since what replaces them has another length.
type units []replaced

type replaced struct {
	line   int // from 1
	at     int // column in the new text behind which columns move, in characters from 0
	longer int // by how many characters the number was longer than what replaces it
}

// withoutUnits writes numbers with units, which the expression language does not know, as plain numbers: 200ms as 200000000.
func withoutUnits(text string) (string, units, error) {
	var out strings.Builder
	var moved units
	line, col, newCol := 1, 0, 0
	for i := 0; i < len(text); {
		var n int
		switch c := text[i]; {
		case c == '"' || c == '\'' || c == '`':
			n = quoted(text[i:])
		case strings.HasPrefix(text[i:], "//"):
			n = through(text[i:], "\n") // its end keeps the line counted below
		case strings.HasPrefix(text[i:], "/*"):
			n = through(text[i:], "*/")
		case '0' <= c && c <= '9':
			digits := number(text[i:])
			unit := letters(text[i+digits:])
			n = digits + unit
			if based := strings.IndexAny(text[i:i+n], "xXoObB"); digits == 1 && c == '0' && based == 1 && word(text[i:]) > 2 {
				n = word(text[i:]) // 0x1f, 0b1
				break
			}
			if unit == 0 {
				break
			}
			value, err := scaled(text[i:i+digits], text[i+digits:i+n])
			if err != nil {
				return "", nil, &Error{Text: text, Line: line, Col: col + digits + 1, Msg: err.Error()}
			}
			out.WriteString(value)
			newCol += len(value)
			long := utf8.RuneCountInString(text[i : i+n])
			col += long
			moved = append(moved, replaced{line, newCol, long - len(value)})
			i += n
			continue
		case letters(text[i:]) > 0 || c == '_':
			n = word(text[i:])
		default:
			_, n = utf8.DecodeRuneInString(text[i:])
		}
		for _, r := range text[i : i+n] {
			col, newCol = col+1, newCol+1
			if r == '\n' {
				line, col, newCol = line+1, 0, 0
			}
		}
		out.WriteString(text[i : i+n])
		i += n
	}
	return out.String(), moved, nil
}

// original returns the column of the text as given, from 0, for one of the text without units.
func (u units) original(line, col int) int {
	shift := 0
	for _, r := range u {
		if r.line == line && r.at <= col {
			shift += r.longer
		}
	}
	return max(col+shift, 0)
}

func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && s[0] != '`':
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return len(s)
}

func through(s, end string) int {
	if i := strings.Index(s, end); i >= 0 {
		return i + len(end)
	}
	return len(s)
}

// number returns the length of the number at the beginning of s; a range such as 400..499 is two.
func number(s string) int {
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '_' || s[i] == '.' && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' && !strings.Contains(s[:i], ".")) {
		i++
	}
	return i
}

func letters(s string) int {
	for i, r := range s {
		if !unicode.IsLetter(r) {
			return i
		}
	}
	return len(s)
}

func word(s string) int {
	for i, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' {
			return i
		}
	}
	return len(s)
}

func scaled(number, unit string) (string, error) {
	scale, known := scales[unit]
	if !known {
		if unit == "e" || unit == "E" {
			return number + unit, nil // an exponent: its sign and digits follow
		}
		return "", fmt.Errorf("%s is no unit: use ns, us, ms, s, m, h, or B, kB, MB, GB, KiB, MiB, GiB", unit)
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(number, "_", ""), 64)
	if err != nil || v*scale >= math.MaxInt64 {
		return "", fmt.Errorf("%s%s is too large", number, unit)
	}
	return strconv.FormatInt(int64(math.Round(v*scale)), 10), nil
}

// ParseSize reads a size as the language has it: 4096, 64KiB.
func ParseSize(text string) (int64, error) {
	digits := number(text)
	unit := text[digits:]
	if digits == 0 {
		return 0, fmt.Errorf("%q does not begin with a number", text)
	}
	if unit == "" {
		unit = "B"
	}
	if !strings.HasSuffix(unit, "B") {
		return 0, fmt.Errorf("%s is no unit of size", unit)
	}
	plain, err := scaled(text[:digits], unit)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(plain, 10, 64)
}
