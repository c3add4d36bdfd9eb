package format

import (
	"fmt"
	"strconv"

	"github.com/parquet-go/parquet-go"
)

// Footer key-values of every file: with them a file tells where it belongs without its manifest.
const (
	keySchemaVersion = "reel.schema_version"
	keyUUID          = "reel.uuid"
	keySegment       = "reel.segment"
	keyTable         = "reel.table"
	keyFilter        = "reel.filter"
)

// Sizes of pages before compression. Larger pages of payload find more repetition for zstd, smaller ones cost a reader
// less memory.
const (
	pageBytes        = 128 << 10
	payloadPageBytes = 1 << 20
	dictionaryBytes  = 1 << 20
)

// batchRows is how many rows go through a column at once: small enough for its values to stay in cache.
const batchRows = 1024

// node returns the column's place in the Parquet schema.
func (c *column[R]) node() parquet.Node {
	var n parquet.Node
	switch c.Type {
	case ColumnInt64:
		n = parquet.Int(64)
	case ColumnUint64:
		n = parquet.Uint(64)
	case ColumnInt32:
		n = parquet.Int(32)
	case ColumnUint32:
		n = parquet.Uint(32)
	case ColumnUint16:
		n = parquet.Uint(16)
	case ColumnUint8:
		n = parquet.Uint(8)
	case ColumnBool:
		return parquet.Leaf(parquet.BooleanType)
	case ColumnEnum, ColumnString:
		n = parquet.String()
	case ColumnStrings:
		return parquet.List(parquet.Encoded(parquet.String(), &parquet.RLEDictionary))
	case ColumnBytes:
		n = parquet.Leaf(parquet.ByteArrayType)
	}
	switch {
	case c.enc == dict:
		n = parquet.Encoded(n, &parquet.RLEDictionary)
	case c.enc == delta && c.Type == ColumnBytes:
		n = parquet.Encoded(n, &parquet.DeltaLengthByteArray)
	case c.enc == delta:
		n = parquet.Encoded(n, &parquet.DeltaBinaryPacked)
	}
	if c.Optional {
		n = parquet.Optional(n)
	}
	return n
}

// orderedGroup is a parquet.Group whose columns keep their order: a map would sort them by name.
type orderedGroup struct {
	parquet.Group
	fields []parquet.Field
}

func (g *orderedGroup) Fields() []parquet.Field { return g.fields }

// schema returns the table's Parquet schema.
func (t *table[R]) schema() *parquet.Schema {
	root := &orderedGroup{Group: parquet.Group{}}
	for i := range t.cols {
		name := t.cols[i].Name
		root.Group[name] = t.cols[i].node()
		// One group of one column is the only way to a Field.
		root.fields = append(root.fields, parquet.Group{name: root.Group[name]}.Fields()[0])
	}
	return parquet.NewSchema(t.id.String(), root)
}

// tableWriter writes the rows of one table of one segment into one Parquet file of one row group.
type tableWriter[R any] struct {
	def      *table[R]
	w        *parquet.Writer //nolint:staticcheck // deprecated for GenericWriter, which takes structs, where columns are written
	cols     []*parquet.ColumnWriter
	vals     []parquet.Value
	nums     []int64
	rows     int64
	min, max KTime
}

// fileID is what a Parquet file says of where it belongs.
type fileID struct {
	uuid    string
	segment int
	filter  string // that its rows went through
}

func newTableWriter[R any](def *table[R], id fileID, out *hashWriter) *tableWriter[R] {
	page := pageBytes
	if def.id == TablePayload {
		page = payloadPageBytes
	}
	w := parquet.NewWriter(out, def.schema(),
		parquet.Compression(&compression),
		parquet.PageBufferSize(page),
		parquet.WriteBufferSize(64<<10),
		parquet.DictionaryMaxBytes(dictionaryBytes),
		parquet.DataPageVersion(2),
		parquet.DataPageStatistics(false), // the page index has them
		parquet.SkipPageBounds("payload"),
		parquet.CreatedBy("reel", strconv.Itoa(SchemaVersion), ""),
		parquet.KeyValueMetadata(keySchemaVersion, strconv.Itoa(SchemaVersion)),
		parquet.KeyValueMetadata(keyUUID, id.uuid),
		parquet.KeyValueMetadata(keySegment, strconv.Itoa(id.segment)),
		parquet.KeyValueMetadata(keyTable, def.id.String()),
		parquet.KeyValueMetadata(keyFilter, id.filter),
	)
	return &tableWriter[R]{def: def, w: w, cols: w.ColumnWriters(), vals: make([]parquet.Value, 0, batchRows), nums: make([]int64, batchRows)}
}

// write appends rows, which must be in order. Nothing of them is kept.
func (w *tableWriter[R]) write(rows []R) error {
	for len(rows) > 0 {
		n := min(len(rows), batchRows)
		for i := range w.def.cols {
			if err := w.writeColumn(i, rows[:n]); err != nil {
				return fmt.Errorf("column %s: %w", w.def.cols[i].Name, err)
			}
		}
		w.span(rows[:n])
		w.rows += int64(n)
		rows = rows[n:]
	}
	return nil
}

// span widens the times of the file by those of rows.
func (w *tableWriter[R]) span(rows []R) {
	if w.def.time == nil {
		return
	}
	for i := range rows {
		t := w.def.time(&rows[i])
		if w.rows == 0 && i == 0 {
			w.min, w.max = t, t
		}
		w.min, w.max = min(w.min, t), max(w.max, t)
	}
}

func (w *tableWriter[R]) writeColumn(i int, rows []R) error {
	c := &w.def.cols[i]
	vals := w.vals[:0]
	level := 0
	if c.Optional {
		level = 1
	}
	switch c.Type {
	case ColumnString:
		for r := range rows {
			s := c.getString(&rows[r])
			if c.Optional && s == "" {
				vals = append(vals, parquet.NullValue().Level(0, 0, i))
				continue
			}
			vals = append(vals, stringValue(s).Level(0, level, i))
		}
	case ColumnStrings:
		for r := range rows {
			list := c.getList(&rows[r])
			if len(list) == 0 {
				vals = append(vals, parquet.NullValue().Level(0, 0, i))
			}
			for k, s := range list {
				vals = append(vals, stringValue(s).Level(min(k, 1), 1, i))
			}
		}
	case ColumnBytes:
		for r := range rows {
			vals = append(vals, parquet.ByteArrayValue(c.getBytes(&rows[r])).Level(0, 0, i))
		}
	default:
		nums := w.nums[:len(rows)]
		c.get(rows, nums)
		vals = c.numberValues(vals, nums, level, i)
	}
	w.vals = vals[:0]
	_, err := w.cols[i].WriteRowValues(vals)
	return err
}

func (c *column[R]) numberValues(vals []parquet.Value, nums []int64, level, index int) []parquet.Value {
	for _, v := range nums {
		if c.Optional && v == c.null {
			vals = append(vals, parquet.NullValue().Level(0, 0, index))
			continue
		}
		var p parquet.Value
		switch c.Type {
		case ColumnInt64, ColumnUint64:
			p = parquet.Int64Value(v)
		case ColumnBool:
			p = parquet.BooleanValue(v != 0)
		case ColumnEnum:
			p = stringValue(c.name(v))
		default:
			p = parquet.Int32Value(int32(v))
		}
		p.SetDefinitionLevel(level)
		p.SetColumnIndex(index)
		vals = append(vals, p)
	}
	return vals
}

// stringValue does not copy: the writer does.
func stringValue(s string) parquet.Value { return parquet.ByteArrayValue(unsafeBytes(s)) }

// close ends the file.
func (w *tableWriter[R]) close() error { return w.w.Close() }
