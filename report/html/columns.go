package html

import (
	"encoding/json"
	"strconv"

	"github.com/ebpf-reel/reel/report/visible"
)

// Tables travel as columns: one JSON array per column is half the size of row objects, and the page turns it into typed
// arrays without making an object per row. A column is written in one of three ways:
//
//	{"delta":[…]}                integers, each minus the one before
//	{"int":[…]}                  integers
//	{"dict":[strings],"at":[…]}  strings, by index in the dictionary
//
// All strings have passed visible.Text: nothing in them is hidden, and all of them are valid UTF-8.
type table struct {
	rows    int
	columns []column
}

type column struct {
	name string
	json []byte
}

// encode returns the table as JSON, its columns in the order in which they were added.
func (t *table) encode() []byte {
	size := 64
	for _, c := range t.columns {
		size += len(c.name) + len(c.json) + 4
	}
	out := make([]byte, 0, size)
	out = append(out, `{"rows":`...)
	out = strconv.AppendInt(out, int64(t.rows), 10)
	out = append(out, `,"columns":{`...)
	for i, c := range t.columns {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendQuote(out, c.name)
		out = append(out, ':')
		out = append(out, c.json...)
	}
	return append(out, "}}"...)
}

// ints adds a column of integers.
func (t *table) ints(name string, value func(i int) int64) {
	t.add(name, appendInts([]byte(`{"int":`), t.rows, value))
}

// deltas adds a column of integers that grow from row to row.
func (t *table) deltas(name string, value func(i int) int64) {
	last := int64(0)
	t.add(name, appendInts([]byte(`{"delta":`), t.rows, func(i int) int64 {
		v := value(i)
		d := v - last
		last = v
		return d
	}))
}

// strings adds a column of strings.
func (t *table) strings(name string, value func(i int) string) {
	index := make(map[string]int64)
	dict := []string{}
	at := appendInts([]byte(`,"at":`), t.rows, func(i int) int64 {
		s := value(i)
		n, known := index[s]
		if !known {
			n = int64(len(dict))
			index[s] = n
			dict = append(dict, visible.Text(s))
		}
		return n
	})
	out := append([]byte(`{"dict":`), mustJSON(dict)...)
	t.add(name, append(out, at...))
}

// add takes a column without its closing brace.
func (t *table) add(name string, open []byte) {
	t.columns = append(t.columns, column{name, append(open, '}')})
}

func appendInts(out []byte, rows int, value func(i int) int64) []byte {
	out = append(out, '[')
	for i := range rows {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, value(i), 10)
	}
	return append(out, ']')
}

// mustJSON encodes what cannot fail: strings, numbers, and slices, maps and structs of them.
func mustJSON(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic("report/html: " + err.Error())
	}
	return out
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
