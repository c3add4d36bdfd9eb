package trigger

import (
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd    tokenKind = iota
	tokenWord             // cpu, tls-memory, python3.11
	tokenAmount           // 3, 80%, 250ms, 10/s, 1m30s
	tokenString           // "…", as Go writes it
	tokenSymbol           // > >= < <= => , :
	tokenOther            // what no rule has
)

type token struct {
	kind tokenKind
	text string // as it stands in the rule
	at   int    // offset
}

// lexer cuts a rule into tokens.
type lexer struct {
	text string
	at   int
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

func (x *lexer) next() token {
	for x.at < len(x.text) && strings.IndexByte(" \t\r\n", x.text[x.at]) >= 0 {
		x.at++
	}
	from := x.at
	if from == len(x.text) {
		return token{tokenEnd, "", from}
	}
	kind := tokenOther
	switch c := x.text[from]; {
	case isLetter(c):
		kind = tokenWord
		x.skip(func(c byte) bool { return isLetter(c) || isDigit(c) || c == '-' || c == '.' })
	case isDigit(c):
		kind = tokenAmount
		x.skip(func(c byte) bool { return isLetter(c) || isDigit(c) || c == '.' || c == '%' || c == '/' })
	case c == '"':
		kind = x.quoted()
	case c == '=' && strings.HasPrefix(x.text[from:], "=>"), (c == '>' || c == '<') && strings.HasPrefix(x.text[from+1:], "="):
		kind = tokenSymbol
		x.at += 2
	case strings.IndexByte("><,:", c) >= 0:
		kind = tokenSymbol
		x.at++
	default:
		_, size := utf8.DecodeRuneInString(x.text[from:])
		x.at += size
	}
	return token{kind, x.text[from:x.at], from}
}

func (x *lexer) skip(in func(byte) bool) {
	for x.at < len(x.text) && in(x.text[x.at]) {
		x.at++
	}
}

// quoted reads up to the closing quote. Without one the string is what no rule has.
func (x *lexer) quoted() tokenKind {
	for x.at++; x.at < len(x.text); x.at++ {
		switch x.text[x.at] {
		case '\\':
			x.at++
		case '"':
			x.at++
			return tokenString
		}
	}
	x.at = len(x.text)
	return tokenOther
}

// column is the place of an offset for people: in characters from 1.
func column(text string, at int) int { return utf8.RuneCountInString(text[:at]) + 1 }
