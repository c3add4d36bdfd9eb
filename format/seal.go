package format

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Batches of a table are written when they are this long, or when the bytes of all batches are this many: what a seal
// holds in memory beside the index of its journal, and what a reader holds of a file (SPEC.md §5.2).
const (
	blockRows  = 8 << 10
	blockBytes = 4 << 20
)

// sealJournal writes the segment that the rows of an indexed journal make. It is whole, and its name lasts, when
// sealJournal returns without an error; otherwise nothing of it is left but perhaps a directory named ".tmp". rest is called
// after each block with the time that it took.
func sealJournal(fsys FS, dir, uuid string, ix *journalIndex, filter Filter, rest func(time.Duration)) (Segment, error) {
	seg := Segment{Number: ix.number, JournalBytes: ix.size, Frames: ix.frames, Skipped: ix.skipped, Orphans: ix.orphans, Filter: filter.Version()}
	s := &sealer{fsys: fsys, dir: join(dir, segmentName(ix.number)+".tmp"), id: fileID{uuid: uuid, segment: ix.number, filter: filter.Version()}, rest: rest, since: time.Now(), buf: make([]byte, 0, blockBytes+blockBytes/4)}
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
	fsys  FS
	dir   string // the segment's, while it is written
	id    fileID
	buf   []byte // the bytes that rows of the batches point into
	rest  func(worked time.Duration)
	since time.Time // the last rest
	refs  int64     // payload rows so far
	block uint32    // of io rows, from 0

	keys   []connKey
	sorted []ioRow // a second block's memory: rows are sorted from one into the other

	tables     []sealTable
	sockets    *sealBatch[Socket]
	ios        *sealBatch[ioRow]
	payloads   *sealBatch[payloadRow]
	processes  *sealBatch[Process]
	clocks     *sealBatch[Clock]
	beats      *sealBatch[Heartbeat]
	rings      *sealBatch[Ring]
	hooks      *sealBatch[Hook]
	notes      *sealBatch[Note]
	triggers   *sealBatch[Trigger]
	containers *sealBatch[Container]
	tcps       *sealBatch[TCP]
	tlsKeys    *sealBatch[TLSKey]
	probes     *sealBatch[Probe]
	waits      *sealBatch[OffCPU]
	waitTotals *sealBatch[OffCPUTotal]
	samples    *sealBatch[OnCPU]
	stacks     *sealBatch[Stack]
	symbols    *sealBatch[Symbol]
	modules    *sealBatch[Module]
	mappings   *sealBatch[Mapping]
	plain      *sealBatch[tlsRow]
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
		if full || len(s.buf) >= blockBytes {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return s.flush()
}

// flush writes all batches; then nothing points into buf any more.
func (s *sealer) flush() error {
	if err := s.arrange(); err != nil {
		return err
	}
	for _, t := range s.tables {
		if err := t.flush(); err != nil {
			return err
		}
	}
	s.buf = s.buf[:0]
	s.rest(time.Since(s.since))
	s.since = time.Now()
	return nil
}

func (s *sealer) add(row Row) (full bool, err error) {
	switch r := row.(type) {
	case *Socket:
		return addRow(s, &s.sockets, &socketTable, *r)
	case *IO:
		return addRow(s, &s.ios, &ioTable, ioRow{IO: *r, ref: -1, block: s.block})
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
	case *Trigger:
		return addRow(s, &s.triggers, &triggerTable, *r)
	case *Container:
		return addRow(s, &s.containers, &containerTable, *r)
	case *TCP:
		return addRow(s, &s.tcps, &tcpTable, *r)
	case *TLSKey:
		return addRow(s, &s.tlsKeys, &tlsKeyTable, r.clone())
	case *Probe:
		return addRow(s, &s.probes, &probeTable, *r)
	case *OnCPU:
		return addRow(s, &s.samples, &onCPUTable, *r)
	case *OffCPU:
		return addRow(s, &s.waits, &offCPUTable, *r)
	case *OffCPUTotal:
		return addRow(s, &s.waitTotals, &offCPUTotalTable, *r)
	case *Stack:
		return addRow(s, &s.stacks, &stackTable, *r)
	case *Symbol:
		return addRow(s, &s.symbols, &symbolTable, *r)
	case *Module:
		return addRow(s, &s.modules, &moduleTable, *r)
	case *Mapping:
		return addRow(s, &s.mappings, &mappingTable, *r)
	case *TLS:
		return addRow(s, &s.plain, &tlsTable, tlsRow{TLS: *r, ref: -1})
	}
	return false, fmt.Errorf("a row of type %T cannot be sealed", row)
}

// arrange puts the io rows of a block in the order of their connections, and makes their payload rows. Rows of one socket
// and direction that follow each other cost half of what they do in the order of time: ids repeat, and sequence numbers
// grow evenly. A reader puts a block back into the order of time, so two rows of one time and CPU must stay as they are.
func (s *sealer) arrange() error {
	if s.ios == nil || len(s.ios.rows) == 0 {
		return s.referPlaintext()
	}
	rows := s.ios.rows
	s.block++
	if !sameMoment(rows) {
		s.keys = s.keys[:0]
		for i := range rows {
			s.keys = append(s.keys, connKey{rows[i].Socket, rows[i].Dir, int32(i)})
		}
		slices.SortFunc(s.keys, compareConnKeys)
		s.sorted = resize(s.sorted, len(rows))
		for i, k := range s.keys {
			s.sorted[i] = rows[k.at]
		}
		s.ios.rows, s.sorted = s.sorted, rows
		rows = s.ios.rows
	}
	for i := range rows {
		if len(rows[i].Payload) == 0 {
			continue
		}
		rows[i].ref = s.refs
		s.refs++
		if _, err := addRow(s, &s.payloads, &payloadTable, payloadRow{rows[i].ref, rows[i].Payload}); err != nil {
			return err
		}
	}
	return s.referPlaintext()
}

// referPlaintext makes the payload rows of the tls rows of a block.
func (s *sealer) referPlaintext() error {
	if s.plain == nil {
		return nil
	}
	for i := range s.plain.rows {
		r := &s.plain.rows[i]
		if len(r.Payload) == 0 {
			continue
		}
		r.ref = s.refs
		s.refs++
		if _, err := addRow(s, &s.payloads, &payloadTable, payloadRow{r.ref, r.Payload}); err != nil {
			return err
		}
	}
	return nil
}

// connKey orders a block's rows by connection; at, their place before, is the order of time.
type connKey struct {
	socket SocketID
	dir    Direction
	at     int32
}

func compareConnKeys(a, b connKey) int {
	switch {
	case a.socket != b.socket:
		return cmp.Compare(a.socket, b.socket)
	case a.dir != b.dir:
		return cmp.Compare(a.dir, b.dir)
	}
	return cmp.Compare(a.at, b.at)
}

// sameMoment reports whether two rows, in the order of time and CPU, have the same of both.
func sameMoment(rows []ioRow) bool {
	for i := 1; i < len(rows); i++ {
		if rows[i].Time == rows[i-1].Time && rows[i].CPU == rows[i-1].CPU {
			return true
		}
	}
	return false
}

// sealBatch collects rows of one table on their way into its file.
type sealBatch[R any] struct {
	rows []R
	w    *tableWriter[R]
	file AppendFile
	out  *hashWriter
	name string // within the reel
	fsys FS
	path string // while it is written
}

func addRow[R any](s *sealer, b **sealBatch[R], def *table[R], row R) (full bool, err error) {
	if *b == nil {
		if *b, err = openBatch(s, def.id.String()+".parquet", def); err != nil {
			return false, err
		}
		s.tables = append(s.tables, *b)
	}
	(*b).rows = append((*b).rows, row)
	return len((*b).rows) >= blockRows, nil
}

// openBatch begins a file of the segment.
func openBatch[R any](s *sealer, name string, def *table[R]) (*sealBatch[R], error) {
	path := join(s.dir, name)
	f, err := s.fsys.Create(path)
	if err != nil {
		return nil, err
	}
	out := newHashWriter(f)
	return &sealBatch[R]{fsys: s.fsys, path: path, file: f, out: out, name: segmentName(s.id.segment) + "/" + name, w: newTableWriter(def, s.id, out)}, nil
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
	if err != nil {
		return File{}, err
	}
	crc, err := b.footerCRC()
	return File{
		FooterCRC: crc,

		Table: b.w.def.id.String(), Name: b.name, Rows: b.w.rows, Bytes: b.out.bytes, SHA256: b.out.hex(),
		MinTime: b.w.min, MaxTime: b.w.max,
	}, err
}

// footerCRC reads the footer that was written back.
func (b *sealBatch[R]) footerCRC() (uint32, error) {
	f, err := b.fsys.Open(b.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	_, crc, _, err := readFooter(f)
	return crc, err
}

func (b *sealBatch[R]) abandon() {
	if b.file != nil {
		_ = b.file.Close() // it is removed
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
