package tls_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/tls"
)

// sink takes plaintext and does nothing with it.
type sink struct{ bytes [2]int64 }

func (s *sink) Data(_ *conn.Conn, d conn.Dir, ch *conn.Chunk)         { s.bytes[d] += int64(len(ch.Bytes)) }
func (s *sink) Lost(_ *conn.Conn, d conn.Dir, n int64, _ *conn.Chunk) {}
func (s *sink) End(*conn.Conn, conn.Dir, conn.Ending, *conn.Chunk)    {}
func (s *sink) Closed(*conn.Conn)                                     {}
func (s *sink) Gone(*conn.Conn) error                                 { return nil }
func (s *sink) Joined(_, _ *conn.Conn)                                {}

// replay is a conversation whose handshake is over, and the records of data behind it.
type replay struct {
	hand []flight // the handshake
	data []byte   // records from the server
	n    int      // of them
	play func(stage *tls.Stage, c *conn.Conn)
	new  func(next conn.Handler) *tls.Stage
}

// newReplay makes a conversation whose server sends records of size bytes, total bytes in all.
func newReplay(t testing.TB, s setting, size, total int) *replay {
	client, server := s.client.Clone(), s.server.Clone()
	client.DynamicRecordSizingDisabled, server.DynamicRecordSizingDisabled = true, true
	const marker = 3000
	turns := []int{marker, 0}
	for range total / size {
		turns = append(turns, 0, size)
	}
	tap, log, _ := talk(t, client, server, turns)
	r := &replay{}
	marked := false
	for _, f := range tap.flights {
		switch {
		case !marked:
			r.hand = append(r.hand, f)
			marked = f.d == conn.Out && len(f.b) > marker
		case f.d == conn.In && len(f.b) > size:
			r.data = append(r.data, f.b...)
			r.n++
		}
	}
	if r.n != total/size {
		t.Fatalf("the server sent %d records, not %d", r.n, total/size)
	}
	r.new = func(next conn.Handler) *tls.Stage { return tls.New(tls.Config{Log: log}, ledger.NewTally(), next) }
	r.play = func(stage *tls.Stage, c *conn.Conn) {
		for _, f := range r.hand {
			stage.Data(c, f.d, &conn.Chunk{Bytes: bytes.Clone(f.b)})
		}
	}
	return r
}

// BenchmarkDecrypt gives records of data to a Stage: bytes of ciphertext per second. Compare with openssl speed -evp on the same
// machine (docs/tls.md).
func BenchmarkDecrypt(b *testing.B) {
	for _, s := range settings() {
		for _, size := range []int{1000, 16384} {
			b.Run(fmt.Sprintf("%s/%d", s.name, size), func(b *testing.B) {
				r := newReplay(b, s, size, 4<<20)
				out := &sink{}
				b.SetBytes(int64(len(r.data)))
				b.ReportAllocs()
				ch := &conn.Chunk{}
				for b.Loop() {
					b.StopTimer()
					stage, c := r.new(out), &conn.Conn{}
					r.play(stage, c)
					before := out.bytes[conn.In]
					b.StartTimer()
					for data := r.data; len(data) > 0; {
						n := min(len(data), 64<<10)
						*ch = conn.Chunk{Bytes: data[:n]}
						stage.Data(c, conn.In, ch)
						data = data[n:]
					}
					if got := out.bytes[conn.In] - before; got != int64(r.n*size) {
						b.Fatalf("%d bytes came out of %d records", got, r.n)
					}
				}
			})
		}
	}
}

// A record costs no allocation, whole or cut.
func TestNoAllocation(t *testing.T) {
	for _, s := range settings() {
		if s.name == "TLS 1.3 retry" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			const size = 1000
			r := newReplay(t, s, size, 400*size)
			out := &sink{}
			stage, c := r.new(out), &conn.Conn{}
			r.play(stage, c)
			record := len(r.data) / r.n
			at := 0
			ch := &conn.Chunk{}
			next := func(parts ...int) {
				for _, n := range parts {
					*ch = conn.Chunk{Bytes: r.data[at : at+n]}
					stage.Data(c, conn.In, ch)
					at += n
				}
			}
			next(7, record-7)
			whole := testing.AllocsPerRun(100, func() { next(record) })
			split := testing.AllocsPerRun(100, func() { next(5, record-5) })
			if whole > 0 || split > 0 {
				t.Errorf("%v allocations for a record, %v for one in two calls", whole, split)
			}
			if want := int64(at / record * size); out.bytes[conn.In] != want {
				t.Errorf("%d bytes came out, want %d", out.bytes[conn.In], want)
			}
		})
	}
}
