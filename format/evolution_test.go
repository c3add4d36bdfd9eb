package format

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// A file of an older schema version lacks the columns that came later: its rows have NULL or zero there. The same file with
// a version that should have them is damaged.
func TestColumnsThatAFileIsTooOldFor(t *testing.T) {
	def := clockTable
	var out bytes.Buffer
	w := newTableWriter(&def, fileID{uuid: "6b3a9e2c-51d7-4f0e-8a4b-0c9d8e7f6a5b", segment: 1}, newHashWriter(&out))
	if err := w.write([]Clock{{Time: 7, Boottime: 9, Width: time.Microsecond}}); err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	open := func(since int) (*tableReader[Clock], error) {
		pf, err := openParquet(newMemFile(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		later := def
		later.cols = append(append([]column[Clock]{}, def.cols...),
			number("later_ns", "", plain, func(r *Clock) *time.Duration { return &r.Width }).or(-1).since(since))
		return newTableReader(&later, pf)
	}
	r, err := open(SchemaVersion + 1)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]Clock, 2)
	if n, err := r.read(rows); err != nil || n != 1 || rows[0].Time != 7 || rows[0].Width != -1 {
		t.Errorf("%d rows, the first %+v, error %v", n, rows[0], err)
	}
	if _, err := open(SchemaVersion); err == nil || !strings.Contains(err.Error(), "later_ns is missing") {
		t.Errorf("a column of version %d: %v", SchemaVersion, err)
	}
}
