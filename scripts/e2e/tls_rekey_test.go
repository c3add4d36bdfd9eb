package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/keylog"
	"github.com/ebpf-reel/reel/analyze/tls"
	"github.com/ebpf-reel/reel/format"
)

// sClient is openssl s_client, whose commands (a line with one letter) change the keys of a connection.
type sClient struct {
	*proc
	t     *testing.T
	input *os.File
}

func startSClient(t *testing.T, port int, keys string, args ...string) *sClient {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	t.Cleanup(func() { w.Close() })
	args = append([]string{"s_client", "-connect", "127.0.0.1:" + strconv.Itoa(port), "-keylogfile", keys}, args...)
	return &sClient{startWith(t, r, nil, need(t, "openssl", "openssl"), args...), t, w}
}

// say types text and waits until what s_client prints holds want n times.
func (c *sClient) say(text, want string, n int) {
	c.t.Helper()
	if _, err := c.input.WriteString(text); err != nil {
		c.t.Fatal(err)
	}
	waitFor(c.t, 20*time.Second, fmt.Sprintf("s_client prints %q", want), func() bool {
		return strings.Count(c.out.String(), want) >= n
	})
}

// TestTLSKeysChange records a server whose client changes the keys in the middle: by KeyUpdate in TLS 1.3, asked for by one side and
// by both, and by a new handshake in TLS 1.2.
func TestTLSKeysChange(t *testing.T) {
	needRoot(t)
	t.Run("TLS 1.3", func(t *testing.T) {
		n := startNginx(t, 1, startBackend(t))
		keys := filepath.Join(t.TempDir(), "keys.log")
		r := record(t, "--tls", "off", "-p", strconv.Itoa(n.pid()))
		c := startSClient(t, n.tls, keys, "-tls1_3")
		const get = "GET /small?n=%d HTTP/1.1\nHost: a\n\n"
		c.say(fmt.Sprintf(get, 1), "200 OK", 1)
		c.say("k\n", "KEYUPDATE", 1)
		c.say(fmt.Sprintf(get, 2), "200 OK", 2)
		c.say("K\n", "KEYUPDATE", 2)
		c.say("K\n", "KEYUPDATE", 3)
		c.say(fmt.Sprintf(get, 3), "200 OK", 3)
		c.kill()
		n.quit(t)
		r.stop(t)
		wantTargets(t, decrypted(t, r.dir, keys), n.tls, []string{"/small?n=1", "/small?n=2", "/small?n=3"})
	})
	t.Run("TLS 1.2", func(t *testing.T) {
		dir := t.TempDir()
		cert, keys, port := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "keys.log"), freePort(t)
		writeCertificate(t, cert)
		s := start(t, nil, need(t, "openssl", "openssl"), "s_server", "-accept", "127.0.0.1:"+strconv.Itoa(port), "-cert", cert, "-www", "-tls1_2", "-client_renegotiation")
		waitFor(t, 20*time.Second, "s_server listens", func() bool {
			c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
			if err == nil {
				c.Close()
			}
			return err == nil
		})
		r := record(t, "--tls", "off", "-p", strconv.Itoa(s.pid()))
		c := startSClient(t, port, keys, "-tls1_2", "-no_ticket")
		c.say("R\n", "RENEGOTIATING", 1)
		c.say("GET /once HTTP/1.0\n\n", "200 ok", 1)
		c.wait(t, 20*time.Second, 0)
		s.kill()
		r.stop(t)
		if log, err := os.ReadFile(keys); err != nil || bytes.Count(log, []byte("CLIENT_RANDOM")) != 2 {
			t.Fatalf("the key log has not two master secrets (%v):\n%s", err, log)
		}
		wantTargets(t, decrypted(t, r.dir, keys), port, []string{"/once"})
	})
}

// decrypted analyzes a reel with a key log.
func decrypted(t *testing.T, dir, keys string) *analysis {
	t.Helper()
	if keys == "" {
		return analyzeReel(t, dir)
	}
	return analyzeWith(t, dir, analyze.Config{TLS: tls.Config{Log: readKeyLog(t, keys)}})
}

func readKeyLog(t *testing.T, path string) *keylog.Log {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	log, err := keylog.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// wantTargets checks that a server's exchanges have these targets, in order, and lack nothing.
func wantTargets(t *testing.T, a *analysis, port int, want []string) {
	t.Helper()
	var got []string
	for _, e := range a.Exchanges {
		if e.Role != format.RoleServer || int(e.Local.Port) != port {
			continue
		}
		got = append(got, e.Target)
		if e.Protocol != "https" || e.Status != 200 || e.Missing&^allowed != 0 || e.Pairing != facts.Exact {
			t.Errorf("%s: %s, status %d, lacks %b, pairing %v", e.Target, e.Protocol, e.Status, e.Missing, e.Pairing)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("exchanges %q, want %q; ledger %+v", got, want, a.Ledger)
	}
}
