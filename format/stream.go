package format

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// place is where a row belongs among all rows of a reel (SPEC.md §6).
type place struct {
	time    KTime
	table   TableID
	cpu     uint16
	segment int32
}

func (a place) less(b place) bool {
	switch {
	case a.time != b.time:
		return a.time < b.time
	case a.table != b.table:
		return a.table < b.table
	case a.cpu != b.cpu:
		return a.cpu < b.cpu
	}
	return a.segment < b.segment
}

// stream is the rows of one file or one journal, in their order.
type stream interface {
	// next goes to the next row. io.EOF ends the stream, as does any other error.
	next() error
	// row returns the current row and its place; the row is valid until next.
	row() Row
	place() place
	// warning returns, once, what is missing from the rows since the last next.
	warning() error
	// stop ends what works ahead. The stream is not used after it.
	stop()
}

// aheadRows is how many rows are decoded at once, and aheadBatches how many batches of them wait for their reader.
const (
	aheadRows    = 2048
	aheadBatches = 3
)

// rowBatch is some rows of a table, in order.
type rowBatch[R any] struct {
	rows    []R
	n       int
	order   []int32       // of the rows; nil: as they are
	buffers []*pageBuffer // that payloads lie in
	warning error         // bytes of these rows are missing
	err     error         // after the rows
}

// ioBatches keeps the memory of blocks: without it every segment would allocate its own.
var ioBatches = sync.Pool{New: func() any { return &rowBatch[ioRow]{rows: make([]ioRow, 0, blockRows+aheadRows)} }}

func newRowBatch[R any]() *rowBatch[R] {
	if _, ok := any((*rowBatch[R])(nil)).(*rowBatch[ioRow]); ok {
		return ioBatches.Get().(*rowBatch[R])
	}
	return &rowBatch[R]{rows: make([]R, aheadRows)}
}

// discard gives the batch's memory back.
func (b *rowBatch[R]) discard() {
	b.release()
	if b, ok := any(b).(*rowBatch[ioRow]); ok {
		b.err, b.warning = nil, nil
		ioBatches.Put(b)
	}
}

// at returns row i in order.
func (b *rowBatch[R]) at(i int) *R {
	if b.order != nil {
		i = int(b.order[i])
	}
	return &b.rows[i]
}

func (b *rowBatch[R]) retain(buf *pageBuffer) {
	if n := len(b.buffers); n == 0 || b.buffers[n-1] != buf {
		buf.refs.Add(1)
		b.buffers = append(b.buffers, buf)
	}
}

func (b *rowBatch[R]) release() {
	for _, buf := range b.buffers {
		buf.release()
	}
	b.buffers = b.buffers[:0]
}

// fileStream reads one table's file, ahead of its reader, in a goroutine of its own.
type fileStream[R any] struct {
	def   *table[R]
	asRow func(*R) Row
	seg   int32

	full, free chan *rowBatch[R]
	quit       chan struct{}
	done       sync.WaitGroup

	cur *rowBatch[R]
	i   int
}

// batchSource fills batches of rows; io.EOF after the last. It is used by one goroutine.
type batchSource[R any] interface {
	fill(b *rowBatch[R]) error
	close()
}

func newFileStream[R any](def *table[R], segment int, source batchSource[R], asRow func(*R) Row) *fileStream[R] {
	s := &fileStream[R]{
		def: def, seg: int32(segment), asRow: asRow,
		full: make(chan *rowBatch[R], aheadBatches), free: make(chan *rowBatch[R], aheadBatches), quit: make(chan struct{}),
	}
	for range aheadBatches {
		s.free <- newRowBatch[R]()
	}
	s.done.Go(func() {
		defer close(s.full)
		defer source.close()
		s.work(source)
	})
	return s
}

func (s *fileStream[R]) work(source batchSource[R]) {
	for {
		var b *rowBatch[R]
		select {
		case b = <-s.free:
		case <-s.quit:
			return
		}
		b.warning = nil
		b.err = fillSafely(source, b)
		select {
		case s.full <- b:
		case <-s.quit:
			b.discard()
			return
		}
		if b.err != nil {
			return
		}
	}
}

// fillSafely turns a panic over a hostile file into an error.
func fillSafely[R any](source batchSource[R], b *rowBatch[R]) (err error) {
	defer func() {
		if r := recover(); r != nil {
			b.n = 0
			err = fmt.Errorf("reading it panicked: %v", r)
		}
	}()
	return source.fill(b)
}

func (s *fileStream[R]) next() error {
	s.i++
	for s.cur == nil || s.i >= s.cur.n {
		if s.cur != nil {
			if err := s.cur.err; err != nil {
				return err
			}
			s.cur.release()
			s.free <- s.cur
			s.cur = nil
		}
		b, ok := <-s.full
		if !ok {
			return io.EOF
		}
		s.cur = b
		s.i = 0
	}
	return nil
}

func (s *fileStream[R]) row() Row { return s.asRow(s.cur.at(s.i)) }

func (s *fileStream[R]) place() place {
	r := s.cur.at(s.i)
	p := place{time: s.def.time(r), table: s.def.id, segment: s.seg}
	if s.def.cpu != nil {
		p.cpu = s.def.cpu(r)
	}
	return p
}

func (s *fileStream[R]) warning() error {
	if s.cur == nil {
		return nil
	}
	err := s.cur.warning
	s.cur.warning = nil
	return err
}

func (s *fileStream[R]) stop() {
	close(s.quit)
	s.done.Wait()
	if s.cur != nil {
		s.cur.discard()
	}
	for b := range s.full {
		b.discard()
	}
	for len(s.free) > 0 {
		(<-s.free).discard()
	}
}

// fileSource reads one file and holds its rows to what the manifest says of them.
type fileSource[R any] struct {
	info    File
	seg     int
	file    ReadFile
	t       *tableReader[R]
	rows    int64
	last    place
	started bool
}

// corrupt says where in the file an error is.
func (s *fileSource[R]) corrupt(err error) error { return corruptFile(s.info.Name, s.seg, err) }

func corruptFile(name string, segment int, err error) error {
	if errors.As(err, new(*CorruptError)) {
		return err
	}
	if errors.Is(err, io.EOF) { // it must not look like the end of the rows
		err = fmt.Errorf("it ends early: %w", io.ErrUnexpectedEOF)
	}
	c := &CorruptError{File: name, Segment: segment, Offset: -1, Err: err}
	var page *pageError
	if errors.As(err, &page) {
		c.Offset = page.offset
	}
	return c
}

func (s *fileSource[R]) fill(b *rowBatch[R]) error {
	n, err := s.t.read(b.rows)
	b.n = n
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if err != nil {
		return s.corrupt(err)
	}
	return s.check(b)
}

// check holds rows to their order, and to the times that the manifest gives their file.
func (s *fileSource[R]) check(b *rowBatch[R]) error {
	for i := range b.n {
		r := b.at(i)
		p := place{time: s.t.def.time(r)}
		if s.t.def.cpu != nil {
			p.cpu = s.t.def.cpu(r)
		}
		if p.time < s.info.MinTime || p.time > s.info.MaxTime || s.started && p.less(s.last) {
			b.n = i
			return s.corrupt(fmt.Errorf("row %d, of time %d, is out of order or outside the times in the manifest", s.rows+int64(i), p.time))
		}
		s.last, s.started = p, true
	}
	s.rows += int64(b.n)
	return nil
}

func (s *fileSource[R]) close() { _ = s.file.Close() } // only read

// journalStream is the rows of one journal.
type journalStream struct {
	rows *journalRows
	opts RowsOptions
	i    int
	cur  Row
	buf  []byte
}

func (s *journalStream) next() error {
	for {
		s.i++
		if s.i >= len(s.rows.ix.entries) {
			return io.EOF
		}
		var err error
		if s.cur, s.buf, err = s.rows.read(s.i, s.buf[:0]); err != nil {
			return corruptFile(s.rows.ix.name, s.rows.ix.number, err)
		}
		if s.cur == nil || !s.opts.wants(s.cur.Table()) {
			continue // after the filter has seen it: it may hold what is to be masked in a later row
		}
		if s.opts.NoPayload {
			switch r := s.cur.(type) {
			case *IO:
				r.Payload = nil
			case *TLS:
				r.Payload = nil
			}
		}
		return nil
	}
}

func (s *journalStream) row() Row { return s.cur }

func (s *journalStream) place() place {
	e := s.rows.ix.entries[s.i]
	return place{time: e.time, table: e.table, cpu: e.cpu, segment: int32(s.rows.ix.number)}
}

func (s *journalStream) warning() error { return nil }

func (s *journalStream) stop() {}
