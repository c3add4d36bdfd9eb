package content

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"io"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/ebpf-reel/reel/analyze/facts"
)

func message(body, contentType, coding string) *facts.Message {
	m := &facts.Message{Body: []byte(body), BodyBytes: uint64(len(body))}
	if contentType != "" {
		m.Headers = append(m.Headers, facts.Header{Name: "content-type", Value: contentType})
	}
	if coding != "" {
		m.Headers = append(m.Headers, facts.Header{Name: "Content-Encoding", Value: coding})
	}
	return m
}

// coded applies a coding.
func coded(t testing.TB, coding, text string) string {
	t.Helper()
	var buf bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&buf)
	case "deflate":
		w = zlib.NewWriter(&buf)
	case "raw deflate":
		w, _ = flate.NewWriter(&buf, 6)
	case "br":
		w = brotli.NewWriter(&buf)
	case "zstd":
		w, _ = zstd.NewWriter(&buf)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

const text = `{"name":"Müller","note":"` + "日本" + `"}`

func TestCodings(t *testing.T) {
	for name, c := range map[string]struct{ coding, header string }{
		"gzip": {"gzip", "gzip"}, "old name": {"gzip", "x-gzip"}, "deflate": {"deflate", "deflate"}, "deflate without its frame": {"raw deflate", "deflate"},
		"brotli": {"br", "br"}, "zstd": {"zstd", "zstd"}, "case and space": {"gzip", " GZIP ,identity"},
	} {
		got := Decode(message(coded(t, c.coding, text), "application/json", c.header), 0)
		if got.Text != text || got.Cut || got.Problem != "" || got.Charset != "utf-8" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	twice := coded(t, "br", coded(t, "gzip", text))
	if got := Decode(message(twice, "text/plain", "gzip, br"), 0); got.Text != text || len(got.Codings) != 2 {
		t.Errorf("two codings: %+v", got)
	}
	if got := Decode(message(text, "", "snappy"), 0); got.Text != text || got.Problem == "" {
		t.Errorf("unknown coding: %+v", got)
	}
	if got := Decode(message("not gzip", "text/plain", "gzip"), 0); got.Text != "not gzip" || got.Problem == "" {
		t.Errorf("a lie: %+v", got)
	}
}

// What was recorded of a body is often only its beginning.
func TestCutBodies(t *testing.T) {
	long := strings.Repeat("all work and no play ", 500) + text
	for _, coding := range []string{"gzip", "deflate", "zstd"} { // brotli may hold back what it has until a block ends
		whole := coded(t, coding, "some words, then noise: "+noise(300<<10)+long)
		m := message(whole[:len(whole)/2], "text/plain; charset=iso-8859-1", coding)
		m.BodyBytes = uint64(len(whole))
		got := Decode(m, 0)
		if !got.Cut || !strings.HasPrefix(string(got.Bytes), "some words") || got.Problem != "" {
			t.Errorf("%s: cut %v, %d bytes, %q", coding, got.Cut, len(got.Bytes), got.Problem)
		}
	}
	m := message("caf\xc3\xa9 caf\xc3", "text/plain", "")
	m.BodyBytes = 20
	if got := Decode(m, 0); got.Text != "café caf\xc3" && got.Text != "café caf" || !got.Cut {
		t.Errorf("a character cut in two: %+v", got)
	}
}

// noise is text that does not compress well, always the same.
func noise(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = 'a' + byte(x>>24)%26
	}
	return string(b)
}

// A bomb gives the limit and no more, whatever it is made of.
func TestBombs(t *testing.T) {
	zeros := strings.Repeat("0", 64<<20)
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		bomb := coded(t, coding, zeros)
		got := Decode(message(bomb, "text/plain", coding), 1000)
		if len(got.Bytes) != 1000 || !got.Cut || got.Text != zeros[:1000] {
			t.Errorf("%s: %d bytes, cut %v: %s", coding, len(got.Bytes), got.Cut, got.Problem)
		}
	}
	nested := zeros
	var names []string
	for range 6 {
		nested = coded(t, "gzip", nested)
		names = append(names, "gzip")
	}
	if got := Decode(message(nested, "", strings.Join(names, ",")), 1<<16); len(got.Bytes) > 1<<16 {
		t.Errorf("nested: %d bytes", len(got.Bytes))
	}
	if got := Decode(message(nested, "", strings.Repeat("gzip,", 1000)), 1<<16); got.Problem == "" {
		t.Error("a thousand codings were tried")
	}
}

func TestCharsets(t *testing.T) {
	for name, c := range map[string]struct{ body, contentType, text, charset string }{
		"latin 1":            {"caf\xe9", "text/html; charset=ISO-8859-1", "café", "windows-1252"},
		"shift jis":          {"\x93\xfa\x96\x7b", `text/plain; charset="Shift_JIS"`, "日本", "shift_jis"},
		"utf-16 by its mark": {"\xff\xfeh\x00i\x00", "text/plain", "hi", "utf-16le"},
		"utf-8 by its mark":  {"\xef\xbb\xbfhi", "text/plain", "hi", "utf-8"},
		"none sent, utf-8":   {"caf\xc3\xa9", "text/plain", "café", "utf-8"},
		"none sent, other":   {"caf\xe9", "text/plain", "café", "windows-1252"},
		"with parameters":    {`{"a":1}`, "application/json; charset=utf-8", `{"a":1}`, "utf-8"},
		"problem json":       {`{"a":1}`, "application/problem+json", `{"a":1}`, "utf-8"},
		"none at all":        {"hello", "", "hello", "utf-8"},
		"an image":           {"\x89PNG\r\n\x1a\n\x00\x00", "image/png", "", ""},
		"an image of a lie":  {"\x89PNG\r\n\x1a\n\x00\x00", "text/plain", "", ""},
	} {
		got := Decode(message(c.body, c.contentType, ""), 0)
		if got.Text != c.text || got.Charset != c.charset {
			t.Errorf("%s: %q by %q, want %q by %q", name, got.Text, got.Charset, c.text, c.charset)
		}
	}
	if got := Decode(message("hi", "text/plain; charset=klingon", ""), 0); got.Text != "hi" || got.Problem == "" {
		t.Errorf("unknown charset: %+v", got)
	}
}

// FuzzDecode: no panic, and never more than the limit.
func FuzzDecode(f *testing.F) {
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		f.Add([]byte(coded(f, coding, text)), coding, "text/plain; charset=utf-8")
	}
	f.Add([]byte("caf\xe9"), "", "text/html; charset=shift_jis")
	f.Fuzz(func(t *testing.T, body []byte, coding, contentType string) {
		m := message(string(body), contentType, coding)
		got := Decode(m, 4096)
		if len(got.Bytes) > max(4096, len(body)) || len(got.Text) > 4*len(got.Bytes)+8 {
			t.Fatalf("%d bytes, %d of text", len(got.Bytes), len(got.Text))
		}
	})
}
