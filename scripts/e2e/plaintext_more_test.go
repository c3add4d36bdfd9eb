package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// TestPlaintextAfterExecByThread records a wget that a thread of another program becomes, not the one that leads it: to the kernel, the
// process goes on as another task.
func TestPlaintextAfterExecByThread(t *testing.T) {
	needRoot(t)
	n := startNginx(t, 1, startBackend(t))
	dir := filepath.Join(t.TempDir(), "c.reel")
	const asked = 8
	args := []string{need(t, "wget", "wget"), "-q", "--wait=0.3", "--no-check-certificate", "-O", os.DevNull}
	for range asked {
		args = append(args, fmt.Sprintf("https://127.0.0.1:%d/small?client=0", n.tls))
	}
	const program = "import os, sys, threading\nt = threading.Thread(target=lambda: os.execv(sys.argv[1], sys.argv[1:]))\nt.start()\nt.join()"
	reel(t, 0, append([]string{"capture", "-w", dir, "--tls", "plaintext", "-p", fmt.Sprint(n.pid()), "--", need(t, "python3", "python3"), "-c", program}, args...)...)
	t.Cleanup(func() { keepReel(t, dir) })
	lines := n.quit(t)
	a := analyzeReel(t, dir)
	compareLog(t, logByKey(t, lines), serverView(t, a, n.tls))
	if client, _ := clientView(t, a, n.tls); len(client) < asked/2 {
		t.Errorf("of wget's %d exchanges %d are there", asked, len(client))
	}
}

// TestPlaintextGnuTLS records wget, whose TLS is GnuTLS, and nginx: both ends show what nginx logged.
func TestPlaintextGnuTLS(t *testing.T) {
	needRoot(t)
	wget := need(t, "wget", "wget")
	n := startNginx(t, 1, startBackend(t))
	dir := filepath.Join(t.TempDir(), "c.reel")
	var urls []string
	for range 4 { // wget lives long enough to get its probes before the last of these
		for _, path := range []string{"small", "medium", "large"} {
			urls = append(urls, fmt.Sprintf("https://127.0.0.1:%d/%s?client=0", n.tls, path))
		}
	}
	args := append([]string{"capture", "-w", dir, "--tls", "plaintext", "-p", fmt.Sprint(n.pid()), "--", wget, "-q", "--no-check-certificate", "-O", os.DevNull}, urls...)
	reel(t, 0, args...)
	t.Cleanup(func() { keepReel(t, dir) })
	lines := n.quit(t)
	a := analyzeReel(t, dir)
	compareLog(t, logByKey(t, lines), serverView(t, a, n.tls))
	client, _ := clientView(t, a, n.tls)
	if len(client) < len(urls)/2 {
		t.Errorf("of wget's %d exchanges %d are there", len(urls), len(client))
	}
	for k, e := range client {
		if e.Status != 200 || e.Protocol != "https" || !strings.Contains(e.Target, "client=0") {
			t.Errorf("%v: %+v", k, e)
		}
	}
}

// oldClient makes a connection, says so, and goes on when it is told to; then it makes another.
const oldClient = `import http.client, ssl, sys
c = ssl.create_default_context(); c.check_hostname = False; c.verify_mode = ssl.CERT_NONE
def get(h, target):
    h.request("GET", target); h.getresponse().read()
old = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=c)
get(old, "/small?client=before"); print("open", flush=True)
sys.stdin.readline()
for i in range(int(sys.argv[2])): get(old, "/small?client=old")
old.close(); print("closed", flush=True)
sys.stdin.readline()
new = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=c)
for i in range(3): get(new, "/small?client=new")
print("done", flush=True)
sys.stdin.readline()
`

// TestAutoPlaintext records a connection that is older than the capture, by probes on what it says, and one that is not, by its
// keys. When the old one closes, or costs its process too much, the probes are taken out.
func TestAutoPlaintext(t *testing.T) {
	needRoot(t)
	python := need(t, "python3", "python3")
	for _, c := range []struct {
		name     string
		requests int
		args     []string
		capped   bool
	}{
		{"closes", 20, nil, false},
		{"costs too much", 20000, []string{"--tls-max-cpu", "0.01"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := startNginx(t, 1, startBackend(t))
			in, tell, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer tell.Close()
			client := startWith(t, in, nil, python, "-c", oldClient, fmt.Sprint(n.tls), fmt.Sprint(c.requests))
			in.Close()
			says := func(word string) {
				waitFor(t, time.Minute, "the client says "+word, func() bool { return strings.Contains(client.out.String(), word) })
			}
			says("open")
			r := record(t, append([]string{"--tls", "auto", "-p", fmt.Sprint(n.pid()), "-p", fmt.Sprint(client.pid())}, c.args...)...)
			fmt.Fprintln(tell)
			says("closed")
			fmt.Fprintln(tell)
			says("done")
			summary := r.stop(t)
			fmt.Fprintln(tell)
			client.wait(t, time.Minute, 0)
			n.quit(t)

			a := analyzeReel(t, r.dir)
			old, fresh := 0, 0
			for _, e := range a.Exchanges {
				if e.Role != format.RoleServer {
					continue
				}
				switch {
				case strings.Contains(e.Target, "client=old"):
					old++
				case strings.Contains(e.Target, "client=new"):
					fresh++
				default:
					t.Errorf("an exchange %q", e.Target)
				}
			}
			if fresh != 3 {
				t.Errorf("%d exchanges of the connection that has keys", fresh)
			}
			said := strings.Contains(summary, "paid too much") && hasEntry(a, "tls_plaintext_capped")
			if said != c.capped || !c.capped && old != c.requests || c.capped && (old == 0 || old == c.requests) {
				t.Errorf("%d of %d exchanges of the old connection; that probes were taken out is said: %v\n%s", old, c.requests, said, summary)
			}
			for _, x := range a.Connections {
				if x.Role == format.RoleServer && int(x.Local.Port) == n.tls && x.TLS.Probed && x.TLS.Opened[0]+x.TLS.Opened[1] == 0 && c.capped && x.TLS.Unread != facts.UnreadNoHandshake {
					t.Errorf("connection %d: %+v", x.ID, x.TLS)
				}
			}
			for _, row := range readProbes(t, r.dir) {
				if row.Error != "" {
					t.Errorf("no probes: %+v", row)
				}
			}
		})
	}
}

func hasEntry(a *analysis, name string) bool {
	for _, e := range a.Ledger {
		if e.Name == name {
			return true
		}
	}
	return false
}

// readProbes are the rows of the table probe.
func readProbes(t *testing.T, dir string) (probes []format.Probe) {
	t.Helper()
	r, err := format.Open(dir, format.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for row, err := range r.Rows(format.RowsOptions{Tables: []format.TableID{format.TableProbe}}) {
		if err != nil {
			t.Fatal(err)
		}
		probes = append(probes, *row.(*format.Probe))
	}
	return probes
}
