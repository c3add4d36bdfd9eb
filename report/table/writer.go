// Package table turns facts into tables that other programs read: Parquet, Arrow IPC, CSV, JSON lines, or text for people.
// docs/tables.md describes their columns; it is made of this package's row types.
package table

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report"
)

// Format is how a table is stored.
type Format string

// The formats.
const (
	Parquet Format = "parquet" // NAME.parquet, zstd
	Arrow   Format = "arrow"   // NAME.arrow, an Arrow IPC file (Feather version 2), zstd
	CSV     Format = "csv"     // NAME.csv, RFC 4180 with a header; lists are JSON
	JSON    Format = "jsonl"   // NAME.jsonl, one object a line
	Text    Format = "table"   // NAME.txt, aligned columns
)

// Formats are all of them.
var Formats = []Format{Parquet, Arrow, CSV, JSON, Text}

// ParseFormat is the inverse of the constants; "json" is an older name of jsonl.
func ParseFormat(s string) (Format, error) {
	if s == "json" {
		return JSON, nil
	}
	if f := Format(s); slices.Contains(Formats, f) {
		return f, nil
	}
	return "", fmt.Errorf("there is no table format %q: choose parquet, arrow, csv, jsonl or table", s)
}

// file returns the name of a table's file.
func (f Format) file(table string) string {
	if f == Text {
		return table + ".txt"
	}
	return table + "." + string(f)
}

// Create makes the file of one table.
type Create func(name string) (io.WriteCloser, error)

// Info is written into each Parquet file.
type Info struct {
	Reel string // its UUID
	Tool string // name and version of the writer
}

// Writer writes the tables of one analysis. It has the methods of analyze's sink. Rows are encoded by a goroutine for each
// table, in the order in which they came.
type Writer struct {
	format      Format
	info        Info
	create      Create
	connections *stream[connectionRow]
	connMetrics *stream[connectionMetricRow]
	exchanges   *stream[exchangeRow]
	lookups     *stream[lookupRow]
	samples     *stream[sampleRow]
	events      *stream[eventRow]
	addresses   addresses
	missing     missingSets
	single      facts.Metric // of one value
}

// New creates the tables that grow while the analysis runs.
func New(f Format, info Info, create Create) (*Writer, error) {
	w := &Writer{format: f, info: info, create: create, addresses: make(addresses), missing: make(missingSets)}
	var err error
	if w.connections, err = openTable[connectionRow](w, "connections"); err != nil {
		return nil, err
	}
	if w.connMetrics, err = openTable[connectionMetricRow](w, "connection_metrics"); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if w.exchanges, err = openTable[exchangeRow](w, "exchanges"); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if w.lookups, err = openTable[lookupRow](w, "lookups"); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if w.samples, err = openTable[sampleRow](w, "samples"); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if w.events, err = openTable[eventRow](w, "events"); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Connection adds a row. c is not used after the call.
func (w *Writer) Connection(c *facts.Connection) error {
	b := w.connections.batch
	b.rows = append(b.rows, w.connectionRow(b, c))
	if err := w.connections.added(); err != nil {
		return err
	}
	return w.connectionMetrics(c)
}

// Exchange adds a row. x is not used after the call.
func (w *Writer) Exchange(x *facts.Exchange) error {
	b := w.exchanges.batch
	b.rows = append(b.rows, w.exchangeRow(b, x))
	return w.exchanges.added()
}

// Finish writes the tables that are known at the end, and closes all.
func (w *Writer) Finish(f *report.Facts) error {
	whole := f.Summary.Duration
	return errors.Join(
		w.Close(),
		writeTable(w, "edges", flat(f.Edges, edgeRows)),
		writeTable(w, "edge_metrics", flat(f.Edges, edgeMetricRows)),
		writeTable(w, "endpoints", each(f.Endpoints, func(e *facts.Endpoint) endpointRow { return endpointRowOf(e, whole) })),
		writeTable(w, "endpoint_intervals", each(f.Intervals, func(e *facts.Endpoint) endpointRow { return endpointRowOf(e, whole) })),
		writeTable(w, "top", each(f.Top, topRowOf)),
		writeTable(w, "nodes", each(f.Nodes, nodeRowOf)),
		writeTable(w, "processes", each(f.Processes, processRowOf)),
		writeTable(w, "tls_coverage", each(f.Coverage, coverageRowOf)),
		writeTable(w, "ledger", each(f.Ledger, ledgerRowOf)),
	)
}

// each yields a row for each item.
func each[T, R any](items []T, row func(*T) R) iter.Seq[R] {
	return func(yield func(R) bool) {
		for i := range items {
			if !yield(row(&items[i])) {
				return
			}
		}
	}
}

// flat yields the rows of all items.
func flat[T, R any](items []T, rows func(*T) []R) iter.Seq[R] {
	return func(yield func(R) bool) {
		for i := range items {
			for _, r := range rows(&items[i]) {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// Close ends the growing tables, with what they have.
func (w *Writer) Close() error {
	return errors.Join(w.connections.close(), w.connMetrics.close(), w.exchanges.close(), w.lookups.close(), w.samples.close(), w.events.close())
}

func writeTable[T any](w *Writer, name string, rows iter.Seq[T]) error {
	s, err := openTable[T](w, name)
	if err != nil {
		return err
	}
	for r := range rows {
		s.batch.rows = append(s.batch.rows, r)
		if err := s.added(); err != nil {
			return errors.Join(err, s.close())
		}
	}
	return s.close()
}
