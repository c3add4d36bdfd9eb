package table

import (
	"reflect"
	"strconv"
	"time"
)

// columns are the names of a row type's columns.
func columns[T any]() []string {
	t := reflect.TypeFor[T]()
	out := make([]string, t.NumField())
	for i := range out {
		out[i] = column(t.Field(i))
	}
	return out
}

// appendCell prints a value: what is null is empty, a list is a JSON array.
func appendCell(b []byte, v reflect.Value) []byte {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return b
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case reflect.String:
		return append(b, v.String()...)
	case reflect.Float64:
		return strconv.AppendFloat(b, v.Float(), 'g', -1, 64)
	case reflect.Int64:
		if v.Type() == wallType {
			return time.Unix(0, v.Int()).UTC().AppendFormat(b, wallLayout)
		}
		return strconv.AppendInt(b, v.Int(), 10)
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(b, v.Uint(), 10)
	case reflect.Slice:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			if e := v.Index(i); e.Kind() == reflect.String {
				b = appendJSONString(b, e.String())
			} else {
				b = appendCell(b, e)
			}
		}
		return append(b, ']')
	}
	panic("table: a column of kind " + v.Kind().String()) // a row type of this package
}

var wallType = reflect.TypeFor[Wall]()
