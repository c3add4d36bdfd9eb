package format

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"
)

// Opener turns the ciphertext of a reel into plaintext when the reel is finished, so that neither the keys nor what they open has to
// stay in it (DESIGN D18). It is built from analyze and handed in by cmd, since format holds no protocol knowledge.
type Opener interface {
	// Open reads src, which holds keys, and gives put the plaintext of what they open. put masks the rows that it is given, and
	// keeps none.
	Open(src *Reel, put func(*TLS) error) (Opened, error)
}

// Opened says what of the payload of io rows stays. It is asked for each of them, segment by segment, within one in the order of time.
type Opened interface {
	// Keeps returns how many of the first bytes of the row's payload are not ciphertext of which the plaintext was given.
	Keeps(row *IO) int
}

// finishing replaces keys and ciphertext by plaintext.
type finishing struct {
	fsys     FS
	dir      string
	manifest *Manifest
	opener   Opener
	filter   Filter
	rest     func(time.Duration)
}

// holdsKeys reports whether a segment has secrets.
func (m *Manifest) holdsKeys() bool {
	return slices.ContainsFunc(m.Segments, func(s Segment) bool {
		return slices.ContainsFunc(s.Files, func(f File) bool { return f.Table == TableTLSKey.String() })
	})
}

// run returns the manifest of the finished reel; it is stored, but for Clean. Every step leaves a reel that opens and that can be
// finished again: what is new has names of its own until the manifest names it, and what is old is removed only then.
func (f *finishing) run() (*Manifest, error) {
	if err := f.sweep(f.manifest); err != nil {
		return nil, err
	}
	if !f.manifest.holdsKeys() {
		return f.manifest, nil
	}
	src, err := Open(f.dir, OpenOptions{Filter: f.filter, FS: f.fsys})
	if err != nil {
		return nil, err
	}
	defer src.Close()
	m := f.manifest.clone()
	opened, err := f.plaintext(src, m)
	if err != nil {
		return nil, err
	}
	for i := range m.Segments {
		if err := f.withoutCiphertext(src, &m.Segments[i], opened); err != nil {
			return nil, err
		}
		m.Segments[i].Files = slices.DeleteFunc(slices.Clone(m.Segments[i].Files), func(file File) bool { return file.Table == TableTLSKey.String() })
	}
	m.SchemaVersion = SchemaVersion
	if err := m.store(f.fsys, f.dir); err != nil {
		return nil, err
	}
	return m, f.sweep(m)
}

// plaintext writes what the opener gives as a segment of its own, which overlaps the others in time.
func (f *finishing) plaintext(src *Reel, m *Manifest) (Opened, error) {
	number := 1
	for _, s := range m.Segments {
		number = max(number, s.Number+1)
	}
	seg := Segment{Number: number, Filter: f.filter.Version()}
	s := &sealer{fsys: f.fsys, dir: join(f.dir, segmentName(number)+".tmp"), id: fileID{uuid: m.UUID, segment: number, filter: seg.Filter}, rest: f.rest, since: time.Now()}
	if err := s.clean(f.dir); err != nil {
		return nil, err
	}
	if err := f.fsys.Mkdir(s.dir); err != nil {
		return nil, diskError(s.dir, err)
	}
	mask := f.filter.Fresh()
	var last KTime
	opened, err := f.opener.Open(src, func(row *TLS) error {
		r := *row
		r.Time = max(r.Time, last) // a segment's rows are in the order of time; what comes late comes at once after
		last = r.Time
		at := len(s.buf)
		s.buf = append(s.buf, row.Payload...)
		r.Payload = s.buf[at:]
		mask.Apply(&r)
		seg.Frames++
		full, err := s.add(&r)
		if err == nil && (full || len(s.buf) >= blockBytes) {
			err = s.flush()
		}
		return err
	})
	if err == nil {
		err = s.flush()
	}
	if err == nil && seg.Frames == 0 {
		return opened, removeDir(f.fsys, s.dir)
	}
	if err == nil {
		seg.Files, err = s.finish(f.dir)
	}
	if err != nil {
		s.abandon()
		return nil, diskError(segmentName(number), err)
	}
	m.Segments = append(m.Segments, seg)
	return opened, nil
}

// withoutCiphertext writes the payload of a segment anew without the bytes that are not kept.
func (f *finishing) withoutCiphertext(src *Reel, seg *Segment, opened Opened) error {
	table := func(t TableID) int {
		return slices.IndexFunc(seg.Files, func(file File) bool { return file.Table == t.String() })
	}
	ios, payload := table(TableIO), table(TablePayload)
	if ios < 0 || payload < 0 || src.bad[seg.Files[ios].Name] || src.bad[seg.Files[payload].Name] {
		return nil
	}
	keeps, err := f.keeps(src, seg, seg.Files[ios], opened)
	if err != nil || len(keeps) == 0 {
		return err
	}
	file, err := f.rewritePayload(src, seg, seg.Files[payload], keeps)
	if err != nil {
		return diskError(seg.Files[payload].Name, err)
	}
	seg.Files = slices.Clone(seg.Files)
	seg.Files[payload] = file
	return nil
}

// keeps asks for each io row of a segment, and returns what stays of those that are cut, by ref.
func (f *finishing) keeps(src *Reel, seg *Segment, file File, opened Opened) (map[int64]int, error) {
	base, err := openSource(src, seg.Number, file, &ioTable)
	if err != nil {
		return nil, err
	}
	source := &ioSource{fileSource: *base, payload: src.openPayload(seg, RowsOptions{})}
	var ref int64
	s := newFileStream(&ioTable, seg.Number, source, func(v *ioRow) Row { ref = v.ref; return &v.IO })
	defer s.stop()
	keeps := map[int64]int{}
	for {
		err := s.next()
		if errors.Is(err, io.EOF) {
			return keeps, nil
		}
		if err != nil {
			return nil, err
		}
		row := s.row().(*IO)
		if n := opened.Keeps(row); n < len(row.Payload) && ref >= 0 {
			keeps[ref] = max(n, 0)
		}
	}
}

// finishedPayload is the name of a payload file that was written anew.
const finishedPayload = "payload-finished.parquet"

func (f *finishing) rewritePayload(src *Reel, seg *Segment, old File, keeps map[int64]int) (File, error) {
	base, err := openSource(src, seg.Number, old, &payloadTable)
	if err != nil {
		return File{}, err
	}
	defer base.file.Close()
	s := &sealer{fsys: f.fsys, dir: join(f.dir, segmentName(seg.Number)), id: fileID{uuid: f.manifest.UUID, segment: seg.Number, filter: seg.Filter}, rest: f.rest, since: time.Now()}
	name := finishedPayload
	if path.Base(old.Name) == finishedPayload {
		name = TablePayload.String() + ".parquet"
	}
	out, err := openBatch(s, name, &payloadTable)
	if err != nil {
		return File{}, err
	}
	rows := make([]payloadRow, 1)
	for {
		if _, err = base.t.read(rows); err != nil {
			break
		}
		row := rows[0]
		if n, cut := keeps[row.ref]; cut {
			row.data = row.data[:n]
		}
		at := len(s.buf)
		s.buf = append(s.buf, row.data...)
		row.data = s.buf[at:]
		if out.rows = append(out.rows, row); len(out.rows) >= blockRows || len(s.buf) >= blockBytes {
			if err = out.flush(); err != nil {
				break
			}
			s.buf = s.buf[:0]
			s.rest(time.Since(s.since))
			s.since = time.Now()
		}
	}
	if errors.Is(err, io.EOF) {
		err = out.flush()
	}
	if err != nil {
		out.abandon()
		return File{}, err
	}
	return out.finish()
}

// sweep removes files in segments that the manifest does not name, and makes that last.
func (f *finishing) sweep(m *Manifest) error {
	for _, seg := range m.Segments {
		dir := join(f.dir, segmentName(seg.Number))
		names, err := f.fsys.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // told when the reel is opened
		}
		if err != nil {
			return err
		}
		removed := false
		for _, name := range names {
			if slices.ContainsFunc(seg.Files, func(file File) bool { return path.Base(file.Name) == name }) {
				continue
			}
			if err := f.fsys.Remove(join(dir, name)); err != nil {
				return fmt.Errorf("remove %s, which belongs to the reel no more: %w", join(dir, name), err)
			}
			removed = true
		}
		if removed {
			if err := f.fsys.SyncDir(dir); err != nil {
				return diskError(dir, err)
			}
		}
	}
	return nil
}
