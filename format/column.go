package format

import (
	"math"
	"net/netip"
	"time"
	"unsafe"
)

// ColumnType is the type of a column's values: in Parquet, and in the row frames of a journal (SPEC.md).
type ColumnType uint8

// The types.
const (
	ColumnInt64   ColumnType = 1
	ColumnUint64  ColumnType = 2
	ColumnInt32   ColumnType = 3
	ColumnUint32  ColumnType = 4
	ColumnUint16  ColumnType = 5
	ColumnUint8   ColumnType = 6
	ColumnBool    ColumnType = 7
	ColumnEnum    ColumnType = 8  // a name; a number in journals
	ColumnString  ColumnType = 9  // UTF-8 as recorded: not checked
	ColumnStrings ColumnType = 10 // a list of strings
	ColumnBytes   ColumnType = 11
)

// Column describes one column of a table.
type Column struct {
	Name     string
	Type     ColumnType
	Optional bool // NULL where the value is unknown or does not apply
	Since    int  // the schema version whose files have it first; 0 is 1
	Doc      string
}

// encoding is how Parquet stores a column's values; chosen by measurement (BenchmarkSealSize, SPEC.md).
type encoding uint8

const (
	plain encoding = iota
	delta          // DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY
	dict           // RLE_DICTIONARY
)

// column is a Column of a table whose rows are R, with the way to its values. Numbers travel in batches as int64 (unsigned
// ones as their bits), so that a column costs one call a batch and one a value.
type column[R any] struct {
	Column
	enc  encoding
	null int64 // of an Optional number: the value that is NULL

	get func(rows []R, out []int64) // numbers, bools, enums
	set func(rows []R, in []int64)

	top   int64              // enums: the largest number
	name  func(int64) string // enums
	parse func(string) (int64, error)

	getString func(*R) string
	setString func(*R, string)

	getList func(*R) []string
	setList func(*R, []string)

	getBytes func(*R) []byte
	setBytes func(*R, []byte)
}

// table is the definition of one table: everything that writes or reads its rows is driven by it. Columns are only ever
// appended.
type table[R any] struct {
	id   TableID
	time func(*R) KTime
	cpu  func(*R) uint16 // nil: rows have none
	cols []column[R]
}

type integer interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

func typeOf[T integer]() ColumnType {
	signed := ^T(0) < 0
	switch size := unsafe.Sizeof(T(0)); {
	case size == 8 && signed:
		return ColumnInt64
	case size == 8:
		return ColumnUint64
	case size == 4 && signed:
		return ColumnInt32
	case size == 4:
		return ColumnUint32
	case size == 2 && !signed:
		return ColumnUint16
	case size == 1 && !signed:
		return ColumnUint8
	}
	panic("format: a table has a column of a type that Parquet readers handle badly")
}

// bounds returns the values that a number of type t can have. Those of ColumnUint64 are int64 bits: all of them.
func (t ColumnType) bounds() (lo, hi int64) {
	switch t {
	case ColumnInt32:
		return math.MinInt32, math.MaxInt32
	case ColumnUint32:
		return 0, math.MaxUint32
	case ColumnUint16:
		return 0, math.MaxUint16
	case ColumnUint8:
		return 0, math.MaxUint8
	case ColumnBool:
		return 0, 1
	}
	return math.MinInt64, math.MaxInt64
}

// number is a column of an integer field.
func number[R any, T integer](name, doc string, enc encoding, field func(*R) *T) column[R] {
	return column[R]{
		Column: Column{Name: name, Type: typeOf[T](), Doc: doc},
		enc:    enc,
		get: func(rows []R, out []int64) {
			for i := range out {
				out[i] = int64(*field(&rows[i]))
			}
		},
		set: func(rows []R, in []int64) {
			for i, v := range in {
				*field(&rows[i]) = T(v)
			}
		},
	}
}

// computed is a column of numbers that are not simply a field.
func computed[R any](name, doc string, typ ColumnType, enc encoding, get func(*R) int64, set func(*R, int64)) column[R] {
	return column[R]{
		Column: Column{Name: name, Type: typ, Doc: doc},
		enc:    enc,
		get: func(rows []R, out []int64) {
			for i := range out {
				out[i] = get(&rows[i])
			}
		},
		set: func(rows []R, in []int64) {
			for i, v := range in {
				set(&rows[i], v)
			}
		},
	}
}

// or makes a column optional: null is NULL on disk.
func (c column[R]) or(null int64) column[R] {
	c.Optional = true
	c.null = null
	return c
}

// since says which schema version brought the column: files of an older one lack it, and all their rows have NULL there, or zero.
func (c column[R]) since(version int) column[R] {
	c.Since = version
	return c
}

// unknown gives all rows the value of a column that their file is too old to have.
func (c *column[R]) unknown(rows []R) {
	if !c.Optional || c.set == nil || c.null == 0 {
		return // rows are zero
	}
	for i := range rows {
		c.set(rows[i:i+1], []int64{c.null})
	}
}

// micros is a column of a duration that the kernel gives in whole microseconds; zero is unknown.
func micros[R any](name, doc string, field func(*R) *time.Duration) column[R] {
	return computed(name, doc, ColumnUint32, dict,
		func(r *R) int64 { return int64(min(*field(r)/time.Microsecond, math.MaxUint32)) },
		func(r *R, v int64) { *field(r) = time.Duration(v) * time.Microsecond },
	).or(0)
}

func boolean[R any](name, doc string, field func(*R) *bool) column[R] {
	return computed(name, doc, ColumnBool, plain,
		func(r *R) int64 {
			if *field(r) {
				return 1
			}
			return 0
		},
		func(r *R, v int64) { *field(r) = v != 0 })
}

// enum is a column of a small number with names.
func enum[R any, T ~uint8 | ~uint16](name, doc string, field func(*R) *T, text func(T) string, parse func(string) (T, error)) column[R] {
	c := number(name, doc, dict, field)
	c.Type = ColumnEnum
	c.top = int64(^T(0))
	c.name = func(v int64) string { return text(T(v)) }
	c.parse = func(s string) (int64, error) {
		v, err := parse(s)
		return int64(v), err
	}
	return c
}

func text[R any](name, doc string, field func(*R) *string) column[R] {
	return column[R]{
		Column:    Column{Name: name, Type: ColumnString, Doc: doc},
		enc:       dict,
		getString: func(r *R) string { return *field(r) },
		setString: func(r *R, s string) { *field(r) = s },
	}
}

// filePath is a column of a string that is NULL when empty.
func filePath[R any](name, doc string, field func(*R) *string) column[R] {
	c := text(name, doc, field)
	c.Optional = true
	return c
}

// addr is a column of an address as text; NULL when unknown.
func addr[R any](name, doc string, field func(*R) *netip.Addr) column[R] {
	return column[R]{
		Column: Column{Name: name, Type: ColumnString, Optional: true, Doc: doc},
		enc:    dict,
		getString: func(r *R) string {
			if a := *field(r); a.IsValid() {
				return a.String()
			}
			return ""
		},
		setString: func(r *R, s string) {
			// What is no address stays unknown: a reader has no use for the rest of it.
			*field(r), _ = netip.ParseAddr(s)
		},
	}
}
