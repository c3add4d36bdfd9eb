package format

import (
	"bytes"
	"errors"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format/wire"
)

func moreEvent(io wire.IOEvent, offset int, payload []byte) []byte {
	e := wire.IOMoreEvent{H: io.H, Sock: io.Sock, Offset: uint32(offset), CapturedLen: uint32(len(payload))}
	e.H.Kind = wire.EventIOMore
	e.H.Size = uint32(wire.IOMoreEventSize + len(payload))
	return append(e.Append(nil), payload...)
}

func sampleIO(time uint64, cpu uint16) wire.IOEvent {
	return wire.IOEvent{H: wire.EventHeader{TimeNS: time, PID: 7, TID: 8, CPU: cpu}, DurationNS: 5, Sock: 9, Inode: 10, Ret: 9000,
		Seq: 11, SrttUS: 12, RttvarUS: 13, FD: 14, Flags: uint16(IOOffsetValid), Call: wire.CallRead, Dir: 1, Family: 2, Lport: 80, Rport: 81}
}

// Chunks come back to their io, whatever other CPUs wrote between them; what is missing ends the bytes, and says so.
func TestChunks(t *testing.T) {
	part := func(c byte, n int) []byte { return bytes.Repeat([]byte{c}, n) }
	whole, other := sampleIO(100, 1), sampleIO(101, 2)
	whole.More = 2
	lost, last := sampleIO(102, 1), sampleIO(103, 1)
	lost.More, last.More = 3, 1
	events := [][]byte{
		ioEvent(whole, part('a', 10)),
		ioEvent(other, part('o', 3)),
		moreEvent(whole, 10, part('b', 20)),
		moreEvent(other, 3, part('?', 5)), // it announced none
		moreEvent(whole, 30, part('c', 30)),
		ioEvent(lost, part('a', 10)),
		moreEvent(lost, 10, part('b', 10)),
		moreEvent(lost, 30, part('d', 10)), // the one before it was lost
		moreEvent(whole, 60, part('?', 5)), // an orphan: its io is not the last of the CPU
		ioEvent(last, part('a', 4)),        // and no chunk
	}
	want := []struct {
		payload string
		cut     Cut
	}{
		{string(part('a', 10)) + string(part('b', 20)) + string(part('c', 30)), CutNone},
		{"ooo", CutNone},
		{string(part('a', 10)) + string(part('b', 10)), CutLost},
		{"aaaa", CutLost},
	}
	for _, sealed := range []bool{true, false} {
		dir := filepath.Join(t.TempDir(), "a.reel")
		w := testWriter(t, dir, WriterConfig{})
		for _, ev := range events {
			if err := w.AppendEvent(ev); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if sealed {
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		} else {
			defer w.Close()
		}
		rows, errs, _ := openAll(t, dir, OpenOptions{Filter: NoFilter{}})
		if len(errs) > 0 || len(rows) != len(want) {
			t.Fatalf("%d rows, %v", len(rows), errs)
		}
		for i, w := range want {
			r := rows[i].(*IO)
			if string(r.Payload) != w.payload || r.Cut != w.cut || int(r.Captured) != len(w.payload) {
				t.Errorf("sealed %v: io %d has %q, captured %d, cut %v; want %q, %v", sealed, i, r.Payload, r.Captured, r.Cut, w.payload, w.cut)
			}
		}
	}
}

// A rotation waits for the chunks of an io, so that both are in one segment.
func TestRotationKeepsChunksTogether(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a.reel")
	w := testWriter(t, dir, WriterConfig{SegmentBytes: 4000})
	const ios = 50
	for i := range ios {
		io := sampleIO(uint64(100+i), uint16(i%2))
		io.More = 2
		between := sampleIO(uint64(100+i), 5)
		for _, ev := range [][]byte{
			ioEvent(io, make([]byte, 100)),
			ioEvent(between, nil),
			moreEvent(io, 100, make([]byte, 300)),
			moreEvent(io, 400, make([]byte, 200)),
		} {
			if err := w.AppendEvent(ev); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rows, errs, problems := openAll(t, dir, OpenOptions{})
	if len(errs)+len(problems) > 0 || len(rows) != 2*ios {
		t.Fatalf("%d rows, %v %v", len(rows), errs, problems)
	}
	for _, row := range rows {
		if r := row.(*IO); r.CPU != 5 && (len(r.Payload) != 600 || r.Cut != CutNone) {
			t.Errorf("an io has %d bytes, cut %v", len(r.Payload), r.Cut)
		}
	}
}

// secretFilter replaces a word, as the masking of credentials does.
type secretFilter struct{ seen map[KTime]bool }

func (*secretFilter) Version() string { return "secret/1" }
func (*secretFilter) Fresh() Filter   { return &secretFilter{seen: map[KTime]bool{}} }
func (f *secretFilter) Apply(row Row) {
	if io, ok := row.(*IO); ok {
		f.seen[io.Time] = true
		if i := bytes.Index(io.Payload, []byte("hunter2")); i >= 0 {
			copy(io.Payload[i:], "*******")
			io.Flags |= IOMasked
		}
	}
}

// A secret is in no sealed file, and comes out of a tail only if it is asked for.
func TestSecretsStayIn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a.reel")
	w := testWriter(t, dir, WriterConfig{Filter: (&secretFilter{}).Fresh()})
	io := ioEvent(sampleIO(1, 0), []byte("Authorization: hunter2\r\n"))
	args := &Process{Time: 2, Op: ProcExec, Args: []string{"curl", "-u", "me:hunter2"}}
	if err := w.AppendEvent(io); err != nil {
		t.Fatal(err)
	}
	if err := w.AppendRow(args); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	text := func(opts OpenOptions) string {
		rows, errs, problems := openAll(t, dir, opts)
		if len(errs) > 0 || len(rows) != 2 {
			t.Fatalf("%d rows, %v", len(rows), errs)
		}
		if opts.Filter == nil && problems[len(problems)-1].Kind != ProblemWithheld {
			t.Errorf("nothing says that the tail is withheld: %v", problems)
		}
		return string(rows[0].(*IO).Payload) + strings.Join(rows[1].(*Process).Args, " ")
	}
	if s := text(OpenOptions{}); s != "" {
		t.Errorf("without a filter: %q", s)
	}
	if s := text(OpenOptions{Filter: NoFilter{}}); strings.Count(s, "hunter2") != 2 {
		t.Errorf("with NoFilter: %q", s)
	}
	for range 2 { // each pass starts with a fresh filter
		if s := text(OpenOptions{Filter: (&secretFilter{}).Fresh()}); !strings.HasPrefix(s, "Authorization: *******") {
			t.Errorf("with a filter: %q", s)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rows, _, _ := openAll(t, dir, OpenOptions{})
	r := rows[0].(*IO)
	if string(r.Payload) != "Authorization: *******\r\n" || r.Flags&IOMasked == 0 {
		t.Errorf("sealed: %q %v", r.Payload, r.Flags)
	}
}

// One CPU or several, and rows of several tables and overlapping segments: one order.
func TestDeterminism(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a.reel")
	w := testWriter(t, dir, WriterConfig{SegmentBytes: 100_000})
	n := 0
	err := nginxTraffic(5000, func(ev []byte) error {
		if n++; n%50 == 0 {
			if err := w.AppendRow(&Ring{Time: KTime(5_000_000_000_000 + n*4000), CPU: 1}); err != nil {
				return err
			}
		}
		return w.AppendEvent(ev)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want, _, problems := openAll(t, dir, OpenOptions{})
	if len(want) != 10_000+200 || len(problems) > 0 {
		t.Fatalf("%d rows, %v", len(want), problems)
	}
	for i := 1; i < len(want); i++ {
		if want[i].At() < want[i-1].At() {
			t.Fatalf("row %d is out of order", i)
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	got, _, _ := openAll(t, dir, OpenOptions{})
	if len(got) != len(want) {
		t.Fatalf("%d rows on one CPU, %d on several", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("row %d is %+v on one CPU, %+v on several", i, got[i], want[i])
		}
	}
}

// What a row cannot say in its column is an error of that row alone.
func TestRowErrors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a.reel")
	w := testWriter(t, dir, WriterConfig{})
	var rowErr *RowError
	if err := w.AppendRow(&IO{Payload: make([]byte, maxBody)}); !errors.As(err, &rowErr) || rowErr.Column != "payload" {
		t.Errorf("16 MiB of payload: %v", err)
	}
	if err := w.AppendRow(&Process{Args: make([]string, maxArgs+1)}); !errors.As(err, &rowErr) || rowErr.Column != "args" {
		t.Errorf("too many arguments: %v", err)
	}
	if err := w.AppendEvent(make([]byte, 8)); err == nil {
		t.Error("a record of 8 bytes is taken")
	}
	if err := w.AppendRow(&Note{Time: 1}); err != nil {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.AppendRow(&Note{}); err == nil {
		t.Error("a closed reel takes rows")
	}
}

// Quiet reels are sealed by time.
func TestSegmentTime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a.reel")
	w := testWriter(t, dir, WriterConfig{FlushInterval: time.Millisecond, SegmentTime: time.Millisecond})
	if err := w.AppendRow(&Note{Time: 1}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); w.Stats().Segments == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("not sealed in 30 s")
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
