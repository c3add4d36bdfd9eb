package format

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
)

// RowsOptions chooses rows.
type RowsOptions struct {
	Tables    []TableID // empty: all
	NoPayload bool      // IO and TLS rows come without their bytes: the payload files are not read
}

// maxOverlap bounds the segments that are open at once. A recorder's overlap by one; those of a hostile manifest all.
const maxOverlap = 64

// Rows returns the rows of the reel in the order of time, and where that is equal of table, CPU, segment and place in it:
// whatever the order of the manifest, and however many CPUs read. A row is valid until the next step and must not be
// changed. Files are decoded ahead in goroutines; memory is bounded by the segments that overlap in time.
//
// An error does not end the rows: *CorruptError says which file is not read any further, and the rows of all others
// follow, unless the caller stops.
func (r *Reel) Rows(opts RowsOptions) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		m := &merger{reel: r, opts: opts, waiting: r.segmentParts(opts), filter: r.filter.Fresh()}
		defer m.stop()
		for {
			row, err := m.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				r.noteError(err)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// noteError keeps damage that reading found.
func (r *Reel) noteError(err error) {
	var c *CorruptError
	if errors.As(err, &c) {
		r.add(Problem{Kind: ProblemCorrupt, File: c.File, Segment: c.Segment, Offset: c.Offset, Loss: true, Err: err,
			Message: fmt.Sprintf("it is not read beyond this point: %v", c.Err)})
	}
}

// part is one segment or one journal that waits for its time.
type part struct {
	min     KTime
	number  int
	segment *Segment
	tail    *journalIndex
	streams []stream // started ahead
	started bool
	errs    []error
}

// segmentParts returns the parts in the order of their first time.
func (r *Reel) segmentParts(opts RowsOptions) []*part {
	var parts []*part
	for i := range r.manifest.Segments {
		s := &r.manifest.Segments[i]
		p := &part{number: s.Number, segment: s}
		any := false
		for _, f := range s.Files {
			t, err := ParseTableID(f.Table)
			if err != nil || t == TablePayload || !opts.wants(t) || f.Rows == 0 {
				continue
			}
			if !any || f.MinTime < p.min {
				p.min = f.MinTime
			}
			any = true
		}
		if any {
			parts = append(parts, p)
		}
	}
	for _, ix := range r.tail {
		if len(ix.entries) > 0 {
			parts = append(parts, &part{min: ix.entries[0].time, number: ix.number, tail: ix})
		}
	}
	slices.SortFunc(parts, func(a, b *part) int {
		return cmp.Or(cmp.Compare(a.min, b.min), cmp.Compare(a.number, b.number))
	})
	return parts
}

func (o RowsOptions) wants(t TableID) bool {
	return len(o.Tables) == 0 || slices.Contains(o.Tables, t)
}

// merger merges streams by place.
type merger struct {
	reel    *Reel
	opts    RowsOptions
	filter  Filter // of the tail
	waiting []*part
	open    streamHeap
	errs    []error // to be told before the next row
	moved   bool    // the first stream's row was given out
}

// streamHeap holds the streams that have a row, the first in order on top.
type streamHeap []headed

type headed struct {
	place place
	s     stream
}

func (h streamHeap) Len() int           { return len(h) }
func (h streamHeap) Less(i, j int) bool { return h[i].place.less(h[j].place) }
func (h streamHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *streamHeap) Push(x any)        { *h = append(*h, x.(headed)) }
func (h *streamHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// next returns the next row, or an error that stands between rows, or io.EOF.
func (m *merger) next() (Row, error) {
	if m.moved {
		m.moved = false
		m.advance()
	}
	for {
		if len(m.errs) > 0 {
			err := m.errs[0]
			m.errs = m.errs[1:]
			return nil, err
		}
		if len(m.waiting) > 0 && (len(m.open) == 0 || m.waiting[0].min <= m.open[0].place.time) {
			m.enter()
			continue
		}
		if len(m.open) == 0 {
			return nil, io.EOF
		}
		m.moved = true
		return m.open[0].s.row(), nil
	}
}

// advance moves the first stream to its next row.
func (m *merger) advance() {
	top := &m.open[0]
	err := top.s.next()
	if err == nil {
		if w := top.s.warning(); w != nil {
			m.errs = append(m.errs, w)
		}
		top.place = top.s.place()
		if len(m.open) > 1 {
			heap.Fix(&m.open, 0)
		}
		return
	}
	if !errors.Is(err, io.EOF) {
		m.errs = append(m.errs, err)
	}
	top.s.stop()
	heap.Pop(&m.open)
}

// enter lets the streams of the next part take part, and starts those of the part after it.
func (m *merger) enter() {
	p := m.waiting[0]
	m.waiting = m.waiting[1:]
	m.start(p)
	m.errs = append(m.errs, p.errs...)
	for i, s := range p.streams {
		if len(m.open) >= maxOverlap*len(tableNames) {
			m.errs = append(m.errs, &CorruptError{File: manifestName, Segment: p.number, Offset: -1,
				Err: fmt.Errorf("more than %d segments overlap in time", maxOverlap)})
			for _, s := range p.streams[i:] {
				s.stop()
			}
			break
		}
		if err := s.next(); err != nil {
			if !errors.Is(err, io.EOF) {
				m.errs = append(m.errs, err)
			}
			s.stop()
			continue
		}
		if w := s.warning(); w != nil {
			m.errs = append(m.errs, w)
		}
		heap.Push(&m.open, headed{s.place(), s})
	}
	p.streams = nil
	if len(m.waiting) > 0 {
		m.start(m.waiting[0])
	}
}

// start opens a part's files and begins to decode them.
func (m *merger) start(p *part) {
	if p.started {
		return
	}
	p.started = true
	if p.tail != nil {
		p.streams = append(p.streams, &journalStream{rows: newJournalRows(p.tail, m.filter), opts: m.opts, i: -1})
		return
	}
	for _, f := range p.segment.Files {
		t, err := ParseTableID(f.Table)
		if err != nil || t == TablePayload || !m.opts.wants(t) || f.Rows == 0 || m.reel.bad[f.Name] {
			continue
		}
		s, err := m.reel.openStream(p.segment, t, f, m.opts)
		if err != nil {
			p.errs = append(p.errs, corruptFile(f.Name, p.number, err))
			continue
		}
		p.streams = append(p.streams, s)
	}
}

func (m *merger) stop() {
	for _, h := range m.open {
		h.s.stop()
	}
	for _, p := range m.waiting {
		for _, s := range p.streams {
			s.stop()
		}
	}
}

func (r *Reel) openStream(seg *Segment, t TableID, f File, opts RowsOptions) (stream, error) {
	n := seg.Number
	switch t {
	case TableSocket:
		return openFileStream(r, n, f, &socketTable, func(v *Socket) Row { return v })
	case TableIO:
		return r.openIO(seg, f, opts)
	case TableProcess:
		return openFileStream(r, n, f, &processTable, func(v *Process) Row { return v })
	case TableClock:
		return openFileStream(r, n, f, &clockTable, func(v *Clock) Row { return v })
	case TableHeartbeat:
		return openFileStream(r, n, f, &heartbeatTable, func(v *Heartbeat) Row { return v })
	case TableRing:
		return openFileStream(r, n, f, &ringTable, func(v *Ring) Row { return v })
	case TableHook:
		return openFileStream(r, n, f, &hookTable, func(v *Hook) Row { return v })
	case TableNote:
		return openFileStream(r, n, f, &noteTable, func(v *Note) Row { return v })
	case TableTrigger:
		return openFileStream(r, n, f, &triggerTable, func(v *Trigger) Row { return v })
	case TableContainer:
		return openFileStream(r, n, f, &containerTable, func(v *Container) Row { return v })
	case TableTCP:
		return openFileStream(r, n, f, &tcpTable, func(v *TCP) Row { return v })
	case TableTLSKey:
		return openFileStream(r, n, f, &tlsKeyTable, func(v *TLSKey) Row { return v })
	case TableProbe:
		return openFileStream(r, n, f, &probeTable, func(v *Probe) Row { return v })
	case TableOnCPU:
		return openFileStream(r, n, f, &onCPUTable, func(v *OnCPU) Row { return v })
	case TableOffCPU:
		return openFileStream(r, n, f, &offCPUTable, func(v *OffCPU) Row { return v })
	case TableOffCPUTotal:
		return openFileStream(r, n, f, &offCPUTotalTable, func(v *OffCPUTotal) Row { return v })
	case TableStack:
		return openFileStream(r, n, f, &stackTable, func(v *Stack) Row { return v })
	case TableSymbol:
		return openFileStream(r, n, f, &symbolTable, func(v *Symbol) Row { return v })
	case TableModule:
		return openFileStream(r, n, f, &moduleTable, func(v *Module) Row { return v })
	case TableMapping:
		return openFileStream(r, n, f, &mappingTable, func(v *Mapping) Row { return v })
	case TableTLS:
		return r.openTLS(seg, f, opts)
	}
	return nil, fmt.Errorf("table %s is unknown", t)
}

func openFileStream[R any](r *Reel, segment int, f File, def *table[R], asRow func(*R) Row) (stream, error) {
	source, err := openSource(r, segment, f, def)
	if err != nil {
		return nil, err
	}
	return newFileStream(def, segment, source, asRow), nil
}

// openSource opens a file and checks that it is the one that the manifest means.
func openSource[R any](r *Reel, segment int, f File, def *table[R]) (*fileSource[R], error) {
	file, err := r.fsys.Open(join(r.dir, f.Name))
	if err != nil {
		return nil, err
	}
	t, err := openTable(file, r.manifest.UUID, segment, f, def)
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &fileSource[R]{info: f, seg: segment, file: file, t: t}, nil
}

func openTable[R any](file ReadFile, uuid string, segment int, f File, def *table[R]) (t *tableReader[R], err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading its footer panicked: %v", p)
		}
	}()
	pf, err := openParquet(file)
	if err != nil {
		return nil, err
	}
	if pf.crc != f.FooterCRC {
		return nil, fmt.Errorf("the crc of its footer is %08x, the manifest says %08x", pf.crc, f.FooterCRC)
	}
	if pf.kv[keyUUID] != uuid || pf.kv[keySegment] != strconv.Itoa(segment) || pf.kv[keyTable] != def.id.String() {
		return nil, fmt.Errorf("it is table %q of segment %q of reel %q, and not this reel's", pf.kv[keyTable], pf.kv[keySegment], pf.kv[keyUUID])
	}
	if pf.rows != f.Rows {
		return nil, fmt.Errorf("it has %d rows, the manifest says %d", pf.rows, f.Rows)
	}
	return newTableReader(def, pf)
}

// openIO opens the io file of a segment and, if bytes are wanted, its payload file. Without that the rows are still read.
func (r *Reel) openIO(seg *Segment, f File, opts RowsOptions) (stream, error) {
	base, err := openSource(r, seg.Number, f, &ioTable)
	if err != nil {
		return nil, err
	}
	s := &ioSource{fileSource: *base, payload: r.openPayload(seg, opts)}
	return newFileStream(&ioTable, seg.Number, s, func(v *ioRow) Row { return &v.IO }), nil
}

// openTLS opens the tls file of a segment in the same way.
func (r *Reel) openTLS(seg *Segment, f File, opts RowsOptions) (stream, error) {
	base, err := openSource(r, seg.Number, f, &tlsTable)
	if err != nil {
		return nil, err
	}
	s := &tlsSource{fileSource: *base, payload: r.openPayload(seg, opts)}
	return newFileStream(&tlsTable, seg.Number, s, func(v *tlsRow) Row { return &v.TLS }), nil
}

// openPayload opens the payload file of a segment, for rows of one table.
func (r *Reel) openPayload(seg *Segment, opts RowsOptions) payloadSource {
	s := payloadSource{ref: -1, seg: seg.Number}
	if opts.NoPayload {
		return s
	}
	s.damaged = true // until it is open
	for _, f := range seg.Files {
		if f.Table != TablePayload.String() || r.bad[f.Name] {
			continue
		}
		s.info = f
		src, err := openSource(r, seg.Number, f, &payloadTable)
		if err != nil {
			r.noteError(corruptFile(f.Name, seg.Number, err))
			return s
		}
		s.file = src.file
		s.reader = newPayloadReader(src.t)
		s.damaged = false
	}
	return s
}
