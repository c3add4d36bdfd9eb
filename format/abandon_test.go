package format_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/format/formattest"
)

// stuckWorker seals nothing until it is aborted.
type stuckWorker struct {
	begun   chan struct{} // one token for each journal
	aborted chan struct{}
	closed  bool
}

func (w *stuckWorker) Seal(number int) (format.Segment, error) {
	w.begun <- struct{}{}
	<-w.aborted
	return format.Segment{}, &format.WorkerError{Journal: number, Err: errors.New("aborted")}
}

func (w *stuckWorker) Hurry(bool)            {}
func (w *stuckWorker) Helpers() []format.PID { return nil }
func (w *stuckWorker) Abort()                { close(w.aborted) }
func (w *stuckWorker) Close()                { w.closed = true }

// A writer that is told not to wait for the seal leaves journals that hold every row, says so in the reel, and can be recovered.
func TestAbandonedWriterLosesNoRow(t *testing.T) {
	for _, early := range []bool{false, true} {
		fsys := formattest.New()
		worker := &stuckWorker{begun: make(chan struct{}, 10), aborted: make(chan struct{})}
		w := create(t, fsys, format.WriterConfig{Worker: worker})
		for n := 1; n <= 25; n++ {
			if err := w.AppendRow(note(n)); err != nil {
				t.Fatal(err)
			}
		}
		<-worker.begun
		closed := make(chan error)
		if !early {
			go func() { closed <- w.Close() }()
		}
		w.Abandon("told so")
		if early {
			go func() { closed <- w.Close() }()
		}
		err := <-closed
		var unsealed *format.UnsealedError
		if !errors.As(err, &unsealed) || unsealed.Journals != 3 || err.Error() != "3 journals are not sealed: told so" {
			t.Fatalf("early %v: Close says %v", early, err)
		}
		if !worker.closed {
			t.Error("the worker is not closed")
		}
		rows, problems := read(t, fsys)
		if !slices.Equal(rows, seq(1, 25)) {
			t.Errorf("early %v: the reel holds %v", early, rows)
		}
		if !slices.ContainsFunc(problems, func(p format.Problem) bool {
			return p.Kind == format.ProblemUnclean && strings.Contains(p.Message, "3 journals are not sealed: told so")
		}) {
			t.Errorf("early %v: it says %v", early, problems)
		}
		if _, err := format.Recover(reelDir, format.RecoverOptions{FS: fsys, Filter: func(*format.Manifest) (format.Filter, error) { return format.NoFilter{}, nil }}); err != nil {
			t.Fatal(err)
		}
		if rows, problems = read(t, fsys); !slices.Equal(rows, seq(1, 25)) || len(problems) != 1 || problems[0].Kind != format.ProblemRecovered {
			t.Errorf("early %v: recovered it holds %v, and says %v", early, rows, problems)
		}
	}
}

// Told so when nothing is left to seal, it ends as ever.
func TestAbandonedTooLate(t *testing.T) {
	fsys := formattest.New()
	w := create(t, fsys, format.WriterConfig{})
	if err := w.AppendRow(note(1)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Abandon("too late")
	if _, problems := read(t, fsys); len(problems) != 0 {
		t.Errorf("it says %v", problems)
	}
	w = create(t, formattest.New(), format.WriterConfig{})
	w.Abandon("nothing was written")
	if err := w.Close(); err != nil {
		t.Errorf("an empty reel: %v", err)
	}
}
