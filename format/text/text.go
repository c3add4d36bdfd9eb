// Package text turns rows of a reel into lines of text and lines of text into rows, without loss (DESIGN D13).
//
// README.md is the grammar. One line is one row: the table, the time, then the columns that differ from their default.
// [Write] gives the canonical form, in which every line stands alone; [Parse] also takes what a person writes by hand:
// relative times, and connections that fill in owner, addresses and sequence numbers. [NewSource] makes of such a text
// what analysis reads, in memory.
package text

import (
	"fmt"
)

// Version is the version of the text form: the number on the first line. New columns and tables do not change it, since
// what is absent has its default; a change of meaning does.
const Version = 1

const magic = "reel-text"

const (
	maxLine    = 256 << 20 // bytes of one row's text, continuations included
	maxPayload = 64 << 20  // bytes
	// maxRepeated bounds what the repetitions of one line make, so that hostile text cannot ask for memory that it does
	// not itself take up.
	maxRepeated = 16 << 20
)

// SyntaxError says where a text is not in the text form. Line and Col count from 1; Col counts bytes.
type SyntaxError struct {
	Line, Col int
	Msg       string // a sentence without its full stop
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Col, e.Msg)
}
