package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
)

// TestPlaintextTies records servers whose TLS library sees no socket, or is used by threads that take turns, with 50 connections
// of equal messages at once: what each of them served is what its own log says, on the connection that it was on.
func TestPlaintextTies(t *testing.T) {
	needRoot(t)
	const connections, requests = 50, 20
	python, node := need(t, "python3", "python3"), need(t, "node", "nodejs")
	file := func(name string) string { return filepath.Join("testdata", "plaintext", name) }
	programs := t.TempDir()
	build := func(name, cgo, link string, args ...string) string {
		out := filepath.Join(programs, name)
		cmd := exec.Command("go", append(append([]string{"build", "-o", out, "-ldflags=-s -w" + link}, args...), file("main.go"))...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return out
	}
	stripped, pie := build("stripped", "0", ""), build("pie", "0", "", "-buildmode=pie")
	behindC := build("behindC", "1", " -linkmode external", "-buildmode=pie")
	for _, c := range []struct {
		name           string
		server, client []string
		by             facts.Certainty // at least
	}{
		{"asyncio", []string{python, file("server.py")}, []string{python, file("client.py")}, facts.Inferred},
		{"node", []string{node, file("server.js")}, []string{python, file("client.py")}, facts.Inferred},
		{"go", []string{stripped, "server"}, []string{stripped, "client"}, facts.Exact},
		{"go pie", []string{pie, "server"}, []string{pie, "client"}, facts.Exact},
		{"go behind C", []string{behindC, "server"}, []string{behindC, "client"}, facts.Exact},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			pem, log, port := filepath.Join(dir, "pem"), filepath.Join(dir, "log"), freePort(t)
			writeCertificate(t, pem)
			server := start(t, nil, c.server[0], append(c.server[1:], fmt.Sprint(port), pem, log)...)
			waitFor(t, 30*time.Second, "the server listens", func() bool { return strings.Contains(server.out.String(), "ready") })
			reelDir := filepath.Join(dir, "c.reel")
			args := append([]string{"capture", "-w", reelDir, "--tls", "plaintext", "-p", fmt.Sprint(server.pid()), "--"}, c.client...)
			reel(t, 0, append(args, fmt.Sprint(port), fmt.Sprint(connections), fmt.Sprint(requests))...)
			t.Cleanup(func() { keepReel(t, reelDir) })
			server.kill()

			want := servedTargets(t, log)
			if len(want) != connections*requests {
				t.Fatalf("the server logged %d requests of %d", len(want), connections*requests)
			}
			a := analyzeReel(t, reelDir)
			right, wrong := 0, 0
			for k, e := range serverView(t, a, port) {
				switch {
				case want[fmt.Sprint(k.Port, k.N)] != e.Target:
					wrong++
				case e.Status == 200 && e.Protocol == "https" && e.Response.BodyBytes == 400:
					right++
				}
			}
			if right < len(want)*95/100 || wrong > 0 {
				t.Errorf("of %d exchanges, %d are right and %d on another connection", len(want), right, wrong)
			}
			exact := 0
			for _, x := range a.Connections {
				if int(x.Local.Port) != port || !x.TLS.Probed {
					continue
				}
				if x.TLS.Tie < c.by {
					t.Errorf("connection %d is tied %v", x.ID, x.TLS.Tie)
				}
				if x.TLS.Tie == facts.Exact {
					exact++
				}
			}
			t.Logf("%d of %d exchanges, %d connections exact", right, len(want), exact)
		})
	}
}

// servedTargets reads a server's log: targets by port of the client and number of the request.
func servedTargets(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	targets := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		var port, n int
		var target string
		if _, err := fmt.Sscan(s.Text(), &port, &n, &target); err != nil {
			t.Fatal(err)
		}
		targets[fmt.Sprint(port, n)] = target
	}
	return targets
}
