package format

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Verify reads every byte of the reel and returns what is wrong with it, problems that Open told included: the checksum of
// each file, the number, order and times of its rows, that each payload belongs to one row, and each frame of an unsealed
// tail (Open checked those). It ends early when ctx does.
func (r *Reel) Verify(ctx context.Context) []Problem {
	v := &verifier{reel: r}
	for i := range r.manifest.Segments {
		if ctx.Err() != nil {
			break
		}
		v.segment(ctx, &r.manifest.Segments[i])
	}
	problems := append(r.Problems(), v.problems...)
	slices.SortStableFunc(problems, func(a, b Problem) int {
		if a.Segment != b.Segment {
			return a.Segment - b.Segment
		}
		return strings.Compare(a.File, b.File)
	})
	return slices.CompactFunc(problems, func(a, b Problem) bool {
		return a.Kind == b.Kind && a.File == b.File && a.Offset == b.Offset && a.Message == b.Message
	})
}

type verifier struct {
	reel     *Reel
	problems []Problem
}

func (v *verifier) corrupt(f File, segment int, err error) {
	p := Problem{Kind: ProblemCorrupt, File: f.Name, Segment: segment, Offset: -1, Loss: true, Err: corruptFile(f.Name, segment, err)}
	var c *CorruptError
	if errors.As(p.Err, &c) {
		p.File, p.Offset, err = c.File, c.Offset, c.Err
	}
	p.Message = fmt.Sprintf("it is not as it was sealed: %v", err)
	v.problems = append(v.problems, p)
}

func (v *verifier) segment(ctx context.Context, seg *Segment) {
	for _, f := range seg.Files {
		if v.reel.bad[f.Name] {
			continue // Open told
		}
		if err := v.checksum(ctx, f); err != nil {
			v.corrupt(f, seg.Number, err)
		}
		t, err := ParseTableID(f.Table)
		if err != nil {
			continue // of a newer writer: its bytes are right, its rows are not ours to judge
		}
		if t == TablePayload {
			err = v.payload(seg, f)
		} else {
			err = v.rows(ctx, seg, t, f)
		}
		if err != nil {
			v.corrupt(f, seg.Number, err)
		}
	}
}

// checksum compares a file's SHA-256 with the manifest's.
func (v *verifier) checksum(ctx context.Context, f File) error {
	file, err := v.reel.fsys.Open(join(v.reel.dir, f.Name))
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, f.Bytes)); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return fmt.Errorf("its sha256 is %s, the manifest says %s", got, f.SHA256)
	}
	return ctx.Err()
}

// rows reads all rows of a file; reading checks their number, order and times. Those of io find their payload.
func (v *verifier) rows(ctx context.Context, seg *Segment, t TableID, f File) error {
	s, err := v.reel.openStream(seg, t, f, RowsOptions{})
	if err != nil {
		return err
	}
	defer s.stop()
	for n := int64(0); ; n++ {
		switch err := s.next(); {
		case errors.Is(err, io.EOF) && n != f.Rows:
			return fmt.Errorf("%d rows were read, the manifest says %d", n, f.Rows)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if w := s.warning(); w != nil {
			v.corrupt(f, seg.Number, w)
		}
		if n%4096 == 0 && ctx.Err() != nil {
			return nil
		}
	}
}

// payload counts the payload rows that rows of io and tls refer to: one that none does is not as it was sealed either.
func (v *verifier) payload(seg *Segment, f File) error {
	source, err := openSource(v.reel, seg.Number, f, &payloadTable)
	if err != nil {
		return err
	}
	_ = source.file.Close()
	var refs int64
	for _, rows := range seg.Files {
		if v.reel.bad[rows.Name] {
			continue
		}
		var n int64
		switch rows.Table {
		case TableIO.String():
			n, err = countRefs(v.reel, seg.Number, rows, &ioTable, func(r *ioRow) int64 { return r.ref })
		case TableTLS.String():
			n, err = countRefs(v.reel, seg.Number, rows, &tlsTable, func(r *tlsRow) int64 { return r.ref })
		}
		if err != nil {
			return nil //nolint:nilerr // told where that file is read
		}
		refs += n
	}
	if refs != f.Rows {
		return fmt.Errorf("%d of its %d rows belong to a row of io or tls", refs, f.Rows)
	}
	return nil
}

func countRefs[R any](r *Reel, segment int, f File, def *table[R], ref func(*R) int64) (n int64, err error) {
	source, err := openSource(r, segment, f, def)
	if err != nil {
		return 0, err
	}
	defer source.close()
	b := &rowBatch[R]{rows: make([]R, aheadRows)}
	for {
		switch err := fillSafely(source, b); {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, err
		}
		for i := range b.rows[:b.n] {
			if ref(&b.rows[i]) >= 0 {
				n++
			}
		}
	}
}
