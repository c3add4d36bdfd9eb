package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Tokens that clients send, in halves: one lies over two writes, and so over two records.
const (
	headToken1, headToken2 = "s3cr3tZq8vLw0p", "TnXyRk2vQw9pTm"
	bodyToken              = "b0dyPw7sLk3hGd2x"
)

// sayTokens speaks TLS with a server: a request whose credentials are written in two parts, one with a cookie, and one with a body.
func sayTokens(t *testing.T, port int, version uint16, keys io.Writer) {
	t.Helper()
	c, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), &tls.Config{InsecureSkipVerify: true, MaxVersion: version, KeyLogWriter: keys})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	for _, parts := range [][]string{
		{"GET /small?n=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + headToken1, headToken2 + "\r\nX-After: 1\r\n\r\n"},
		{"GET /small?n=2 HTTP/1.1\r\nHost: a\r\nCookie: session=" + headToken1 + headToken2 + "\r\n\r\n"},
		{"POST /app HTTP/1.1\r\nHost: a\r\nContent-Length: " + strconv.Itoa(len(bodyToken)) + "\r\n\r\n" + bodyToken},
	} {
		for _, p := range parts {
			if _, err := io.WriteString(c, p); err != nil {
				t.Fatal(err)
			}
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%q: %s, %v", parts[0][:20], resp.Status, err)
		}
	}
}

// outputs are everything that reel prints and writes of a reel; the data of the report is unpacked.
func outputs(t *testing.T, dir string, more ...string) map[string][]byte {
	t.Helper()
	out := t.TempDir()
	dump := []string{"dump", dir, "-o", filepath.Join(out, "dump.txt")}
	for _, m := range more {
		if m == "--keep-secrets" {
			dump = append(dump, m)
		}
	}
	reel(t, 0, dump...)
	printed := reel(t, 0, append([]string{"analyze", dir, "-o", filepath.Join(out, "facts"), "--format", "json"}, more...)...)
	reel(t, 0, append([]string{"report", dir, "-o", filepath.Join(out, "report.html")}, more...)...)
	files := tree(t, out)
	files["printed"] = []byte(printed)
	files["info"] = []byte(reel(t, 0, "info", dir))
	blocks := 0
	for _, m := range regexp.MustCompile(`[A-Za-z0-9+/=]{100,}`).FindAll(mustRead(t, filepath.Join(out, "report.html")), -1) {
		packed, err := base64.StdEncoding.DecodeString(string(m))
		if err != nil {
			continue
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			continue
		}
		data, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		blocks++
		files[fmt.Sprint("block of the report ", blocks)] = data
	}
	if blocks < 3 {
		t.Fatalf("the report has %d blocks of data: the test looks into none", blocks)
	}
	return files
}

// holding names the files that hold one of the tokens. Bodies of exchanges are base64 in the report's data.
func holding(files map[string][]byte, tokens ...string) (names []string) {
	for name, data := range files {
		for _, token := range tokens {
			found := bytes.Contains(data, []byte(token))
			for pad := range 3 {
				inner := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", pad) + token))
				found = found || bytes.Contains(data, []byte(inner[4:len(inner)-4]))
			}
			if found {
				names = append(names, name)
				break
			}
		}
	}
	return names
}

// tlsWays are the ways in which the plaintext of TLS is had: arguments of capture, and whether the analysis is given the key log.
var tlsWays = []struct {
	name   string
	args   []string
	keylog bool
}{
	{"key log", []string{"--tls", "off"}, true},
	{"keys", []string{"--tls", "keys"}, false},
	{"plaintext", []string{"--tls", "plaintext"}, false},
}

// TestTLSTokensAreMasked plants tokens in TLS, and looks for them in everything that reel writes: of a reel that ended cleanly, of one
// whose recorder was killed, and of that after reel recover. With --keep-secrets --payload full the same search finds them.
func TestTLSTokensAreMasked(t *testing.T) {
	needRoot(t)
	for _, way := range tlsWays {
		for _, c := range []struct {
			name   string
			args   []string
			kill   bool
			tokens []string // that must not be found
		}{
			{"clean", nil, false, []string{headToken1, headToken2}},
			{"clean, heads", []string{"--payload", "heads"}, false, []string{headToken1, headToken2, bodyToken}},
			{"killed", nil, true, []string{headToken1, headToken2}},
			{"kept", []string{"--keep-secrets", "--payload", "full", "--snaplen", "full"}, false, nil},
		} {
			t.Run(way.name+", "+c.name, func(t *testing.T) {
				n := startNginx(t, 1, startBackend(t))
				keys := filepath.Join(t.TempDir(), "keys.log")
				log, err := os.Create(keys)
				if err != nil {
					t.Fatal(err)
				}
				defer log.Close()
				r := record(t, append(append([]string{"-p", strconv.Itoa(n.pid()), "--flush-interval", "50ms"}, way.args...), c.args...)...)
				for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
					sayTokens(t, n.tls, version, log)
				}
				var more []string
				if way.keylog {
					more = append(more, "--keylog", keys)
				}
				if !c.kill {
					n.quit(t)
					r.stop(t)
					check(t, r.dir, c.tokens, mustRead(t, keys), more)
					return
				}
				waitFor(t, 20*time.Second, "the journal holds the requests", func() bool { return len(analyzeReel(t, r.dir).Connections) >= 2 })
				r.kill()
				n.quit(t)
				check(t, r.dir, c.tokens, mustRead(t, keys), more)
				reel(t, 0, "recover", r.dir)
				check(t, r.dir, c.tokens, mustRead(t, keys), more)
			})
		}
	}
}

// check looks for tokens in all outputs of a reel, and for the secrets of its connections. No tokens: those of all places must be found,
// or this test could not fail.
func check(t *testing.T, dir string, tokens []string, keylog []byte, more []string) {
	t.Helper()
	if tokens == nil {
		files := outputs(t, dir, append(more, "--keep-secrets")...)
		for _, token := range []string{headToken1, headToken2, bodyToken} {
			names := strings.Join(holding(files, token), ", ")
			if !strings.Contains(names, "block of the report") {
				t.Errorf("%q is found in %q only: this test could not fail", token, names)
			}
		}
		return
	}
	files := outputs(t, dir, more...)
	if names := holding(files, tokens...); len(names) > 0 {
		t.Errorf("%s hold a token", strings.Join(names, ", "))
	}
	for line := range strings.Lines(string(keylog)) {
		if f := strings.Fields(line); len(f) == 3 {
			if names := holding(files, f[2], strings.ToUpper(f[2])); len(names) > 0 {
				t.Errorf("%s hold the secret %s", strings.Join(names, ", "), f[0])
			}
		}
	}
}
