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
	next        []ioRow // rows of the next block that were read with those of the last
	payloadInfo File
	payloadFile ReadFile
	payload     *payloadReader // nil: none is read
	damaged     bool           // bytes that rows refer to cannot be read
	ref         int64
	moments     []moment
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
		if r.ref < 0 {
			continue
		}
		if r.ref <= s.ref {
			return fmt.Errorf("payload_ref %d follows %d", r.ref, s.ref)
		}
		s.ref = r.ref
		if s.payload == nil {
			if s.damaged {
				r.Cut = CutDamaged
			}
			continue
		}
		data, buf, err := s.payload.find(r.ref)
		if err != nil {
			r.Cut = CutDamaged
			s.lose(b, err)
			continue
		}
		if bytes += len(data); bytes > maxBlockBytes {
			return fmt.Errorf("block %d has more than %d bytes of payload", r.block, maxBlockBytes)
		}
		r.Payload = data
		b.retain(buf)
	}
	return nil
}

// lose tells why payload is missing, and ends the reading of a file that is damaged.
func (s *ioSource) lose(b *rowBatch[ioRow], err error) {
	if b.warning == nil {
		b.warning = corruptFile(s.payloadInfo.Name, s.seg, err)
	}
	if errors.As(err, new(*pageError)) {
		s.payload.close()
		s.payload = nil
		s.damaged = true
	}
}

func (s *ioSource) close() {
	if s.payload != nil {
		s.payload.close()
	}
	if s.payloadFile != nil {
		_ = s.payloadFile.Close()
	}
	s.fileSource.close()
}
