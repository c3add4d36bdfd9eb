package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExportKeylog: the secrets that a reel keeps are, as a key log, those that curl wrote itself of the same connections, and tshark
// decrypts the packets of the same run by them.
func TestExportKeylog(t *testing.T) {
	needRoot(t)
	n := startNginx(t, 1, startBackend(t))
	dir := t.TempDir()
	own, exported, pcap := filepath.Join(dir, "curl.keys"), filepath.Join(dir, "reel.keys"), filepath.Join(dir, "wire.pcap")
	script := filepath.Join(dir, "clients.sh")
	var text strings.Builder
	for _, options := range []string{"--tlsv1.3", "--tlsv1.3 --tls13-ciphers TLS_AES_128_GCM_SHA256", "--tlsv1.3 --tls13-ciphers TLS_CHACHA20_POLY1305_SHA256", "--tls-max 1.2"} {
		fmt.Fprintf(&text, "%s -ksS --http1.1 %s https://127.0.0.1:%d/small https://127.0.0.1:%d/medium >/dev/null\n", need(t, "curl", "curl"), options, n.tls, n.tls)
	}
	if err := os.WriteFile(script, []byte("set -e\nexport SSLKEYLOGFILE="+own+"\n"+text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := sniff(t, pcap, n.tls)
	kept := filepath.Join(dir, "kept.reel")
	reel(t, 0, "capture", "-w", kept, "--tls", "keys", "--keep-keys", "-p", fmt.Sprint(n.pid()), "--", "bash", script)
	t.Cleanup(func() { keepReel(t, kept) })
	n.quit(t)
	stop()
	out := reel(t, 0, "export", kept, "--keylog", "-o", exported)
	if !strings.Contains(out, "1 connections of TLS 1.2 are left out") {
		t.Errorf("reel export says %q", out)
	}
	var want []string
	for line := range strings.Lines(string(mustRead(t, own))) {
		if strings.HasPrefix(line, "CLIENT_") && !strings.HasPrefix(line, "CLIENT_RANDOM") || strings.HasPrefix(line, "SERVER_") {
			want = append(want, line)
		}
	}
	got := slices.Collect(strings.Lines(string(mustRead(t, exported))))
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || len(want) != 3*4 {
		t.Errorf("the reel has %d secrets, curl wrote %d:\n%s\n%s", len(got), len(want), strings.Join(got, ""), strings.Join(want, ""))
	}
	read := 0
	for _, said := range tsharkPlaintexts(t, pcap, exported, n.tls) {
		if strings.HasPrefix(string(said[0]), "GET /small") && len(said[1]) > 16<<10 {
			read++
		}
	}
	if read != 3 {
		t.Errorf("tshark reads %d connections by the exported key log, want 3", read)
	}

	// Who was not asked to keep keys has none.
	clean := filepath.Join(dir, "clean.reel")
	again := startNginx(t, 1, startBackend(t))
	reel(t, 0, "capture", "-w", clean, "--tls", "keys", "-p", fmt.Sprint(again.pid()), "--", need(t, "curl", "curl"), "-ksS", "-o", "/dev/null", fmt.Sprintf("https://127.0.0.1:%d/small", again.tls))
	again.quit(t)
	if out := reel(t, 3, "export", clean, "--keylog"); !strings.Contains(out, "--keep-keys") {
		t.Errorf("reel export of a reel without keys says %q", out)
	}
}
