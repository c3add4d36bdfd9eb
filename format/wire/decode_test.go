package wire_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ebpf-reel/reel/format/wire"
)

// event makes the bytes of an io event with its payload.
func event(payload string, change func(*wire.IOEvent)) []byte {
	e := wire.IOEvent{
		H:          wire.EventHeader{TimeNS: 7, Seq: 3, Size: wire.IOEventSize + uint32(len(payload)), PID: 10, TID: 11, CPU: 1, Kind: wire.EventIO},
		DurationNS: 500, Sock: 0xfeedfacecafebeef, Inode: 99, Ret: int64(len(payload)), Seq: 1 << 31, SrttUS: 12, RttvarUS: 3,
		CapturedLen: uint32(len(payload)), FD: 5, Flags: wire.IOOffsetValid, Call: wire.CallRead, Dir: wire.DirRead, Family: 2,
		Lport: 80, Rport: 40000,
	}
	if change != nil {
		change(&e)
	}
	return append(e.Append(nil), payload...)
}

func TestDecodeReturnsWhatWasAppended(t *testing.T) {
	in := event("hello", nil)
	var e wire.Event
	if err := wire.Decode(in, &e); err != nil {
		t.Fatal(err)
	}
	if got := append(e.IO.Append(nil), e.Payload...); !bytes.Equal(got, in) {
		t.Errorf("appended again: % x, want % x", got, in)
	}
	if string(e.Payload) != "hello" || e.IO.Ret != 5 || e.IO.Sock != 0xfeedfacecafebeef || e.Header().TID != 11 {
		t.Errorf("decoded %+v payload %q", e.IO, e.Payload)
	}
}

func TestDecodeIgnoresWhatFollowsTheEvent(t *testing.T) {
	var e wire.Event
	if err := wire.Decode(append(event("hello", nil), make([]byte, 100)...), &e); err != nil || len(e.Payload) != 5 {
		t.Errorf("payload of %d bytes, error %v", len(e.Payload), err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, ev := range map[string][]byte{
		"nothing":              nil,
		"half a header":        event("", nil)[:16],
		"size past the end":    event("hello", func(e *wire.IOEvent) { e.H.Size++ }),
		"size below header":    event("", func(e *wire.IOEvent) { e.H.Size = 31 }),
		"size below struct":    event("", func(e *wire.IOEvent) { e.H.Size = 95 }),
		"unknown kind":         event("", func(e *wire.IOEvent) { e.H.Kind = 15 }),
		"kind zero":            event("", func(e *wire.IOEvent) { e.H.Kind = 0 }),
		"payload past the end": event("hello", func(e *wire.IOEvent) { e.CapturedLen = 6 }),
		"payload of 4 GiB":     event("hello", func(e *wire.IOEvent) { e.CapturedLen = 1<<32 - 1 }),
		"payload too short":    event("hello", func(e *wire.IOEvent) { e.CapturedLen = 4 }),
	} {
		var e wire.Event
		var want *wire.DecodeError
		if err := wire.Decode(ev, &e); !errors.As(err, &want) {
			t.Errorf("%s: error %v, want a DecodeError", name, err)
		}
	}
}

// Journals of earlier schema versions hold shorter structs: what they lack is zero, what follows them is found.
func TestDecodeTakesOlderStructs(t *testing.T) {
	const v1 = 96 // bytes of struct io_event in schema version 1
	whole := event("", func(e *wire.IOEvent) { e.H.Size, e.CapturedLen = v1+5, 5 })
	var e wire.Event
	if err := wire.Decode(append(whole[:v1:v1], "hello"...), &e); err != nil {
		t.Fatal(err)
	}
	if got := e.IO.Append(nil); !bytes.Equal(got[:v1], whole[:v1]) || len(bytes.Trim(got[v1:], "\x00")) != 0 || string(e.Payload) != "hello" {
		t.Errorf("decoded % x payload %q", got, e.Payload)
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	ev := event("hello", nil)
	var e wire.Event
	if n := testing.AllocsPerRun(1000, func() { _ = wire.Decode(ev, &e) }); n != 0 {
		t.Errorf("%v allocations per event", n)
	}
}

// FuzzDecode holds that what decodes without error is a faithful view of the bytes, and that nothing panics.
func FuzzDecode(f *testing.F) {
	f.Add(event("GET / HTTP/1.1\r\n\r\n", nil))
	f.Add(event("", func(e *wire.IOEvent) { e.H.Size = 1<<32 - 1 }))
	seeds, err := filepath.Glob("testdata/events/*.bin")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range seeds {
		b, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, ev []byte) {
		var e wire.Event
		if err := wire.Decode(ev, &e); err != nil {
			return
		}
		var again []byte
		switch e.Kind {
		case wire.EventIO:
			again = e.IO.Append(nil)
		case wire.EventIOMore:
			again = e.More.Append(nil)
		case wire.EventSock:
			again = e.Sock.Append(nil)
		case wire.EventProc:
			again = e.Proc.Append(nil)
		}
		again = again[:int(e.Header().Size)-len(e.Payload)] // an older struct is shorter
		again = append(again, e.Payload...)
		if !bytes.Equal(again, ev[:e.Header().Size]) {
			t.Errorf("appended again: % x, want % x", again, ev)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	ev := event("GET / HTTP/1.1\r\nHost: a\r\n\r\n", nil)
	var e wire.Event
	b.SetBytes(int64(len(ev)))
	b.ReportAllocs()
	for b.Loop() {
		if err := wire.Decode(ev, &e); err != nil {
			b.Fatal(err)
		}
	}
}
