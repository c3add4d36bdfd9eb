package format

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Limits of a block, above what the sealer makes (SPEC.md §5.2).
const (
	maxBlockRows  = 64 << 10
	maxBlockBytes = 2*blockBytes + maxBody
)

// ioSource reads the io file of a segment block by block, each put back into the order of time, and the payload file
// beside it.
type ioSource struct {
	fileSource[ioRow]
	next    []ioRow // rows of the next block that were read with those of the last
	payload payloadSource
	moments []moment
}

// moment is what orders a row of a block.
type moment struct {
	time KTime
	cpu  uint16
	at   int32 // in the block
}

func (s *ioSource) fill(b *rowBatch[ioRow]) error {
	if err := s.readBlock(b); err != nil {
		return err
	}
	if err := s.attach(b); err != nil {
		return s.corrupt(err)
	}
	s.moments = s.moments[:0]
	for i := range b.rows[:b.n] {
		s.moments = append(s.moments, moment{b.rows[i].Time, b.rows[i].CPU, int32(i)})
	}
	slices.SortFunc(s.moments, func(x, y moment) int {
		if x.time != y.time {
			return cmp.Compare(x.time, y.time)
		}
		return cmp.Or(cmp.Compare(x.cpu, y.cpu), cmp.Compare(x.at, y.at))
	})
	b.order = resize(b.order, b.n)
	for i := range s.moments {
		b.order[i] = s.moments[i].at
	}
	return s.check(b)
}

// readBlock reads the rows of one block.
func (s *ioSource) readBlock(b *rowBatch[ioRow]) error {
	b.rows = append(b.rows[:0], s.next...)
	s.next = s.next[:0]
	b.n = 0
	for {
		for ; b.n < len(b.rows); b.n++ {
			if b.rows[b.n].block != b.rows[0].block {
				s.next = append(s.next, b.rows[b.n:]...)
				return nil
			}
		}
		if b.n > maxBlockRows {
			return s.corrupt(fmt.Errorf("block %d has more than %d rows", b.rows[0].block, maxBlockRows))
		}
		b.rows = slices.Grow(b.rows, aheadRows)
		n, err := s.t.read(b.rows[b.n : b.n+aheadRows])
		b.rows = b.rows[:b.n+n]
		switch {
		case errors.Is(err, io.EOF) && b.n > 0:
			return nil
		case errors.Is(err, io.EOF):
			return io.EOF
		case err != nil:
			return s.corrupt(err)
		}
	}
}

// attach gives the rows of a block their payload.
func (s *ioSource) attach(b *rowBatch[ioRow]) error {
	bytes := 0
	for i := range b.rows[:b.n] {
		r := &b.rows[i]
		data, err := attachPayload(&s.payload, b, r.ref, &r.Cut)
		if err != nil {
			return err
		}
		if bytes += len(data); bytes > maxBlockBytes {
			return fmt.Errorf("block %d has more than %d bytes of payload", r.block, maxBlockBytes)
		}
		r.Payload = data
		if len(data) < int(r.Captured) && r.Cut == CutNone && r.ref >= 0 {
			r.Cut = CutPolicy
		}
	}
	return nil
}

func (s *ioSource) close() {
	s.payload.close()
	s.fileSource.close()
}
