package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// tlsToken is planted in a header, in a query and in a body; it must be in no reel and in nothing that is made of one.
const tlsToken = "s3cr3t-Vw8pTm2nQzXy"

// curlScript writes a script of the requests that tlsClients make of nginx, and of three that carry the token.
func curlScript(t *testing.T, n *nginx) string {
	t.Helper()
	curl := need(t, "curl", "curl")
	var script strings.Builder
	for i, c := range tlsClients {
		url := func(path string) string { return fmt.Sprintf("https://127.0.0.1:%d%s?client=%d", n.tls, path, i) }
		fmt.Fprintf(&script, "%s -ksS --http1.1 %s %s %s %s %s --next -ksS --http1.1 %s --data-binary @%s %s >/dev/null\n",
			curl, c.options, url("/small"), url("/medium"), url("/large"), url("/204"), c.options, filepath.Join(n.dir, "html/medium"), url("/app"))
	}
	fmt.Fprintf(&script, "%s -ksS -o /dev/null 'https://127.0.0.1:%d/small?access_token=%s'\n", curl, n.tls, tlsToken)
	fmt.Fprintf(&script, "%s -ksS -o /dev/null -H 'Authorization: Bearer %s' -b 'session=%s' https://127.0.0.1:%d/small\n", curl, tlsToken, tlsToken, n.tls)
	file := filepath.Join(t.TempDir(), "clients.sh")
	if err := os.WriteFile(file, []byte("set -e\nunset SSLKEYLOGFILE\n"+script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestTLSByProbes records nginx and curl, neither of which writes a key log, and holds what nginx logged against the analysis of
// the finished reel: the same as without TLS.
func TestTLSByProbes(t *testing.T) {
	needRoot(t)
	for _, args := range [][]string{{"--snaplen", "full", "--ring-bytes", "128MiB"}, {}, {"--keep-keys"}, {"--payload", "full", "--keep-secrets", "--ring-bytes", "128MiB"}} {
		t.Run(strings.Join(append([]string{"capture"}, args...), " "), func(t *testing.T) {
			n := startNginx(t, 1, startBackend(t))
			dir := filepath.Join(t.TempDir(), "tls.reel")
			script := curlScript(t, n)
			t.Log(reel(t, 0, append(append([]string{"capture", "-w", dir, "-p", fmt.Sprint(n.pid())}, args...), "--", "bash", script)...))
			t.Cleanup(func() { keepReel(t, dir) })
			want := map[key]logLine{}
			for k, l := range logByKey(t, n.quit(t)) {
				if strings.Contains(l.URI, "client=") {
					want[k] = l
				}
			}
			if len(want) != 5*len(tlsClients) {
				t.Fatalf("nginx logged %d requests, %d were made", len(want), 5*len(tlsClients))
			}
			a := analyzeReel(t, dir)
			view := serverView(t, a, n.tls)
			full := slices.Contains(args, "full")
			for k, e := range view {
				if !strings.Contains(e.Target, "client=") {
					delete(view, k)
				}
			}
			if !full {
				cutCBC(t, a, n.tls, want, view)
			}
			compareLog(t, want, view)
			for _, e := range a.Edges {
				if int(e.Port) == n.tls && e.Protocol != "https" {
					t.Errorf("the edge from %s to %s is %s", e.Client, e.Server, e.Protocol)
				}
			}
			if !slices.Contains(args, "--keep-keys") {
				checkFinished(t, dir)
			} else if keys(t, dir) == 0 {
				t.Error("a reel with --keep-keys holds no keys")
			}
			checkToken(t, dir, slices.Contains(args, "--keep-secrets"))
		})
	}
}

// cutCBC leaves out connections of which a cut leaves no length known.
func cutCBC[E any](t *testing.T, a *analysis, port int, want map[key]logLine, view map[key]E) {
	t.Helper()
	for _, c := range a.Connections {
		if int(c.Remote.Port) != port || !strings.Contains(c.TLS.Cipher, "CBC") {
			continue
		}
		for k := range want {
			if k.Port == int(c.Local.Port) {
				delete(want, k)
				delete(view, k)
			}
		}
	}
}

// keys counts the secrets in a reel.
func keys(t *testing.T, dir string) (n int) {
	t.Helper()
	r, err := format.Open(dir, format.OpenOptions{Filter: format.NoFilter{}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, err := range r.Rows(format.RowsOptions{Tables: []format.TableID{format.TableTLSKey}}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// checkFinished holds that a reel has plaintext, and neither keys nor ciphertext: none of its io rows holds a byte of an encrypted record.
func checkFinished(t *testing.T, dir string) {
	t.Helper()
	if n := keys(t, dir); n != 0 {
		t.Errorf("the reel holds %d keys", n)
	}
	for name := range tree(t, dir) {
		if strings.Contains(name, "tls_key") {
			t.Errorf("%s is left", name)
		}
	}
	r, err := format.Open(dir, format.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	plain := 0
	for row, err := range r.Rows(format.RowsOptions{Tables: []format.TableID{format.TableIO, format.TableTLS}}) {
		if err != nil {
			t.Fatal(err)
		}
		switch row := row.(type) {
		case *format.TLS:
			plain++
		case *format.IO:
			const applicationData = 23
			if p := row.Payload; len(p) > 0 && p[0] == applicationData && (len(p) == 1 || p[1] == 3) {
				t.Fatalf("an io row holds ciphertext: %x", p)
			}
		}
	}
	if plain == 0 {
		t.Error("the reel holds no plaintext")
	}
}

// checkToken looks for the token in the files of a reel, and in what dump, analyze and report make of it.
func checkToken(t *testing.T, dir string, kept bool) {
	t.Helper()
	out := t.TempDir()
	_, _ = exec.Command(reelBin, "dump", dir, "-o", filepath.Join(out, "dump.txt")).CombinedOutput()
	_, _ = exec.Command(reelBin, "analyze", dir, "-o", filepath.Join(out, "facts"), "--format", "json").CombinedOutput()
	_, _ = exec.Command(reelBin, "report", dir, "-o", filepath.Join(out, "report.html")).CombinedOutput()
	if !bytes.Contains(mustRead(t, filepath.Join(out, "dump.txt")), []byte("\nio ")) {
		t.Error("the dump holds nothing")
	}
	found := 0
	for name, data := range tree(t, out) {
		if n := bytes.Count(data, []byte(tlsToken)); n > 0 {
			found += n
			if !kept {
				t.Errorf("%s holds the token %d times", name, n)
			}
		}
	}
	if kept && found < 3 {
		t.Errorf("with --keep-secrets the token is found %d times: this test could not fail", found)
	}
}

// TestTLSRecorderKilled kills a recorder that has seen keys: the reel says so, nothing that is made of it shows a secret, and
// recovery finishes it.
func TestTLSRecorderKilled(t *testing.T) {
	needRoot(t)
	n := startNginx(t, 1, startBackend(t))
	r := record(t, "--segment-time", "1s", "--flush-interval", "100ms", "-p", fmt.Sprint(n.pid()))
	if out, err := exec.Command("bash", curlScript(t, n)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	waitFor(t, time.Minute, "a key is in the reel", func() bool { return keys(t, r.dir) > 0 })
	r.signal(t, syscall.SIGKILL)
	<-r.done
	out, _ := exec.Command(reelBin, "info", r.dir).CombinedOutput()
	if !bytes.Contains(out, []byte("it holds keys of TLS connections")) {
		t.Errorf("the reel does not say that it holds keys:\n%s", out)
	}
	checkToken(t, r.dir, false)
	if got := len(serverView(t, analyzeReel(t, r.dir), n.tls)); got == 0 {
		t.Error("nothing is read of the unclean reel")
	}
	reel(t, 0, "recover", r.dir)
	if n := keys(t, r.dir); n != 0 { // ciphertext whose key was not written yet stays
		t.Errorf("the recovered reel holds %d keys", n)
	}
	checkToken(t, r.dir, false)
	if got := len(serverView(t, analyzeReel(t, r.dir), n.tls)); got == 0 {
		t.Error("nothing is read of the recovered reel")
	}
	reel(t, 0, "verify", r.dir)
}

// TestNoPayloadNoKeys holds that a reel without payload has no keys either, whatever --keep-keys says.
func TestNoPayloadNoKeys(t *testing.T) {
	needRoot(t)
	n := startNginx(t, 1, startBackend(t))
	dir := filepath.Join(t.TempDir(), "none.reel")
	reel(t, 0, "capture", "-w", dir, "--payload", "none", "--keep-keys", "-p", fmt.Sprint(n.pid()), "--", "bash", curlScript(t, n))
	if got := keys(t, dir); got != 0 {
		t.Errorf("%d keys", got)
	}
}
