package text

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenBare
	tokenBytes // "quoted" or hex:00ff, perhaps repeated
	tokenList  // ["a" "b"]
)

// token is one word of a line, or one key=value. text and list are valid until the next line.
type token struct {
	kind   tokenKind
	offset int    // in the line
	key    string // "" without key=
	text   []byte // bare: as written; bytes: decoded
	list   []string
}

// lexer cuts a logical line into tokens.
type lexer struct {
	line    *line
	pos     int
	scratch []byte // decoded strings of this line
}

func (x *lexer) reset(l *line) {
	x.line, x.pos, x.scratch = l, 0, x.scratch[:0]
}

// next returns the next token; its kind is tokenEnd at the end of the line.
func (x *lexer) next() (token, error) {
	x.skipBlanks()
	s := x.line.text
	t := token{offset: x.pos}
	if x.pos == len(s) {
		return t, nil
	}
	if n := keyLength(s[x.pos:]); n > 0 {
		t.key = string(s[x.pos : x.pos+n])
		x.pos += n + 1
	}
	var err error
	rest := s[x.pos:]
	switch {
	case len(rest) == 0 || blank(rest[0]):
		if t.key != "" {
			return t, x.line.errorAt(t.offset, t.key+"= has no value")
		}
	case rest[0] == '"' || bytes.HasPrefix(rest, []byte("hex:")):
		t.kind = tokenBytes
		t.text, err = x.bytes()
	case rest[0] == '[' && (len(rest) == 1 || rest[1] == '"' || rest[1] == ']' || blank(rest[1])):
		t.kind = tokenList
		t.list, err = x.strings()
	default:
		t.kind = tokenBare
		t.text, err = x.bare()
	}
	return t, err
}

func (x *lexer) skipBlanks() { x.pos = skipBlanks(x.line.text, x.pos) }

// keyLength returns the length of the name before '=', 0 when s does not start with a key.
func keyLength(s []byte) int {
	for i, c := range s {
		switch {
		case c == '=':
			return i
		case 'a' <= c && c <= 'z', c == '_', i > 0 && '0' <= c && c <= '9':
		default:
			return 0
		}
	}
	return 0
}

func (x *lexer) bare() ([]byte, error) {
	s, start := x.line.text, x.pos
	for x.pos < len(s) && !blank(s[x.pos]) {
		if s[x.pos] == '"' {
			return nil, x.line.errorAt(x.pos, "a quote inside a word: separate the words by a blank")
		}
		x.pos++
	}
	return s[start:x.pos], nil
}

// bytes reads a quoted string or hex digits, and a repetition *N after it.
func (x *lexer) bytes() ([]byte, error) {
	start, offset := len(x.scratch), x.pos
	var err error
	if x.line.text[x.pos] == '"' {
		err = x.quoted()
	} else {
		err = x.hex()
	}
	if err != nil {
		return nil, err
	}
	s := x.line.text
	if x.pos < len(s) && s[x.pos] == '*' {
		x.pos++
		digits, err := x.bare()
		if err != nil {
			return nil, err
		}
		n, convErr := strconv.ParseUint(string(digits), 10, 31)
		unit := len(x.scratch) - start
		if convErr != nil || unit > 0 && n > uint64((maxRepeated-min(start, maxRepeated))/unit) {
			return nil, x.line.errorAt(offset, "the repetition after * must be a number, and a line with repetitions make at most 16 MiB")
		}
		x.scratch = append(x.scratch[:start], bytes.Repeat(x.scratch[start:], int(n))...)
	}
	if x.pos < len(s) && !blank(s[x.pos]) && s[x.pos] != ']' {
		return nil, x.line.errorAt(x.pos, "a blank must follow the string")
	}
	return x.scratch[start:len(x.scratch):len(x.scratch)], nil
}

func (x *lexer) quoted() error {
	s, open := x.line.text, x.pos
	x.pos++
	for x.pos < len(s) {
		// Runs without escapes are what long payloads consist of.
		n := bytes.IndexAny(s[x.pos:], "\"\\\n")
		if n < 0 || s[x.pos+n] == '\n' {
			break
		}
		x.scratch = append(x.scratch, s[x.pos:x.pos+n]...)
		x.pos += n
		if s[x.pos] == '"' {
			x.pos++
			return nil
		}
		if err := x.escape(); err != nil {
			return err
		}
	}
	return x.line.errorAt(open, "the string has no closing quote on its line")
}

func (x *lexer) escape() error {
	// The longest escape is \U0010ffff; the bound keeps the conversion to string short.
	end := min(x.pos+10, len(x.line.text))
	window := string(x.line.text[x.pos:end])
	r, multibyte, tail, err := strconv.UnquoteChar(window, '"')
	if err != nil {
		return x.line.errorAt(x.pos, `not an escape of a Go string: use \n, \", \\, \x00 or \u0000`)
	}
	if multibyte {
		x.scratch = utf8.AppendRune(x.scratch, r)
	} else {
		x.scratch = append(x.scratch, byte(r))
	}
	x.pos += len(window) - len(tail)
	return nil
}

func (x *lexer) hex() error {
	x.pos += len("hex:")
	s, start := x.line.text, x.pos
	for x.pos < len(s) && !blank(s[x.pos]) && s[x.pos] != '*' {
		x.pos++
	}
	var err error
	if x.scratch, err = hex.AppendDecode(x.scratch, s[start:x.pos]); err != nil {
		return x.line.errorAt(start, "hex: needs an even number of hexadecimal digits")
	}
	return nil
}

func (x *lexer) strings() ([]string, error) {
	open := x.pos
	x.pos++
	var list []string
	for {
		x.skipBlanks()
		s := x.line.text
		if x.pos == len(s) {
			return nil, x.line.errorAt(open, "the list has no closing bracket")
		}
		switch s[x.pos] {
		case ']':
			x.pos++
			return list, nil
		case '"':
			b, err := x.bytes()
			if err != nil {
				return nil, err
			}
			list = append(list, string(b))
		default:
			return nil, x.line.errorAt(x.pos, `a list holds quoted strings: ["a" "b"]`)
		}
	}
}
