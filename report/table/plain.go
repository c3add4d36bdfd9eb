package table

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/ebpf-reel/reel/report/visible"
)

func appendJSONString(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		return append(b, `""`...) // a string is always valid
	}
	return append(b, quoted...)
}

// csvEncoder writes RFC 4180 with a header.
type csvEncoder[T any] struct {
	w      *csv.Writer
	header bool
	cells  []string
	buf    []byte
}

func newCSV[T any](out io.Writer) *csvEncoder[T] { return &csvEncoder[T]{w: csv.NewWriter(out)} }

func (e *csvEncoder[T]) head() error {
	if e.header {
		return nil
	}
	e.header = true
	e.cells = make([]string, len(columns[T]()))
	return e.w.Write(columns[T]())
}

func (e *csvEncoder[T]) write(rows []T) error {
	if err := e.head(); err != nil {
		return err
	}
	for i := range rows {
		v := reflect.ValueOf(&rows[i]).Elem()
		for j := range e.cells {
			e.buf = appendCell(e.buf[:0], v.Field(j))
			e.cells[j] = string(e.buf)
		}
		if err := e.w.Write(e.cells); err != nil {
			return err
		}
	}
	return nil
}

func (e *csvEncoder[T]) close() error {
	if err := e.head(); err != nil {
		return err
	}
	e.w.Flush()
	return e.w.Error()
}

// textEncoder writes columns that are aligned for people: by the widths of the first batch; a wider cell of a later one
// pushes its line out. A cell is cut where it would hide its neighbours.
type textEncoder[T any] struct {
	buf    *bufio.Writer
	widths []int
}

const maxCell = 60

func newText[T any](out io.Writer) *textEncoder[T] {
	return &textEncoder[T]{buf: bufio.NewWriterSize(out, 64<<10)}
}

func (e *textEncoder[T]) write(rows []T) error {
	names := columns[T]()
	lines := make([][]string, 0, len(rows)+1)
	if e.widths == nil {
		lines = append(lines, names)
	}
	for i := range rows {
		v := reflect.ValueOf(&rows[i]).Elem()
		cells := make([]string, len(names))
		for j := range cells {
			cells[j] = visible.Cut(visible.Text(string(appendCell(nil, v.Field(j)))), maxCell)
		}
		lines = append(lines, cells)
	}
	if e.widths == nil {
		e.widths = make([]int, len(names))
		for _, cells := range lines {
			for j, c := range cells {
				e.widths[j] = max(e.widths[j], utf8.RuneCountInString(c))
			}
		}
	}
	var line []byte
	for _, cells := range lines {
		line = line[:0]
		for j, c := range cells {
			line = append(line, c...)
			if j == len(cells)-1 {
				break
			}
			pad := max(e.widths[j]+2-utf8.RuneCountInString(c), 1)
			line = append(line, strings.Repeat(" ", pad)...)
		}
		if _, err := e.buf.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

func (e *textEncoder[T]) close() error {
	if e.widths == nil {
		if err := e.write(nil); err != nil {
			return err
		}
	}
	return e.buf.Flush()
}
