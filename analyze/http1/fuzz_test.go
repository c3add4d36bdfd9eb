package http1

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// script turns fuzz input into a scenario: each byte of cuts takes bytes from stream and says how they come.
func script(response, mid bool, stream, cuts []byte) scenario {
	sc := scenario{kind: Request, mid: mid, lim: Limits{Head: 512, Fields: 8, Body: 32}, methods: []string{"GET", "HEAD", "GET", "CONNECT"}}
	if response {
		sc.kind = Response
	}
	for _, c := range cuts {
		n := min(int(c>>3)*int(c>>3)+1, len(stream))
		if n == 0 {
			break
		}
		piece := string(stream[:n])
		stream = stream[n:]
		switch c & 7 {
		case 0, 1:
			sc.steps = append(sc.steps, step{verb: "data", data: piece})
		case 2, 3:
			sc.steps = append(sc.steps, step{verb: "turn", data: piece})
		case 4:
			sc.steps = append(sc.steps, step{verb: "more", data: piece})
		case 5:
			sc.steps = append(sc.steps, step{verb: "cut", n: int64(n)})
		case 6:
			sc.steps = append(sc.steps, step{verb: "lost", n: int64(n)})
		case 7:
			sc.steps = append(sc.steps, step{verb: [...]string{"settle", "tunnel", "lost"}[min(c>>3, 2)], n: -1}, step{verb: "data", data: piece})
		}
	}
	sc.steps = append(sc.steps, step{verb: "data", data: string(stream)}, step{verb: [...]string{"fin", "reset", "stop"}[len(cuts)%3]})
	return sc
}

// FuzzStream: no panic; every byte in exactly one place; Start, Head, Finish in order; the same messages however the bytes of
// a call are split.
func FuzzStream(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, s := range txtar.Parse(data).Files {
			if s.Name == "want" {
				continue
			}
			var stream strings.Builder
			var t testing.T
			sc := parseScenario(&t, string(s.Data))
			var cuts []byte
			for _, st := range sc.steps {
				stream.WriteString(st.data)
				cuts = append(cuts, byte(len(st.data)%32)<<3|byte(st.n&7))
			}
			f.Add(sc.kind == Response, sc.mid, []byte(stream.String()), cuts)
		}
	}
	f.Fuzz(func(t *testing.T, response, mid bool, stream, cuts []byte) {
		if len(stream) > 1<<14 || len(cuts) > 1<<8 {
			return
		}
		sc := script(response, mid, stream, cuts)
		r, _ := sc.run(t, whole)
		want := r.out.String()
		for _, split := range []func(string) []string{
			func(s string) []string { return strings.Split(s, "") },
			func(s string) []string { return strings.SplitAfter(s, "\r") },
			func(s string) []string { return []string{s[:len(s)/3], s[len(s)/3:]} },
		} {
			if r, _ := sc.run(t, split); r.out.String() != want {
				t.Fatalf("-whole +split\n%s", cmp.Diff(want, r.out.String()))
			}
		}
		sc.methods = []string{"?", "?", "?", "?", "?"}
		sc.run(t, whole)
	})
}

// allHTTP1 leaves out versions that are not read here, which net/http takes for HTTP/1.
func allHTTP1(messages []oracleMessage) bool {
	for _, m := range messages {
		if m.Version != "HTTP/1.0" && m.Version != "HTTP/1.1" {
			return false
		}
	}
	return len(messages) > 0
}

// FuzzRequestOracle: what net/http takes, and nothing is odd about, both read alike.
func FuzzRequestOracle(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte("POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcPUT / HTTP/1.0\r\n\r\n"))
	f.Add([]byte("POST http://y/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n"))
	f.Add([]byte("OPTIONS * HTTP/1.1\nHost: x\nA: b\n c\n\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		want, err := byNetHTTPRequests(stream)
		if err != nil || !allHTTP1(want) {
			return
		}
		h := feed(Request, stream, nil, nil)
		if h.odd != 0 || !h.whole || h.skipped != 0 {
			return
		}
		if d := cmp.Diff(want, h.out); d != "" {
			t.Fatalf("-net/http +http1\n%s", d)
		}
	})
}

// FuzzResponseOracle is the same for responses.
func FuzzResponseOracle(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"))
	f.Add([]byte("HTTP/1.1 103 E\r\nA: b\r\n\r\nHTTP/1.0 404 Not Found\r\n\r\nrest"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nHTTP/1.1 304 N\r\n\r\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		want, err := byNetHTTPResponses(stream, nil)
		if err != nil || !allHTTP1(want) || bytes.Contains(stream, []byte(" 101")) {
			return
		}
		h := feed(Response, stream, nil, nil)
		if h.odd != 0 || !h.whole || h.skipped != 0 {
			return
		}
		if d := cmp.Diff(want, h.out); d != "" {
			t.Fatalf("-net/http +http1\n%s", d)
		}
	})
}
