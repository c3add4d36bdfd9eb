package analyze_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// rowsFunc is a reel that is made as it is read.
type rowsFunc func(yield func(format.Row) bool)

func (rowsFunc) Manifest() *format.Manifest { return &format.Manifest{Clean: true} }
func (rowsFunc) Problems() []format.Problem { return nil }
func (f rowsFunc) Rows(opts format.RowsOptions) iter.Seq2[format.Row, error] {
	return func(yield func(format.Row, error) bool) {
		if slices.Contains(opts.Tables, format.TableIO) {
			f(func(r format.Row) bool { return yield(r, nil) })
		}
	}
}

// watch is a sink that counts, and notes how large the heap gets.
type watch struct {
	counter
	calls int
	peak  uint64
}

func (w *watch) look() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w.peak = max(w.peak, m.HeapAlloc)
}

func (w *watch) Connection(c *facts.Connection) error {
	if w.calls++; w.calls%100_000 == 1 {
		w.look()
	}
	return w.counter.Connection(c)
}

func (w *watch) Exchange(x *facts.Exchange) error {
	if w.calls++; w.calls%100_000 == 1 {
		w.look()
	}
	return w.counter.Exchange(x)
}

// maxHeap is what an analysis may use, whatever it is fed.
const maxHeap = 512 << 20

func analyzeHostile(t *testing.T, rows rowsFunc) (*watch, *analyze.Result) {
	t.Helper()
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(analyze.MemoryLimit))
	runtime.GC()
	var w watch
	stream := func(yield func(format.Row) bool) {
		n := 0
		rows(func(r format.Row) bool {
			if n++; n%100_000 == 0 {
				w.look()
			}
			return yield(r)
		})
	}
	res, err := analyze.Run(context.Background(), rowsFunc(stream), analyze.Config{}, &w)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d connections, %d exchanges, heap up to %d MiB", w.connections, w.exchanges, w.peak>>20)
	if w.peak > maxHeap {
		t.Errorf("the heap grew to %d MiB", w.peak>>20)
	}
	return &w, res
}

func named(res *analyze.Result, name string) uint64 {
	for _, l := range res.Ledger {
		if l.Name == name {
			return l.Count
		}
	}
	return 0
}

// A million connections are open at once, each in the middle of a head that is as long as it gets.
func TestMillionOpenConnections(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 300_000 // still more than are kept
	}
	head := []byte("GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + string(bytes.Repeat([]byte("x"), 1500)))
	local, remote := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	w, res := analyzeHostile(t, func(yield func(format.Row) bool) {
		now := format.KTime(1e9)
		for i := range n {
			now += 1000
			a := remote.As4()
			a[1], a[2] = byte(i>>24), byte(i>>16)
			if !yield(&format.Socket{Time: now, PID: 1, Socket: format.SocketID(i + 1), Inode: format.Inode(i + 1), NetNS: 1, Op: format.SockAccept,
				Role: format.RoleServer, NewState: format.TCPEstablished, Local: format.Endpoint{Addr: local, Port: 80},
				Remote: format.Endpoint{Addr: netip.AddrFrom4(a), Port: uint16(i)}, SndSeq: 1, RcvSeq: 1, RcvNxt: 1}) {
				return
			}
			now += 1000
			if !yield(&format.IO{Time: now, PID: 1, Socket: format.SocketID(i + 1), Inode: format.Inode(i + 1), Dir: format.Read, Call: format.CallRead,
				Flags: format.IOOffsetValid, Seq: 1, Ret: int64(len(head)), Payload: head}) {
				return
			}
		}
	})
	if w.connections != uint64(n) {
		t.Errorf("%d connections", w.connections)
	}
	if named(res, "connection_evicted") == 0 || named(res, "parsers_full") == 0 {
		t.Errorf("the ledger does not say what was left out: %+v", res.Ledger)
	}
}

// One connection sends a million requests and is never answered.
func TestMillionUnansweredRequests(t *testing.T) {
	n := uint64(1_000_000)
	if testing.Short() {
		n = 100_000
	}
	request := []byte("GET /unanswered HTTP/1.1\r\nHost: a\r\n\r\n")
	w, res := analyzeHostile(t, func(yield func(format.Row) bool) {
		now, seq := format.KTime(1e9), format.Seq(1)
		for range n {
			now += 1000
			if !yield(&format.IO{Time: now, PID: 1, Socket: 1, Inode: 1, Dir: format.Read, Flags: format.IOOffsetValid, Seq: seq,
				Ret: int64(len(request)), Payload: request, LPort: 80, RPort: 4000}) {
				return
			}
			seq += format.Seq(len(request))
		}
	})
	if w.exchanges != n || named(res, "request_unanswered") != n || named(res, "pipeline_full") == 0 {
		t.Errorf("%d exchanges, %+v", w.exchanges, res.Ledger)
	}
}

// Every row of a connection is ahead of a gap that is never filled, on many connections at once.
func TestManyGaps(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 4096)
	_, res := analyzeHostile(t, func(yield func(format.Row) bool) {
		now := format.KTime(1e9)
		for i := range rounds(400_000) {
			now += 10
			sock := format.SocketID(i%5000 + 1)
			if !yield(&format.IO{Time: now, PID: 1, Socket: sock, Inode: 1, Dir: format.Read, Flags: format.IOOffsetValid,
				Seq: format.Seq(i * 5001), Ret: int64(len(body)), Payload: body, LPort: 80, RPort: 4000}) {
				return
			}
		}
	})
	if named(res, "stream_lost") == 0 {
		t.Errorf("%+v", res.Ledger)
	}
}

// Rows without any sense: whatever each field holds, nothing panics and every count adds up.
func TestNonsense(t *testing.T) {
	for seed := range rounds(40) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		src := &source{manifest: format.Manifest{Clean: true}}
		for range 3000 {
			src.rows = append(src.rows, nonsense(rnd))
		}
		r := run(t, src, full)
		check(t, r)
		if again := run(t, src, full); !bytes.Equal(again.bytes(t), r.bytes(t)) {
			t.Fatalf("seed %d: two analyses differ", seed)
		}
	}
}

// nonsense makes a row of values that are at the edges, or collide.
func nonsense(rnd *rand.Rand) format.Row {
	edge := func() int64 {
		return [...]int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1 << 31, 1<<31 - 1, 1 << 40, rnd.Int64(), rnd.Int64N(1000)}[rnd.IntN(10)]
	}
	at := func() format.KTime {
		if rnd.IntN(10) == 0 {
			return format.KTime(edge())
		}
		return format.KTime(1e9 + rnd.Int64N(1e9))
	}
	seq := func() format.Seq {
		if rnd.IntN(3) == 0 {
			return format.Seq(rnd.Uint32())
		}
		return format.Seq(rnd.IntN(2000))
	}
	texts := []string{"", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 100 Continue\r\n\r\n",
		"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n",
		"\r\n\r\n", "\x16\x03\x01\x00\x05\x01", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"}
	addr := func() format.Endpoint {
		return format.Endpoint{Addr: netip.AddrFrom4([4]byte{127, 0, 0, byte(rnd.IntN(2))}), Port: uint16(rnd.IntN(4))}
	}
	sock, inode := format.SocketID(rnd.IntN(6)), format.Inode(rnd.IntN(4))
	if rnd.IntN(3) == 0 {
		return &format.Socket{
			Time: at(), Duration: time.Duration(edge()), PID: format.PID(rnd.IntN(4)), TID: format.TID(rnd.IntN(4)), Socket: sock, Inode: inode,
			NetNS: uint64(rnd.IntN(3)), Op: format.SockOp(rnd.IntN(11)), Role: format.Role(rnd.IntN(4)), OldState: format.TCPState(rnd.IntN(16)),
			NewState: format.TCPState(rnd.IntN(16)), Ret: edge(), Local: addr(), Remote: addr(), SndSeq: seq(), RcvSeq: seq(), RcvNxt: seq(),
			SRTT: time.Duration(edge()), Retrans: rnd.Uint32(),
		}
	}
	payload := []byte(texts[rnd.IntN(len(texts))])
	r := &format.IO{
		Time: at(), Duration: time.Duration(edge()), PID: format.PID(rnd.IntN(4)), TID: format.TID(rnd.IntN(4)), Socket: sock, Inode: inode,
		Call: format.Call(rnd.IntN(17)), Dir: format.Direction(rnd.IntN(4)), Flags: format.IOFlags(rnd.IntN(1024)), Cut: format.Cut(rnd.IntN(20)),
		Ret: int64(len(payload)), Seq: seq(), LPort: uint16(rnd.IntN(4)), RPort: uint16(rnd.IntN(4)), Payload: payload,
	}
	if rnd.IntN(5) == 0 {
		r.Ret = edge()
	}
	return r
}

// Damage in the middle of a reel is named, and everything around it is used.
func TestReadErrors(t *testing.T) {
	whole := collect(t, synthetic{exchanges: 100, conns: 2})
	src := &failing{source: *whole, at: 50}
	var c counter
	res, err := analyze.Run(context.Background(), src, analyze.Config{}, &c)
	if err != nil {
		t.Fatal(err)
	}
	if named(res, "file_corrupt") != 1 || c.exchanges != 100 {
		t.Errorf("%d exchanges, %+v", c.exchanges, res.Ledger)
	}
}

type failing struct {
	source
	at int
}

func (f *failing) Rows(opts format.RowsOptions) iter.Seq2[format.Row, error] {
	return func(yield func(format.Row, error) bool) {
		n := 0
		for row, err := range f.source.Rows(opts) {
			if n++; n == f.at && !yield(nil, &format.CorruptError{File: "segment-000001/io.parquet", Offset: 7, Err: fmt.Errorf("bad page")}) {
				return
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// A cancelled analysis stops, and a sink's error is the analysis' error.
func TestStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := analyze.Run(ctx, synthetic{exchanges: 5000, conns: 2}, analyze.Config{}, new(counter)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := analyze.Run(context.Background(), synthetic{exchanges: 5000, conns: 2}, analyze.Config{}, brokenSink{}); !errors.Is(err, errSink) {
		t.Errorf("error %v", err)
	}
}

var errSink = fmt.Errorf("the disk is full")

type brokenSink struct{}

func (brokenSink) Connection(*facts.Connection) error { return nil }
func (brokenSink) Exchange(*facts.Exchange) error     { return errSink }
