package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// writeCertificate writes a key and a self-signed certificate.
func writeCertificate(t *testing.T, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"shop.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})...)
	if err := os.WriteFile(file, out, 0o600); err != nil {
		t.Fatal(err)
	}
}

// tlsClients are curl's ways to connect; each makes its requests on one connection. Of some, all suites of TLS 1.2 with that
// protection.
var tlsClients = []struct{ suite, options string }{
	{"TLS_AES_256_GCM_SHA384", "--tlsv1.3"},
	{"TLS_AES_128_GCM_SHA256", "--tlsv1.3 --tls13-ciphers TLS_AES_128_GCM_SHA256"},
	{"TLS_CHACHA20_POLY1305_SHA256", "--tlsv1.3 --tls13-ciphers TLS_CHACHA20_POLY1305_SHA256"},
	{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "--tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-GCM-SHA256"},
	{"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "--tls-max 1.2 --ciphers ECDHE-ECDSA-AES256-GCM-SHA384"},
	{"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "--tls-max 1.2 --ciphers ECDHE-ECDSA-CHACHA20-POLY1305"},
	// OpenSSL encrypts, then MACs (RFC 7366).
	{"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "--tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-SHA"},
	{"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "--tls-max 1.2 --ciphers ECDHE-ECDSA-AES256-SHA384"},
}

// TestTLSByKeyLog records nginx and curl, decrypts both ends by the key log that curl wrote, and holds what nginx logged
// against it: the same as without TLS.
func TestTLSByKeyLog(t *testing.T) {
	needRoot(t)
	const planted = "s3cr3t-Rk2vQw9pTmXy"
	curl := need(t, "curl", "curl")
	for _, snaplen := range []string{"full", "4096"} {
		t.Run("snaplen "+snaplen, func(t *testing.T) {
			n := startNginx(t, 1, startBackend(t))
			dir := t.TempDir()
			keys := filepath.Join(dir, "keys.log")
			var script strings.Builder
			for i, c := range tlsClients {
				url := func(path string) string { return fmt.Sprintf("https://127.0.0.1:%d%s?client=%d", n.tls, path, i) }
				fmt.Fprintf(&script, "%s -ksS --http1.1 %s %s %s %s %s --next -ksS --http1.1 %s --data-binary @%s %s >/dev/null\n",
					curl, c.options, url("/small"), url("/medium"), url("/large"), url("/204"), c.options, filepath.Join(n.dir, "html/medium"), url("/app"))
			}
			fmt.Fprintf(&script, "%s -ksS -o /dev/null 'https://127.0.0.1:%d/small?access_token=%s'\n", curl, n.tls, planted)
			file := filepath.Join(dir, "clients.sh")
			if err := os.WriteFile(file, []byte("set -e\nexport SSLKEYLOGFILE="+keys+"\n"+script.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			reelDir := filepath.Join(dir, "tls.reel")
			t.Log(reel(t, 0, "capture", "--tls", "off", "-w", reelDir, "--snaplen", snaplen, "-p", fmt.Sprint(n.pid()), "--", "bash", file))
			t.Cleanup(func() { keepReel(t, reelDir) })
			lines := n.quit(t)

			a := decrypted(t, reelDir, keys)
			view := serverView(t, a, n.tls)
			want := map[key]logLine{}
			for k, l := range logByKey(t, lines) {
				if strings.Contains(l.URI, "client=") {
					want[k] = l
				}
			}
			for k, e := range view {
				if !strings.Contains(e.Target, "client=") {
					delete(view, k)
				}
			}
			if len(want) != 5*len(tlsClients) {
				t.Fatalf("nginx logged %d requests, %d were made", len(want), 5*len(tlsClients))
			}
			cbc := map[string]bool{} // ports of connections whose records have no length that a cut leaves known
			for _, c := range a.Connections {
				if int(c.Remote.Port) == n.tls && strings.Contains(c.TLS.Cipher, "CBC") {
					cbc[fmt.Sprint(c.Local.Port)] = true
				}
			}
			if snaplen != "full" {
				for k, l := range want {
					if cbc[fmt.Sprint(l.Port)] {
						delete(want, k)
					}
				}
				for k, e := range view {
					if cbc[fmt.Sprint(e.Remote.Port)] {
						delete(view, k)
					}
				}
			}
			compareLog(t, want, view)
			checkConnections(t, a, n.tls, snaplen == "full")

			// What no key log opens is shown as TLS; what it opens is masked unless the user wants it as it was sent.
			blind := analyzeReel(t, reelDir)
			if got := len(serverView(t, blind, n.tls)); got != 0 {
				t.Errorf("%d exchanges without the key log", got)
			}
			for _, show := range []bool{false, true} {
				out := filepath.Join(t.TempDir(), "facts")
				args := []string{"analyze", reelDir, "--keylog", keys, "-o", out, "--format", "json"}
				if show {
					args = append(args, "--keep-secrets")
				}
				reel(t, 0, args...)
				found := 0
				for _, data := range tree(t, out) {
					found += bytes.Count(data, []byte(planted))
				}
				if found > 0 != show {
					t.Errorf("reel %s: the token is found %d times", strings.Join(args, " "), found)
				}
			}
		})
	}
}

// checkConnections holds what is known of the connections' TLS against what curl was told to use.
func checkConnections(t *testing.T, a *analysis, port int, full bool) {
	t.Helper()
	suites := map[string]int{}
	for _, c := range a.Connections {
		server := c.Role == format.RoleServer && int(c.Local.Port) == port
		if !server && !(c.Role == format.RoleClient && int(c.Remote.Port) == port) {
			continue
		}
		suites[c.TLS.Cipher]++
		if c.Protocol != "https" || c.TLS.Records == 0 || c.TLS.Plain[0] == 0 || c.TLS.Plain[0] >= c.Bytes[0] || c.TLS.Plain[1] >= c.Bytes[1] {
			t.Errorf("connection %d: %s, %d bytes, %+v", c.ID, c.Protocol, c.Bytes, c.TLS)
		}
		if full && c.TLS.Unproved != 0 {
			t.Errorf("connection %d: %d records are unproved", c.ID, c.TLS.Unproved)
		}
	}
	for _, c := range tlsClients {
		if suites[c.suite] == 0 {
			t.Errorf("no connection used %s: %v", c.suite, suites)
		}
	}
	for _, e := range a.Edges {
		if int(e.Port) == port && e.Protocol != "https" {
			t.Errorf("the edge from %s to %s is %s", e.Client, e.Server, e.Protocol)
		}
	}
}
