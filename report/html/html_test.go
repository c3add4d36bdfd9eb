package html

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/ebpf-reel/reel/report"
	"github.com/ebpf-reel/reel/report/reporttest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func shop(t testing.TB, exchanges int, hostile bool) *report.Data {
	t.Helper()
	d, err := reporttest.Shop{Exchanges: exchanges, Seed: 1, Hostile: hostile}.Data(report.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func render(t testing.TB, d *report.Data, opts Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Render(&b, d, opts); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDemoPage(t *testing.T) {
	page := render(t, shop(t, 20_000, true), Options{})
	if err := os.WriteFile(filepath.Join(t.TempDir(), "x.html"), page, 0o600); err != nil {
		t.Fatal(err)
	}
	os.WriteFile("/tmp/reel/demo.html", page, 0o600)
	big := render(t, shop(t, 100_000, true), Options{})
	os.WriteFile("/tmp/reel/big.html", big, 0o600)
	t.Log(len(page), len(big))
}
