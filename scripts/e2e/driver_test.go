package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The driver is this test binary started anew: a client process of its own, so that its side of the connections can be
// recorded without recording the test.
const driverEnv = "REEL_E2E_DRIVER"

// driverSpec says what the driver does. It connects Conns connections (after the gate unless Early), and then sends.
type driverSpec struct {
	Addr     string // host:port
	Conns    int
	Requests int    // plain GETs in all
	Odd      int    // rounds of the odd requests, on connections of their own
	Early    bool   // connect, and send one request, before the gate opens
	KeyLog   string // speak TLS, and write a key log there
	Out      string
}

// sent is the driver's own account of one exchange.
type sent struct {
	Port   int    `json:"port"` // local
	N      int    `json:"n"`    // on this connection, from 1
	Method string `json:"method"`
	Target string `json:"target"`
	Status int    `json:"status"`
	Body   int    `json:"body"`  // content bytes of the response
	Wire   int    `json:"wire"`  // bytes of the response as read, interim responses not counted
	Start  int64  `json:"start"` // CLOCK_MONOTONIC ns before the request was written
	End    int64  `json:"end"`   // after the response was read
	Early  bool   `json:"early"`
	// Hidden: its response came behind a body longer than the byte budget in one pipelined batch. One read may take both,
	// and then the response lies in what was not copied.
	Hidden bool `json:"hidden"`
}

// driver is a started driver process, waiting at its gate.
type driver struct {
	*proc
	gate io.WriteCloser
	out  string
}

func startDriver(t *testing.T, spec driverSpec) *driver {
	t.Helper()
	spec.Out = t.TempDir() + "/sent.jsonl"
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{gate: w, out: spec.Out}
	d.proc = startWith(t, r, []string{driverEnv + "=" + string(text)}, exe)
	r.Close()
	t.Cleanup(func() { w.Close() })
	waitFor(t, 20*time.Second, "driver stands at its gate", func() bool {
		if !d.running() {
			t.Fatalf("driver ended early: %s", d.proc.out.String())
		}
		return strings.Contains(d.proc.out.String(), "ready")
	})
	return d
}

// run opens the gate, waits for the end and returns what was sent.
func (d *driver) run(t *testing.T, limit time.Duration) []sent {
	t.Helper()
	d.gate.Close()
	d.wait(t, limit, 0)
	data, err := os.ReadFile(d.out)
	if err != nil {
		t.Fatal(err)
	}
	var all []sent
	for line := range bytes.Lines(data) {
		var s sent
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func driverMain(text string) int {
	var spec driverSpec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		fmt.Println(err)
		return 2
	}
	if err := drive(spec); err != nil {
		fmt.Println("driver:", err)
		return 1
	}
	return 0
}

func drive(spec driverSpec) error {
	var conns []*client
	secure, err := secureBy(spec.KeyLog)
	if err != nil {
		return err
	}
	open := func() error {
		for len(conns) < spec.Conns {
			c, err := dial(spec.Addr)
			if err != nil {
				return err
			}
			if secure != nil {
				c.speakTLS(secure(len(conns)))
			}
			conns = append(conns, c)
		}
		return nil
	}
	if spec.Early {
		if err := open(); err != nil {
			return err
		}
		for _, c := range conns {
			if err := c.do(simple("GET", "/small")); err != nil {
				return err
			}
			c.log[0].Early = true
		}
	}
	fmt.Println("ready")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	if err := open(); err != nil {
		return err
	}
	errs := make(chan error, len(conns)+1)
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Add(1)
		go func() {
			defer wg.Done()
			rnd := rand.New(rand.NewSource(int64(i)))
			for k := i; k < spec.Requests; k += len(conns) {
				if err := c.do(simple("GET", plainTargets(rnd, k))); err != nil {
					errs <- err
					return
				}
			}
			c.conn.Close()
		}()
	}
	var odd []*client
	for round := range spec.Odd {
		cs, err := oddRound(spec.Addr, round)
		odd = append(odd, cs...)
		if err != nil {
			errs <- fmt.Errorf("odd round %d: %w", round, err)
			break
		}
	}
	wg.Wait()
	close(errs)
	f, err := os.Create(spec.Out)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(f)
	for _, c := range append(conns, odd...) {
		for _, s := range c.log {
			if err := enc.Encode(s); err != nil {
				return err
			}
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	for err := range errs {
		return err
	}
	return nil
}

func plainTargets(rnd *rand.Rand, k int) string {
	switch rnd.Intn(20) {
	case 0:
		return fmt.Sprintf("/missing/%d", k)
	case 1:
		return "/medium?k=" + fmt.Sprint(k)
	case 2:
		return "/204?k=" + fmt.Sprint(k)
	default:
		return "/small?k=" + fmt.Sprint(k)
	}
}

// client is one connection.
type client struct {
	conn net.Conn
	in   *counter
	br   *bufio.Reader
	n    int
	log  []sent
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func dial(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return nil, err
	}
	in := &counter{r: conn}
	return &client{conn: conn, in: in, br: bufio.NewReaderSize(in, 32<<10)}, nil
}

// request is one request as it goes out: Parts are written one after the other, by a write each.
type request struct {
	Method, Target string
	Parts          [][]byte
	Continue       bool // wait for 100 between part 0 and part 1
}

func simple(method, target string, headers ...string) request {
	return request{Method: method, Target: target, Parts: [][]byte{head(method, target, headers...)}}
}

func head(method, target string, headers ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: reel-e2e\r\n", method, target)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

func withBody(method, target string, body []byte, split int) request {
	h := head(method, target, fmt.Sprintf("Content-Length: %d", len(body)))
	r := request{Method: method, Target: target, Parts: [][]byte{h}}
	for len(body) > 0 {
		n := min(split, len(body))
		r.Parts = append(r.Parts, body[:n])
		body = body[n:]
	}
	return r
}

func monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err)
	}
	return ts.Nano()
}

// do sends requests back to back (pipelined if there are several) and reads their responses in order.
func (c *client) do(reqs ...request) error {
	start := monotonic()
	if len(reqs) > 1 {
		var all []byte
		for _, r := range reqs {
			all = append(all, bytes.Join(r.Parts, nil)...)
		}
		if _, err := c.conn.Write(all); err != nil {
			return err
		}
	} else {
		for i, p := range reqs[0].Parts {
			if i == 1 && reqs[0].Continue {
				resp, err := http.ReadResponse(c.br, &http.Request{Method: reqs[0].Method})
				if err != nil {
					return err
				}
				if resp.StatusCode != http.StatusContinue {
					return fmt.Errorf("%s: %d instead of 100", reqs[0].Target, resp.StatusCode)
				}
			}
			if _, err := c.conn.Write(p); err != nil {
				return err
			}
		}
	}
	hidden := false
	for _, r := range reqs {
		before := c.in.n - c.br.Buffered()
		resp, err := http.ReadResponse(c.br, &http.Request{Method: r.Method})
		if err != nil {
			return fmt.Errorf("%s %s: %w", r.Method, r.Target, err)
		}
		body, err := io.Copy(io.Discard, resp.Body)
		if err != nil {
			return fmt.Errorf("%s %s: %w", r.Method, r.Target, err)
		}
		c.n++
		c.log = append(c.log, sent{Port: c.conn.LocalAddr().(*net.TCPAddr).Port, N: c.n, Method: r.Method, Target: r.Target,
			Status: resp.StatusCode, Body: int(body), Wire: c.in.n - c.br.Buffered() - before, Start: start, End: monotonic(), Hidden: hidden})
		hidden = hidden || len(reqs) > 1 && body > 3000
	}
	return nil
}

// oddRound sends one of each of the odd requests, on connections of its own, which it returns.
func oddRound(addr string, round int) ([]*client, error) {
	var used []*client
	c, err := dial(addr)
	if err != nil {
		return nil, err
	}
	used = append(used, c)
	steps := [][]request{
		{simple("HEAD", "/small")},
		{simple("HEAD", "/large")},
		{withBody("POST", "/app/empty", nil, 1)},
		{withBody("POST", "/app/small", pattern(1+round), 7+round)},
		{withBody("POST", "/app/64k", pattern(64<<10), 9000)},
		{withBody("PUT", "/app/1m", pattern(1<<20), 65536)},
		{chunked("/app/chunked", pattern(30000+round), 4096)},
		{simple("GET", "/204")},
		{simple("GET", "/small", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT")},
		{simple("GET", "/nothing-here")},
		{simple("GET", "/500")},
		{simple("GET", "/moved")},
		{simple("GET", "/app/slow")},
		{simple("GET", "/app/stream")},
		{expect("/app/continue", pattern(5000))},
		{simple("GET", "/large", "Range: bytes=100-299")},
		{simple("GET", "/large", "Range: bytes=0-9,100-119,500000-500099")},
		{simple("GET", "/large")},
		{simple("GET", "/small?a=1"), simple("GET", "/small?a=2")},
		{simple("GET", "/204"), simple("HEAD", "/medium"), simple("GET", "/medium"), simple("GET", "/nope"), simple("GET", "/small")},
		{split(simple("GET", "/small?split=1", "X-Long: "+strings.Repeat("y", 3000)), 97)},
		{simple("OPTIONS", "/small")},
		{simple("DELETE", "/app/thing/17")},
	}
	for i, reqs := range steps {
		if err := c.do(reqs...); err != nil {
			return used, fmt.Errorf("step %d: %w", i, err)
		}
	}
	if err := c.do(simple("GET", "/small", "Connection: close")); err != nil {
		return used, err
	}
	c.conn.Close()
	// HTTP/1.0: the response ends with the connection.
	c, err = dial(addr)
	if err != nil {
		return used, err
	}
	used = append(used, c)
	old := request{Method: "GET", Target: "/small", Parts: [][]byte{[]byte("GET /small HTTP/1.0\r\nHost: shop.test\r\n\r\n")}}
	if err := c.do(old); err != nil {
		return used, err
	}
	c.conn.Close()
	return used, nil
}

func chunked(target string, body []byte, size int) request {
	r := request{Method: "POST", Target: target, Parts: [][]byte{head("POST", target, "Transfer-Encoding: chunked")}}
	for len(body) > 0 {
		n := min(size, len(body))
		r.Parts = append(r.Parts, fmt.Appendf(nil, "%x;ext=1\r\n%s\r\n", n, body[:n]))
		body = body[n:]
	}
	r.Parts = append(r.Parts, []byte("0\r\nX-Trailer: end\r\n\r\n"))
	return r
}

func expect(target string, body []byte) request {
	r := withBody("POST", target, body, len(body))
	r.Parts[0] = head("POST", target, fmt.Sprintf("Content-Length: %d", len(body)), "Expect: 100-continue")
	r.Continue = true
	return r
}

// split cuts the head of a request into writes of n bytes.
func split(r request, n int) request {
	whole := r.Parts[0]
	r.Parts = nil
	for len(whole) > 0 {
		k := min(n, len(whole))
		r.Parts = append(r.Parts, whole[:k])
		whole = whole[k:]
	}
	return r
}

// startBackend serves what nginx proxies to; it is part of the test process and not recorded.
func startBackend(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return
		}
		switch r.URL.Path {
		case "/app/slow":
			timer := time.NewTimer(60 * time.Millisecond)
			<-timer.C
		case "/app/stream":
			for i := range 5 {
				fmt.Fprintf(w, "part %d\n", i)
				w.(http.Flusher).Flush()
			}
			return
		}
		fmt.Fprintf(w, "%s %d\n", r.Method, n)
	})}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return l.Addr().(*net.TCPAddr).Port
}
