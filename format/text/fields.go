package text

import (
	"fmt"
	"slices"

	"github.com/ebpf-reel/reel/format"
)

// fields reads the columns of one row and knows which were given.
type fields struct {
	columns []column
	given   []token // by column; tokenEnd: not given
	line    *line
}

// tokenPreset marks a column whose field holds a value already, which a token may still replace.
const tokenPreset tokenKind = 255

// preset keeps the default of a column off a field.
func (f *fields) preset(keys ...string) {
	for i := range f.columns {
		if f.given[i].kind == tokenEnd && slices.Contains(keys, f.columns[i].key) {
			f.given[i].kind = tokenPreset
		}
	}
}

func (f *fields) reset(columns []column) {
	f.columns = columns
	f.given = append(f.given[:0], make([]token, len(columns))...)
}

// read sets the columns that the rest of the line gives.
func (f *fields) read(x *lexer, row any) error {
	f.line = x.line
	for {
		t, err := x.next()
		if err != nil || t.kind == tokenEnd {
			return err
		}
		if err := f.set(&t, row); err != nil {
			return err
		}
	}
}

func (f *fields) set(t *token, row any) error {
	i := f.find(t)
	if i < 0 {
		return f.line.errorAt(t.offset, f.unknown(t))
	}
	c := &f.columns[i]
	if k := f.given[i].kind; k != tokenEnd && k != tokenPreset && c.key != "" {
		return f.line.errorAt(t.offset, c.key+" is given twice")
	}
	if err := c.set(row, t); err != nil {
		return f.line.errorAt(t.offset, err.Error())
	}
	f.given[i] = *t
	return nil
}

// find returns the column that a token belongs to, -1 for none.
func (f *fields) find(t *token) int {
	for i := range f.columns {
		c := &f.columns[i]
		switch {
		case t.key != "" || t.kind == tokenBytes:
			// The payload is the column without key.
			if c.key == t.key {
				return i
			}
		case t.kind == tokenBare:
			if c.word != nil && c.word(string(t.text)) {
				return i
			}
		}
	}
	return -1
}

func (f *fields) unknown(t *token) string {
	var keys string
	for i := range f.columns {
		if c := &f.columns[i]; c.key != "" {
			keys += " " + c.key
		}
	}
	switch {
	case t.key != "":
		return fmt.Sprintf("there is no column %.40q here; there are%s", t.key, keys)
	case t.kind == tokenBare:
		return fmt.Sprintf("%.40q means nothing here; columns are%s", t.text, keys)
	}
	return "a value without key= means nothing here"
}

func (f *fields) token(key string) *token {
	for i := range f.columns {
		if k := f.given[i].kind; f.columns[i].key == key && k != tokenEnd && k != tokenPreset {
			return &f.given[i]
		}
	}
	return nil
}

// fill gives the columns that were not given their default.
func (f *fields) fill(row any) error {
	for i := range f.columns {
		if c := &f.columns[i]; c.fill != nil && f.given[i].kind == tokenEnd {
			if err := c.fill(row); err != nil {
				return f.line.errorAt(0, err.Error())
			}
		}
	}
	return nil
}

func (f *fields) finish(t *table, row format.Row) error {
	if err := f.fill(row); err != nil {
		return err
	}
	if t.finish != nil {
		if err := t.finish(row, f.token); err != nil {
			return f.line.errorAt(0, err.Error())
		}
	}
	return nil
}
