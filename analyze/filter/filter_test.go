package filter

import (
	"bytes"
	"errors"
	"flag"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

var update = flag.Bool("update", false, "write docs/filter.md")

func exchange() *facts.Exchange {
	return &facts.Exchange{
		ID: 7, Conn: 3, Index: 2, PID: 100, TID: 101, Role: format.RoleServer, Process: "nginx", Protocol: "http",
		Local: format.Endpoint{Addr: netip.MustParseAddr("10.0.0.2"), Port: 8080}, Remote: format.Endpoint{Addr: netip.MustParseAddr("10.0.0.1"), Port: 40000},
		Method: "POST", Target: "/api/users/17?full=1", Host: "shop", Status: 503, Interim: []int{100},
		Request: facts.Message{Version: "HTTP/1.1", WireBytes: 2 << 20, BodyBytes: 100, Calls: 2, Blocked: 1, CallTime: time.Second,
			Headers: []facts.Header{{Name: "User-Agent", Value: "kube-probe/1.2"}, {Name: "X-A", Value: "1"}, {Name: "x-a", Value: "2"}}},
		Response: facts.Message{WireBytes: 200, Calls: 1},
		Start:    5, Duration: 300 * time.Millisecond, TTFB: 200 * time.Millisecond, Upload: -1, Download: 100 * time.Millisecond,
		Missing: facts.RequestCut, Pairing: facts.Exact, Anomalies: []string{"http1_bare_lf"},
		Trace: &facts.TraceContext{Format: "w3c", TraceID: "1f", SpanID: "2e", Sampled: "1"},
	}
}

func TestMatch(t *testing.T) {
	for text, want := range map[string]bool{
		`status >= 500 && duration > 200ms && path matches "^/api"`: true,
		`duration > 299.9ms and duration < 0.31s`:                   true,
		`duration == 300_000us`:                                     true,
		`duration > 1h || duration > 400ms`:                         false,
		`upload > 0s`:                                               false,
		`upload < 1s`:                                               false,
		`upload != upload`:                                          true,
		`status in 500..599`:                                        true,
		`status in [401, 404]`:                                      false,
		`request_bytes == 2MiB && request_bytes > 2MB`:              true,
		`request_header("user-agent") contains "kube-probe"`:        true,
		`request_header("X-A") == "1, 2"`:                           true,
		`response_header("X-A") == ""`:                              true,
		`"http1_bare_lf" in anomalies`:                              true,
		`any(missing, # endsWith "_gap")`:                           false,
		`any(missing, # == "request_cut") && !complete`:             true,
		`role == "server" && port == 8080 && process == 'nginx'`:    true,
		`path == "/api/users/17" && query == "full=1"`:              true,
		"path matches `^/api/users/\\d+$`":                          true,
		`target contains "200ms"`:                                   false,
		`host == "5s" // 5s is a string here, 7q in a comment`:      false,
		`len(interim) == 1 && interim[0] == 100`:                    true,
		`trace_id == "1f" and trace_sampled == "1"`:                 true,
		`blocked_calls == 1 && call_time >= duration / 2`:           true,
		`status == 0x1F7`:                                           true,
		`status > 5e2`:                                              true,
		`upper(method) == "POST" ? true : false`:                    true,
		"status > 500 &&\n  duration > 1s":                          false,
	} {
		f, err := Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for range 2 { // a filter is used many times
			got, err := f.Match(exchange())
			if err != nil || got != want {
				t.Errorf("%s: %v %v, want %v", text, got, err, want)
			}
		}
	}
	var none *Filter
	if ok, err := none.Match(exchange()); !ok || err != nil || none.NeedsHeaders() {
		t.Error("no filter takes everything")
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]struct {
		line, col int
		msg       string
	}{
		`duration > 200ms && stauts >= 500`:            {1, 21, "did you mean status"},
		`duration > 2m && size > 3KiB && stauts > 5`:   {1, 18, "there is no field size"},
		"duration > 200ms &&\n  duration > 3s && nope": {2, 20, "there is no field nope"},
		`duration > 200mss`:                            {1, 15, "mss is no unit"},
		`duration >`:                                   {1, 10, "unexpected token EOF"},
		`duration > "x"`:                               {1, 10, "invalid operation"},
		`status`:                                       {0, 0, "expected bool"},
		`path matches "("`:                             {1, 6, "missing closing )"},
		`host == "ä" && 5ms > dration`:                 {1, 22, "did you mean duration"},
		`now() > duration`:                             {1, 1, "now"},
		``:                                             {0, 0, "empty"},
		strings.Repeat("(", 70<<10):                    {0, 0, "at most"},
		`duration > 99999999999999999999h`:             {1, 32, "too large"},
	} {
		_, err := Compile(text)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%.40s: error %v", text, err)
			continue
		}
		if e.Line != want.line || e.Col != want.col || !strings.Contains(e.Error(), want.msg) {
			t.Errorf("%.60s: %d:%d %s\nwant %d:%d %s", text, e.Line, e.Col, e.Error(), want.line, want.col, want.msg)
		}
	}
	f, err := Compile(`interim[5] == 100`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Match(exchange()); err == nil || !strings.HasPrefix(err.Error(), "exchange 7: ") {
		t.Errorf("an index outside: %v", err)
	}
}

func TestNeedsHeaders(t *testing.T) {
	for text, want := range map[string]bool{`status > 1`: false, `status > 1 && len(response_header("x")) > 0`: true} {
		if f, err := Compile(text); err != nil || f.NeedsHeaders() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestDocs(t *testing.T) {
	for _, e := range Examples {
		if _, err := Compile(e.Text); err != nil {
			t.Errorf("%s: %v", e.Text, err)
		}
	}
	for _, f := range Fields() {
		if f.Doc == "" || f.Type == "" {
			t.Errorf("%+v", f)
		}
	}
	var got bytes.Buffer
	if err := Describe(&got); err != nil {
		t.Fatal(err)
	}
	const page = "../../docs/filter.md"
	if *update {
		if err := os.WriteFile(page, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("docs/filter.md is not what the code says (go test ./analyze/filter -update):\n%s", d)
	}
}

// FuzzCompile: whatever is given, an expression or an error whose place is in the text; what compiles can be evaluated.
func FuzzCompile(f *testing.F) {
	for _, e := range Examples {
		f.Add(e.Text)
	}
	f.Add("duration > 200mss /* 5s \n */ ä")
	f.Add("1.5.3s..2 'x")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<10 {
			return
		}
		filter, err := Compile(text)
		var e *Error
		if errors.As(err, &e) {
			if e.Line < 0 || e.Col < 0 || e.Line > strings.Count(text, "\n")+1 || e.Error() == "" {
				t.Fatalf("%q: %d:%d %s", text, e.Line, e.Col, e.Msg)
			}
			return
		}
		if err != nil {
			t.Fatalf("%q: %T", text, err)
		}
		x := exchange()
		first, err1 := filter.Match(x)
		second, err2 := filter.Match(x)
		if first != second || (err1 == nil) != (err2 == nil) {
			t.Fatalf("%q: %v %v, then %v %v", text, first, err1, second, err2)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	f, err := Compile(Examples[0].Text)
	if err != nil {
		b.Fatal(err)
	}
	x := exchange()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Match(x); err != nil {
			b.Fatal(err)
		}
	}
}
