package curl

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// sent is a request as a server sees it.
type sent struct {
	Method, Target, Host, Proto, Body string
	Fields                            []string
}

// The command, run by a shell and curl, sends the request again: method, target, fields and content byte for byte.
func TestSendsAgain(t *testing.T) {
	shell := find(t, "bash")
	find(t, "curl")
	var mu sync.Mutex // of got: that a process has ended orders nothing for the race detector
	var got sent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = sent{Method: r.Method, Target: r.RequestURI, Host: r.Host, Proto: r.Proto, Body: string(body)}
		for name, values := range r.Header {
			for _, v := range values {
				if name != "Content-Length" {
					got.Fields = append(got.Fields, name+": "+v)
				}
			}
		}
		sort.Strings(got.Fields)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	for name, x := range map[string]facts.Exchange{
		"plain":       {Method: "GET", Target: "/a/../b?x=[1-3]&y={a,b}", Request: facts.Message{Version: "HTTP/1.1"}},
		"head":        {Method: "HEAD", Target: "/h", Request: facts.Message{Version: "HTTP/1.1"}},
		"options":     {Method: "OPTIONS", Target: "/", Request: facts.Message{Version: "HTTP/1.1"}},
		"http 1.0":    {Method: "GET", Target: "/old", Request: facts.Message{Version: "HTTP/1.0"}},
		"hostile":     {Method: "GET", Target: "/$(id)`id`'\"\\;&|<>", Request: facts.Message{Version: "HTTP/1.1", Headers: []facts.Header{{Name: "X-A", Value: "'; touch /x; '$HOME \\n"}}}},
		"post":        {Method: "POST", Target: "/p", Request: facts.Message{Version: "HTTP/1.1", Body: []byte("@/etc/passwd\r\n'x' \x01\xff\t日"), Headers: []facts.Header{{Name: "Content-Type", Value: "text/x"}}}},
		"post of few": {Method: "POST", Target: "/p", Request: facts.Message{Version: "HTTP/1.1", Body: []byte("a=b")}},
		"put":         {Method: "PUT", Target: "/p", Request: facts.Message{Version: "HTTP/1.1", Body: []byte("new")}},
		"delete":      {Method: "DELETE", Target: "/p", Request: facts.Message{Version: "HTTP/1.1"}},
		"fields": {Method: "GET", Target: "/", Request: facts.Message{Version: "HTTP/1.1", Headers: []facts.Header{{Name: "Accept", Value: "*/*"}, {Name: "X-Two", Value: "1"},
			{Name: "X-Two", Value: "2"}, {Name: "X-Empty", Value: ""}, {Name: "Content-Length", Value: "99"}, {Name: "Connection", Value: "close"}, {Name: "@/etc/hostname", Value: "x"}, {Name: "--next", Value: "1"}}}},
		"absolute": {Method: "GET", Target: "http://" + host + "/via-proxy", Request: facts.Message{Version: "HTTP/1.1"}},
	} {
		x.Host, x.Protocol = host, "http"
		x.Request.BodyBytes = uint64(len(x.Request.Body))
		x.Request.Headers = append([]facts.Header{{Name: "Host", Value: host}}, x.Request.Headers...)
		want := sent{Method: x.Method, Target: strings.TrimPrefix(x.Target, "http://"+host), Host: host, Proto: x.Request.Version, Body: string(x.Request.Body)}
		for _, h := range x.Request.Headers[1:] {
			if n := strings.ToLower(h.Name); !left[n] && isToken(n) {
				want.Fields = append(want.Fields, http.CanonicalHeaderKey(h.Name)+": "+h.Value)
			}
		}
		sort.Strings(want.Fields)
		mu.Lock()
		got = sent{}
		mu.Unlock()
		var stderr bytes.Buffer
		cmd := exec.Command(shell, "-c", strings.Replace(Command(&x), "curl ", "curl --disable --silent --show-error --noproxy '*' ", 1))
		cmd.Stderr = &stderr
		if err := cmd.Run(); err != nil {
			t.Errorf("%s: %v: %s\n%s", name, err, stderr.String(), Command(&x))
			continue
		}
		mu.Lock()
		d := cmp.Diff(want, got)
		mu.Unlock()
		if d != "" {
			t.Errorf("%s: -recorded +sent\n%s\n%s", name, d, Command(&x))
		}
	}
}

// find returns the path of a program that every machine of the tests has.
func find(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("REEL_ALLOW_SKIP") == "1" {
			t.Skip(err)
		}
		t.Fatalf("%v; REEL_ALLOW_SKIP=1 skips this test", err)
	}
	return path
}

func TestCommand(t *testing.T) {
	server := format.Endpoint{Addr: netip.MustParseAddr("10.0.0.2"), Port: 8080}
	for name, c := range map[string]struct {
		x    facts.Exchange
		want string
	}{
		"not known":     {facts.Exchange{}, ""},
		"a tunnel":      {facts.Exchange{Method: "CONNECT", Target: "b:443", Host: "b:443"}, ""},
		"without host":  {facts.Exchange{Method: "GET", Target: "/", Role: format.RoleClient, Remote: server}, `curl --globoff --path-as-is --http1.1 'http://10.0.0.2:8080/'`},
		"of a server":   {facts.Exchange{Method: "GET", Target: "/", Role: format.RoleServer, Local: server, Protocol: "https"}, `curl --globoff --path-as-is --http1.1 'https://10.0.0.2:8080/'`},
		"names a file":  {facts.Exchange{Method: "GET", Target: "file:///etc/passwd", Host: "a"}, `curl --globoff --path-as-is --http1.1 'http://a/'`},
		"lacks content": {facts.Exchange{Method: "PUT", Target: "/", Host: "a", Request: facts.Message{Body: []byte("ab"), BodyBytes: 9}}, `curl --request 'PUT' --globoff --path-as-is --http1.1 --header 'Content-Type:' --data-raw 'ab' 'http://a/' # only 2 bytes of the body's 9 were kept`},
		"masked": {facts.Exchange{Method: "GET", Target: "/", Host: "a", Request: facts.Message{Headers: []facts.Header{{Name: "Authorization", Value: "Bearer ********"}}}},
			`curl --globoff --path-as-is --http1.1 --header 'Authorization: Bearer ********' --header 'Accept:' --header 'User-Agent:' 'http://a/' # credentials were masked: put yours in place of the asterisks`},
		"looks like another": {facts.Exchange{Method: "GET", Target: "/\u202egnp", Host: "a"}, `curl --globoff --path-as-is --http1.1 $'http://a/\342\200\256gnp'`},
	} {
		if got := Command(&c.x); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// FuzzQuote: a shell makes of a quoted word what it was, NUL bytes left out.
func FuzzQuote(f *testing.F) {
	shell := find(f, "bash")
	for _, s := range []string{"", "a'b", "\n$(id)\\", "\x00\x01\xff", "\u202e日本é", "'\t'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<10 {
			return
		}
		out, err := exec.Command(shell, "-c", "printf %s "+quote(s)).Output()
		if want := strings.ReplaceAll(s, "\x00", ""); err != nil || string(out) != want {
			t.Fatalf("%q became %q: %v", want, out, err)
		}
	})
}
