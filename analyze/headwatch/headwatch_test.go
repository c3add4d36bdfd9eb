package headwatch

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format"
)

const ms = format.KTime(time.Millisecond)

var _ format.HeadWatcher = (*Watcher)(nil)

// end is one end of a connection whose calls a watcher sees.
type end struct {
	w      *Watcher
	socket format.SocketID
	client bool
	last   format.Direction
}

func server(w *Watcher, socket format.SocketID) *end { return &end{w: w, socket: socket} }

// call makes the call that a kernel would record: at is its exit.
func (e *end) call(at format.KTime, dir format.Direction, text string) *format.HeadCall {
	c := &format.HeadCall{Time: at, Duration: 1, Socket: e.socket, Inode: format.Inode(e.socket + 1), Dir: dir, LPort: 8080, RPort: 50000, Moved: int64(len(text)), Bytes: []byte(text)}
	if e.client {
		c.LPort, c.RPort = 50000, 8080
	}
	if dir != e.last {
		c.Flags |= format.IOMsgStart
	}
	e.last = dir
	return c
}

func (e *end) in(at format.KTime, text string)  { e.w.Call(e.call(at, format.Read, text)) }
func (e *end) out(at format.KTime, text string) { e.w.Call(e.call(at, format.Write, text)) }

const (
	get  = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
	ok   = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	oops = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
)

func TestCounts(t *testing.T) {
	for _, c := range []struct {
		name      string
		do        func(e *end)
		responses uint64
		errors    uint64
		mean      time.Duration
	}{
		{"keep-alive", func(e *end) {
			e.in(10*ms, get)
			e.out(15*ms, ok)
			e.in(20*ms, get)
			e.out(35*ms, oops)
		}, 2, 1, 10 * time.Millisecond},
		{"a body that looks like a status line", func(e *end) {
			e.in(10*ms, get)
			e.out(12*ms, ok)
			e.out(13*ms, oops)
			e.out(14*ms, oops)
		}, 1, 0, 2 * time.Millisecond},
		{"an upload that looks like a request", func(e *end) {
			e.in(10*ms, "POST /a HTTP/1.1\r\nContent-Length: 99\r\n\r\n")
			e.in(11*ms, get)
			e.out(20*ms, ok)
			e.out(21*ms, oops)
		}, 1, 0, 10 * time.Millisecond},
		{"interim responses", func(e *end) {
			e.in(10*ms, "POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
			e.out(11*ms, "HTTP/1.1 100 Continue\r\n\r\n")
			e.in(12*ms, "abc")
			e.out(13*ms, "HTTP/1.1 103 Early Hints\r\n\r\n")
			e.out(14*ms, oops)
		}, 1, 1, 4 * time.Millisecond},
		{"upgrade", func(e *end) {
			e.in(10*ms, get)
			e.out(11*ms, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			e.in(12*ms, get)
			e.out(13*ms, oops)
		}, 1, 0, time.Millisecond},
		{"a response whose request was before the capture", func(e *end) {
			e.out(10*ms, oops)
			e.in(20*ms, get)
			e.out(21*ms, ok)
		}, 1, 0, time.Millisecond},
		{"a request without response", func(e *end) {
			e.in(10*ms, get)
			e.out(11*ms, "garbage")
			e.in(500*ms, get)
			e.out(501*ms, ok)
		}, 1, 0, time.Millisecond},
		{"blank lines before a request", func(e *end) {
			e.in(10*ms, "\r\n"+get)
			e.out(11*ms, "\r\n"+oops)
		}, 1, 1, time.Millisecond},
		{"not HTTP", func(e *end) {
			e.in(10*ms, "*1\r\n$4\r\nPING\r\n")
			e.out(11*ms, "+PONG\r\n")
			e.in(12*ms, "HELO x\r\n")
			e.out(13*ms, "HTTP is not spoken here\r\n")
		}, 0, 0, 0},
		{"rings drained late: the response comes first", func(e *end) {
			request, response := e.call(10*ms, format.Read, get), e.call(13*ms, format.Write, oops)
			e.w.Call(response)
			e.w.Call(request)
		}, 1, 1, 3 * time.Millisecond},
		{"rings drained late: the next request comes before the response", func(e *end) {
			first, answer := e.call(10*ms, format.Read, get), e.call(12*ms, format.Write, ok)
			second, last := e.call(20*ms, format.Read, get), e.call(26*ms, format.Write, oops)
			for _, c := range []*format.HeadCall{first, second, answer, last} {
				e.w.Call(c)
			}
		}, 2, 1, 4 * time.Millisecond},
	} {
		w := New([]format.HeadScope{{}})
		c.do(server(w, 7))
		got := w.Take(0)
		if got.Responses != c.responses || got.Errors != c.errors || (got.Mean-c.mean).Abs() > time.Microsecond {
			t.Errorf("%s: %+v, want %d responses, %d errors, mean %v", c.name, got, c.responses, c.errors, c.mean)
		}
		if again := w.Take(0); again != (format.HeadCounts{}) {
			t.Errorf("%s: taken twice: %+v", c.name, again)
		}
	}
}

func TestScopes(t *testing.T) {
	w := New([]format.HeadScope{{}, {Client: true}, {Port: 8080}, {Port: 81}, {Path: "/pay"}, {Client: true, Port: 8080, Path: "/a"}})
	s := server(w, 1)
	for i, target := range []string{"/pay/1", "/a", "http://x/pay", "http://x", "*"} {
		at := format.KTime(i+1) * 10 * ms
		s.in(at, "GET "+target+" HTTP/1.1\r\n\r\n")
		s.out(at+ms, ok)
	}
	c := &end{w: w, socket: 2, client: true}
	c.out(100*ms, get)
	c.in(150*ms, oops)
	var got []uint64
	for i := range w.scopes {
		got = append(got, w.Take(i).Responses)
	}
	if want := "[5 1 5 0 2 1]"; fmt.Sprint(got) != want {
		t.Errorf("responses by scope: %v, want %v", got, want)
	}
	if got := w.Take(99); got != (format.HeadCounts{}) {
		t.Errorf("of no scope: %+v", got)
	}
}

// The client's time is from its write to its read; p99 is within a percent.
func TestTimes(t *testing.T) {
	w := New([]format.HeadScope{{Client: true}})
	c := &end{w: w, socket: 2, client: true}
	for i := range 1000 {
		at := format.KTime(i+1) * 1000 * ms
		took := 10 * ms
		if i%50 == 0 { // 2 %
			took = 700 * ms
		}
		c.out(at, get)
		c.in(at+took, ok)
	}
	got := w.Take(0)
	if got.Responses != 1000 || (got.Mean-23800*time.Microsecond).Abs() > 10*time.Microsecond || got.P99 < 693*time.Millisecond || got.P99 > 707*time.Millisecond {
		t.Errorf("%+v", got)
	}
}

// Of few times the 99th percentile is the longest; of a hundred the last but one.
func TestP99IsANearestRank(t *testing.T) {
	for _, n := range []int{1, 2, 3, 50, 99, 100, 101} {
		w := New([]format.HeadScope{{}})
		s := server(w, 1)
		for i := 1; i <= n; i++ { // the i-th takes i × 10 ms
			at := format.KTime(i) * 10_000 * ms
			s.in(at, get)
			s.out(at+format.KTime(i)*10*ms, ok)
		}
		want := time.Duration(n) * 10 * time.Millisecond
		if n >= 100 {
			want -= 10 * time.Millisecond
		}
		if got := w.Take(0).P99; (got - want).Abs() > want/90 {
			t.Errorf("of %d: %v, want %v", n, got, want)
		}
	}
}

func TestBlind(t *testing.T) {
	w := New([]format.HeadScope{{}})
	tls := server(w, 1)
	for i := range 5 {
		tls.in(format.KTime(i+1)*10*ms, "\x16\x03\x01\x00\x05hello")
		tls.out(format.KTime(i+1)*10*ms+ms, "\x17\x03\x03\x00\x05hello")
	}
	h2 := server(w, 2)
	h2.in(ms, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	h2.out(ms, "\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	cut := server(w, 3).call(ms, format.Read, get)
	cut.Bytes = nil
	w.Call(cut)
	if got := w.Blind(); got.TLS != 1 || got.HTTP2 != 1 || got.NoBytes != 1 || got.Evicted+got.Unpaired != 0 {
		t.Errorf("%+v", got)
	}
}

// More connections than there are places: what is forgotten is counted, and a connection that ended holds no place.
func TestBounded(t *testing.T) {
	w := New([]format.HeadScope{{}})
	const n = 3 * connections
	ends := make([]*end, n)
	for i := range ends {
		ends[i] = server(w, format.SocketID(i+1))
		ends[i].in(format.KTime(i+1)*ms, get)
	}
	evicted := w.Blind().Evicted
	for i, e := range ends {
		e.out(format.KTime(n+i+1)*ms, ok)
	}
	if got := w.Take(0).Responses; got+evicted != n || got < connections/2 {
		t.Errorf("%d responses and %d forgotten of %d", got, evicted, n)
	}
	w = New([]format.HeadScope{{}})
	for i := range n {
		e := server(w, format.SocketID(i+1))
		e.in(format.KTime(i+1)*ms, get)
		w.Gone(e.socket)
	}
	if got := w.Blind(); got.Evicted != 0 {
		t.Errorf("ended connections hold places: %+v", got)
	}
}

// Whatever comes: no panic, no time that is negative, never more responses than status lines.
func FuzzCalls(f *testing.F) {
	f.Add([]byte("\x00"+get), []byte("\x01"+ok), []byte("\x01\r\nHTTP/1.1 999"))
	f.Add([]byte("\x02PRI * HTTP/2.0\r\n"), []byte("\x03\x16\x03\x01\x00\x05"), []byte("\x01HTTP/1.1 500\n"))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		w := New([]format.HeadScope{{}, {Client: true}, {Path: "/a"}})
		r := rand.New(rand.NewPCG(uint64(len(a)), uint64(len(b))))
		lines := uint64(0)
		for range 50 {
			text := [][]byte{a, b, c}[r.IntN(3)]
			if len(text) == 0 {
				continue
			}
			call := &format.HeadCall{Time: format.KTime(r.Int64N(100)), Duration: time.Duration(r.Int64N(30) - 1), Socket: format.SocketID(r.IntN(3)),
				Dir: format.Direction(1 + text[0]&1), Flags: format.IOFlags(text[0])&(format.IOMsgStart|format.IOPeek) ^ format.IOMsgStart, Moved: 1, Bytes: text[1:]}
			lines++
			w.Call(call)
		}
		for i := range w.scopes {
			got := w.Take(i)
			if got.Responses > lines || got.Errors > got.Responses || got.Mean < 0 || got.P99 < 0 {
				t.Fatalf("%+v", got)
			}
		}
	})
}

func BenchmarkExchange(b *testing.B) {
	w := New([]format.HeadScope{{}, {Path: "/a"}})
	ends := make([]*end, 256)
	for i := range ends {
		ends[i] = server(w, format.SocketID(i+1))
	}
	request, response, body := ends[0].call(ms, format.Read, get), ends[0].call(2*ms, format.Write, ok), ends[0].call(2*ms, format.Write, "{\"a\": 1}")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		at := format.KTime(i+1) * ms
		for _, c := range []*format.HeadCall{request, response, body} {
			c.Socket, c.Inode = format.SocketID(i&255), format.Inode(i&255)
			c.Time = at
			at += 100
			w.Call(c)
		}
		if i%10000 == 0 {
			w.Take(0)
			w.Take(1)
		}
	}
}

func TestCallAllocatesNothing(t *testing.T) {
	w := New([]format.HeadScope{{}})
	e := server(w, 1)
	request, response := e.call(ms, format.Read, get), e.call(2*ms, format.Write, ok)
	w.Call(request)
	w.Call(response) // the sketch takes its memory at its first values
	if n := testing.AllocsPerRun(1000, func() { w.Call(request); w.Call(response) }); n > 0 {
		t.Errorf("%v allocations for an exchange", n)
	}
}
