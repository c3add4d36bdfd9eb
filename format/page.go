package format

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
	pq "github.com/parquet-go/parquet-go/format"
)

// pageReader reads the pages of one column chunk one after the other.
type pageReader struct {
	leaf *parquetLeaf
	win  window
	off  int64
	end  int64

	header  pq.PageHeader
	dict    []byte // the values of the dictionary page
	dictLen int
	zbuf    []byte // decompressed values

	// the current data page
	n      int     // values, with NULLs
	rows   int     // rows that begin in it
	reps   []uint8 // levels; nil in columns that have none
	defs   []uint8
	nulls  int
	values []byte // what follows the levels, decompressed
}

// zstdDecoder serves all readers; DecodeAll may run in several goroutines at once.
var zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxPageBytes), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
})

func newPageReader(f *parquetFile, leaf *parquetLeaf, step int) (*pageReader, error) {
	m := leaf.meta
	start := m.DataPageOffset
	if m.DictionaryPageOffset > 0 {
		start = min(start, m.DictionaryPageOffset)
	}
	if start < 4 || m.TotalCompressedSize < 0 || m.TotalCompressedSize > f.size-start {
		return nil, fmt.Errorf("column %s lies outside the file", leaf.name)
	}
	if m.Codec != pq.Zstd && m.Codec != pq.Uncompressed {
		return nil, fmt.Errorf("column %s is compressed by %v", leaf.name, m.Codec)
	}
	end := start + m.TotalCompressedSize
	return &pageReader{leaf: leaf, off: start, end: end, win: window{file: f.file, size: end, step: step}}, nil
}

// next reads the next data page; io.EOF after the last.
func (p *pageReader) next() error {
	for {
		if p.off >= p.end {
			return io.EOF
		}
		body, err := p.body()
		if err != nil {
			return err
		}
		switch {
		case p.header.Type == pq.DictionaryPage && p.header.DictionaryPageHeader.Valid:
			if err := p.dictionary(body); err != nil {
				return err
			}
		case p.header.Type == pq.DataPageV2 && p.header.DataPageHeaderV2.Valid:
			return p.data(body)
		default:
			return fmt.Errorf("column %s has a page of type %v", p.leaf.name, p.header.Type)
		}
	}
}

// body reads a page's header and returns its bytes, checked and as they are stored.
func (p *pageReader) body() ([]byte, error) {
	peek := 512
	var n int
	for {
		head, err := p.win.at(p.off, int(min(p.end-p.off, int64(peek))))
		if err != nil {
			return nil, err
		}
		if n, err = thriftLength(head); err == nil {
			p.header = pq.PageHeader{}
			if err := decodeThrift(head[:n], &p.header); err != nil {
				return nil, p.errorf("its page header: %w", err)
			}
			break
		}
		if peek >= maxPageHeader || int64(peek) >= p.end-p.off {
			return nil, p.errorf("its page header: %w", err)
		}
		peek *= 8
	}
	h := &p.header
	size := int64(h.CompressedPageSize)
	if size < 0 || size > p.end-p.off-int64(n) || h.UncompressedPageSize < 0 || h.UncompressedPageSize > maxPageBytes {
		return nil, p.errorf("a page of %d bytes, %d uncompressed, is not possible", size, h.UncompressedPageSize)
	}
	body, err := p.win.at(p.off+int64(n), int(size))
	if err != nil {
		return nil, err
	}
	if h.CRC != 0 && uint32(h.CRC) != crc32.ChecksumIEEE(body) {
		return nil, p.errorf("the checksum of a page is wrong")
	}
	p.off += int64(n) + size
	return body, nil
}

func (p *pageReader) errorf(format string, args ...any) error {
	return &pageError{column: p.leaf.name, offset: p.off, err: fmt.Errorf(format, args...)}
}

// pageError is an error of one page.
type pageError struct {
	column string
	offset int64
	err    error
}

func (e *pageError) Error() string { return fmt.Sprintf("column %s: %v", e.column, e.err) }

func (e *pageError) Unwrap() error { return e.err }

// decompress returns body decompressed to exactly size bytes; buf is used for them if it is large enough.
func (p *pageReader) decompress(buf, body []byte, size int) ([]byte, error) {
	if p.leaf.meta.Codec == pq.Uncompressed {
		return append(buf[:0], body...), nil
	}
	if cap(buf) < size {
		buf = make([]byte, 0, size)
	}
	out, err := zstdDecoder().DecodeAll(body, buf[:0])
	if err != nil {
		return buf, p.errorf("zstd: %w", err)
	}
	if len(out) != size {
		return buf, p.errorf("a page has %d bytes, not %d", len(out), size)
	}
	return out, nil
}

func (p *pageReader) dictionary(body []byte) error {
	h := p.header.DictionaryPageHeader.V
	if p.dict != nil {
		return p.errorf("it has two dictionaries")
	}
	if h.NumValues < 0 || h.NumValues > p.header.UncompressedPageSize || h.NumValues > maxPageValues {
		return p.errorf("a dictionary of %d values is not possible", h.NumValues)
	}
	var err error
	p.dict, err = p.decompress(nil, body, int(p.header.UncompressedPageSize))
	p.dictLen = int(h.NumValues)
	return err
}

func (p *pageReader) data(body []byte) error {
	h := p.header.DataPageHeaderV2.V
	reps, defs := int(h.RepetitionLevelsByteLength), int(h.DefinitionLevelsByteLength)
	if h.NumValues < 0 || h.NumValues > maxPageValues || h.NumRows < 0 || h.NumRows > h.NumValues || reps < 0 || defs < 0 ||
		reps > len(body) || defs > len(body)-reps || reps+defs > int(p.header.UncompressedPageSize) {
		return p.errorf("the counts of a page are not possible")
	}
	p.n, p.rows, p.nulls = int(h.NumValues), int(h.NumRows), 0
	var err error
	if p.reps, err = p.levels(p.reps, body[:reps], p.leaf.repeated); err != nil {
		return err
	}
	if p.defs, err = p.levels(p.defs, body[reps:reps+defs], p.leaf.repeated || p.leaf.optional); err != nil {
		return err
	}
	for _, d := range p.defs {
		if d == 0 {
			p.nulls++
		}
	}
	values := body[reps+defs:]
	size := int(p.header.UncompressedPageSize) - reps - defs
	if h.IsCompressed.Valid && !h.IsCompressed.V {
		p.values = append(p.zbuf[:0], values...)
	} else if p.values, err = p.decompress(p.zbuf, values, size); err != nil {
		return err
	}
	p.zbuf = p.values
	return nil
}

// levels reads one level of 0 or 1 a value, if the column has them.
func (p *pageReader) levels(buf []uint8, src []byte, has bool) ([]uint8, error) {
	if !has {
		return nil, nil
	}
	if cap(buf) < p.n {
		buf = make([]uint8, p.n)
	}
	buf = buf[:p.n]
	if err := decodeRLE(buf, src, 1); err != nil {
		return nil, p.errorf("levels: %w", err)
	}
	return buf, nil
}

// indexes reads the n indexes of a dictionary-encoded page, all within the dictionary.
func (p *pageReader) indexes(buf []uint32, n int) ([]uint32, error) {
	if p.dict == nil || len(p.values) == 0 && n > 0 {
		return nil, p.errorf("a page has no dictionary")
	}
	if cap(buf) < n {
		buf = make([]uint32, n)
	}
	buf = buf[:n]
	if n == 0 {
		return buf, nil
	}
	if err := decodeRLE(buf, p.values[1:], uint(p.values[0])); err != nil {
		return nil, p.errorf("indexes: %w", err)
	}
	for _, x := range buf {
		if int64(x) >= int64(p.dictLen) {
			return nil, p.errorf("index %d is outside the dictionary of %d", x, p.dictLen)
		}
	}
	return buf, nil
}

var errEncoding = errors.New("an encoding that reel does not write")

// isDictionary reports whether the current page holds indexes.
func (p *pageReader) isDictionary() bool {
	e := p.header.DataPageHeaderV2.V.Encoding
	return e == pq.RLEDictionary || e == pq.PlainDictionary //nolint:staticcheck // deprecated for writers; readers meet it
}
