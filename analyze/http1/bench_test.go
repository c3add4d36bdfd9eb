package http1

import (
	"strings"
	"testing"
)

// counter is the cheapest handler.
type counter struct{ n, bytes uint64 }

func (c *counter) Start(*Message)                {}
func (c *counter) Head(*Message)                 {}
func (c *counter) Finish(m *Message)             { c.n++; c.bytes += m.WireBytes }
func (c *counter) Skip(Anomaly, uint64, Stamp)   {}
func (c *counter) RequestMethod(*Message) string { return "GET" }

const (
	smallGet  = "GET /api/v1/users/42?x=1 HTTP/1.1\r\nHost: shop.test:8080\r\nUser-Agent: wrk/4.1.0\r\nAccept: */*\r\n\r\n"
	traceGet  = "GET /cart HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: Go-http-client/1.1\r\nX-B3-Traceid: 463ac35c9f6413ad48485a3953bb6124\r\nX-B3-Spanid: a2fb4a1d1a96d312\r\nX-B3-Sampled: 1\r\nAccept-Encoding: gzip\r\nCookie: session=0123456789abcdef0123456789abcdef\r\nX-Request-Id: 5c0c5f3e-6f4e-4d2a-9a0f-1d2a3b4c5d6e\r\n\r\n"
	smallOK   = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Tue, 24 Nov 2026 06:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 12\r\nConnection: keep-alive\r\n\r\nhello world\n"
	chunkedOK = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n%\r\n400\r\n%\r\n0\r\n\r\n"
)

func benchmark(b *testing.B, kind Kind, message string, split int) {
	c := &counter{}
	p := NewParser(kind, Limits{Body: 4096}, c)
	data := []byte(message)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	var at Stamp
	for b.Loop() {
		at.Call++
		if split > 0 {
			p.Data(data[:split], at)
			p.Data(data[split:], at)
			continue
		}
		p.Data(data, at)
	}
	if c.n != uint64(b.N) || c.bytes != uint64(b.N)*uint64(len(data)) {
		b.Fatalf("%d messages and %d bytes came out of %d", c.n, c.bytes, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkSmallGet(b *testing.B)      { benchmark(b, Request, smallGet, 0) }
func BenchmarkSmallGetSplit(b *testing.B) { benchmark(b, Request, smallGet, 40) }
func BenchmarkTraceGet(b *testing.B)      { benchmark(b, Request, traceGet, 0) }
func BenchmarkSmallOK(b *testing.B)       { benchmark(b, Response, smallOK, 0) }
func BenchmarkChunkedOK(b *testing.B) {
	benchmark(b, Response, strings.ReplaceAll(chunkedOK, "%", strings.Repeat("x", 1024)), 0)
}

func BenchmarkNotHTTP(b *testing.B) {
	data := []byte("\x16\x03\x01\x02\x00" + strings.Repeat("z", 4096))
	p := NewParser(Request, Limits{}, &counter{})
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		p.Begin(true)
		p.Data(data, Stamp{Call: 1})
	}
}

// TestNoAllocation: a message that is not kept costs no memory.
func TestNoAllocation(t *testing.T) {
	for name, tc := range map[string]struct {
		kind Kind
		text string
	}{"get": {Request, traceGet}, "ok": {Response, smallOK}, "chunked": {Response, strings.ReplaceAll(chunkedOK, "%", strings.Repeat("x", 1024))}} {
		for _, split := range []int{0, 1, 30, 100} {
			p := NewParser(tc.kind, Limits{Body: 4096}, &counter{})
			data := []byte(tc.text)
			var at Stamp
			once := func() {
				at.Call++
				p.Data(data[:split], at)
				p.Data(data[split:], at)
			}
			once()
			if n := testing.AllocsPerRun(200, once); n != 0 {
				t.Errorf("%s split at %d: %v allocations a message", name, split, n)
			}
		}
	}
}
