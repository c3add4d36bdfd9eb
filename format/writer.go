package format

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/ebpf-reel/reel/format/wire"
)

// WriterConfig says how a reel is written. The zero value of a field takes its default; Filter has none.
type WriterConfig struct {
	UUID          string        // of the reel; "": a new one. Two reels of one uuid must hold the same
	SegmentBytes  int64         // of journal in a segment; 32 MiB, at most 1 GiB
	SegmentTime   time.Duration // after which even a small segment is sealed; 10 s
	FlushInterval time.Duration // what a crash may lose; 1 s
	Filter        Filter        // masks what is sealed; NoFilter{} keeps all
	FS            FS            // OS{}
	Opener        Opener        // replaces keys and what they open by plaintext when the reel is closed; nil: keys stay
	Worker        SealWorker    // seals in place of a goroutine of the Writer, which closes it; nil: none
	// Of is the reel that this one is made of once more (from its text): the filter that its rows went through and the
	// way it ended are kept. nil for a recording.
	Of           *Manifest
	MaxUnsealed  int64 // bytes of journal above which the sealer runs at normal priority; 16 SegmentBytes
	ShedUnsealed int64 // bytes of journal above which WriterStats.Shed tells the recorder to record less; 32 SegmentBytes
}

func (c *WriterConfig) setDefaults() error {
	if c.Filter == nil {
		return errors.New("format: WriterConfig.Filter is missing: NoFilter{} keeps credentials")
	}
	c.SegmentBytes = cmp.Or(c.SegmentBytes, 32<<20)
	c.SegmentTime = cmp.Or(c.SegmentTime, 10*time.Second)
	c.FlushInterval = cmp.Or(c.FlushInterval, time.Second)
	c.MaxUnsealed = cmp.Or(c.MaxUnsealed, 16*c.SegmentBytes)
	c.ShedUnsealed = cmp.Or(c.ShedUnsealed, 32*c.SegmentBytes)
	if c.FS == nil {
		c.FS = OS{}
	}
	if c.SegmentBytes < journalHeaderSize || c.SegmentBytes > 1<<30 {
		return fmt.Errorf("format: segments of %d bytes are not possible: 64 to 2^30 are", c.SegmentBytes)
	}
	return nil
}

// WriterStats is the state of a Writer.
type WriterStats struct {
	Frames        int64 // events and rows appended
	JournalBytes  int64 // appended so far
	SealedBytes   int64 // of Parquet written so far
	UnsealedBytes int64 // of journal that is not sealed yet
	Segments      int   // sealed
	Pressed       bool  // above MaxUnsealed: the sealer works without rest
	Shed          bool  // above ShedUnsealed: the recorder must record less
	Err           error // why writing stopped, or why sealing did: nil while all is well
}

// Writer writes a reel: frames into a journal, and journals into segments in the background. Its methods may be called
// from several goroutines.
type Writer struct {
	dir string
	cfg WriterConfig

	mu     sync.Mutex
	cur    *journal // nil once closed
	spare  buffers  // for the next journal
	next   int      // number of the next journal
	chunks chunkTracker
	body   []byte // scratch of AppendRow
	err    error  // sticky: why nothing is appended any more
	stats  WriterStats

	lock    io.Closer // of the reel's directory, until Close
	sealing *sealQueue
	stop    chan struct{}
	done    sync.WaitGroup
}

// Create makes a reel in dir, which must not exist, and starts its background work. Errors: *ExistsError, *DiskFullError,
// those of the file system.
func Create(dir string, info CaptureInfo, cfg WriterConfig) (*Writer, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	info.Filter = cfg.Filter.Version()
	m := &Manifest{Format: formatName, SchemaVersion: SchemaVersion, UUID: cfg.UUID, Capture: info, Segments: []Segment{}}
	if m.UUID == "" {
		m.UUID = newUUID()
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("format: %w", err)
	}
	if of := cfg.Of; of != nil {
		m.Unsealed, m.Capture.Filter = of.Unsealed, of.Capture.Filter
		m.Recovered, m.Flight, m.Snap = of.Recovered, of.Flight, of.Snap
	}
	lock, err := makeReel(cfg.FS, dir)
	if err != nil {
		return nil, err
	}
	w := &Writer{dir: dir, cfg: cfg, next: 1, stop: make(chan struct{}), lock: lock}
	if err := w.begin(m); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	w.sealing = newSealQueue(dir, cfg, m)
	w.done.Go(w.flushLoop)
	return w, nil
}

// begin writes what a new reel consists of.
func (w *Writer) begin(m *Manifest) error {
	if err := m.store(w.cfg.FS, w.dir); err != nil {
		return err
	}
	if err := w.startJournal(m.UUID); err != nil {
		return err
	}
	// The reel's own name has to last too; a parent that cannot be synced (no permission to read it) is not worth failing for.
	_ = w.cfg.FS.SyncDir(filepath.Dir(w.dir))
	return diskError(w.dir, w.cfg.FS.SyncDir(w.dir))
}

// startJournal makes the next journal the current one.
func (w *Writer) startJournal(uuid string) error {
	j, err := createJournal(w.cfg.FS, w.dir, uuid, w.next, time.Now(), w.spare)
	if err != nil {
		return err
	}
	w.spare = buffers{}
	w.next++
	w.cur = j
	return nil
}

// AppendEvent appends one kernel record as the ring gave it. This is the hot path: it copies once, computes one CRC, and
// allocates and decodes nothing. Records of one CPU must come in their order. After an error, which is *DiskFullError or
// the file system's, nothing more is appended, and every call returns it.
func (w *Writer) AppendEvent(ev []byte) error {
	if len(ev) < wire.EventHeaderSize || len(ev) > maxBody {
		return fmt.Errorf("format: a record of %d bytes is none", len(ev))
	}
	kind := EventKind(binary.LittleEndian.Uint16(ev[kindOffset:]))
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.makeRoom(ev); err != nil {
		return err
	}
	if kind != EventIOMore && w.cur.size >= w.cfg.SegmentBytes {
		w.rotate(false)
	}
	if w.err == nil {
		w.chunks.track(kind, ev)
		w.append(frameEvent, ev)
	}
	return w.err
}

// AppendRow appends a row that was made in user space. Errors are those of AppendEvent, which last, and *RowError, which
// does not.
func (w *Writer) AppendRow(row Row) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	body, err := appendRowBody(w.body[:0], row)
	if err != nil {
		return err
	}
	w.body = nil // another row may be made while room is
	defer func() { w.body = body }()
	if len(body) > maxBody {
		return &RowError{Table: row.Table(), Column: "payload", Err: fmt.Errorf("a row of %d bytes is longer than %d", len(body), maxBody)}
	}
	if err := w.makeRoom(body); err != nil {
		return err
	}
	if w.cur.size >= w.cfg.SegmentBytes {
		w.rotate(false)
	}
	if w.err == nil {
		w.append(frameRow, body)
	}
	return w.err
}

// makeRoom writes the buffer when it has no room for a frame of body. Others may append meanwhile: a row of a change of level must
// not wait for the disk that is the cause of it.
func (w *Writer) makeRoom(body []byte) error {
	for w.err == nil && !w.cur.fits(body) {
		_ = w.flush()
	}
	return w.err
}

func (w *Writer) append(kind frameKind, body []byte) {
	if err := w.cur.append(kind, body); err != nil {
		w.fail(err)
		return
	}
	w.stats.Frames++
	w.stats.JournalBytes += int64(frameHeaderSize + len(body))
	w.stats.UnsealedBytes += int64(frameHeaderSize + len(body))
}

// rotate hands the current journal to the sealer and starts the next. While chunks are missing it waits for them, unless
// forced, or they do not come for a quarter of a segment: then they were lost.
func (w *Writer) rotate(force bool) {
	if w.chunks.open > 0 && !force && w.cur.size < w.cfg.SegmentBytes+w.cfg.SegmentBytes/4 {
		return
	}
	old := w.cur
	if err := old.write(); err != nil {
		w.fail(err)
		return
	}
	w.spare = old.spare()
	if err := w.startJournal(w.sealing.uuid); err != nil {
		w.fail(err)
		return
	}
	w.chunks.forget()
	w.sealing.add(old, w.stats.UnsealedBytes)
}

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Flush hands what was appended to the kernel: it outlasts the recorder's death, and within FlushInterval the machine's.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flush()
}

func (w *Writer) flush() error {
	if w.err == nil {
		if err := w.cur.writeApart(&w.mu); err != nil {
			w.fail(err)
		}
	}
	return w.err
}

// flushLoop bounds what a crash can lose, and seals small segments by time.
func (w *Writer) flushLoop() {
	tick := time.NewTicker(w.cfg.FlushInterval)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
			w.tick()
		}
	}
}

func (w *Writer) tick() {
	w.mu.Lock()
	if w.cur == nil {
		w.mu.Unlock()
		return
	}
	_ = w.flush()
	if w.cur == nil { // closed meanwhile
		w.mu.Unlock()
		return
	}
	if w.err == nil && w.cur.frames > 0 && time.Since(w.cur.created) >= w.cfg.SegmentTime {
		w.rotate(false)
	}
	cur, dirty := w.cur, w.cur.dirty
	w.cur.dirty = false
	w.mu.Unlock()
	if !dirty {
		return
	}
	err := cur.sync()
	if err == nil && !cur.named {
		// A journal's name lasts from its first sync on.
		if err = diskError(cur.name, w.cfg.FS.SyncDir(w.dir)); err == nil {
			cur.named = true
		}
	}
	if err != nil {
		w.mu.Lock()
		w.fail(err)
		w.mu.Unlock()
	}
}

// Stats returns the state of the writer now.
func (w *Writer) Stats() WriterStats {
	w.mu.Lock()
	s := w.stats
	err := w.err
	w.mu.Unlock()
	q := w.sealing.state()
	s.UnsealedBytes -= q.sealed
	s.SealedBytes = q.parquet
	s.Segments = q.segments
	s.Pressed = s.UnsealedBytes > w.cfg.MaxUnsealed
	s.Shed = s.UnsealedBytes > w.cfg.ShedUnsealed
	if s.Err = err; err == nil {
		s.Err = q.err
	}
	return s
}

// Helpers are the processes that work for the Writer now: what they take is the recorder's.
func (w *Writer) Helpers() []PID {
	if w.cfg.Worker == nil {
		return nil
	}
	return w.cfg.Worker.Helpers()
}

// Abandon makes Close quick, also one that is under way: what is not sealed yet stays in its journals, which every reader reads, and
// the reel says why. Close then returns an *UnsealedError, unless there was nothing left to seal.
func (w *Writer) Abandon(why string) { w.sealing.abandon(why) }

// Close seals what is left and marks the reel clean. After an error it keeps what it can: sealed segments stay, journals
// that could not be sealed stay as they are, and the reel is left unclean. It returns the first error of the writer.
func (w *Writer) Close() error {
	w.mu.Lock()
	if w.cur == nil {
		w.mu.Unlock()
		return w.err
	}
	if w.err == nil {
		w.fail(w.cur.write())
	}
	last := w.cur
	w.cur = nil
	err := w.err
	w.fail(errClosed)
	w.mu.Unlock()
	close(w.stop)
	w.done.Wait()
	w.sealing.add(last, 0)
	err = w.sealing.close(err)
	if e := w.lock.Close(); err == nil {
		err = e
	}
	return err
}

var errClosed = errors.New("format: the reel is closed")
