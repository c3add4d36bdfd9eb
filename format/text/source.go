package text

import (
	"bytes"
	"cmp"
	"iter"
	"slices"

	"github.com/ebpf-reel/reel/format"
)

// Source is a reel in memory that was read from text, in the shape that analysis reads reels in: a scenario needs no
// files and no privileges.
type Source struct {
	manifest format.Manifest
	problems []format.Problem
	rows     []format.Row // by time, table and CPU, then as in the text: the order of format.Reel.Rows
}

// NewSource reads a whole text. Rows are put in the order of their times, as a reel gives them. Errors are *SyntaxError.
func NewSource(data []byte) (*Source, error) {
	p := newParser(bytes.NewReader(data))
	p.keep = true
	h, err := p.header()
	if err != nil {
		return nil, err
	}
	s := &Source{manifest: h.manifest, problems: h.problems}
	if !s.manifest.Clean && len(s.problems) == 0 {
		s.problems = []format.Problem{{Kind: format.ProblemUnclean, Offset: -1, Message: "the recording did not end cleanly: its last moments may be missing"}}
	}
	for row, err := range p.rows {
		if err != nil {
			return nil, err
		}
		s.rows = append(s.rows, row)
	}
	slices.SortStableFunc(s.rows, func(a, b format.Row) int {
		return cmp.Or(cmp.Compare(a.At(), b.At()), cmp.Compare(a.Table(), b.Table()), cmp.Compare(cpuOf(a), cpuOf(b)))
	})
	return s, nil
}

// cpuOf is the CPU that a row came from, as the order of a reel's rows has it.
func cpuOf(row format.Row) uint16 {
	switch r := row.(type) {
	case *format.Socket:
		return r.CPU
	case *format.IO:
		return r.CPU
	case *format.Ring:
		return r.CPU
	case *format.TCP:
		return r.CPU
	case *format.OffCPU:
		return r.CPU
	case *format.OnCPU:
		return r.CPU
	case *format.TLS:
		return r.CPU
	}
	return 0
}

// Manifest returns what the header says. It has no segments.
func (s *Source) Manifest() *format.Manifest { return &s.manifest }

// Problems returns the problem lines of the text.
func (s *Source) Problems() []format.Problem { return s.problems }

// Rows yields the rows that opts choose, in the order of a reel's rows. They must not be changed.
func (s *Source) Rows(opts format.RowsOptions) iter.Seq2[format.Row, error] {
	return func(yield func(format.Row, error) bool) {
		for _, row := range s.rows {
			if len(opts.Tables) > 0 && !slices.Contains(opts.Tables, row.Table()) {
				continue
			}
			if opts.NoPayload {
				row = withoutPayload(row)
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

func withoutPayload(row format.Row) format.Row {
	switch r := row.(type) {
	case *format.IO:
		bare := *r
		bare.Payload = nil
		return &bare
	case *format.TLS:
		bare := *r
		bare.Payload = nil
		return &bare
	}
	return row
}
