package table

import (
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// arrowEncoder writes an Arrow IPC file: a record batch for each batch of rows.
type arrowEncoder[T any] struct {
	w *ipc.FileWriter
	b *array.RecordBuilder
}

func newArrow[T any](out io.Writer, info Info) (*arrowEncoder[T], error) {
	meta := arrow.NewMetadata([]string{"reel.uuid", "reel.tool"}, []string{info.Reel, info.Tool})
	schema := arrow.NewSchema(arrowFields(reflect.TypeFor[T]()), &meta)
	w, err := ipc.NewFileWriter(&forward{w: out}, ipc.WithSchema(schema), ipc.WithZstd())
	if err != nil {
		return nil, err
	}
	return &arrowEncoder[T]{w, array.NewRecordBuilder(memory.NewGoAllocator(), schema)}, nil
}

// forward is a writer that knows where it is, which is all that the library asks of a file to seek for.
type forward struct {
	w  io.Writer
	at int64
}

func (f *forward) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	f.at += int64(n)
	return n, err
}

func (f *forward) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, errors.New("table: an Arrow file is written front to back")
	}
	return f.at, nil
}

func arrowFields(t reflect.Type) []arrow.Field {
	fields := make([]arrow.Field, t.NumField())
	for i := range fields {
		f := t.Field(i)
		fields[i] = arrow.Field{Name: column(f), Type: arrowType(f.Type), Nullable: f.Type.Kind() == reflect.Pointer,
			Metadata: arrow.NewMetadata([]string{"doc"}, []string{f.Tag.Get("doc")})}
	}
	return fields
}

func arrowType(t reflect.Type) arrow.DataType {
	if t == wallType {
		return arrow.FixedWidthTypes.Timestamp_ns // UTC
	}
	switch t.Kind() {
	case reflect.Pointer:
		return arrowType(t.Elem())
	case reflect.Slice:
		return arrow.ListOfNonNullable(arrowType(t.Elem()))
	case reflect.Bool:
		return arrow.FixedWidthTypes.Boolean
	case reflect.String:
		return arrow.BinaryTypes.String
	case reflect.Int64:
		return arrow.PrimitiveTypes.Int64
	case reflect.Uint16:
		return arrow.PrimitiveTypes.Uint16
	case reflect.Uint32:
		return arrow.PrimitiveTypes.Uint32
	case reflect.Uint64:
		return arrow.PrimitiveTypes.Uint64
	case reflect.Float64:
		return arrow.PrimitiveTypes.Float64
	}
	panic("table: a column of type " + t.String()) // a row type of this package
}

func (e *arrowEncoder[T]) write(rows []T) error {
	for i := range rows {
		v := reflect.ValueOf(&rows[i]).Elem()
		for j := range v.NumField() {
			appendArrow(e.b.Field(j), v.Field(j))
		}
	}
	record := e.b.NewRecord()
	defer record.Release()
	if err := e.w.Write(record); err != nil {
		return fmt.Errorf("arrow: %w", err)
	}
	return nil
}

func appendArrow(b array.Builder, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			b.AppendNull()
			return
		}
		v = v.Elem()
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v.Bool())
	case *array.StringBuilder:
		b.Append(v.String())
	case *array.Int64Builder:
		b.Append(v.Int())
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.Int()))
	case *array.Uint16Builder:
		b.Append(uint16(v.Uint()))
	case *array.Uint32Builder:
		b.Append(uint32(v.Uint()))
	case *array.Uint64Builder:
		b.Append(v.Uint())
	case *array.Float64Builder:
		b.Append(v.Float())
	case *array.ListBuilder:
		b.Append(true)
		for i := range v.Len() {
			appendArrow(b.ValueBuilder(), v.Index(i))
		}
	default:
		panic(fmt.Sprintf("table: a builder of type %T", b)) // arrowType makes no other
	}
}

func (e *arrowEncoder[T]) close() error {
	e.b.Release()
	return e.w.Close()
}
