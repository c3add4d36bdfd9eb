package table

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// rowsPerGroup bounds a row group, which is kept in memory until it is whole: about 20 MB of exchanges.
const rowsPerGroup = 1 << 16

// encoder writes rows in one format. Rows are not kept.
type encoder[T any] interface {
	write(rows []T) error
	close() error
}

// stream is one growing table: batches go to a goroutine that encodes them, and come back empty.
type stream[T any] struct {
	batch *batch[T]
	full  chan *batch[T]
	empty chan *batch[T]
	done  chan error // the first error, when the goroutine ends
	ended bool
}

func openTable[T any](w *Writer, name string) (*stream[T], error) {
	file := w.format.file(name)
	out, err := w.create(file)
	if err != nil {
		return nil, err
	}
	var enc encoder[T]
	switch w.format {
	case Arrow:
		enc, err = newArrow[T](out, w.info)
	case CSV:
		enc = newCSV[T](out)
	case JSON:
		enc = newJSON[T](out)
	case Text:
		enc = newText[T](out)
	default:
		enc = newParquet[T](out, w.info)
	}
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	s := &stream[T]{
		batch: new(batch[T]), full: make(chan *batch[T]), empty: make(chan *batch[T], 2), done: make(chan error, 1),
	}
	s.empty <- new(batch[T])
	go s.encode(file, enc, out)
	return s, nil
}

func (s *stream[T]) encode(name string, enc encoder[T], out io.Closer) {
	var failed error
	for b := range s.full {
		if failed == nil {
			failed = enc.write(b.rows)
		}
		b.reset()
		b.err = failed
		s.empty <- b
	}
	if failed == nil {
		failed = enc.close()
	}
	failed = errors.Join(failed, out.Close())
	if failed != nil {
		failed = fmt.Errorf("table %s is not whole: %w", name, failed)
	}
	s.done <- failed
}

// added hands the batch over when it is full.
func (s *stream[T]) added() error {
	if len(s.batch.rows) < batchRows {
		return nil
	}
	s.full <- s.batch
	s.batch = <-s.empty
	return s.batch.err
}

func (s *stream[T]) close() error {
	if s == nil || s.ended {
		return nil
	}
	s.ended = true
	if len(s.batch.rows) > 0 {
		s.full <- s.batch
	}
	close(s.full)
	return <-s.done
}

type parquetEncoder[T any] struct{ w *parquet.GenericWriter[T] }

func newParquet[T any](out io.Writer, info Info) *parquetEncoder[T] {
	return &parquetEncoder[T]{parquet.NewGenericWriter[T](out,
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
		parquet.MaxRowsPerRowGroup(rowsPerGroup),
		parquet.CreatedBy("reel", info.Tool, ""),
		parquet.KeyValueMetadata("reel.uuid", info.Reel),
	)}
}

func (e *parquetEncoder[T]) write(rows []T) error {
	_, err := e.w.Write(rows)
	return err
}

func (e *parquetEncoder[T]) close() error { return e.w.Close() }

type jsonEncoder[T any] struct {
	buf *bufio.Writer
	enc *json.Encoder
}

func newJSON[T any](out io.Writer) *jsonEncoder[T] {
	buf := bufio.NewWriterSize(out, 64<<10)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	return &jsonEncoder[T]{buf, enc}
}

func (e *jsonEncoder[T]) write(rows []T) error {
	for i := range rows {
		if err := e.enc.Encode(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *jsonEncoder[T]) close() error { return e.buf.Flush() }
