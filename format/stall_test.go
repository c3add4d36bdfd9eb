package format_test

import (
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/format/formattest"
)

// stallFS is a disk that makes the next write wait once it is told to, and end as it is told.
type stallFS struct {
	*formattest.FS
	stall   atomic.Bool
	begun   chan struct{} // closed when the write waits
	proceed chan error    // what the write ends with
	stalled *stallFile
	later   atomic.Int32 // writes of that file after it
}

type stallFile struct {
	format.AppendFile
	fs *stallFS
}

func newStallFS() *stallFS {
	return &stallFS{FS: formattest.New(), begun: make(chan struct{}), proceed: make(chan error)}
}

func (f *stallFS) Create(name string) (format.AppendFile, error) {
	file, err := f.FS.Create(name)
	return &stallFile{file, f}, err
}

func (f *stallFile) Write(p []byte) (int, error) {
	if f.fs.stall.CompareAndSwap(true, false) {
		f.fs.stalled = f
		close(f.fs.begun)
		if err := <-f.fs.proceed; err != nil {
			return 0, err
		}
	} else if f.fs.stalled == f {
		f.fs.later.Add(1)
	}
	return f.AppendFile.Write(p)
}

// within fails the test if what is waited for does not come: a deadlock, or a wait for the disk.
func within[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: not within 30 s", what)
	}
	return v
}

func background(work func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	return done
}

// stalled returns a writer whose disk keeps the flush of its first note waiting.
func stalled(t *testing.T) (*stallFS, *format.Writer, <-chan error) {
	fsys := newStallFS()
	w := create(t, fsys, format.WriterConfig{SegmentBytes: 16 << 20, SegmentTime: time.Hour, FlushInterval: time.Hour})
	if err := w.AppendRow(note(1)); err != nil {
		t.Fatal(err)
	}
	fsys.stall.Store(true)
	flushed := background(w.Flush)
	within(t, fsys.begun, "a write")
	return fsys, w, flushed
}

func appendNotes(w *format.Writer, from, to int) error {
	for n := from; n <= to; n++ {
		if err := w.AppendRow(note(n)); err != nil {
			return err
		}
	}
	return nil
}

// While the disk makes a write wait, rows are appended and the state can be read: a budget is kept by both. What was appended
// meanwhile stands behind, and a flush waits for what was before it.
func TestAppendWhileTheDiskStalls(t *testing.T) {
	const all = 1000
	fsys, w, first := stalled(t)
	if err := within(t, background(func() error { return appendNotes(w, 2, all) }), "append beside a write"); err != nil {
		t.Fatal(err)
	}
	if s := w.Stats(); s.Frames != all || s.Err != nil {
		t.Errorf("%d frames, %v", s.Frames, s.Err)
	}
	second := background(w.Flush)
	select {
	case err := <-first:
		t.Errorf("a flush ended before its write: %v", err)
	case err := <-second:
		t.Errorf("a flush ended before the write that it stands behind: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	fsys.proceed <- nil
	for _, c := range []<-chan error{first, second} {
		if err := within(t, c, "flush"); err != nil {
			t.Error(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if rows, problems := read(t, fsys); !slices.Equal(rows, seq(1, all)) || len(problems) > 0 {
		t.Errorf("%d rows, %v", len(rows), problems)
	}
}

// A write that fails is the last of its journal, also when another waits behind it: a frame after a hole would be lost with it.
func TestNothingFollowsAFailedWrite(t *testing.T) {
	fsys, w, first := stalled(t)
	full := background(func() error { return appendNotes(w, 2, 1<<20) }) // both buffers, then it waits
	select {
	case err := <-full:
		t.Fatalf("appended more than two buffers hold: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	fsys.proceed <- syscall.EIO
	for _, c := range []<-chan error{first, full} {
		if err := within(t, c, "the error"); err == nil {
			t.Error("no error")
		}
	}
	if err := w.Close(); err == nil {
		t.Error("Close says nothing")
	}
	if n := fsys.later.Load(); n > 0 {
		t.Errorf("%d writes after the one that failed", n)
	}
}
