package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// shopReel records a few hundred exchanges of nginx, in several segments.
func shopReel(t *testing.T, more ...string) string {
	t.Helper()
	needRoot(t)
	n := startNginx(t, 1, startBackend(t))
	d := startDriver(t, driverSpec{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)), Conns: 4, Requests: 2000, Odd: 3})
	r := record(t, append([]string{"-p", fmt.Sprintf("%d,%d", n.pid(), d.pid()), "--segment-bytes", "262144"}, more...)...)
	d.run(t, time.Minute)
	n.quit(t)
	r.stop(t)
	return r.dir
}

// TestOneReelManyReaders: the text form and back is the same text; the same reel gives the same bytes with one thread and
// with many, and with its segments listed in any order; DuckDB and pyarrow read what we read.
func TestOneReelManyReaders(t *testing.T) {
	dir := shopReel(t)
	scratch := t.TempDir()
	at := func(name string) string { return filepath.Join(scratch, name) }

	t.Run("dump, assemble, dump", func(t *testing.T) {
		reel(t, 0, "verify", dir)
		reel(t, 0, "dump", dir, "-o", at("one.txt"))
		reel(t, 0, "assemble", at("one.txt"), "-o", at("again.reel"))
		reel(t, 0, "dump", at("again.reel"), "-o", at("two.txt"))
		one, two := mustRead(t, at("one.txt")), mustRead(t, at("two.txt"))
		if !bytes.Equal(one, two) {
			t.Errorf("the second dump differs: %s", firstDifference(one, two))
		}
		if bytes.Count(one, []byte("\n")) < 4000 {
			t.Errorf("only %d lines", bytes.Count(one, []byte("\n")))
		}
	})

	t.Run("GOMAXPROCS and segment order", func(t *testing.T) {
		shuffled := at("shuffled.reel")
		copyTree(t, dir, shuffled)
		shuffleSegments(t, filepath.Join(shuffled, "manifest.json"))
		want := tablesUnder(t, "GOMAXPROCS=1", dir, at("facts1"))
		for name, got := range map[string]map[string][]byte{
			"GOMAXPROCS=2": tablesUnder(t, "GOMAXPROCS=2", dir, at("facts2")),
			"GOMAXPROCS=7": tablesUnder(t, "GOMAXPROCS=7", dir, at("facts7")),
			"shuffled":     tablesUnder(t, "GOMAXPROCS=2", shuffled, at("facts3")),
		} {
			if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
				t.Errorf("%s: other tables: %v", name, slices.Sorted(maps.Keys(got)))
			}
			for file := range want {
				if !bytes.Equal(got[file], want[file]) {
					t.Errorf("%s: %s differs: %s", name, file, firstDifference(want[file], got[file]))
				}
			}
		}
	})

	t.Run("DuckDB and pyarrow", func(t *testing.T) {
		reel(t, 0, "analyze", dir, "-o", at("parquet"))
		for _, d := range []string{dir, at("parquet")} {
			readByOthers(t, d)
		}
	})
}

// tablesUnder analyzes under an environment and returns the tables that were written.
func tablesUnder(t *testing.T, env, dir, out string) map[string][]byte {
	t.Helper()
	cmd := exec.Command(reelBin, "analyze", dir, "-o", out, "--format", "json")
	cmd.Env = append(os.Environ(), env)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", env, err, text)
	}
	return tree(t, out)
}

func shuffleSegments(t *testing.T, manifest string) {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(mustRead(t, manifest), &m); err != nil {
		t.Fatal(err)
	}
	segments, ok := m["segments"].([]any)
	if !ok || len(segments) < 3 {
		t.Fatalf("the reel has %d segments: too few to shuffle", len(segments))
	}
	rand.New(rand.NewSource(1)).Shuffle(len(segments), func(i, j int) { segments[i], segments[j] = segments[j], segments[i] })
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifest, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// readByOthers lets DuckDB and pyarrow count rows and add up columns of every Parquet file under dir; both must agree with
// each other, and on a reel with the manifest.
func readByOthers(t *testing.T, dir string) {
	t.Helper()
	python := os.Getenv("REEL_PYTHON")
	if python == "" {
		python = filepath.Join("..", "..", ".cache", "venv", "bin", "python")
	}
	out, err := exec.Command(python, "testdata/readers.py", dir).Output()
	if err != nil {
		var detail string
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			detail = string(e.Stderr)
		}
		t.Fatalf("%s testdata/readers.py: %v (scripts/setup.sh makes the virtual environment)\n%s", python, err, detail)
	}
	rows := map[string]int64{}
	if err := json.Unmarshal(out, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) < 4 {
		t.Errorf("only %d Parquet files under %s", len(rows), filepath.Base(dir))
	}
	r, err := format.Open(dir, format.OpenOptions{})
	if err != nil {
		return // tables of facts: the two readers agree with each other
	}
	defer r.Close()
	for _, s := range r.Manifest().Segments {
		for _, f := range s.Files {
			if rows[f.Name] != f.Rows {
				t.Errorf("%s: others count %d rows, the manifest says %d", f.Name, rows[f.Name], f.Rows)
			}
			delete(rows, f.Name)
		}
	}
	if len(rows) != 0 {
		t.Errorf("Parquet files that the manifest does not name: %v", rows)
	}
}

// TestTokenIsMasked plants a token on plain HTTP and looks for it in everything that reel writes; with --keep-secrets the
// same search finds it.
func TestTokenIsMasked(t *testing.T) {
	needRoot(t)
	const token = "s3cr3t-Zq8vLw0pTnXy"
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("keep=%v", keep), func(t *testing.T) {
			n := startNginx(t, 1, startBackend(t))
			base := fmt.Sprintf("http://127.0.0.1:%d", n.port)
			args := []string{"-p", strconv.Itoa(n.pid())}
			if keep {
				args = append(args, "--keep-secrets")
			}
			r := record(t, args...)
			for _, c := range [][]string{
				{"-s", "-H", "Authorization: Bearer " + token, base + "/small"},
				{"-s", "-b", "session=" + token, base + "/small"},
				{"-s", "-H", "X-Api-Key: " + token, base + "/nope"},
				{"-s", base + "/small?access_token=" + token},
			} {
				if out, err := exec.Command(need(t, "curl", "curl"), c...).CombinedOutput(); err != nil {
					t.Fatalf("curl: %v: %s", err, out)
				}
			}
			n.kill()
			r.stop(t)
			out := t.TempDir()
			reel(t, 0, "dump", r.dir, "-o", filepath.Join(out, "dump.txt"))
			reel(t, 0, "analyze", r.dir, "-o", filepath.Join(out, "facts"), "--format", "json")
			reel(t, 0, "report", r.dir, "-o", filepath.Join(out, "report.html"))
			dump := mustRead(t, filepath.Join(out, "dump.txt"))
			if !bytes.Contains(dump, []byte("/small")) {
				t.Fatal("the dump does not hold the requests")
			}
			found := 0
			for name, data := range tree(t, out) {
				if k := bytes.Count(data, []byte(token)); k > 0 {
					found += k
					if !keep {
						t.Errorf("%s holds the token %d times", name, k)
					}
				}
			}
			if keep && found < 4 {
				t.Errorf("with --keep-secrets the token is found %d times: this test could not fail", found)
			}
			if !keep {
				a := analyzeReel(t, r.dir)
				if len(a.Exchanges) != 4 {
					t.Errorf("%d exchanges, want 4", len(a.Exchanges))
				}
				for _, e := range a.Exchanges {
					if strings.Contains(e.Target, token) {
						t.Errorf("target %q", e.Target)
					}
				}
			}
		})
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// firstDifference shows where two texts part.
func firstDifference(a, b []byte) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(0, i-60)
	return fmt.Sprintf("at byte %d: %q and %q", i, a[from:min(len(a), i+60)], b[from:min(len(b), i+60)])
}
