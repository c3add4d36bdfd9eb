package text

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sort"
	"unicode/utf8"
)

// line is one logical line: a line of the file and the indented lines that continue it, newlines included.
type line struct {
	text   []byte
	first  int   // number of its first line in the file, from 1
	starts []int // offset in text of each line of the file
}

// position converts an offset in the logical line to line and column of the file.
func (l *line) position(offset int) (lineNumber, col int) {
	i := sort.SearchInts(l.starts, offset+1) - 1
	return l.first + i, offset - l.starts[i] + 1
}

func (l *line) errorAt(offset int, msg string) *SyntaxError {
	n, col := l.position(offset)
	return &SyntaxError{Line: n, Col: col, Msg: msg}
}

// lineReader cuts a file into logical lines. The line it returns is valid until the next call.
type lineReader struct {
	r    *bufio.Reader
	next int // number of the next line of the file
	cur  line
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10), next: 1}
}

// read returns the next logical line that holds more than blanks and comments, or io.EOF.
func (lr *lineReader) read() (*line, error) {
	for {
		l, err := lr.readAny()
		if err != nil {
			return nil, err
		}
		if skipBlanks(l.text, 0) < len(l.text) {
			return l, nil
		}
	}
}

func (lr *lineReader) readAny() (*line, error) {
	l := &lr.cur
	l.text, l.starts, l.first = l.text[:0], l.starts[:0], lr.next
	for {
		start := len(l.text)
		l.starts = append(l.starts, start)
		if err := lr.appendFileLine(); err != nil {
			return nil, err
		}
		lr.next++
		if bad := invalidUTF8(l.text[start:]); bad >= 0 {
			return nil, l.errorAt(start+bad, `not UTF-8: write such bytes as \xff in a quoted string`)
		}
		// An error shows at the next read: the line is whole.
		if c, _ := lr.r.Peek(1); len(c) == 0 || c[0] != ' ' && c[0] != '\t' {
			return l, nil // the next call of line meets the error again
		}
	}
}

func (lr *lineReader) appendFileLine() error {
	l := &lr.cur
	for {
		part, err := lr.r.ReadSlice('\n')
		if len(l.text)+len(part) > maxLine {
			return l.errorAt(0, "the line is longer than 256 MiB")
		}
		l.text = append(l.text, part...)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(l.text) > 0:
			return nil
		default:
			return err
		}
	}
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// skipBlanks returns the offset of the first byte from pos on that is neither blank nor comment.
func skipBlanks(s []byte, pos int) int {
	for pos < len(s) {
		switch {
		case blank(s[pos]):
			pos++
		case s[pos] == '#':
			n := bytes.IndexByte(s[pos:], '\n')
			if n < 0 {
				return len(s)
			}
			pos += n
		default:
			return pos
		}
	}
	return pos
}

func invalidUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}
