package text

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// column is one field of a table in the text form. Writer and parser know a field by nothing else.
type column struct {
	key   string
	form  string // how its value is written, for people
	deflt string // what its absence means, for people; "" is zero, empty or false

	// word reports whether s is a value of the column that may stand without key=; nil: none may.
	word func(s string) bool

	// omit reports whether row's field has its default, so that the column is not written.
	omit func(row any) bool
	// write appends key and value, or the word.
	write func(dst []byte, row any) []byte
	// set reads a value into row's field.
	set func(row any, v *token) error
	// fill is called instead of set when the column is absent and its default is not the zero value.
	fill func(row any) error
}

func appendKey(dst []byte, key string) []byte {
	dst = append(dst, ' ')
	dst = append(dst, key...)
	return append(dst, '=')
}

// field makes a column of a field that has a way to be written and a way to be read; its default is the zero value.
func field[R any, T comparable](key, form string, at func(*R) *T, put func([]byte, T) []byte, parse func([]byte) (T, error)) column {
	var zero T
	return column{
		key: key, form: form,
		omit:  func(row any) bool { return *at(row.(*R)) == zero },
		write: func(dst []byte, row any) []byte { return put(appendKey(dst, key), *at(row.(*R))) },
		set: func(row any, v *token) error {
			if v.kind != tokenBare {
				return fmt.Errorf("%s takes %s, without quotes", key, form)
			}
			parsed, err := parse(v.text)
			if err == nil {
				*at(row.(*R)) = parsed
			}
			return err
		},
	}
}

// withDefault gives a column a default other than zero: of is what the field is when the column is absent.
func withDefault[R any, T comparable](c column, at func(*R) *T, text string, of func(*R) T) column {
	c.deflt = text
	c.omit = func(row any) bool { r := row.(*R); return *at(r) == of(r) }
	c.fill = func(row any) error {
		r := row.(*R)
		*at(r) = of(r)
		return nil
	}
	return c
}

// written makes a column stand in the canonical form even when it has its default.
func written(c column) column {
	c.omit = func(any) bool { return false }
	return c
}

// required makes the absence of a column an error.
func required(c column) column {
	c = written(c)
	c.deflt = "required"
	c.fill = func(any) error { return errors.New("the row needs " + c.form) }
	return c
}

type unsigned interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64
}

type signed interface {
	~int | ~int32 | ~int64
}

func maxOf[T unsigned]() uint64 { return uint64(^T(0)) }

func parseUnsigned[T unsigned](s []byte) (T, error) {
	n, err := strconv.ParseUint(string(s), 0, 64)
	if err != nil || n > maxOf[T]() {
		return 0, fmt.Errorf("%.40q is not a number from 0 to %d", s, maxOf[T]())
	}
	return T(n), nil
}

func number[R any, T unsigned](key string, at func(*R) *T) column {
	put := func(dst []byte, v T) []byte { return strconv.AppendUint(dst, uint64(v), 10) }
	return field(key, "number", at, put, parseUnsigned[T])
}

func hexNumber[R any, T unsigned](key string, at func(*R) *T) column {
	put := func(dst []byte, v T) []byte { return strconv.AppendUint(append(dst, "0x"...), uint64(v), 16) }
	return field(key, "0x number", at, put, parseUnsigned[T])
}

func integer[R any, T signed](key string, at func(*R) *T) column {
	put := func(dst []byte, v T) []byte { return strconv.AppendInt(dst, int64(v), 10) }
	return field(key, "number", at, put, func(s []byte) (T, error) {
		n, err := strconv.ParseInt(string(s), 0, 64)
		if err != nil || int64(T(n)) != n {
			return 0, fmt.Errorf("%.40q is not a whole number, or out of range", s)
		}
		return T(n), nil
	})
}

// named is a number whose names format fixes. format's Parse takes back what String gives, also for numbers without name.
func named[R any, T interface {
	comparable
	fmt.Stringer
}](key, form string, parse func(string) (T, error), at func(*R) *T) column {
	put := func(dst []byte, v T) []byte { return append(dst, v.String()...) }
	return field(key, form, at, put, parseName(form, parse))
}

// numberNamed is named for numbers that are no type of format's.
func numberNamed[R any](key, form string, name func(uint8) string, parse func(string) (uint8, error), at func(*R) *uint8) column {
	put := func(dst []byte, v uint8) []byte { return append(dst, name(v)...) }
	return field(key, form, at, put, parseName(form, parse))
}

func parseName[T any](form string, parse func(string) (T, error)) func([]byte) (T, error) {
	return func(s []byte) (T, error) {
		v, err := parse(string(s))
		if err != nil {
			err = fmt.Errorf("%.40q is not %s", s, form)
		}
		return v, err
	}
}

// word lets the names of a column stand without their key: "connect" for op=connect.
func word[T any](c column, parse func(string) (T, error)) column {
	keyed := c.write
	c.word = func(s string) bool {
		_, err := parse(s)
		return err == nil
	}
	c.write = func(dst []byte, row any) []byte {
		start := len(dst)
		dst = keyed(dst, row)
		n := copy(dst[start+1:], dst[start+1+len(c.key)+1:])
		return dst[:start+1+n]
	}
	return c
}

// mark is a bool: its word, or nothing.
func mark[R any](name string, at func(*R) *bool) column {
	return column{
		key: name, form: "word",
		word:  func(s string) bool { return s == name },
		omit:  func(row any) bool { return !*at(row.(*R)) },
		write: func(dst []byte, _ any) []byte { return append(append(dst, ' '), name...) },
		set: func(row any, v *token) error {
			if v.kind != tokenBare || string(v.text) != name {
				return fmt.Errorf("%s is a word without value", name)
			}
			*at(row.(*R)) = true
			return nil
		},
	}
}

func seconds[R any](key string, at func(*R) *int64) column {
	return field(key, "seconds", at, appendSignedSeconds, parseSignedSeconds)
}

func unsignedSeconds[R any](key string, at func(*R) *uint64) column {
	put := func(dst []byte, v uint64) []byte { return appendSeconds(dst, false, v) }
	return field(key, "seconds", at, put, func(s []byte) (uint64, error) {
		negative, ns, err := parseSeconds(s)
		if err == nil && negative {
			err = errors.New("this time cannot be negative")
		}
		return ns, err
	})
}

func duration[R any](key string, at func(*R) *time.Duration) column {
	return field(key, "duration", at, appendDuration, parseDuration)
}

func wall[R any](key string, at func(*R) *format.WallTime) column {
	return field(key, "wall time", at, appendWall, parseWall)
}

func endpoint[R any](key string, at func(*R) *format.Endpoint) column {
	c := field(key, "address:port", at, appendEndpoint, parseEndpoint)
	c.omit = func(row any) bool { e := at(row.(*R)); return !e.Addr.IsValid() && e.Port == 0 }
	set := c.set
	c.set = func(row any, v *token) error {
		path := at(row.(*R)).Path // a column of its own
		err := set(row, v)
		at(row.(*R)).Path = path
		return err
	}
	return c
}

func quoted[R any](key string, at func(*R) *string) column {
	return column{
		key: key, form: "string",
		omit:  func(row any) bool { return *at(row.(*R)) == "" },
		write: func(dst []byte, row any) []byte { return strconv.AppendQuote(appendKey(dst, key), *at(row.(*R))) },
		set: func(row any, v *token) error {
			if v.kind == tokenList {
				return fmt.Errorf("%s takes one string", key)
			}
			*at(row.(*R)) = string(v.text)
			return nil
		},
	}
}

func appendList(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = strconv.AppendQuote(dst, s)
	}
	return append(dst, ']')
}

func list[R any](key string, at func(*R) *[]string) column {
	return column{
		key: key, form: "list of strings",
		omit: func(row any) bool { return len(*at(row.(*R))) == 0 },
		write: func(dst []byte, row any) []byte {
			return appendList(appendKey(dst, key), *at(row.(*R)))
		},
		set: func(row any, v *token) error {
			if v.kind != tokenList {
				return fmt.Errorf(`%s takes a list: %s=["a" "b"]`, key, key)
			}
			*at(row.(*R)) = v.list
			return nil
		},
	}
}
