package format

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"
)

// pageStep is how much of a column chunk is read at once: a table has a window a column.
const pageStep = 64 << 10

// tableReader reads the rows of one file, column by column, some rows at a time.
type tableReader[R any] struct {
	def  *table[R]
	cols []columnReader[R]
	left int64 // rows
}

func newTableReader[R any](def *table[R], f *parquetFile) (*tableReader[R], error) {
	t := &tableReader[R]{def: def, cols: make([]columnReader[R], len(def.cols)), left: f.rows}
	for i := range def.cols {
		c := &def.cols[i]
		t.cols[i].c = c
		leaf, err := f.leaf(c.Column)
		if err != nil {
			return nil, err
		}
		if leaf == nil {
			continue
		}
		if t.cols[i].pages, err = newPageReader(f, leaf, pageStep); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// read fills rows as far as there are some. What a row held before is overwritten.
func (t *tableReader[R]) read(rows []R) (int, error) {
	n := int(min(t.left, int64(len(rows))))
	if n == 0 {
		return 0, io.EOF
	}
	clear(rows[:n])
	for i := range t.cols {
		if t.cols[i].pages == nil {
			t.cols[i].c.unknown(rows[:n])
			continue
		}
		if err := t.cols[i].fill(rows[:n]); err != nil {
			return 0, err
		}
	}
	t.left -= int64(n)
	return n, nil
}

// columnReader reads the values of one column.
type columnReader[R any] struct {
	c     *column[R]
	pages *pageReader // nil: the file is older than the column

	dictNums    []int64
	dictStrings []string
	index       []uint32

	// values of the current page, and how many of them are used
	nums    []int64
	strings []string
	lists   [][]string
	ends    []int64 // of byte arrays
	data    []byte
	buf     *pageBuffer // that data lies in
	n, pos  int
}

// pageBuffer is the memory of one page whose bytes rows point into.
type pageBuffer struct {
	data []byte
	refs atomic.Int32
}

var pageBuffers = sync.Pool{New: func() any { return &pageBuffer{data: make([]byte, 0, payloadPageBytes+payloadPageBytes/4)} }}

func (b *pageBuffer) release() {
	if b != nil && b.refs.Add(-1) == 0 {
		pageBuffers.Put(b)
	}
}

// fill sets the column of all rows.
func (r *columnReader[R]) fill(rows []R) error {
	for len(rows) > 0 {
		if r.pos == r.n {
			if err := r.next(); err != nil {
				return err
			}
		}
		k := min(r.n-r.pos, len(rows))
		switch r.c.Type {
		case ColumnString:
			for i := range rows[:k] {
				r.c.setString(&rows[i], r.strings[r.pos+i])
			}
		case ColumnStrings:
			for i := range rows[:k] {
				r.c.setList(&rows[i], r.lists[r.pos+i])
			}
		case ColumnBytes:
			for i := range rows[:k] {
				r.c.setBytes(&rows[i], r.bytes(r.pos+i))
			}
		default:
			r.c.set(rows[:k], r.nums[r.pos:r.pos+k])
		}
		r.pos += k
		rows = rows[k:]
	}
	return nil
}

func (r *columnReader[R]) bytes(i int) []byte {
	start := int64(0)
	if i > 0 {
		start = r.ends[i-1]
	}
	return r.data[start:r.ends[i]:r.ends[i]]
}

// next decodes the next page that has rows.
func (r *columnReader[R]) next() error {
	if r.c.Type == ColumnBytes {
		r.buf.release()
		r.buf = pageBuffers.Get().(*pageBuffer)
		r.buf.refs.Store(1)
		r.pages.zbuf = r.buf.data
	}
	if err := r.pages.next(); err != nil {
		if errors.Is(err, io.EOF) {
			return r.pages.errorf("it has fewer rows than the file")
		}
		return err
	}
	r.n, r.pos = r.pages.rows, 0
	switch {
	case r.c.Type == ColumnStrings:
		return r.decodeLists()
	case r.pages.rows != r.pages.n:
		return r.pages.errorf("a page has %d values for %d rows", r.pages.n, r.pages.rows)
	case r.c.Type == ColumnString:
		return r.decodeStrings()
	case r.c.Type == ColumnBytes:
		return r.decodeBytes()
	}
	return r.decodeNumbers()
}

func (r *columnReader[R]) decodeNumbers() error {
	p := r.pages
	r.nums = resize(r.nums, p.n)
	dst := r.nums[p.nulls:] // values without NULLs, at the end: spreading them only moves them forward
	var err error
	switch e := p.header.DataPageHeaderV2.V.Encoding; {
	case p.isDictionary():
		if r.dictNums == nil {
			if err := r.numberDictionary(); err != nil {
				return err
			}
		}
		if r.index, err = p.indexes(r.index, len(dst)); err != nil {
			return err
		}
		for i, x := range r.index {
			dst[i] = r.dictNums[x]
		}
	case r.c.Type == ColumnEnum:
		err = decodePlainBytes(len(dst), p.values, func(i int, b []byte) error {
			dst[i], err = r.c.parse(string(b))
			return err
		})
	default:
		if err = decodeNumberPage(dst, p.values, int(e), r.c.Type); err == nil {
			err = r.check(dst)
		}
	}
	if err != nil {
		return p.errorf("%w", err)
	}
	r.spread(dst)
	return nil
}

// decodeNumberPage decodes the values of a page without a dictionary.
func decodeNumberPage(dst []int64, src []byte, encoding int, t ColumnType) error {
	const (
		encPlain = 0
		encRLE   = 3
		encDelta = 5
	)
	typ, unsigned := t.parquet()
	switch {
	case t == ColumnBool && encoding == encPlain:
		return decodeBits(dst, src)
	case t == ColumnBool && encoding == encRLE:
		if len(src) < 4 {
			return errPage
		}
		bits := make([]uint8, len(dst))
		if err := decodeRLE(bits, src[4:], 1); err != nil {
			return err
		}
		for i, b := range bits {
			dst[i] = int64(b)
		}
		return nil
	case t != ColumnBool && encoding == encPlain && typ == 1: // INT32
		return decodePlain(dst, src, 4, unsigned)
	case t != ColumnBool && encoding == encPlain:
		return decodePlain(dst, src, 8, unsigned)
	case t != ColumnBool && encoding == encDelta:
		_, err := decodeDelta(dst, src)
		if typ == 1 { // its arithmetic is that of 32 bits
			for i, v := range dst {
				if dst[i] = int64(int32(v)); unsigned {
					dst[i] = int64(uint32(v))
				}
			}
		}
		return err
	}
	return errEncoding
}

// check bounds the values of a page by the column's type.
func (r *columnReader[R]) check(nums []int64) error {
	lo, hi := r.c.Type.bounds()
	if lo == math.MinInt64 {
		return nil
	}
	for _, v := range nums {
		if v < lo || v > hi {
			return r.c.check(v)
		}
	}
	return nil
}

// numberDictionary decodes the dictionary of a column of numbers or enums.
func (r *columnReader[R]) numberDictionary() error {
	p := r.pages
	dst := make([]int64, p.dictLen)
	var err error
	if r.c.Type == ColumnEnum {
		err = decodePlainBytes(p.dictLen, p.dict, func(i int, b []byte) error {
			dst[i], err = r.c.parse(string(b))
			return err
		})
	} else if err = decodeNumberPage(dst, p.dict, 0, r.c.Type); err == nil {
		err = r.check(dst)
	}
	if err != nil {
		return p.errorf("its dictionary: %w", err)
	}
	r.dictNums = dst
	return nil
}

// spread puts the values where they belong among the NULLs of the page.
func (r *columnReader[R]) spread(values []int64) {
	if r.pages.nulls == 0 {
		return
	}
	for i, d := range r.pages.defs {
		if d == 0 {
			r.nums[i] = r.c.null
			continue
		}
		r.nums[i] = values[0]
		values = values[1:]
	}
}

// texts decodes the n strings of the current page that are not NULL.
func (r *columnReader[R]) texts(n int) ([]string, error) {
	p := r.pages
	out := make([]string, n)
	var err error
	if p.isDictionary() {
		if r.dictStrings == nil {
			r.dictStrings = make([]string, p.dictLen)
			err := decodePlainBytes(p.dictLen, p.dict, func(i int, b []byte) error {
				r.dictStrings[i] = string(b)
				return nil
			})
			if err != nil {
				return nil, p.errorf("its dictionary: %w", err)
			}
		}
		if r.index, err = p.indexes(r.index, n); err != nil {
			return nil, err
		}
		for i, x := range r.index {
			out[i] = r.dictStrings[x]
		}
		return out, nil
	}
	if p.header.DataPageHeaderV2.V.Encoding != 0 {
		return nil, p.errorf("%w", errEncoding)
	}
	err = decodePlainBytes(n, p.values, func(i int, b []byte) error {
		out[i] = string(b)
		return nil
	})
	if err != nil {
		return nil, p.errorf("%w", err)
	}
	return out, nil
}

func (r *columnReader[R]) decodeStrings() error {
	values, err := r.texts(r.pages.n - r.pages.nulls)
	if err != nil {
		return err
	}
	if r.pages.nulls == 0 {
		r.strings = values
		return nil
	}
	r.strings = make([]string, r.pages.n)
	for i, d := range r.pages.defs {
		if d != 0 {
			r.strings[i] = values[0]
			values = values[1:]
		}
	}
	return nil
}

// decodeLists decodes a page of lists: a value of repetition level 0 begins a row, one of definition level 0 is an empty one.
func (r *columnReader[R]) decodeLists() error {
	p := r.pages
	values, err := r.texts(p.n - p.nulls)
	if err != nil {
		return err
	}
	r.lists = make([][]string, 0, r.n)
	for i := range p.n {
		if p.reps[i] == 0 {
			r.lists = append(r.lists, nil)
		}
		if len(r.lists) == 0 {
			return p.errorf("a page begins within a list")
		}
		if p.defs[i] != 0 {
			last := &r.lists[len(r.lists)-1]
			*last = append(*last, values[0])
			values = values[1:]
		}
	}
	if len(r.lists) != r.n {
		return p.errorf("a page has %d lists for %d rows", len(r.lists), r.n)
	}
	return nil
}

func (r *columnReader[R]) decodeBytes() error {
	p := r.pages
	r.buf.data = p.zbuf
	const encDeltaLength = 6
	if p.header.DataPageHeaderV2.V.Encoding != encDeltaLength {
		return p.errorf("%w", errEncoding)
	}
	r.ends = resize(r.ends, p.n)
	var err error
	if r.data, err = decodeLengths(r.ends, p.values); err != nil {
		return p.errorf("%w", err)
	}
	return nil
}

// resize returns a slice of n elements, the given one if it is large enough. Elements may hold anything.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// payloadReader finds the payload of io rows, whose refs ascend.
type payloadReader struct {
	t    *tableReader[payloadRow]
	rows []payloadRow
	n, i int
	last int64 // ref looked at last
}

func newPayloadReader(t *tableReader[payloadRow]) *payloadReader {
	return &payloadReader{t: t, rows: make([]payloadRow, 1), last: -1}
}

// find returns the bytes of ref and the buffer that they lie in, which the caller retains.
func (p *payloadReader) find(ref int64) ([]byte, *pageBuffer, error) {
	for {
		if p.i < p.n {
			switch row := &p.rows[p.i]; {
			case row.ref == ref:
				p.i++
				return row.data, p.t.cols[1].buf, nil
			case row.ref > ref:
				return nil, nil, fmt.Errorf("payload_ref %d has no row", ref)
			}
			p.i++ // nobody's any more
			continue
		}
		n, err := p.t.read(p.rows)
		if errors.Is(err, io.EOF) {
			return nil, nil, fmt.Errorf("payload_ref %d has no row", ref)
		}
		if err != nil {
			return nil, nil, err
		}
		for _, row := range p.rows[:n] {
			if row.ref <= p.last {
				return nil, nil, fmt.Errorf("ref %d follows %d", row.ref, p.last)
			}
			p.last = row.ref
		}
		p.n, p.i = n, 0
	}
}

func (p *payloadReader) close() {
	p.t.cols[1].buf.release()
	p.t.cols[1].buf = nil
}
