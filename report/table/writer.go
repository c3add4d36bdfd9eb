// Package table turns facts into tables that other programs read: Parquet, or JSON lines. docs/tables.md describes their
// columns; it is made of this package's row types.
package table

import (
	"errors"
	"fmt"
	"io"

	"github.com/ebpf-reel/reel/analyze/facts"
)

// Format is how a table is stored.
type Format string

// The formats.
const (
	Parquet Format = "parquet" // NAME.parquet, zstd
	JSON    Format = "json"    // NAME.jsonl, one object a line
)

// ParseFormat is the inverse of the constants.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case Parquet, JSON:
		return f, nil
	}
	return "", fmt.Errorf("there is no table format %q: choose parquet or json", s)
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
	exchanges   *stream[exchangeRow]
	addresses   addresses
	missing     missingSets
}

// New creates the tables that grow while the analysis runs.
func New(f Format, info Info, create Create) (*Writer, error) {
	w := &Writer{format: f, info: info, create: create, addresses: make(addresses), missing: make(missingSets)}
	var err error
	if w.connections, err = openTable[connectionRow](w, "connections"); err != nil {
		return nil, err
	}
	if w.exchanges, err = openTable[exchangeRow](w, "exchanges"); err != nil {
		return nil, errors.Join(err, w.connections.close())
	}
	return w, nil
}

// Connection adds a row. c is not used after the call.
func (w *Writer) Connection(c *facts.Connection) error {
	b := w.connections.batch
	b.rows = append(b.rows, w.connectionRow(b, c))
	return w.connections.added()
}

// Exchange adds a row. x is not used after the call.
func (w *Writer) Exchange(x *facts.Exchange) error {
	b := w.exchanges.batch
	b.rows = append(b.rows, w.exchangeRow(b, x))
	return w.exchanges.added()
}

// Finish writes the tables that are known at the end, and closes all.
func (w *Writer) Finish(nodes []facts.Node, edges []facts.Edge, processes []facts.Process, coverage []facts.TLSCoverage, entries []facts.LedgerEntry) error {
	processTable := make([]processRow, 0, len(processes))
	for i := range processes {
		processTable = append(processTable, processRowOf(&processes[i]))
	}
	var edgeTable []edgeRow
	for i := range edges {
		edgeTable = append(edgeTable, edgeRows(&edges[i])...)
	}
	var nodeTable []nodeRow
	for i := range nodes {
		nodeTable = append(nodeTable, nodeRowOf(&nodes[i]))
	}
	var coverageTable []coverageRow
	for i := range coverage {
		coverageTable = append(coverageTable, coverageRowOf(&coverage[i]))
	}
	var ledgerTable []ledgerRow
	for i := range entries {
		ledgerTable = append(ledgerTable, ledgerRowOf(&entries[i]))
	}
	return errors.Join(
		w.Close(),
		writeTable(w, "edges", edgeTable),
		writeTable(w, "nodes", nodeTable),
		writeTable(w, "processes", processTable),
		writeTable(w, "tls_coverage", coverageTable),
		writeTable(w, "ledger", ledgerTable),
	)
}

// Close ends the growing tables, with what they have.
func (w *Writer) Close() error {
	return errors.Join(w.connections.close(), w.exchanges.close())
}

func writeTable[T any](w *Writer, name string, rows []T) error {
	s, err := openTable[T](w, name)
	if err != nil {
		return err
	}
	for len(rows) > 0 {
		n := min(len(rows), batchRows)
		s.batch.rows = append(s.batch.rows, rows[:n]...)
		rows = rows[n:]
		if err := s.added(); err != nil {
			return errors.Join(err, s.close())
		}
	}
	return s.close()
}
