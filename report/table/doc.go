package table

import (
	_ "embed"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/histogram"
)

// Describe writes docs/tables.md: every table, every column, with type and unit.
func Describe(w io.Writer) error {
	p := &page{w: w}
	p.printf("%s", strings.ReplaceAll(intro, "'", "`"))
	describe[connectionRow](p, "connections", "One end of one connection: a socket from its birth, or first sight, to its end, or that of the reel.")
	describe[exchangeRow](p, "exchanges", "One HTTP request and its response, as one end of a connection saw it.")
	p.printf("\nWhat `missing` can hold; `complete` is true when it is empty:\n\n| name | meaning |\n|---|---|\n")
	for name, doc := range facts.Lacks() {
		p.printf("| `%s` | %s |\n", name, doc)
	}
	p.printf("\nHow parents are found, in this order:\n\n| parent_by | the request that its process served at that moment |\n|---|---|\n")
	for _, m := range parentNames {
		p.printf("| `%s` | %s |\n", m.name, m.doc)
	}
	describe[lookupRow](p, "lookups", "One DNS query over UDP and its response, as one end of a connection saw it.")
	describe[edgeRow](p, "edges", "All traffic from one client node to one server node on one port in one protocol, as one side saw it.")
	describe[edgeMetricRow](p, "edge_metrics", "The calls of one kind on one side of an edge: how many, what they moved, and how long they took.")
	p.printf("\n| metric | is |\n|---|---|\n")
	for _, m := range metricNames {
		p.printf("| `%s` | %s |\n", m.name, m.doc)
	}
	p.buckets("`rover_buckets` (ns)", histogram.RoverTimes)
	describe[connectionMetricRow](p, "connection_metrics", "The same for each end of a connection. (Segments sent again or dropped are in connections.)")
	describe[endpointRow](p, "endpoints", "The exchanges of one method and route on one side of an edge.")
	p.printf("%s", strings.ReplaceAll(routes, "'", "`"))
	p.buckets("`duration_rover_buckets` (ns; what is below the first is in it)", histogram.RoverDurations)
	p.printf(`
## endpoint_intervals

The same by the time at which exchanges began. Intervals are a second wide; when there would be more than 32,768 of them in all, they are two, four ...
seconds wide: interval_ns says it. Columns are those of endpoints. Histograms have at most 64 bins here: their error is greater, and said.
`)
	describe[topRow](p, "top", "A place in a list of the slowest, or of the slowest failed exchanges: of all edges, and of each side of each edge.")
	describe[sampleRow](p, "samples", "One exchange that a rule of [sampling](sampling.md) chose. Empty without `--rules` and `--sample`.")
	describe[eventRow](p, "events", "Something that happened in a sampled exchange: its request, its response, or a system call that moved bytes of one.")
	describe[nodeRow](p, "nodes", "A program (all processes of one name and executable in one pod, container or host), or a remote address.")
	describe[processRow](p, "processes", "One program that a process ran: from a fork, an exec or its first sight until the next exec, or its end.")
	describe[coverageRow](p, "tls_coverage", "How much of the TLS of one process was read, and why not all.")
	describe[ledgerRow](p, "ledger", "One anomaly of the recording or the analysis: what was lost, cut, guessed, or odd.")
	p.printf("\n## Questions\n\nViews for DuckDB that answer ten of them. In the directory of the tables:\n\n```sql\n")
	for _, t := range Tables {
		p.printf("CREATE OR REPLACE VIEW %s AS SELECT * FROM '%s.parquet';\n", t, t)
	}
	p.printf("\n%s```\n", Views)
	return p.err
}

// parentNames are the ways in which the parent of an exchange is found.
var parentNames = [...]struct{ name, doc string }{
	{"trace", "exact: the only one with the same trace id; of several, the one whose span is the parent span, or the span, of what is sent"},
	{"thread", "inferred: the only one that the sending thread has read, in a process whose threads have read one each"},
	{"process", "inferred: the only one that the process serves"},
	{"request", "inferred: the only one of the same method and target that was not passed on yet: a proxy"},
	{"turn", "inferred: the one that the sending thread read or wrote last, less than a millisecond ago: an event loop, or a goroutine that has not left its thread"},
}

// Views are views for DuckDB over the tables.
//
//go:embed views.sql
var Views string

// Tables are the names of all tables.
var Tables = []string{"connections", "connection_metrics", "exchanges", "lookups", "edges", "edge_metrics", "endpoints", "endpoint_intervals", "top", "samples", "events", "nodes", "processes", "tls_coverage", "ledger"}

const intro = `# The tables of an analysis

'reel analyze X.reel -o DIR' writes these tables into DIR. '--format' chooses how:

| format | files | for |
|---|---|---|
| 'parquet' (default) | 'NAME.parquet', zstd | any engine: DuckDB, Spark, ClickHouse, pandas |
| 'arrow' | 'NAME.arrow', an Arrow IPC file (Feather 2), zstd | pandas, polars, R, memory-mapped readers |
| 'csv' | 'NAME.csv', RFC 4180 with a header; null is empty, a list is a JSON array | spreadsheets, COPY into a database |
| 'jsonl' | 'NAME.jsonl', one object a line | jq, scripts |
| 'table' | 'NAME.txt', aligned columns, long cells cut | reading |

Names are stable: a column is never renamed and never changes its unit; new ones come at the end of a table. A column whose name ends
in _ns is nanoseconds, in _bytes bytes. The same reel gives the same bytes, whatever machine analyzes it.

One connection that was recorded at both ends is two rows of connections, and each of its exchanges two rows of exchanges: filter by
role, or join by peer_id, before you count.

Histograms are two lists, the lower bounds of the bins that are not empty, and their counts. Bins are log-linear, 64 to a power of two, so a value
differs from the middle of its bin by less than 0.8 % of itself; numbers below 128 are exact. Where a histogram had to be smaller, neighbours are joined and
the error of the row says so. Bounds of coarse bins are bounds of fine ones: histograms of rows, reels and nodes are merged by adding the
counts of equal bounds. Percentiles in the columns come with that error; least and greatest values and sums are exact.

This page is made from the code: 'go test ./report/table -update'.
`

const routes = `
A route is a template of paths: what the user gave ('--route', the first that matches); else each segment that is a number, a UUID, a hash, a
date, an address or a long token stands for its kind ('{id}', '{uuid}', '{hex}', '{date}', '{email}', '{token}'); else a place at which more than 64
different words were seen holds values ('{value}'). Query and fragment do not count. Beyond 16,384 places the route is '{other}', and the ledger says so.
`

// buckets prints bounds.
func (p *page) buckets(name string, lower []uint64) {
	p.printf("\nLower bounds of %s: ", name)
	for i, b := range lower {
		if i > 0 {
			p.printf(", ")
		}
		p.printf("%d", b)
	}
	p.printf(".\n")
}

// page keeps the first error of its writer.
type page struct {
	w   io.Writer
	err error
}

func (p *page) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func describe[T any](p *page, name, sentence string) {
	p.printf("\n## %s\n\n%s\n\n| column | type | meaning |\n|---|---|---|\n", name, sentence)
	t := reflect.TypeFor[T]()
	for i := range t.NumField() {
		f := t.Field(i)
		p.printf("| `%s` | %s | %s |\n", column(f), typeName(f), f.Tag.Get("doc"))
	}
}

func column(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("parquet"), ",")
	return name
}

// typeName names a column's type in the words of SQL.
func typeName(f reflect.StructField) string {
	t, suffix := f.Type, ""
	switch t.Kind() {
	case reflect.Pointer:
		t, suffix = t.Elem(), ", null"
	case reflect.Slice:
		t, suffix = t.Elem(), " list"
	}
	if t == reflect.TypeFor[Wall]() {
		return "timestamp (ns, UTC)" + suffix
	}
	return t.Kind().String() + suffix
}
