package e2e

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/mask"
	"github.com/ebpf-reel/reel/format"
)

// analysis is what was made of a reel: all of it in memory, for comparing.
type analysis struct {
	*analyze.Result
	Exchanges   []facts.Exchange
	Connections []facts.Connection
	Lookups     []facts.Lookup
}

// Lookup keeps l.
func (a *analysis) Lookup(l *facts.Lookup) error {
	a.Lookups = append(a.Lookups, *l)
	return nil
}

// Connection keeps c.
func (a *analysis) Connection(c *facts.Connection) error {
	a.Connections = append(a.Connections, *c)
	return nil
}

// Exchange keeps what the tests compare: what e points to is valid only now.
func (a *analysis) Exchange(e *facts.Exchange) error {
	x := *e
	x.Interim, x.Anomalies = slices.Clone(e.Interim), slices.Clone(e.Anomalies)
	x.Request.Headers, x.Response.Headers, x.Request.Body, x.Response.Body = nil, nil, nil, nil
	x.Method, x.Target, x.Host = string([]byte(e.Method)), string([]byte(e.Target)), string([]byte(e.Host))
	a.Exchanges = append(a.Exchanges, x)
	return nil
}

func analyzeReel(t *testing.T, dir string) *analysis {
	t.Helper()
	return analyzeWith(t, dir, analyze.Config{})
}

func analyzeWith(t *testing.T, dir string, cfg analyze.Config) *analysis {
	t.Helper()
	r, err := format.Open(dir, format.OpenOptions{Filter: mask.New(mask.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a := &analysis{}
	if a.Result, err = analyze.Run(context.Background(), r, cfg, a); err != nil {
		t.Fatal(err)
	}
	return a
}

const nobody = 65534

// analyzeElsewhere copies the reel to where nobody owns it, lets nobody run `reel analyze` there, in an empty root so that
// nothing of the recorded machine can help, and gives the facts of the same copy. The tables that nobody wrote must hold
// as many rows as there are facts.
func analyzeElsewhere(t *testing.T, dir string) *analysis {
	t.Helper()
	root, err := os.MkdirTemp("", "reel-elsewhere-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	copyTree(t, dir, filepath.Join(root, "copy.reel"))
	if out, err := exec.Command("cp", reelBin, filepath.Join(root, "reel")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/reel", "analyze", "/copy.reel", "-o", "/facts", "--format", "json")
	cmd.Dir = "/"
	cmd.Env = []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("reel analyze as nobody: %v\n%s", err, out)
	}
	a := analyzeReel(t, filepath.Join(root, "copy.reel"))
	sides := 0 // the table of edges has a row for each side
	for _, e := range a.Edges {
		for _, side := range []*facts.Side{e.ClientSide, e.ServerSide} {
			if side != nil {
				sides++
			}
		}
	}
	for table, want := range map[string]int{"exchanges": len(a.Exchanges), "connections": len(a.Connections), "edges": sides} {
		data, err := os.ReadFile(filepath.Join(root, "facts", table+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Count(data, []byte("\n")); got != want {
			t.Errorf("nobody's table %s has %d rows, there are %d facts", table, got, want)
		}
	}
	return a
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// tree reads all files under dir.
func tree(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path[len(dir):]] = data
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
