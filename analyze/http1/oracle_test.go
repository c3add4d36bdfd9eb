package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// oracleMessage is what net/http and this package must agree on.
type oracleMessage struct {
	Method, Target, Version string
	Status                  int
	Host                    string
	Headers                 []string // sorted "Name: value", canonical names, without what net/http takes out
	Trailers                []string
	Body                    string
	Chunked                 bool
}

// hidden are the fields that net/http removes from its maps.
var hidden = map[string]bool{"Host": true, "Transfer-Encoding": true, "Trailer": true, "Content-Length": true}

func sortedFields(h http.Header) []string {
	var s []string
	for k, vs := range h {
		for _, v := range vs {
			if !hidden[k] {
				s = append(s, k+": "+v)
			}
		}
	}
	sort.Strings(s)
	return s
}

func byNetHTTPRequests(stream []byte) ([]oracleMessage, error) {
	br := bufio.NewReader(bytes.NewReader(stream))
	var out []oracleMessage
	for {
		req, err := http.ReadRequest(br)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return out, err
		}
		out = append(out, oracleMessage{
			Method: req.Method, Target: req.RequestURI, Version: req.Proto, Host: req.Host, Headers: sortedFields(req.Header),
			Trailers: sortedFields(req.Trailer), Body: string(body), Chunked: len(req.TransferEncoding) > 0,
		})
	}
}

func byNetHTTPResponses(stream []byte, methods []string) ([]oracleMessage, error) {
	br := bufio.NewReader(bytes.NewReader(stream))
	var out []oracleMessage
	for i := 0; ; {
		if _, err := br.Peek(1); errors.Is(err, io.EOF) {
			return out, nil
		}
		method := "GET"
		if i < len(methods) {
			method = methods[i]
		}
		res, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			return out, err
		}
		if res.StatusCode/100 != 1 {
			i++
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return out, err
		}
		out = append(out, oracleMessage{
			Status: res.StatusCode, Version: res.Proto, Headers: sortedFields(res.Header),
			Trailers: sortedFields(res.Trailer), Body: string(body), Chunked: len(res.TransferEncoding) > 0,
		})
	}
}

// oracleHandler copies what it is given into oracleMessages.
type oracleHandler struct {
	methods []string
	out     []oracleMessage
	odd     Anomalies
	whole   bool
	skipped uint64
}

func (h *oracleHandler) Start(*Message) {}
func (h *oracleHandler) Head(*Message)  {}
func (h *oracleHandler) Skip(_ Anomaly, n uint64, _ Stamp) {
	h.skipped += n
}
func (h *oracleHandler) RequestMethod(*Message) string {
	if len(h.methods) == 0 {
		return "GET"
	}
	m := h.methods[0]
	h.methods = h.methods[1:]
	return m
}
func (h *oracleHandler) Finish(m *Message) {
	h.odd |= m.Anomalies
	h.whole = h.whole && m.Missing == 0
	o := oracleMessage{
		Method: string(m.Method()), Target: string(m.Target()), Version: m.Version(), Status: m.Status,
		Body: string(m.Body()), Chunked: m.Chunked(),
	}
	if m.Kind == Request {
		o.Host = string(m.Host())
	}
	for i := range m.NumFields() {
		n, v := m.Field(i)
		name := http.CanonicalHeaderKey(string(n))
		switch {
		case m.IsTrailer(i):
			o.Trailers = append(o.Trailers, name+": "+string(v))
		case !hidden[name]:
			o.Headers = append(o.Headers, name+": "+string(v))
		}
	}
	sort.Strings(o.Headers)
	sort.Strings(o.Trailers)
	h.out = append(h.out, o)
}

// generator makes valid streams of messages.
type generator struct {
	r       *rand.Rand
	methods []string
}

func (g *generator) pick(s ...string) string { return s[g.r.IntN(len(s))] }

func (g *generator) text(alphabet string, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(alphabet[g.r.IntN(len(alphabet))])
	}
	return b.String()
}

func (g *generator) fields(b *strings.Builder) {
	const name = "abcdefghijklmnopqrstuvwxyz-ABC019_"
	const value = "abc DEF;=,\"/()<>@:?{}[]\t'\\~!#$%&*+-._`|^0123456789\xe9"
	for range g.r.IntN(6) {
		fmt.Fprintf(b, "X%s:%s%s%s\r\n", g.text(name, g.r.IntN(12)), g.pick("", " ", "  ", "\t"), g.text(value, g.r.IntN(40)), g.pick("", "", " "))
	}
}

func (g *generator) body(b *strings.Builder) {
	const content = "HTTP/1.1 200 OK\r\nGET / \n\x00\xff0\r\n\r\nabc"
	n := g.r.IntN(300)
	switch g.r.IntN(3) {
	case 0:
		fmt.Fprintf(b, "%s: %d\r\n\r\n", g.pick("Content-Length", "content-length", "CONTENT-LENGTH"), n)
		b.WriteString(g.text(content, n))
	case 1:
		trailers := g.r.IntN(2) == 0
		if trailers {
			b.WriteString("Trailer: X-T\r\n")
		}
		fmt.Fprintf(b, "%s: %s\r\n\r\n", g.pick("Transfer-Encoding", "transfer-encoding"), g.pick("chunked", "Chunked"))
		for range g.r.IntN(5) {
			k := 1 + g.r.IntN(60)
			fmt.Fprintf(b, g.pick("%x", "%X", "%04x")+"%s\r\n%s\r\n", k, g.pick("", "", ";a=b", ";q=\"x\""), g.text(content, k))
		}
		b.WriteString("0\r\n")
		if trailers {
			b.WriteString("X-T: " + g.text("abc", 5) + "\r\n")
		}
		b.WriteString("\r\n")
	default:
		b.WriteString("Content-Length: 0\r\n\r\n")
	}
}

func (g *generator) request(b *strings.Builder) {
	m := g.pick("GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "PURGE", "M-SEARCH")
	target := "/" + g.text("abcABC/-_.~%20?&=", g.r.IntN(60))
	target = strings.ReplaceAll(strings.ReplaceAll(target, "%", "%41"), "//", "/")
	if g.r.IntN(8) == 0 {
		target = "http://other.test:81" + target
	}
	fmt.Fprintf(b, "%s %s HTTP/1.1\r\nHost: ex.test\r\n", m, target)
	g.fields(b)
	if m == "GET" || m == "HEAD" || m == "DELETE" {
		b.WriteString("\r\n")
		return
	}
	g.body(b)
}

func (g *generator) response(b *strings.Builder) {
	for g.r.IntN(6) == 0 {
		b.WriteString(g.pick("HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"))
	}
	m := g.pick("GET", "GET", "POST", "HEAD")
	g.methods = append(g.methods, m)
	status := g.pick("200 OK", "404 Not Found", "204 No Content", "304 Not Modified", "500 Internal Server Error", "302 Found", "201 ")
	fmt.Fprintf(b, "HTTP/1.1 %s\r\nServer: g\r\n", status)
	g.fields(b)
	switch {
	case m == "HEAD" || status[:3] == "304":
		fmt.Fprintf(b, "Content-Length: %d\r\n\r\n", g.r.IntN(1000))
	case status[:3] == "204":
		b.WriteString("\r\n")
	default:
		g.body(b)
	}
}

// feed gives stream to a parser in random pieces of random calls.
func feed(kind Kind, stream []byte, methods []string, r *rand.Rand) *oracleHandler {
	h := &oracleHandler{methods: methods, whole: true}
	p := NewParser(kind, Limits{Body: 1 << 20}, h)
	var at Stamp
	for rest := stream; len(rest) > 0; {
		n := len(rest)
		if r != nil {
			n = min(n, 1+r.IntN(1+r.IntN(200)))
		}
		if r == nil || r.IntN(2) == 0 {
			at.Call++
		}
		piece := bytes.Clone(rest[:n])
		p.Data(piece, at)
		clear(piece)
		rest = rest[n:]
	}
	p.End(EndFIN, at)
	return h
}

func TestAgainstNetHTTP(t *testing.T) {
	for seed := range uint64(400) {
		g := &generator{r: rand.New(rand.NewPCG(seed, 7))}
		for _, kind := range []Kind{Request, Response} {
			var b strings.Builder
			g.methods = nil
			n := 1 + g.r.IntN(8)
			for range n {
				if kind == Request {
					g.request(&b)
				} else {
					g.response(&b)
				}
			}
			stream := []byte(b.String())
			var want []oracleMessage
			var err error
			if kind == Request {
				want, err = byNetHTTPRequests(stream)
			} else {
				want, err = byNetHTTPResponses(stream, g.methods)
			}
			if err != nil {
				t.Fatalf("seed %d: net/http does not take what the generator made: %v\n%q", seed, err, stream)
			}
			for _, r := range []*rand.Rand{nil, g.r} {
				h := feed(kind, stream, g.methods, r)
				if d := cmp.Diff(want, h.out); d != "" {
					t.Fatalf("seed %d %s: -net/http +http1\n%s\nin %q", seed, kind, d, stream)
				}
				if !h.whole || h.skipped != 0 {
					t.Fatalf("seed %d %s: something is missing, %d bytes skipped: %+v\nin %q", seed, kind, h.skipped, h.out, stream)
				}
			}
		}
	}
}
