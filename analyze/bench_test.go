package analyze_test

import (
	"context"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// counter is a sink that keeps nothing.
type counter struct{ connections, exchanges, complete uint64 }

func (c *counter) Connection(*facts.Connection) error {
	c.connections++
	return nil
}

func (c *counter) Exchange(x *facts.Exchange) error {
	c.exchanges++
	if x.Missing&^(facts.RequestCut|facts.ResponseCut) == 0 {
		c.complete++
	}
	return nil
}

// BenchmarkRun is the analysis without reading: exchanges per second on one CPU (scripts/bench measures the whole command on
// real reels, next to its peers).
func BenchmarkRun(b *testing.B) {
	for _, bench := range []struct {
		name string
		src  synthetic
	}{
		{"keepalive", synthetic{conns: 64}},
		{"short", synthetic{conns: 64, perConn: 4}},
		{"wide", synthetic{conns: 20000}},
		{"lossy", synthetic{conns: 64, drop: 50}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			bench.src.exchanges = b.N
			var c counter
			b.ReportAllocs()
			if _, err := analyze.Run(context.Background(), bench.src, analyze.Config{}, &c); err != nil {
				b.Fatal(err)
			}
			if bench.src.drop == 0 && c.complete != uint64(b.N) {
				b.Fatalf("%d exchanges of %d are complete", c.complete, b.N)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "exchanges/s")
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.Sys)/(1<<20), "MiB")
		})
	}
}

// BenchmarkReel is the same on a reel on disk: reading Parquet included.
func BenchmarkReel(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "bench.reel")
	w, err := format.Create(dir, format.CaptureInfo{Host: "bench", Snaplen: 4096, Payload: "snap"}, format.WriterConfig{Filter: format.NoFilter{}})
	if err != nil {
		b.Fatal(err)
	}
	for row, err := range (synthetic{exchanges: b.N, conns: 64, perConn: 1000}).Rows(format.RowsOptions{}) {
		if err != nil {
			b.Fatal(err)
		}
		if err := w.AppendRow(row); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	r, err := format.Open(dir, format.OpenOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	var c counter
	b.ReportAllocs()
	b.ResetTimer()
	if _, err := analyze.Run(context.Background(), r, analyze.Config{}, &c); err != nil {
		b.Fatal(err)
	}
	if c.complete != uint64(b.N) {
		b.Fatalf("%d exchanges of %d are complete", c.complete, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "exchanges/s")
}

// The hot path allocates nothing but the facts that leave, and those use the memory of the ones before: what an analysis
// allocates does not grow with the exchanges of a connection.
func TestAllocationsPerExchange(t *testing.T) {
	mallocs := func(n int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := analyze.Run(context.Background(), synthetic{exchanges: n, conns: 16}, analyze.Config{}, new(counter)); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	mallocs(1000)
	few, many := mallocs(20_000), mallocs(220_000)
	if per := float64(int64(many-few)) / 200_000; per > 0.05 {
		t.Errorf("%.3f allocations an exchange", per)
	}
}
