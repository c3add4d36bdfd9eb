package table

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Describe writes docs/tables.md: every table, every column, with type and unit.
func Describe(w io.Writer) error {
	p := &page{w: w}
	p.printf(`# The tables of an analysis

%sreel analyze X.reel -o DIR%s writes these tables into DIR, as Parquet (zstd; %sNAME.parquet%s) or, with %s--format json%s, as JSON lines
(%sNAME.jsonl%s). Any engine that reads Parquet joins them: DuckDB, Spark, ClickHouse, pandas.

    duckdb -c "select method, target, count(*), quantile_cont(duration_ns, 0.99)/1e6 as p99_ms
               from 'DIR/exchanges.parquet' where role = 'server' group by all order by p99_ms desc limit 10"

Names are stable: a column is never renamed and never changes its unit; new ones come at the end of a table. A column whose name ends
in _ns is nanoseconds, in _bytes bytes. The same reel gives the same bytes, whatever machine analyzes it.

One connection that was recorded at both ends is two rows of connections, and each of its exchanges two rows of exchanges: filter by
role, or join by peer_id, before you count.

This page is made from the code: %sgo test ./report/table -update%s.
`, "`", "`", "`", "`", "`", "`", "`", "`", "`", "`")
	describe[connectionRow](p, "connections", "One end of one connection: a socket from its birth, or first sight, to its end, or that of the reel.")
	describe[exchangeRow](p, "exchanges", "One HTTP request and its response, as one end of a connection saw it.")
	p.printf("\nWhat `missing` can hold; `complete` is true when it is empty:\n\n| name | meaning |\n|---|---|\n")
	for _, m := range missingNames {
		p.printf("| `%s` | %s |\n", m.name, m.doc)
	}
	describe[edgeRow](p, "edges", "All traffic from one client node to one server node on one port in one protocol, as one side saw it.")
	describe[nodeRow](p, "nodes", "A program (all processes of one name and executable in one pod, container or host), or a remote address.")
	describe[processRow](p, "processes", "One program that a process ran: from a fork, an exec or its first sight until the next exec, or its end.")
	describe[coverageRow](p, "tls_coverage", "How much of the TLS of one process was read, and why not all.")
	describe[ledgerRow](p, "ledger", "One anomaly of the recording or the analysis: what was lost, cut, guessed, or odd.")
	return p.err
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
