package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// venvPython is the Python that has the packages of scripts/requirements.txt.
func venvPython(t *testing.T) string {
	t.Helper()
	python, err := filepath.Abs(filepath.Join("..", "..", ".cache", "venv", "bin", "python"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("the Python packages of the tests are not installed (make test does it): %v", err)
	}
	return python
}

// childOf returns the only child of a process.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	return number(t, strings.TrimSpace(string(text)))
}

// TestQUICInOtherNamespaces: a process in a pid and a network namespace of its own that speaks QUIC: each datagram that its kernel
// has counted has a row with its length and peer, none has its bytes, and the ledger says who spoke QUIC.
func TestQUICInOtherNamespaces(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if out, err := exec.Command(need(t, "openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=e2e",
		"-keyout", key, "-out", cert).CombinedOutput(); err != nil {
		t.Fatalf("openssl: %v\n%s", err, out)
	}
	stdin, gate, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	p := startWith(t, stdin, nil, need(t, "unshare", "util-linux"), "--net", "--pid", "--fork", "--mount-proc", "--kill-child",
		"sh", "-c", `ip link set lo up && exec "$@"`, "sh", venvPython(t), "testdata/quic.py", cert, key)
	stdin.Close()
	before := p.said(t, `ready (\d+) (\d+)`)
	pid := childOf(t, p.pid())
	r := record(t, "-p", fmt.Sprint(pid))
	fmt.Fprintln(gate)
	after := p.said(t, `done (\d+) (\d+)`)
	r.stop(t)
	fmt.Fprintln(gate)

	netns, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	var got [2]int // received, sent
	reel, err := format.Open(r.dir, format.OpenOptions{Filter: format.NoFilter{}})
	if err != nil {
		t.Fatal(err)
	}
	defer reel.Close()
	for row, err := range reel.Rows(format.RowsOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		switch row := row.(type) {
		case *format.IO:
			if row.Ret <= 0 || row.Flags&format.IODgram == 0 || row.Flags&format.IOPeek != 0 {
				continue
			}
			got[map[format.Direction]int{format.Read: 0, format.Write: 1}[row.Dir]]++
			if !row.Remote.IsLoopback() || row.LPort != 443 && row.RPort != 443 || len(row.Payload) > 0 || row.Cut != format.CutProtocol || int(row.PID) != pid {
				t.Fatalf("a datagram: %+v", row)
			}
		case *format.Process:
			if int(row.PID) == pid && (row.NSPID != 1 || fmt.Sprintf("net:[%d]", row.NetNS) == netns || !strings.Contains(row.Exe, "python")) {
				t.Errorf("the process is described as %+v, want process 1 of its namespace, in another network than %s", row, netns)
			}
		}
	}
	want := [2]int{number(t, after[1]) - number(t, before[1]), number(t, after[2]) - number(t, before[2])}
	if got != want || got[0] < 50 {
		t.Errorf("%d datagrams received and %d sent, the kernel has counted %d and %d", got[0], got[1], want[0], want[1])
	}
	a := analyzeReel(t, r.dir)
	i := slices.IndexFunc(a.Ledger, func(e facts.LedgerEntry) bool { return e.Name == "quic" })
	if i < 0 || !strings.Contains(a.Ledger[i].Example, fmt.Sprintf("pid %d", pid)) || a.Ledger[i].Count < 2 {
		t.Errorf("the ledger does not say that process %d spoke QUIC: %+v", pid, a.Ledger)
	}
	for _, e := range a.Ledger {
		if e.Severity >= facts.DataLoss {
			t.Errorf("ledger: %s ×%d (%s)", e.Name, e.Count, e.Example)
		}
	}
}
