package text

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"iter"
	"strconv"

	"github.com/ebpf-reel/reel/format"
)

// Write writes the canonical text form of a reel: the same rows give the same bytes. An error among the rows does not
// keep those after it from being written: it is returned at the end, the first if there are several. An error of w ends
// the writing. Memory does not grow with the number of rows.
func Write(w io.Writer, m *format.Manifest, rows iter.Seq2[format.Row, error]) error {
	bw := bufio.NewWriterSize(w, 64<<10)
	line := appendHeader(nil, m)
	if _, err := bw.Write(line); err != nil {
		return err
	}
	var first error
	for row, err := range rows {
		if err == nil {
			line, err = AppendRow(line[:0], row)
		}
		if err != nil {
			first = cmp.Or(first, err)
			continue
		}
		if _, err := bw.Write(line); err != nil {
			return err
		}
	}
	return cmp.Or(bw.Flush(), first)
}

// AppendRow appends the canonical line of a row, newline included. It fails for a row of a table that the text form
// does not know.
func AppendRow(dst []byte, row format.Row) ([]byte, error) {
	t := tableByID(row.Table())
	if t == nil {
		return dst, fmt.Errorf("the text form has no table %d", row.Table())
	}
	dst = append(append(dst, t.name...), ' ')
	dst = appendSignedSeconds(dst, int64(row.At()))
	for i := range t.columns {
		if c := &t.columns[i]; !c.omit(row) {
			dst = c.write(dst, row)
		}
	}
	return append(dst, '\n'), nil
}

func appendHeader(dst []byte, m *format.Manifest) []byte {
	dst = append(append(dst, magic...), ' ')
	dst = append(strconv.AppendUint(dst, Version, 10), '\n')
	for i := range infoColumns {
		if c := &infoColumns[i]; !c.omit(m) {
			dst = append(c.write(append(dst, "info"...), m), '\n')
		}
	}
	return dst
}
