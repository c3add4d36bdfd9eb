package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report"
)

var update = flag.Bool("update", false, "rewrite docs/tables.md")

func TestDocsDescribeEveryColumn(t *testing.T) {
	const file = "../../docs/tables.md"
	var got bytes.Buffer
	if err := Describe(&got); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("docs/tables.md differs from the code (-docs +code), go test ./report/table -update:\n%s", d)
	}
}

// Every column has the same name in both formats, and a line of documentation.
func TestColumnTags(t *testing.T) {
	for _, row := range []any{connectionRow{}, connectionMetricRow{}, exchangeRow{}, edgeRow{}, edgeMetricRow{}, endpointRow{}, nodeRow{}, processRow{}, ledgerRow{}} {
		typ := reflect.TypeOf(row)
		seen := make(map[string]bool)
		for i := range typ.NumField() {
			f := typ.Field(i)
			name := column(f)
			if name == "" || name != f.Tag.Get("json") || f.Tag.Get("doc") == "" || seen[name] {
				t.Errorf("%s.%s: column %q, json %q, doc %q", typ.Name(), f.Name, name, f.Tag.Get("json"), f.Tag.Get("doc"))
			}
			seen[name] = true
		}
	}
}

// files is a directory in memory.
type files map[string]*memoryFile

type memoryFile struct {
	bytes.Buffer
	closed int
	limit  int // bytes after which it is full; 0 none
}

var errFull = errors.New("no space left")

func (m *memoryFile) Write(b []byte) (int, error) {
	if m.limit > 0 && m.Len()+len(b) > m.limit {
		return 0, errFull
	}
	return m.Buffer.Write(b)
}

func (m *memoryFile) Close() error {
	m.closed++
	return nil
}

func (f files) create(name string) (io.WriteCloser, error) {
	if f[name] != nil {
		return nil, fmt.Errorf("%s is there", name)
	}
	f[name] = new(memoryFile)
	return f[name], nil
}

func exchangeOf(i int) *facts.Exchange {
	x := &facts.Exchange{
		ID: facts.ExchangeID(i), Conn: facts.ConnID(i / 10), Index: uint32(i), Role: format.RoleServer, PID: 7, TID: 8,
		Local:  format.Endpoint{Addr: netip.MustParseAddr("10.0.0.1"), Port: 80},
		Remote: format.Endpoint{Addr: netip.MustParseAddr("2001:db8::1"), Port: 4000},
		Method: "GET", Target: fmt.Sprintf("/item/%d", i), Host: "a<b>", Status: 200, Start: format.KTime(1000 * i),
		StartWall: facts.Wall(1e18 + i), Duration: time.Duration(i), TTFB: time.Duration(i / 2), Pairing: facts.Exact, Protocol: "http",
	}
	if i%3 == 0 {
		x.Duration, x.Status, x.StartWall = -1, 0, 0
		x.Missing = facts.NoResponse | facts.EndUnknown
		x.Anomalies = []string{"http1_obs_fold", "http1_bare_lf"}
	}
	if i%5 == 0 {
		x.Seq, x.SeqValid, x.Peer, x.Interim = format.Seq(i), true, facts.ExchangeID(i-1), []int{100, 103}
	}
	return x
}

func connectionOf() *facts.Connection {
	c := &facts.Connection{ID: 1, Connect: 5000, CloseCall: 70, Lost: [2]uint64{3, 4}, TCP: facts.Transport{AcceptWait: -1, Close: -1}, Metrics: new(facts.Calls)}
	for i := range uint64(200) {
		c.Metrics.Write.Times.Add(1000*i, 0)
		c.Metrics.WriteRTT.Times.Add(99, 0)
	}
	return c
}

func factsOf() *report.Facts {
	f := &report.Facts{
		Nodes: []facts.Node{{ID: "remote/x", Kind: facts.NodeRemote}},
		Edges: []facts.Edge{{Client: "a", Server: "b", ClientSide: &facts.Side{Exchanges: 1, Retrans: 3}, ServerSide: &facts.Side{Exchanges: 2}}},
		Processes: []facts.Process{
			{PID: 60, NSPID: 1, Comm: "nginx", Args: []string{"nginx", "-g", "daemon off;"}, Container: &facts.Container{ID: "aa", Name: "web", Pod: "web-7d9f", Namespace: "shop"},
				From: 5, FromWall: 6, Until: 7, UntilWall: 8, End: facts.EndSignal, Code: 11, Core: true},
			{PID: 61, Comm: "curl", From: 5, SawStart: true, Until: 9, End: facts.EndExit, Code: 7},
			{PID: 62, Comm: "sh", From: 5},
		},
		Coverage: []facts.TLSCoverage{
			{PID: 60, Process: "nginx", Exe: "/usr/sbin/nginx", Connections: 3, Handshakes: 2, Ciphertext: 100, Opened: 40, Plaintext: 30,
				Libraries: []facts.TLSLibrary{{Name: "openssl", Version: "3.0.17", Path: "/usr/lib/libssl.so.3", Purpose: "keys", How: "symbol", Probes: 1}},
				Unread:    [facts.NumUnread]facts.UnreadSum{facts.UnreadNoHandshake: {Connections: 1, Bytes: 60}}},
			{PID: 61, Process: "java", Libraries: []facts.TLSLibrary{{Name: "java", Error: "no call to probe"}}},
		},
		Ledger: []facts.LedgerEntry{{Name: "ring_loss", Severity: facts.DataLoss, Count: 5}},
	}
	f.Summary.Duration = 90 * time.Second
	e := facts.Endpoint{Client: "a", Server: "b", Side: format.RoleServer, Method: "GET", Route: "/users/{id}",
		HTTP: facts.HTTP{Requests: 300, Statuses: []facts.StatusCount{{Status: 200, Count: 299}, {Status: 503, Count: 1}}}}
	for i := range uint64(300) {
		e.Durations.Add(i*i*1000, 0)
		e.RequestBytes.Add(80+i%3, 0)
		e.ResponseBytes.Add(200*i, 0)
	}
	f.Endpoints = []facts.Endpoint{e}
	e.Width, e.Start, e.StartWall = time.Second, 17e9, 18e17
	f.Intervals = []facts.Endpoint{e}
	for _, s := range []*facts.Side{f.Edges[0].ClientSide, f.Edges[0].ServerSide} {
		s.L4.Write = facts.Metric{Bytes: 7}
		s.L4.Write.Times.Add(1234567, 0)
	}
	return f
}

// What is written is read again, by the reader of the same library and by encoding/json, and both say the same. (DuckDB and
// pyarrow read the tables in the end-to-end tests.)
func TestTablesComeBack(t *testing.T) {
	n := 2*rowsPerGroup + 17
	if testing.Short() {
		n = 3*batchRows + 17
	}
	write := func(f Format) files {
		out := make(files)
		w, err := New(f, Info{Reel: "id", Tool: "test"}, out.create)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= n; i++ {
			if err := w.Exchange(exchangeOf(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Connection(connectionOf()); err != nil {
			t.Fatal(err)
		}
		for _, l := range []*facts.Lookup{
			{ID: 1, Name: "shop.example", Type: "A", Code: "NOERROR", Answers: 1, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.7")}, Queries: 1, StartWall: 9, Duration: 5},
			{ID: 2, Name: `a\032b`, Type: "TYPE65280", Queries: 3, Duration: -1, Missing: facts.NoResponse},
		} {
			if err := w.Lookup(l); err != nil {
				t.Fatal(err)
			}
		}
		err = w.Finish(factsOf())
		if err != nil {
			t.Fatal(err)
		}
		for name, f := range out {
			if f.closed != 1 {
				t.Errorf("%s was closed %d times", name, f.closed)
			}
		}
		return out
	}
	pq, js := write(Parquet), write(JSON)
	compare[connectionRow](t, pq, js, "connections", 1)
	compare[exchangeRow](t, pq, js, "exchanges", n)
	compare[lookupRow](t, pq, js, "lookups", 2)
	compare[edgeRow](t, pq, js, "edges", 2)
	compare[nodeRow](t, pq, js, "nodes", 1)
	compare[processRow](t, pq, js, "processes", 3)
	compare[coverageRow](t, pq, js, "tls_coverage", 2)
	compare[ledgerRow](t, pq, js, "ledger", 1)
	compare[edgeMetricRow](t, pq, js, "edge_metrics", 3)
	compare[connectionMetricRow](t, pq, js, "connection_metrics", 4)
	compare[endpointRow](t, pq, js, "endpoints", 1)
	compare[endpointRow](t, pq, js, "endpoint_intervals", 1)
	if len(pq) != len(Tables) || len(js) != len(Tables) {
		t.Errorf("%d and %d files", len(pq), len(js))
	}
}

func compare[T any](t *testing.T, pq, js files, name string, n int) {
	t.Helper()
	data := pq[name+".parquet"].Bytes()
	rows, err := parquet.Read[T](bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var fromJSON []T
	dec := json.NewDecoder(bytes.NewReader(js[name+".jsonl"].Bytes()))
	for dec.More() {
		var row T
		if err := dec.Decode(&row); err != nil {
			t.Fatal(err)
		}
		fromJSON = append(fromJSON, row)
	}
	if len(rows) != n || len(fromJSON) != n {
		t.Fatalf("%s: %d rows in Parquet, %d in JSON, want %d", name, len(rows), len(fromJSON), n)
	}
	for i := 0; i < n; i += 1 + (n-1-i)/64 { // denser towards the end
		a, _ := json.Marshal(rows[i])
		b, _ := json.Marshal(fromJSON[i])
		if a, b := strings.ReplaceAll(string(a), "null", "[]"), strings.ReplaceAll(string(b), "null", "[]"); a != b {
			t.Fatalf("%s row %d: Parquet %s, JSON %s", name, i, a, b)
		}
	}
}

// UnmarshalJSON is for the tests only.
func (w *Wall) UnmarshalJSON(b []byte) error {
	var v time.Time
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*w = Wall(v.UnixNano())
	return nil
}

// A full disk ends the analysis with the name of the table, and leaves no goroutine behind.
func TestFullDisk(t *testing.T) {
	for _, f := range Formats {
		out := make(files)
		w, err := New(f, Info{}, func(name string) (io.WriteCloser, error) {
			c, err := out.create(name)
			out[name].limit = 100_000
			return c, err
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; err == nil && i < 10*rowsPerGroup; i++ {
			err = w.Exchange(exchangeOf(i))
		}
		if !errors.Is(err, errFull) {
			t.Errorf("%s: error %v while writing", f, err)
		}
		err = w.Close()
		if !errors.Is(err, errFull) || !strings.Contains(err.Error(), "exchanges.") {
			t.Errorf("%s: error %v at the end", f, err)
		}
	}
}

func TestParseFormat(t *testing.T) {
	for _, f := range Formats {
		if got, err := ParseFormat(string(f)); got != f || err != nil {
			t.Errorf("%s: %s, %v", f, got, err)
		}
	}
	if f, err := ParseFormat("json"); f != JSON || err != nil {
		t.Error("json is the older name of jsonl")
	}
	if _, err := ParseFormat("xml"); err == nil {
		t.Error("xml is no format")
	}
}

func BenchmarkExchangesParquet(b *testing.B) {
	w, err := New(Parquet, Info{}, func(string) (io.WriteCloser, error) { return new(memoryFile), nil })
	if err != nil {
		b.Fatal(err)
	}
	x := exchangeOf(7)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		x.ID = facts.ExchangeID(i)
		if err := w.Exchange(x); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}
