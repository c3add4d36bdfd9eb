package format

import (
	"errors"
	"fmt"
	"runtime"
)

// Batches of a table are written when they are this long, or when the bytes of all batches are this many: what a seal
// holds in memory beside the index of its journal.
const (
	sealRows  = 4 * batchRows
	sealBytes = 4 << 20
)

// sealJournal writes the segment that the rows of an indexed journal make. It is whole, and its name lasts, when
// sealJournal returns without an error; otherwise nothing of it is left but perhaps a directory named ".tmp".
func sealJournal(fsys FS, dir, uuid string, ix *journalIndex, filter Filter) (Segment, error) {
	seg := Segment{Number: ix.number, JournalBytes: ix.size, Frames: ix.frames, Skipped: ix.skipped, Orphans: ix.orphans, Filter: filter.Version()}
	s := &sealer{fsys: fsys, dir: join(dir, segmentName(ix.number)+".tmp"), id: fileID{uuid: uuid, segment: ix.number}}
	err := s.clean(dir)
	if err == nil {
		err = s.writeRows(ix, filter)
	}
	if err == nil {
		seg.Files, err = s.finish(dir)
	}
	seg.Bad = ix.bad
	if err != nil {
		s.abandon()
		return seg, diskError(segmentName(ix.number), err)
	}
	return seg, nil
}

// sealer writes one segment.
type sealer struct {
	fsys FS
	dir  string // the segment's, while it is written
	id   fileID
	buf  []byte // the bytes that rows of the batches point into
	refs int64  // payload rows so far

	tables    []sealTable
	sockets   *sealBatch[Socket]
	ios       *sealBatch[ioRow]
	payloads  *sealBatch[payloadRow]
	processes *sealBatch[Process]
	clocks    *sealBatch[Clock]
	beats     *sealBatch[Heartbeat]
	rings     *sealBatch[Ring]
	hooks     *sealBatch[Hook]
	notes     *sealBatch[Note]
}

// sealTable is one table's part of a segment.
type sealTable interface {
	flush() error
	finish() (File, error)
	abandon()
}

// clean removes what an interrupted seal of the same journal left.
func (s *sealer) clean(dir string) error {
	return errors.Join(removeDir(s.fsys, s.dir), removeDir(s.fsys, join(dir, segmentName(s.id.segment))))
}

func (s *sealer) writeRows(ix *journalIndex, filter Filter) error {
	if err := s.fsys.Mkdir(s.dir); err != nil {
		return err
	}
	rows := newJournalRows(ix, filter)
	for i := range ix.entries {
		var row Row
		var err error
		if row, s.buf, err = rows.read(i, s.buf); err != nil {
			return fmt.Errorf("reading %s: %w", ix.name, err)
		}
		if row == nil {
			continue
		}
		full, err := s.add(row)
		if err != nil {
			return err
		}
		if full || len(s.buf) >= sealBytes {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return s.flush()
}

// flush writes all batches; then nothing points into buf any more.
func (s *sealer) flush() error {
	for _, t := range s.tables {
		if err := t.flush(); err != nil {
			return err
		}
	}
	s.buf = s.buf[:0]
	runtime.Gosched() // the drain of the rings comes first
	return nil
}

func (s *sealer) add(row Row) (full bool, err error) {
	switch r := row.(type) {
	case *Socket:
		return addRow(s, &s.sockets, &socketTable, *r)
	case *IO:
		io := ioRow{IO: *r, ref: -1}
		if len(r.Payload) > 0 {
			io.ref = s.refs
			s.refs++
			if _, err := addRow(s, &s.payloads, &payloadTable, payloadRow{io.ref, r.Payload}); err != nil {
				return false, err
			}
		}
		return addRow(s, &s.ios, &ioTable, io)
	case *Process:
		return addRow(s, &s.processes, &processTable, *r)
	case *Clock:
		return addRow(s, &s.clocks, &clockTable, *r)
	case *Heartbeat:
		return addRow(s, &s.beats, &heartbeatTable, *r)
	case *Ring:
		return addRow(s, &s.rings, &ringTable, *r)
	case *Hook:
		return addRow(s, &s.hooks, &hookTable, *r)
	case *Note:
		return addRow(s, &s.notes, &noteTable, *r)
	}
	return false, fmt.Errorf("a row of type %T cannot be sealed", row)
}

// sealBatch collects rows of one table on their way into its file.
type sealBatch[R any] struct {
	rows []R
	w    *tableWriter[R]
	file AppendFile
	out  *hashWriter
	name string
}

func addRow[R any](s *sealer, b **sealBatch[R], def *table[R], row R) (full bool, err error) {
	if *b == nil {
		name := def.id.String() + ".parquet"
		f, err := s.fsys.Create(join(s.dir, name))
		if err != nil {
			return false, err
		}
		out := newHashWriter(f)
		*b = &sealBatch[R]{file: f, out: out, name: segmentName(s.id.segment) + "/" + name, w: newTableWriter(def, s.id, out)}
		s.tables = append(s.tables, *b)
	}
	(*b).rows = append((*b).rows, row)
	return len((*b).rows) >= sealRows, nil
}

func (b *sealBatch[R]) flush() error {
	err := b.w.write(b.rows)
	b.rows = b.rows[:0]
	return err
}

func (b *sealBatch[R]) finish() (File, error) {
	err := b.w.close()
	if err == nil {
		err = b.file.Sync()
	}
	err = errors.Join(err, b.file.Close())
	b.file = nil
	return File{
		Table: b.w.def.id.String(), Name: b.name, Rows: b.w.rows, Bytes: b.out.bytes, SHA256: b.out.hex(),
		MinTime: b.w.min, MaxTime: b.w.max,
	}, err
}

func (b *sealBatch[R]) abandon() {
	if b.file != nil {
		b.file.Close()
	}
}

// finish ends all files, makes them last, and gives the segment its name.
func (s *sealer) finish(dir string) ([]File, error) {
	var files []File
	for _, t := range s.tables {
		f, err := t.finish()
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	if err := s.fsys.SyncDir(s.dir); err != nil {
		return nil, err
	}
	if err := s.fsys.Rename(s.dir, join(dir, segmentName(s.id.segment))); err != nil {
		return nil, err
	}
	return files, s.fsys.SyncDir(dir)
}

// abandon removes what was written, as far as it goes: on a full disk that is the space the journals need.
func (s *sealer) abandon() {
	for _, t := range s.tables {
		t.abandon()
	}
	_ = removeDir(s.fsys, s.dir)
}
