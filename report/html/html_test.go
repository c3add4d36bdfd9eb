package html

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
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

var blockElement = regexp.MustCompile(`<script type="text/plain" data-block="([^"]+)">([^<]*)</script>`)

// blocksOf undoes the packing, with the standard library's gzip.
func blocksOf(t testing.TB, page []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, m := range blockElement.FindAllSubmatch(page, -1) {
		packed, err := base64.StdEncoding.DecodeString(string(m[2]))
		if err != nil {
			t.Fatalf("block %s: %v", m[1], err)
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatalf("block %s: %v", m[1], err)
		}
		if out[string(m[1])], err = io.ReadAll(z); err != nil {
			t.Fatalf("block %s: %v", m[1], err)
		}
	}
	return out
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// The blocks of a small page, as the browser sees them.
func TestDataEncoding(t *testing.T) {
	d := shop(t, 12, true)
	d.Connections = d.Connections[:3]
	var b bytes.Buffer
	blocks := blocksOf(t, render(t, d, Options{}))
	for _, name := range []string{"meta", "exchanges", "connections", "details-0"} {
		fmt.Fprintf(&b, "== %s\n", name)
		if err := json.Indent(&b, collapse(blocks[name]), "", " "); err != nil {
			t.Fatal(err)
		}
		b.WriteByte('\n')
	}
	if len(blocks) != 4 {
		t.Errorf("%d blocks", len(blocks))
	}
	// One line an array of numbers.
	golden(t, "blocks.golden", regexp.MustCompile(`([\[,])\s+(-?\d)`).ReplaceAll(b.Bytes(), []byte("$1 $2")))
}

// collapse shortens the 10,000 characters of the long target.
func collapse(b []byte) []byte {
	return regexp.MustCompile(`(abcdefghij){20,}[a-j]*`).ReplaceAll(b, []byte("abcdefghij..."))
}

// The parts of the page that need no script.
func TestStaticPage(t *testing.T) {
	page := render(t, shop(t, 2000, true), Options{})
	body := page[bytes.Index(page, []byte("<body>")):bytes.Index(page, []byte(`<script type="text/plain"`))]
	golden(t, "body.golden", collapse(body))
}

func TestRenderIsDeterministic(t *testing.T) {
	a := render(t, shop(t, 3000, true), Options{})
	b := render(t, shop(t, 3000, true), Options{})
	if !bytes.Equal(a, b) {
		t.Error("the same data gave different bytes")
	}
}

// Nothing of the captured bytes is markup: all '<' are the template's own.
func TestHostileBytesAreNotInTheMarkup(t *testing.T) {
	page := render(t, shop(t, 200, true), Options{})
	for _, evil := range []string{"alert(1)", "alert('body')", "onerror=alert", "<svg onload", "X-<b>"} {
		for rest := page; ; {
			i := bytes.Index(rest, []byte(evil))
			if i < 0 {
				break
			}
			before := rest[max(0, i-20):i]
			if bytes.Contains(before, []byte("<script>")) || bytes.Contains(before, []byte("<img")) || evil[0] == '<' {
				t.Errorf("the page holds %q", rest[max(0, i-60):i+20])
			}
			rest = rest[i+1:]
		}
	}
	if n := bytes.Count(page, []byte("<script")); n != bytes.Count(page, []byte(`<script type="text/plain"`))+1 {
		t.Errorf("%d script elements", n)
	}
}

// The bundle must have no way from a string to markup or code, and nothing in it may end its element.
func TestBundleIsSafeToInline(t *testing.T) {
	for _, banned := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser", "createContextualFragment",
		"fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon", "localStorage", "new Worker", "import(", "http:", "https:"} {
		code := strings.ReplaceAll(string(script), "http://www.w3.org/2000/svg", "")
		if strings.Contains(code, banned) {
			t.Errorf("dist/app.js holds %s", banned)
		}
	}
	if strings.Contains(strings.ToLower(string(script)), "</script") || strings.Contains(string(script), "<!--") {
		t.Error("dist/app.js would end its own element")
	}
	if strings.Contains(strings.ToLower(string(style)), "</style") || strings.Contains(string(style), "url(") {
		t.Error("dist/app.css would end its own element, or loads something")
	}
}

func TestPageStaysWithinItsLimit(t *testing.T) {
	d := shop(t, 20_000, true)
	whole := int64(len(render(t, d, Options{MaxBytes: 1 << 30})))
	for _, limit := range []int64{whole, whole - 1, 1 << 20, 400_000, 150_000} {
		page := render(t, d, Options{MaxBytes: limit})
		if int64(len(page)) > limit {
			t.Fatalf("limit %d: the page has %d bytes", limit, len(page))
		}
		if int64(len(page)) < limit*6/10 {
			t.Errorf("limit %d: only %d bytes are used", limit, len(page))
		}
		var m meta
		var x struct {
			Rows    int
			Columns struct{ Detail struct{ Int []int } }
		}
		blocks := blocksOf(t, page)
		if err := json.Unmarshal(blocks["meta"], &m); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(blocks["exchanges"], &x); err != nil {
			t.Fatal(err)
		}
		if int(m.Left.Exchanges)+x.Rows != 20_000 {
			t.Errorf("limit %d: %d rows and %d left out are not 20,000", limit, x.Rows, m.Left.Exchanges)
		}
		without := 0
		for _, v := range x.Columns.Detail.Int {
			if v < 0 {
				without++
			}
		}
		if int(m.Left.Details) != without {
			t.Errorf("limit %d: the page says that %d rows have no details, and %d have none", limit, m.Left.Details, without)
		}
		if without > 0 && !bytes.Contains(page, []byte("in the table without headers and bodies")) {
			t.Errorf("limit %d: the page does not say in words that details were left out", limit)
		}
	}
}

func TestPageThatCannotFit(t *testing.T) {
	var small *TooSmallError
	var b bytes.Buffer
	err := Render(&b, shop(t, 500, false), Options{MaxBytes: 10_000})
	if !errors.As(err, &small) || small.Max != 10_000 || small.Need <= small.Max {
		t.Errorf("error = %v", err)
	}
	if b.Len() != 0 {
		t.Errorf("%d bytes were written all the same", b.Len())
	}
}

func TestEmptyData(t *testing.T) {
	page := render(t, &report.Data{}, Options{})
	for _, want := range []string{"No edges.", "Nothing to report.", "The recording did not end cleanly"} {
		if !bytes.Contains(bytes.ToLower(page), bytes.ToLower([]byte(want))) {
			t.Errorf("the page of nothing lacks %q", want)
		}
	}
}

func TestPrivacyBadges(t *testing.T) {
	bodies := []report.Exchange{{Exchange: facts.Exchange{ID: 1, Request: facts.Message{Body: []byte("x")}}, Detailed: true}}
	for _, c := range []struct {
		privacy   report.Privacy
		exchanges []report.Exchange
		want      string
	}{
		{report.Privacy{Payload: "none", Filter: "mask/1 none"}, nil, "no payload, secrets masked"},
		{report.Privacy{Payload: "snap", Filter: "mask/1 snap"}, bodies, "contains payload, secrets masked"},
		{report.Privacy{Payload: "full", Filter: "keep-secrets full", Secrets: true}, bodies, "contains payload, unmasked secrets"},
		{report.Privacy{}, bodies, "contains payload, masking unknown"},
	} {
		var got []string
		for _, b := range badges(&report.Data{Privacy: c.privacy, Exchanges: c.exchanges}) {
			got = append(got, b.Text)
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%+v: %s, want %s", c.privacy, s, c.want)
		}
	}
}

// Names that come from captured bytes reach the drawing as text.
func TestHostileNamesInTheDrawing(t *testing.T) {
	evil := `"><script>alert(1)</script>` + "\u202e"
	d := &report.Data{
		Nodes: []facts.Node{{ID: "a", Kind: facts.NodeProcess, Name: evil, PIDs: []format.PID{1}}, {ID: "b", Kind: facts.NodeRemote, Name: "b", Addrs: []string{evil}}},
		Edges: []facts.Edge{{Client: "a", Server: "b", Port: 80, Protocol: evil, ClientSide: &facts.Side{Exchanges: 3}}},
	}
	page := render(t, d, Options{})
	if bytes.Contains(page, []byte("<script>alert(1)")) || bytes.Contains(page, []byte("\u202e")) {
		t.Error("a name became markup, or kept its control character")
	}
}

func BenchmarkRender100k(b *testing.B) {
	d := shop(b, 100_000, false)
	b.ReportAllocs()
	for b.Loop() {
		if err := Render(io.Discard, d, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
