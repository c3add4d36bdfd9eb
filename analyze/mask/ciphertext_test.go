package mask

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/format"
)

// record is a TLS record with a body of n bytes, in which b stands first.
func record(typ byte, n int, b string) string {
	return string([]byte{typ, 3, 3, byte(n >> 8), byte(n)}) + b + strings.Repeat("\n", n-len(b))
}

const lookalike = "\nAuthorization: Bearer " + secret + "\n" // as it comes about by chance in ciphertext, and more

// chop makes calls of a stream.
func chop(stream string, size func() int) (all []piece) {
	for len(stream) > 0 {
		n := min(size(), len(stream))
		all = append(all, piece{data: stream[:n], captured: n})
		stream = stream[n:]
	}
	return all
}

func TestCiphertextIsLeftAlone(t *testing.T) {
	hello := record(22, 300, "\x01")
	data := record(23, 400, lookalike)
	stream := hello + record(20, 1, "\x01") + data + record(23, 16384+256, lookalike) + data
	rng := rand.New(rand.NewPCG(1, 2))
	sizes := []func() int{func() int { return 1 << 20 }, func() int { return 1 }, func() int { return 1 + rng.IntN(500) }}
	t.Run("from its first byte", func(t *testing.T) {
		for _, size := range sizes {
			f := New(Options{})
			opened(f)
			if got := output(f, rows(format.Write, chop(stream, size))); got != stream {
				t.Error("ciphertext was changed")
			}
		}
	})
	t.Run("older than the recording", func(t *testing.T) {
		for _, size := range sizes[:1] {
			f := New(Options{})
			var pieces []piece
			for range 4 {
				pieces = append(pieces, chop(data+data, size)...)
			}
			if got := output(f, rows(format.Write, pieces)); got != strings.Repeat(data, 8) {
				t.Error("ciphertext was changed")
			}
		}
	})
	t.Run("with a gap and a cut", func(t *testing.T) {
		f := New(Options{})
		opened(f)
		tail := data[10:]
		for _, r := range rows(format.Write, []piece{{hello, len(hello), false}, {data[:10], 10, true}, {tail, len(tail), false},
			{data + data, 100, false}, {lookalike, len(lookalike), false}}) {
			before := string(r.Payload)
			if f.Apply(r); string(r.Payload) != before {
				t.Errorf("%q became %q", before, r.Payload)
			}
		}
	})
}

// What is made to look like TLS hides nothing behind it.
func TestForgedRecords(t *testing.T) {
	request := "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + secret + "\r\n\r\n"
	body := record(23, 100, "") + record(22, 50, "\x01")
	post := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(body))
	for name, pieces := range map[string][]piece{
		"a body in a stream that was seen from its start": {{post, len(post), false}, {body, len(body), false}, {request, len(request), false}},
		"a body behind a gap":                             {{request, len(request), false}, {post, len(post), true}, {body, len(body), false}, {request, len(request), false}},
		"one header, then a request":                      {{post, len(post), true}, {"\x17\x03\x03\x00\x01x" + request, 6 + len(request), false}},
		"a stream that begins like a record":              {{"\x16\x03", 2, false}, {request, len(request), false}},
	} {
		for _, start := range []bool{true, false} {
			f := New(Options{})
			if start {
				opened(f)
			}
			if got := leaks(output(f, rows(format.Read, pieces)), secret); got != "" {
				t.Errorf("%s, start seen %t: %q leaks", name, start, got)
			}
		}
	}
}
