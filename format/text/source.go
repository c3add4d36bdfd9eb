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
	rows     []format.Row // by time; rows of one time in the order of the text
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
		return cmp.Compare(a.At(), b.At())
	})
	return s, nil
}

// Manifest returns what the header says. It has no segments.
func (s *Source) Manifest() *format.Manifest { return &s.manifest }

// Problems returns the problem lines of the text.
func (s *Source) Problems() []format.Problem { return s.problems }

// All yields every row. Analysis may overwrite what it is given, so each call makes copies.
func (s *Source) All() iter.Seq2[format.Row, error] {
	return func(yield func(format.Row, error) bool) {
		for _, row := range s.rows {
			if !yield(clone(row), nil) {
				return
			}
		}
	}
}

func clone(row format.Row) format.Row {
	t := tableByID(row.Table())
	c := t.copy(row)
	if r, ok := c.(*format.IO); ok {
		r.Payload = bytes.Clone(r.Payload)
	}
	return c
}
