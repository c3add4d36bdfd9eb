package format_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/format/formattest"
)

// At every operation of a recording, a crash of the machine and a kill of the process leave a reel that opens: with all
// rows that were synced, or written, before it, each once, in order.
func TestCrashAtEveryOperation(t *testing.T) {
	type moment struct {
		op              string
		crashed, killed *formattest.FS
		synced, written int // rows known to be durable, or written, before the operation
	}
	var moments []moment
	var synced, written atomic.Int64
	fsys := formattest.New()
	fsys.Watch(func(op string, crashed, killed *formattest.FS) {
		moments = append(moments, moment{op, crashed, killed, int(synced.Load()), int(written.Load())})
	})
	w := create(t, fsys, format.WriterConfig{})
	for n := 1; n <= 35; n++ {
		if err := w.AppendRow(note(n)); err != nil {
			t.Fatal(err)
		}
		if n%3 == 0 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			written.Store(int64(n))
		}
		if n%perSegment == 1 && n > 1 {
			waitFor(t, "the seal", func() bool { return w.Stats().Segments == n/perSegment })
			synced.Store(int64(n - 1))
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	fsys.Watch(nil)
	check := func(what string, m moment, f *formattest.FS, least int) {
		r, err := format.Open(reelDir, format.OpenOptions{FS: f, Filter: format.NoFilter{}})
		if errors.Is(err, format.ErrNotReel) && least == 0 {
			return // before the manifest
		}
		if err != nil {
			t.Fatalf("%s after %q: %v", what, m.op, err)
		}
		defer r.Close()
		last := 0
		for row, err := range r.Rows(format.RowsOptions{}) {
			if err != nil {
				t.Fatalf("%s after %q: %v", what, m.op, err)
			}
			if n := int(row.(*format.Note).Count); n != last+1 {
				t.Fatalf("%s after %q: row %d follows %d", what, m.op, n, last)
			}
			last++
		}
		if last < least {
			t.Errorf("%s after %q: %d rows, %d were kept before", what, m.op, last, least)
		}
		for _, p := range r.Problems() {
			if p.Loss && p.Kind != format.ProblemTorn {
				t.Errorf("%s after %q: %v", what, m.op, p)
			}
		}
	}
	for _, m := range moments {
		check("crash", m, m.crashed, m.synced)
		check("kill", m, m.killed, m.written)
	}
	if len(moments) < 50 {
		t.Errorf("only %d operations were watched", len(moments))
	}
}

// A disk that is full stops the recording with a typed error, and takes nothing of what was sealed or written.
func TestDiskFull(t *testing.T) {
	for _, space := range []int64{0, 100, 700, 3000} { // in the journal, in a seal, in the manifest
		fsys := formattest.New()
		w := create(t, fsys, format.WriterConfig{})
		n := 0
		appendRows := func(count int) error {
			for range count {
				n++
				if err := w.AppendRow(note(n)); err != nil {
					return err
				}
			}
			return w.Flush()
		}
		if err := appendRows(perSegment + 1); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "a seal", func() bool { return w.Stats().Segments == 1 })
		fsys.SetSpace(space)
		var full *format.DiskFullError
		var err error
		waitFor(t, "a full disk", func() bool {
			err = appendRows(1)
			if err == nil {
				err = w.Stats().Err
			}
			return err != nil
		})
		if !errors.As(err, &full) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("space %d: %v", space, err)
		}
		if err := w.Close(); !errors.As(err, &full) {
			t.Errorf("space %d: Close: %v", space, err)
		}
		rows, problems := read(t, fsys)
		if len(rows) < perSegment+1 || !slices.Equal(rows, seq(1, len(rows))) {
			t.Errorf("space %d: rows %v survive", space, rows)
		}
		if !slices.ContainsFunc(problems, func(p format.Problem) bool { return p.Kind == format.ProblemUnclean }) {
			t.Errorf("space %d: problems %v", space, problems)
		}
	}
}

// A disk that is full for a while costs nothing once there is room again before the end.
func TestDiskFullForAWhile(t *testing.T) {
	fsys := formattest.New()
	w := create(t, fsys, format.WriterConfig{})
	fsys.Inject(formattest.Fault{Op: formattest.OpWrite, Match: ".parquet", Err: syscall.ENOSPC, Short: 7})
	for n := 1; n <= 25; n++ {
		if err := w.AppendRow(note(n)); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "a failed seal", func() bool { return w.Stats().Err != nil })
	fsys.Heal()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rows, problems := read(t, fsys)
	if !slices.Equal(rows, seq(1, 25)) || len(problems) > 0 {
		t.Errorf("rows %v, problems %v", rows, problems)
	}
}

// Faults of the file system never lose what was written, and are never passed over in silence.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault formattest.Fault
		rows  int // at least
	}{
		{"short write of a journal", formattest.Fault{Op: formattest.OpWrite, Match: "journal-000003", Short: 20}, 20},
		{"EIO in a journal", formattest.Fault{Op: formattest.OpWrite, Match: "journal-000002", Err: syscall.EIO}, 10},
		{"EIO in a table", formattest.Fault{Op: formattest.OpWrite, Match: "segment-000002.tmp", Err: syscall.EIO}, 25},
		{"fsync of a journal", formattest.Fault{Op: formattest.OpSync, Match: "journal-000001", Err: syscall.EIO}, 25},
		{"fsync of a table", formattest.Fault{Op: formattest.OpSync, Match: "segment-000001.tmp", Err: syscall.EIO}, 25},
		{"fsync of a directory", formattest.Fault{Op: formattest.OpSyncDir, Match: "segment-000001.tmp", Err: syscall.EIO}, 25},
		{"rename of a segment", formattest.Fault{Op: formattest.OpRename, Match: "segment-000001", Err: syscall.EIO}, 25},
		{"rename of the manifest", formattest.Fault{Op: formattest.OpRename, Match: "manifest.json", Err: syscall.EIO}, 25},
		{"reading a journal", formattest.Fault{Op: formattest.OpRead, Match: "journal-000002", Err: syscall.EIO, Skip: 1}, 25},
		{"creating a journal", formattest.Fault{Op: formattest.OpCreate, Match: "journal-000003", Err: syscall.EACCES}, 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fsys := formattest.New()
			w := create(t, fsys, format.WriterConfig{})
			fsys.Inject(tt.fault)
			var err error
			for n := 1; n <= 25 && err == nil; n++ {
				err = w.AppendRow(note(n))
			}
			if e := w.Close(); e == nil {
				t.Error("Close returns no error")
			}
			fsys.Heal()
			rows, problems := read(t, fsys)
			if len(rows) < tt.rows || !slices.Equal(rows, seq(1, len(rows))) {
				t.Errorf("rows %v", rows)
			}
			if len(problems) == 0 || problems[0].Kind != format.ProblemUnclean {
				t.Errorf("problems %v", problems)
			}
		})
	}
}

// A reader may open a reel at any time while it is recorded.
func TestOpenWhileRecording(t *testing.T) {
	fsys := formattest.New()
	w := create(t, fsys, format.WriterConfig{FlushInterval: time.Millisecond})
	done := make(chan error, 1)
	go func() {
		for n := 1; n <= 3000; n++ {
			if err := w.AppendRow(note(n)); err != nil {
				done <- err
				return
			}
		}
		done <- w.Close()
	}()
	last := 0
	for opened := 0; ; opened++ {
		r, err := format.Open(reelDir, format.OpenOptions{FS: fsys, Filter: format.NoFilter{}})
		if err != nil && strings.Contains(err.Error(), "changes faster") {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for row, err := range r.Rows(format.RowsOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; int(row.(*format.Note).Count) != n {
				t.Fatalf("row %v after %d rows", row, n)
			}
		}
		for _, p := range r.Problems() {
			if p.Loss && p.Kind != format.ProblemTorn {
				t.Error(p)
			}
		}
		clean := r.Manifest().Clean
		r.Close()
		if n < last {
			t.Fatalf("%d rows, %d before", n, last)
		}
		last = n
		if clean {
			break
		}
	}
	if err := <-done; err != nil || last != 3000 {
		t.Errorf("%d rows at the end, %v", last, err)
	}
}
