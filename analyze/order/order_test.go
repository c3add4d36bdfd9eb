package order_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze/order"
	"github.com/ebpf-reel/reel/format"
)

// collect runs rows through a window and returns what comes out, with payloads.
func collect(t *testing.T, l order.Limits, rows []format.Row) ([]string, *order.Window) {
	t.Helper()
	var out []string
	w := order.New(l, func(at format.KTime, row format.Row) error {
		switch r := row.(type) {
		case *format.IO:
			out = append(out, fmt.Sprintf("%d io %d %s", at, r.TID, r.Payload))
		case *format.Socket:
			out = append(out, fmt.Sprintf("%d socket %v", at, r.Op))
		}
		return nil
	})
	for _, r := range rows {
		if err := w.Push(r); err != nil {
			t.Fatal(err)
		}
		if io, ok := r.(*format.IO); ok {
			clear(io.Payload) // belongs to the caller
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out, w
}

func io(at format.KTime, tid format.TID, d format.Direction, dur time.Duration) *format.IO {
	return &format.IO{Time: at, TID: tid, Dir: d, Duration: dur, Payload: fmt.Appendf(nil, "p%d", at)}
}

func TestWritesCountFromTheirEntry(t *testing.T) {
	got, _ := collect(t, order.Limits{}, []format.Row{
		io(20e6, 2, format.Read, 19e6),   // read the answer
		io(30e6, 1, format.Write, 25e6),  // of what was written before
		io(900e6, 3, format.Write, 8e12), // blocked for hours: counts from half a window before its end
		io(901e6, 3, format.Write, -1),   // its duration is not known
		&format.Socket{Time: 901e6, Op: format.SockClose},
		&format.Socket{Time: 901e6, Op: format.SockAccept},
	})
	want := []string{"5000000 io 1 p30000000", "20000000 io 2 p20000000", "850000000 io 3 p900000000", "901000000 socket accept",
		"901000000 io 3 p901000000", "901000000 socket close"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// Rows out of order within the span come out the same; later ones are counted, and not dropped.
func TestSpan(t *testing.T) {
	var rows []format.Row
	for i := range 2000 {
		rows = append(rows, io(format.KTime(1e9+i*1000), format.TID(i), format.Read, 0))
	}
	fresh := func() []format.Row {
		out := make([]format.Row, len(rows))
		for i, r := range rows {
			c := *r.(*format.IO)
			c.Payload = append([]byte(nil), c.Payload...)
			out[i] = &c
		}
		return out
	}
	want, w := collect(t, order.Limits{}, fresh())
	if w.TooLate() != 0 {
		t.Fatalf("%d rows late", w.TooLate())
	}
	shuffled := fresh()
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	got, _ := collect(t, order.Limits{}, shuffled)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Error("shuffled rows come out in another order")
	}
	got, w = collect(t, order.Limits{Span: 100 * time.Microsecond}, shuffled)
	if len(got) != len(rows) || w.TooLate() == 0 {
		t.Errorf("%d rows of %d, %d late", len(got), len(rows), w.TooLate())
	}
}

// The number of rows and the bytes that are kept are bounded: rows are given out early, and that is counted.
func TestBounds(t *testing.T) {
	var rows []format.Row
	for i := range 1000 {
		rows = append(rows, io(format.KTime(1e9+i), 1, format.Read, 0))
	}
	for _, l := range []order.Limits{{Rows: 10}, {Bytes: 100}} {
		kept := 0
		w := order.New(l, func(format.KTime, format.Row) error {
			kept--
			return nil
		})
		for _, r := range rows {
			kept++
			if err := w.Push(r); err != nil {
				t.Fatal(err)
			}
			if kept > 12 {
				t.Fatalf("%+v: %d rows are kept", l, kept)
			}
		}
		if w.Shortened() == 0 {
			t.Errorf("%+v: nothing is said of it", l)
		}
	}
}

// Once it has its memory, a window allocates nothing for a row.
func TestAllocations(t *testing.T) {
	w := order.New(order.Limits{Span: time.Millisecond}, func(format.KTime, format.Row) error { return nil })
	r := io(1e9, 1, format.Read, 0)
	push := func() {
		r.Time += 1000
		if err := w.Push(r); err != nil {
			t.Fatal(err)
		}
	}
	for range 10_000 {
		push()
	}
	if n := testing.AllocsPerRun(10_000, push); n > 0 {
		t.Errorf("%v allocations a row", n)
	}
}
