package analyze_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/exchange"
	"github.com/ebpf-reel/reel/format"
)

// collect keeps the rows of a synthetic reel.
func collect(t testing.TB, s synthetic) *source {
	t.Helper()
	src := &source{manifest: *s.Manifest()}
	for row, err := range s.Rows(format.RowsOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		switch r := row.(type) {
		case *format.IO:
			c := *r
			c.Payload = bytes.Clone(r.Payload)
			src.rows = append(src.rows, &c)
		case *format.Socket:
			c := *r
			src.rows = append(src.rows, &c)
		case *format.Process:
			c := *r
			src.rows = append(src.rows, &c)
		case *format.Clock:
			c := *r
			src.rows = append(src.rows, &c)
		}
	}
	return src
}

// rounds is how often a test throws dice: less when time is short, as under the race detector.
func rounds(n uint64) uint64 {
	if testing.Short() {
		return max(n/5, 2)
	}
	return n
}

// shuffle moves each row by up to span in the time of the recording.
func shuffle(rows []format.Row, span time.Duration, rnd *rand.Rand) []format.Row {
	type at struct {
		row format.Row
		key format.KTime
	}
	keyed := make([]at, len(rows))
	for i, row := range rows {
		keyed[i] = at{row, row.At() + format.KTime(rnd.Int64N(int64(span)))}
	}
	rnd.Shuffle(len(keyed), func(i, j int) { keyed[i], keyed[j] = keyed[j], keyed[i] })
	slices.SortStableFunc(keyed, func(a, b at) int { return int(max(-1, min(1, a.key-b.key))) })
	out := make([]format.Row, len(rows))
	for i := range keyed {
		out[i] = keyed[i].row
	}
	return out
}

// reels are what the tests of order use: a plain one, one with gaps, and all scenarios.
func reels(t *testing.T) map[string]*source {
	all := map[string]*source{
		"synthetic": collect(t, synthetic{exchanges: 3000, conns: 20, perConn: 7}),
		"lossy":     collect(t, synthetic{exchanges: 3000, conns: 20, perConn: 50, drop: 13}),
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".txtar")] = parse(t, archive.Files[0].Data)
	}
	return all
}

var full = analyze.Config{Exchange: exchange.Config{Headers: true, Body: 32}}

// Any interleaving of the same rows that stays within the window gives the same bytes (DESIGN D8): shuffled rows, rows of
// one CPU after those of another, and with every number of CPUs.
func TestAnyInterleavingGivesTheSame(t *testing.T) {
	for name, src := range reels(t) {
		t.Run(name, func(t *testing.T) {
			want := run(t, src, full)
			check(t, want)
			if n := len(want.Result.Ledger); n > 0 && want.Result.Ledger[0].Name == "late_row" {
				t.Fatal("the reel itself is out of order")
			}
			bytesWant := want.bytes(t)
			for seed := range rounds(10) {
				rnd := rand.New(rand.NewPCG(seed, 1))
				shuffled := *src
				shuffled.rows = shuffle(src.rows, 45*time.Millisecond, rnd)
				if seed%2 == 1 {
					defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1 + int(seed)%4))
				}
				got := run(t, &shuffled, full).bytes(t)
				if !bytes.Equal(got, bytesWant) {
					dump := filepath.Join(t.ArtifactDir(), "got.json")
					if err := os.WriteFile(dump, got, 0o600); err != nil {
						t.Error(err)
					}
					t.Fatalf("seed %d gives other facts: first difference at byte %d (%s)", seed, firstDifference(got, bytesWant), dump)
				}
			}
		})
	}
}

func firstDifference(a, b []byte) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return i
}

// Any split of the same bytes into calls gives the same exchanges, but for times and the number of calls.
func TestAnySplitGivesTheSame(t *testing.T) {
	for name, src := range reels(t) {
		switch name {
		case "two_readers", "late_thread", "write_returns_late", "no_offsets", "nonsense_sequences", "pipelined", "mid_stream",
			"first_byte_before_capture", "roles", "http_hole_in_chunk_framing", "http_start_in_mid_stream":
			continue // they are about calls: their number, their order, their beginnings
		}
		t.Run(name, func(t *testing.T) {
			want := essence(run(t, src, full))
			for seed := range rounds(6) {
				split := *src
				split.rows = splitCalls(src.rows, rand.New(rand.NewPCG(seed, 2)))
				got := run(t, &split, full)
				check(t, got)
				if g := essence(got); !slices.Equal(g, want) {
					t.Fatalf("seed %d: exchanges\n%s\nwant\n%s", seed, strings.Join(g, "\n"), strings.Join(want, "\n"))
				}
			}
		})
	}
}

// splitCalls makes several calls of one, each a nanosecond after the other.
func splitCalls(rows []format.Row, rnd *rand.Rand) []format.Row {
	var out []format.Row
	for _, row := range rows {
		r, ok := row.(*format.IO)
		if !ok || r.Ret < 2 || int64(len(r.Payload)) != r.Ret || r.Flags&format.IOPeek != 0 {
			out = append(out, row)
			continue
		}
		n := 1 + rnd.IntN(4)
		if rnd.IntN(8) == 0 {
			n = int(min(r.Ret, 100)) // byte by byte, at first
		}
		from := 0
		for i := range n {
			to := len(r.Payload)
			if i < n-1 {
				to = min(from+1+rnd.IntN(len(r.Payload)/n+1), to)
			}
			c := *r
			c.Time -= format.KTime(n - 1 - i)
			c.Duration = 0
			c.Seq += format.Seq(from)
			c.Ret, c.Payload, c.Captured = int64(to-from), r.Payload[from:to], uint32(to-from)
			if c.Ret > 0 {
				out = append(out, &c)
			}
			from = to
		}
	}
	return out
}

// essence is what an exchange is, whatever calls moved it.
func essence(r *report) []string {
	var out []string
	for i := range r.Exchanges {
		x := r.Exchanges[i]
		out = append(out, strings.Join([]string{
			r.connection(x.Conn), x.Method, x.Target, x.Host, sizes(&x.Request), sizes(&x.Response), strings.Join(missing(x.Missing), "+"),
			strings.Join(x.Anomalies, "+"), x.Pairing.String(),
		}, " "))
	}
	slices.Sort(out)
	return out
}
