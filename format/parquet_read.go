package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"

	pq "github.com/parquet-go/parquet-go/format"

	"github.com/parquet-go/parquet-go/encoding/thrift"
)

// The reader of reel's own Parquet files. It reads what tableWriter writes, and nothing else: data pages of version 2, zstd,
// PLAIN, RLE_DICTIONARY, DELTA_BINARY_PACKED and DELTA_LENGTH_BYTE_ARRAY. Why not the library that writes them:
// docs/decisions/003-parquet-reader.md. TestInterop holds it against pyarrow and DuckDB.

// Limits of a file, checked before anything is allocated by what it says.
const (
	maxFooter     = 256 << 10
	maxPageBytes  = payloadPageBytes + maxBody + 1<<20 // uncompressed
	maxPageValues = 1 << 20
	maxPageHeader = 64 << 10
)

// parquetFile is an open Parquet file of one row group.
type parquetFile struct {
	file   ReadFile
	size   int64
	crc    uint32 // of the footer
	rows   int64
	kv     map[string]string
	leaves []parquetLeaf
}

// parquetLeaf is one column of a file.
type parquetLeaf struct {
	name     string // of the top-level column
	typ      pq.Type
	unsigned bool
	optional bool
	repeated bool
	meta     *pq.ColumnMetaData
}

// readFooter returns the footer of a Parquet file and the crc that the manifest has of it.
func readFooter(file ReadFile) (footer []byte, crc uint32, size int64, err error) {
	if size, err = file.Size(); err != nil {
		return nil, 0, 0, err
	}
	if size < 12 {
		return nil, 0, size, fmt.Errorf("%d bytes are no Parquet file", size)
	}
	var tail [8]byte
	if _, err := file.ReadAt(tail[:], size-8); err != nil {
		return nil, 0, size, err
	}
	if string(tail[4:]) != "PAR1" {
		return nil, 0, size, errors.New("it does not end as a Parquet file does")
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if n > maxFooter || n > size-12 {
		return nil, 0, size, fmt.Errorf("its footer of %d bytes is too long", n)
	}
	footer = make([]byte, n)
	if _, err := file.ReadAt(footer, size-8-n); err != nil {
		return nil, 0, size, err
	}
	return footer, crc32.Update(crc32.Checksum(footer, castagnoli), castagnoli, tail[:]), size, nil
}

// openParquet reads the footer. Errors say what is wrong; the caller says where.
func openParquet(file ReadFile) (*parquetFile, error) {
	footer, crc, size, err := readFooter(file)
	if err != nil {
		return nil, err
	}
	var meta pq.FileMetaData
	if err := decodeThrift(footer, &meta); err != nil {
		return nil, fmt.Errorf("its footer: %w", err)
	}
	f := &parquetFile{file: file, size: size, crc: crc, rows: meta.NumRows, kv: map[string]string{}}
	for _, kv := range meta.KeyValueMetadata {
		f.kv[kv.Key] = kv.Value
	}
	if len(meta.RowGroups) != 1 || meta.RowGroups[0].NumRows != meta.NumRows || meta.NumRows < 0 {
		return nil, fmt.Errorf("it has %d row groups of %d rows: one of all rows is wanted", len(meta.RowGroups), meta.NumRows)
	}
	if err := f.readSchema(meta.Schema, meta.RowGroups[0].Columns); err != nil {
		return nil, err
	}
	return f, nil
}

// decodeThrift decodes a struct that fills b.
func decodeThrift(b []byte, v any) error {
	n, err := thriftLength(b)
	if err != nil {
		return err
	}
	return thrift.Unmarshal(new(thrift.CompactProtocol), b[:n], v)
}

// readSchema walks the schema, which lists a tree in depth-first order, and ties its leaves to their chunks.
func (f *parquetFile) readSchema(schema []pq.SchemaElement, chunks []pq.ColumnChunk) error {
	if len(schema) == 0 {
		return errors.New("it has no schema")
	}
	next := 1
	var walk func(leaf parquetLeaf, depth int) error
	walk = func(leaf parquetLeaf, depth int) error {
		if next >= len(schema) || depth > 3 {
			return errors.New("its schema is not whole")
		}
		e := &schema[next]
		next++
		if depth == 0 {
			leaf.name = e.Name
		}
		if e.RepetitionType.Valid {
			leaf.optional = leaf.optional || e.RepetitionType.V == pq.Optional
			leaf.repeated = leaf.repeated || e.RepetitionType.V == pq.Repeated
		}
		if e.NumChildren.Valid && e.NumChildren.V > 0 {
			for range e.NumChildren.V {
				if err := walk(leaf, depth+1); err != nil {
					return err
				}
			}
			return nil
		}
		if len(f.leaves) >= len(chunks) || !e.Type.Valid {
			return errors.New("its schema has more columns than the row group")
		}
		leaf.typ = e.Type.V
		if t, ok := e.LogicalType.Value.(*pq.IntType); ok {
			leaf.unsigned = !t.IsSigned
		}
		leaf.meta = &chunks[len(f.leaves)].MetaData
		if leaf.meta.Type != leaf.typ {
			return fmt.Errorf("column %s has two types", leaf.name)
		}
		f.leaves = append(f.leaves, leaf)
		return nil
	}
	for next < len(schema) {
		if err := walk(parquetLeaf{}, 0); err != nil {
			return err
		}
	}
	return nil
}

// version is the schema version that the file was written by.
func (f *parquetFile) version() int {
	v, err := strconv.Atoi(f.kv[keySchemaVersion])
	if err != nil {
		return SchemaVersion // it has to have all columns
	}
	return v
}

// leaf finds a column by name; nil if the file is older than the column. All others that this package knows must be there.
func (f *parquetFile) leaf(c Column) (*parquetLeaf, error) {
	for i := range f.leaves {
		l := &f.leaves[i]
		if l.name != c.Name {
			continue
		}
		typ, unsigned := c.Type.parquet()
		if l.typ != typ || l.unsigned != unsigned || l.optional != c.Optional || l.repeated != (c.Type == ColumnStrings) {
			return nil, fmt.Errorf("column %s has not the type that SPEC.md gives it", c.Name)
		}
		return l, nil
	}
	if f.version() < c.Since {
		return nil, nil
	}
	return nil, fmt.Errorf("column %s is missing", c.Name)
}

// parquet returns the physical type of a column.
func (t ColumnType) parquet() (typ pq.Type, unsigned bool) {
	switch t {
	case ColumnInt64:
		return pq.Int64, false
	case ColumnUint64:
		return pq.Int64, true
	case ColumnInt32:
		return pq.Int32, false
	case ColumnUint32, ColumnUint16, ColumnUint8:
		return pq.Int32, true
	case ColumnBool:
		return pq.Boolean, false
	}
	return pq.ByteArray, false
}
