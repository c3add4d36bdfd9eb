package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/exchange"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/tls"
	"github.com/ebpf-reel/reel/format"
)

// TestTLSByPlaintext records nginx and curl by probes on the calls of OpenSSL, and holds what nginx logged against it: the
// same as without TLS, at both ends. Then it decrypts the same connections by curl's key log: the bytes are the same.
func TestTLSByPlaintext(t *testing.T) {
	needRoot(t)
	const planted = "s3cr3t-Vq8LmZ0xTbNc"
	curl := need(t, "curl", "curl")
	n := startNginx(t, 1, startBackend(t))
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys.log")
	// One curl, which lives long enough to get its probes before most of its connections.
	args := []string{"SSLKEYLOGFILE=" + keys, curl}
	for i, c := range tlsClients {
		url := func(path string) string { return fmt.Sprintf("https://127.0.0.1:%d%s?client=%d", n.tls, path, i) }
		options := append([]string{"-ksS", "--http1.1"}, strings.Fields(c.options)...)
		if i > 0 {
			args = append(args, "--next")
		}
		args = append(append(args, options...), "-o", os.DevNull, url("/small"), "-o", os.DevNull, url("/medium"), "-o", os.DevNull, url("/large"), url("/204"), "--next")
		args = append(append(args, options...), "-o", os.DevNull, "--data-binary", "@"+filepath.Join(n.dir, "html/medium"), url("/app"))
	}
	reelDir := filepath.Join(dir, "tls.reel")
	t.Log(reel(t, 0, append([]string{"capture", "-w", reelDir, "--tls", "plaintext", "--keep-secrets", "--snaplen", "full", "--ring-bytes", "128MiB", "-p", fmt.Sprint(n.pid()), "--", "env"}, args...)...))
	t.Cleanup(func() { keepReel(t, reelDir) })
	lines := n.quit(t)

	a := analyzeReel(t, reelDir)
	want := map[key]logLine{}
	for k, l := range logByKey(t, lines) {
		if strings.Contains(l.URI, "client=") {
			want[k] = l
		}
	}
	if len(want) != 5*len(tlsClients) {
		t.Fatalf("nginx logged %d requests, %d were made", len(want), 5*len(tlsClients))
	}
	compareLog(t, want, onlyClients(serverView(t, a, n.tls)))
	var ends, seen [2]int // of nginx and of curl
	for _, c := range a.Connections {
		if int(c.Local.Port) != n.tls && int(c.Remote.Port) != n.tls || c.Bytes[0] == 0 {
			continue
		}
		end := 0
		if int(c.Remote.Port) == n.tls {
			end = 1
		}
		ends[end]++
		if !c.TLS.Probed {
			continue
		}
		seen[end]++
		if c.Protocol != "https" || c.TLS.Tie != facts.Exact || c.TLS.Plain[0] == 0 || c.TLS.Plain[0] >= c.Bytes[0] || c.TLS.Plain[1] >= c.Bytes[1] {
			t.Errorf("connection %d: %s, %d bytes, %+v", c.ID, c.Protocol, c.Bytes, c.TLS)
		}
	}
	if ends[0] != len(tlsClients) || seen[0] != ends[0] || ends[1] != ends[0] || seen[1] < ends[1]/2 {
		t.Errorf("nginx and curl had %d connections, the calls of %d were seen; there were %d", ends, seen, len(tlsClients))
	}
	for _, e := range a.Edges {
		if int(e.Port) == n.tls && e.Protocol != "https" {
			t.Errorf("the edge from %s to %s is %s", e.Client, e.Server, e.Protocol)
		}
	}

	// The same run by keys: the same bytes, whichever way they came.
	byCalls, byKeys := contents(t, reelDir, ""), contents(t, reelDir, keys)
	if len(byKeys) != len(byCalls) || len(byKeys) != 2*len(lines) {
		t.Errorf("%d messages by keys, %d by calls, %d requests", len(byKeys), len(byCalls), len(lines))
	}
	for k, x := range byKeys {
		if byCalls[k] != x {
			t.Errorf("%s differs: %d bytes by keys, %d by calls", k, len(x), len(byCalls[k]))
		}
	}

	// A token that is split over two writes is masked.
	plainDir := filepath.Join(dir, "masked.reel")
	n2 := startNginx(t, 1, startBackend(t))
	reel(t, 0, "capture", "-w", plainDir, "--tls", "plaintext", "--snaplen", "full", "--ring-bytes", "128MiB", "-p", fmt.Sprint(n2.pid()), "--", curl, "-ksS", "-o", os.DevNull,
		"-H", "Authorization: Bearer "+planted, fmt.Sprintf("https://127.0.0.1:%d/small?access_token=%s", n2.tls, planted))
	n2.quit(t)
	if got := len(serverView(t, analyzeReel(t, plainDir), n2.tls)); got != 1 {
		t.Errorf("%d exchanges of 1", got)
	}
	for _, out := range []string{reel(t, 0, "dump", plainDir), reel(t, 0, "analyze", plainDir)} {
		if strings.Contains(out, planted) {
			t.Error("the token that was planted is shown")
		}
	}
	for _, data := range tree(t, plainDir) {
		if bytes.Contains(data, []byte(planted)) {
			t.Error("the reel holds the token that was planted")
		}
	}
}

// contents are the heads and bodies of a reel's messages by connection and request, for requests and for responses.
func contents(t *testing.T, dir, keys string) map[string]string {
	t.Helper()
	cfg := analyze.Config{TLS: tls.Config{KeepSecrets: true}, Exchange: exchange.Config{Headers: true, Body: 1 << 22}}
	if keys != "" {
		cfg.TLS.Log = readKeyLog(t, keys)
	}
	r, err := format.Open(dir, format.OpenOptions{Filter: format.NoFilter{}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := messages{}
	if _, err := analyze.Run(context.Background(), r, cfg, all); err != nil {
		t.Fatal(err)
	}
	return all
}

// messages is a sink that keeps what was said.
type messages map[string]string

func (m messages) Connection(*facts.Connection) error { return nil }

func (m messages) Exchange(x *facts.Exchange) error {
	if x.Role == format.RoleServer {
		k := fmt.Sprintf("%v #%d ", x.Remote, x.Index)
		m[k+"request"] = fmt.Sprintf("%s %s %v\n%s", x.Method, x.Target, x.Request.Headers, x.Request.Body)
		m[k+"response"] = fmt.Sprintf("%d %v\n%s", x.Status, x.Response.Headers, x.Response.Body)
	}
	return nil
}

// onlyClients keeps the exchanges of the numbered clients.
func onlyClients(view map[key]facts.Exchange) map[key]facts.Exchange {
	for k, e := range view {
		if !strings.Contains(e.Target, "client=") || e.Role != format.RoleServer {
			delete(view, k)
		}
	}
	return view
}
