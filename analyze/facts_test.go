package analyze_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/format/text"
)

// source is a reel in memory.
type source struct {
	manifest format.Manifest
	problems []format.Problem
	rows     []format.Row
}

func (s *source) Manifest() *format.Manifest { return &s.manifest }
func (s *source) Problems() []format.Problem { return s.problems }

// Rows gives rows in the order in which they stand, each in memory that is overwritten by the next, as a reel does.
func (s *source) Rows(opts format.RowsOptions) iter.Seq2[format.Row, error] {
	return func(yield func(format.Row, error) bool) {
		var io format.IO
		var payload []byte
		for _, row := range s.rows {
			if len(opts.Tables) > 0 && !slices.Contains(opts.Tables, row.Table()) {
				continue
			}
			if r, ok := row.(*format.IO); ok {
				io = *r
				for i := range payload {
					payload[i] = 0xee
				}
				payload = append(payload[:0], r.Payload...)
				io.Payload = payload
				row = &io
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

func parse(t testing.TB, reel []byte) *source {
	t.Helper()
	src, err := text.NewSource(reel)
	if err != nil {
		t.Fatal(err)
	}
	s := &source{manifest: *src.Manifest(), problems: src.Problems()}
	for row, err := range src.Rows(format.RowsOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		s.rows = append(s.rows, row)
	}
	return s
}

// report is all that an analysis said, in the order in which it said it.
type report struct {
	Connections []facts.Connection
	Exchanges   []facts.Exchange
	Samples     []facts.Sample
	Lookups     []facts.Lookup
	Result      *analyze.Result
}

func (r *report) Connection(c *facts.Connection) error {
	r.Connections = append(r.Connections, *c)
	return nil
}

func (r *report) Sample(s *facts.Sample) error {
	c := *s
	c.Exchange = clone(s.Exchange)
	r.Samples = append(r.Samples, c)
	return nil
}

func (r *report) Exchange(x *facts.Exchange) error {
	r.Exchanges = append(r.Exchanges, *clone(x))
	return nil
}

// clone copies an exchange, which is valid only as long as the sink has it.
func clone(x *facts.Exchange) *facts.Exchange {
	c := *x
	c.Interim, c.Anomalies = slices.Clone(x.Interim), slices.Clone(x.Anomalies)
	for _, m := range []*facts.Message{&c.Request, &c.Response} {
		m.Headers, m.Body, m.Syscalls = slices.Clone(m.Headers), bytes.Clone(m.Body), slices.Clone(m.Syscalls)
	}
	return &c
}

func (r *report) Lookup(l *facts.Lookup) error {
	r.Lookups = append(r.Lookups, *l)
	return nil
}

func run(t testing.TB, src analyze.Source, cfg analyze.Config) *report {
	t.Helper()
	r := new(report)
	res, err := analyze.Run(context.Background(), src, cfg, r)
	if err != nil {
		t.Fatal(err)
	}
	r.Result = res
	return r
}

// bytes returns everything, so that two reports are equal if and only if their bytes are.
func (r *report) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// connection names a connection by what does not depend on the order of its rows.
func (r *report) connection(id facts.ConnID) string {
	for i := range r.Connections {
		if c := &r.Connections[i]; c.ID == id {
			return fmt.Sprintf("%v-%v/%d", c.Local, c.Remote, c.Inode)
		}
	}
	return "?"
}

func sizes(m *facts.Message) string {
	return fmt.Sprintf("%d/%d/%d %q %q", m.HeadBytes, m.BodyBytes, m.WireBytes, m.Headers, m.Body)
}
