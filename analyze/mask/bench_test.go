package mask

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/format"
)

func benchmark(b *testing.B, opts Options, payload string) {
	f := New(opts)
	opened(f)
	row := format.IO{Socket: 7, Inode: 9, Dir: format.Read, Flags: format.IOOffsetValid, Ret: int64(len(payload)), Captured: uint32(len(payload))}
	text, buf := []byte(payload), make([]byte, len(payload))
	seq := format.Seq(isn)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, text)
		row.Payload, row.Seq = buf, seq
		seq += format.Seq(len(buf))
		f.Apply(&row)
	}
}

var (
	htmlBody   = strings.Repeat("<div class=\"item\">\n  <a href=\"/item/1?x=2\">The quick brown fox</a>\n  jumps over the lazy dog, again and again\n</div>\n", 560)
	jsonBody   = strings.Repeat(`{"id":42,"name":"The quick brown fox","tags":["a","b"],"price":12.50},`, 936)
	binaryBody = func() string {
		b := make([]byte, 65536)
		x := uint32(1)
		for i := range b {
			x = x*1664525 + 1013904223
			b[i] = byte(x >> 24)
		}
		return string(b)
	}()
	plainHead  = "GET /api/v1/users/42?x=1 HTTP/1.1\r\nHost: shop.test:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.5\r\nConnection: keep-alive\r\nReferer: /cart?step=2\r\n\r\n"
	secretHead = "GET /api/v1/users/42?x=1 HTTP/1.1\r\nHost: shop.test:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0\r\nAccept: */*\r\nAuthorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U\r\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n"
)

func BenchmarkHeads(b *testing.B)       { benchmark(b, Options{}, strings.Repeat(plainHead, 10)) }
func BenchmarkSecretHeads(b *testing.B) { benchmark(b, Options{}, strings.Repeat(secretHead, 10)) }
func BenchmarkHTML(b *testing.B)        { benchmark(b, Options{}, htmlBody) }
func BenchmarkJSON(b *testing.B)        { benchmark(b, Options{}, jsonBody) }
func BenchmarkBinary(b *testing.B)      { benchmark(b, Options{}, binaryBody) }
func BenchmarkPolicyHeads(b *testing.B) {
	benchmark(b, Options{Payload: Heads}, plainHead+strings.Repeat("x", 4096))
}

// BenchmarkCopy is what the others pay for their input.
func BenchmarkCopy(b *testing.B) {
	buf := make([]byte, len(htmlBody))
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		copy(buf, htmlBody)
	}
}

// BenchmarkLines is the limit for a masker that must look at each line: one search for a line end after the other.
func BenchmarkLines(b *testing.B) {
	text := []byte(htmlBody)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		for rest := text; ; {
			i := bytes.IndexByte(rest, '\n')
			if i < 0 {
				break
			}
			rest = rest[i+1:]
		}
	}
}

// TestNoAllocation: after its first row, a connection costs no memory.
func TestNoAllocation(t *testing.T) {
	for _, opts := range []Options{{}, {Payload: Heads}, {KeepSecrets: true, Payload: Heads}, {Payload: None}} {
		f := New(opts)
		opened(f)
		buf := make([]byte, len(secretHead))
		row := format.IO{Socket: 7, Inode: 9, Dir: format.Read, Flags: format.IOOffsetValid, Ret: int64(len(buf))}
		seq := format.Seq(isn)
		n := testing.AllocsPerRun(200, func() {
			copy(buf, secretHead)
			row.Payload, row.Seq = buf, seq
			seq += format.Seq(len(buf))
			if seq%3 == 0 {
				seq += 5 // a gap
			}
			f.Apply(&row)
		})
		if n != 0 {
			t.Errorf("%+v: %v allocations a row", opts, n)
		}
	}
}
