package format

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ebpf-reel/reel/format/wire"
)

// FlightConfig says how a flight recorder keeps what is appended. The zero value of a field takes its default.
type FlightConfig struct {
	Bytes         int64         // of disk, at most; 512 MiB
	Time          time.Duration // that is kept at least, as far as Bytes allow; 0: as much as fits
	JournalBytes  int64         // of one journal, the step in which the oldest rows go; a 32nd of Bytes, at most 32 MiB
	FlushInterval time.Duration // what a crash may lose; 1 s
	Filter        Filter        // masks what is sealed of a snap
	Opener        Opener        // as of WriterConfig, of a snap
	FS            FS            // OS{}
}

// Bounds of a ring: the least that holds a few journals and their state, and the sockets and processes of the state.
const (
	MinFlightBytes = 4 << 20
	maxLive        = 1 << 16
	liveBytes      = 256 // that an entry takes in a journal, about
)

func (c *FlightConfig) setDefaults() error {
	if c.Filter == nil {
		return errors.New("format: FlightConfig.Filter is missing: NoFilter{} keeps credentials")
	}
	c.Bytes = cmp.Or(c.Bytes, 512<<20)
	c.FlushInterval = cmp.Or(c.FlushInterval, time.Second)
	c.JournalBytes = cmp.Or(c.JournalBytes, min(c.Bytes/32, 32<<20))
	if c.FS == nil {
		c.FS = OS{}
	}
	switch {
	case c.Bytes < MinFlightBytes:
		return fmt.Errorf("format: a ring of %d bytes is not possible: %d is the least", c.Bytes, MinFlightBytes)
	case c.JournalBytes < 4<<10 || c.JournalBytes > c.Bytes/4:
		return fmt.Errorf("format: journals of %d bytes in a ring of %d are not possible", c.JournalBytes, c.Bytes)
	case c.Time < 0:
		return fmt.Errorf("format: a ring of %v is not possible", c.Time)
	}
	return nil
}

// Flight is the member of a manifest that says that the reel is the ring of a flight recorder: bounded journals, of which the oldest
// are dropped. Journal 1 is no journal of the ring: it holds the state before the oldest.
type Flight struct {
	Bytes int64         `json:"bytes"`   // of disk, at most
	Time  time.Duration `json:"time_ns"` // that is kept; 0: as much as fits
	Ended bool          `json:"ended"`   // by its recorder
}

// ControlName is the socket in the directory of a ring by which its recorder is asked for snaps.
const ControlName = "control.sock"

// stateJournal is the number of the journal that holds the state.
const stateJournal = 1

// FlightRecorder is a Writer that keeps the last of what is appended: journals that are dropped, the oldest first, so that the disk
// holds no more than a bound. Nothing is sealed. A Snap makes a reel of what the ring holds while it goes on. Its methods
// may be called from several goroutines.
type FlightRecorder struct {
	dir string
	cfg FlightConfig

	mu      sync.Mutex
	cur     *journal
	span    span // of cur
	mark    mark // of cur
	ring    []*ringJournal
	total   int64 // of all journals of the ring and cur
	next    int
	chunks  chunkTracker
	spare   buffers
	body    []byte
	err     error // sticky
	stats   WriterStats
	newest  KTime
	asOf    KTime  // all rows before it are in state, and none of later
	unread  uint64 // bytes that left the ring without being read
	dropped bool   // something has left the ring
	closing bool
	wake    *sync.Cond // of tend: something was rotated, or the end
	closed  *sync.Cond // of snaps: a journal was closed

	stateLen int64        // of the state's journal
	sealed   atomic.Int64 // bytes of Parquet of all snaps

	// tending is held while journals leave the ring and while a snap links what is in it: state is that before the oldest.
	tending  sync.Mutex
	state    *liveState
	pending  []*PendingSnap
	manifest *Manifest

	lock io.Closer
	stop chan struct{}
	done sync.WaitGroup
}

// ringJournal is a journal that nothing is appended to any more.
type ringJournal struct {
	*journal
	span
	mark
	closed bool // its file is
	busy   bool // it is being folded into the state
}

// mark says which rows of a journal are in the state already: those in its first bytes that are of before a time. The rings of the CPUs
// are emptied in turn, so that a journal may hold earlier rows than the one before it.
type mark struct {
	bytes  int64
	before KTime
}

// span is the times of the rows of a journal, both inclusive.
type span struct {
	first, last KTime
	any         bool
}

func (s *span) add(t KTime) {
	if !s.any {
		s.first, s.last, s.any = t, t, true
		return
	}
	s.first, s.last = min(s.first, t), max(s.last, t)
}

// CreateFlight makes the ring of a flight recorder in dir, which must not exist. Errors are those of Create.
func CreateFlight(dir string, info CaptureInfo, cfg FlightConfig) (*FlightRecorder, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	info.Filter = cfg.Filter.Version()
	m := &Manifest{Format: formatName, SchemaVersion: SchemaVersion, UUID: newUUID(), Capture: info, Segments: []Segment{},
		Flight: &Flight{Bytes: cfg.Bytes, Time: cfg.Time}}
	lock, err := makeReel(cfg.FS, dir)
	if err != nil {
		return nil, err
	}
	f := &FlightRecorder{dir: dir, cfg: cfg, next: stateJournal + 1, manifest: m, lock: lock, stop: make(chan struct{}),
		state: newLiveState(int(min(maxLive, cfg.Bytes/8/liveBytes)))}
	f.wake, f.closed = sync.NewCond(&f.mu), sync.NewCond(&f.mu)
	err = m.store(cfg.FS, dir)
	if err == nil {
		err = f.startJournal()
	}
	if err == nil {
		_ = cfg.FS.SyncDir(filepath.Dir(dir)) // as Create
		err = diskError(dir, cfg.FS.SyncDir(dir))
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	f.done.Go(f.flushLoop)
	f.done.Go(f.tend)
	return f, nil
}

// makeReel makes the directory of a new reel, and locks it.
func makeReel(fsys FS, dir string) (io.Closer, error) {
	if err := fsys.Mkdir(dir); err != nil {
		if isExist(err) {
			return nil, &ExistsError{Dir: dir}
		}
		return nil, diskError(dir, err)
	}
	return lockReel(fsys, dir)
}

func (f *FlightRecorder) startJournal() error {
	j, err := createJournal(f.cfg.FS, f.dir, f.manifest.UUID, f.next, time.Now(), f.spare)
	if err != nil {
		return err
	}
	f.spare = buffers{}
	f.next++
	f.cur, f.span, f.mark = j, span{}, mark{}
	f.total += j.size
	return nil
}

// AppendEvent appends one kernel record, as Writer does.
func (f *FlightRecorder) AppendEvent(ev []byte) error {
	if len(ev) < wire.EventHeaderSize || len(ev) > maxBody {
		return fmt.Errorf("format: a record of %d bytes is none", len(ev))
	}
	kind := EventKind(binary.LittleEndian.Uint16(ev[kindOffset:]))
	at := KTime(binary.LittleEndian.Uint64(ev[timeOffset:]))
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.makeBuffer(ev); err != nil {
		return err
	}
	if kind != EventIOMore && f.cur.size+int64(len(ev)) >= f.cfg.JournalBytes {
		f.rotate(false)
	}
	if f.err == nil {
		f.chunks.track(kind, ev)
		f.append(frameEvent, at, ev)
	}
	return f.err
}

// AppendRow appends a row that was made in user space, as Writer does.
func (f *FlightRecorder) AppendRow(row Row) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	body, err := appendRowBody(f.body[:0], row)
	if err != nil {
		return err
	}
	f.body = nil // another row may be made while room is
	defer func() { f.body = body }()
	if int64(len(body)) > min(maxBody, f.cfg.JournalBytes) {
		return &RowError{Table: row.Table(), Column: "payload", Err: fmt.Errorf("a row of %d bytes is longer than a journal of the ring", len(body))}
	}
	if err := f.makeBuffer(body); err != nil {
		return err
	}
	if f.cur.size+int64(len(body)) >= f.cfg.JournalBytes {
		f.rotate(false)
	}
	if f.err == nil {
		f.append(frameRow, row.At(), body)
	}
	return f.err
}

// makeBuffer writes the buffer when it has no room for a frame of body, as Writer.makeRoom does.
func (f *FlightRecorder) makeBuffer(body []byte) error {
	for f.err == nil && !f.cur.fits(body) {
		_ = f.flush()
	}
	return f.err
}

func (f *FlightRecorder) append(kind frameKind, at KTime, body []byte) {
	if err := f.cur.append(kind, body); err != nil {
		f.fail(err)
		return
	}
	f.span.add(at)
	f.newest = max(f.newest, at)
	n := int64(frameHeaderSize + len(body))
	f.total += n
	f.stats.Frames++
	f.stats.JournalBytes += n
}

// patience is how long a rotation waits for the goroutine that reads what leaves the ring: the rings of the kernel side take what
// comes meanwhile.
const patience = 50 * time.Millisecond

// rotate begins the next journal. Where the goroutine that reads what leaves the ring cannot keep up, the oldest is dropped unread:
// the bound of the disk holds whatever happens.
func (f *FlightRecorder) rotate(force bool) {
	cur := f.cur
	for begun := time.Now(); f.err == nil && f.crowded() && time.Since(begun) < patience; {
		f.wake.Signal()
		f.mu.Unlock()
		time.Sleep(time.Millisecond)
		f.mu.Lock()
	}
	if f.err != nil || f.cur != cur {
		return // it failed meanwhile, or another row did it
	}
	if f.chunks.open > 0 && !force && f.cur.size < f.cfg.JournalBytes+f.cfg.JournalBytes/4 {
		return
	}
	old := &ringJournal{journal: f.cur, span: f.span, mark: f.mark}
	if err := old.write(); err != nil {
		f.fail(err)
		return
	}
	f.spare = old.spare()
	f.makeRoom(f.step())
	if err := f.startJournal(); err != nil {
		f.fail(err)
		return
	}
	f.chunks.forget()
	f.ring = append(f.ring, old)
	f.wake.Signal()
}

// room is how many bytes all journals may take.
func (f *FlightRecorder) room() int64 {
	const (
		slack = 64 << 10 // the manifest, twice while it is replaced
		block = 4 << 10  // that a file's last block wastes at most
	)
	return f.cfg.Bytes - f.stateLen - slack - block*int64(len(f.ring)+4)
}

// step is the most that one journal may grow to.
func (f *FlightRecorder) step() int64 { return f.cfg.JournalBytes * 5 / 4 }

// crowded reports whether there is no room for another journal.
func (f *FlightRecorder) crowded() bool { return len(f.ring) > 0 && f.total+f.step() > f.room() }

// makeRoom drops the oldest journals unread until n more bytes may be written.
func (f *FlightRecorder) makeRoom(n int64) {
	for i := 0; i < len(f.ring) && f.total+n > f.room(); {
		j := f.ring[i]
		if j.busy {
			i++
			continue
		}
		if err := f.cfg.FS.Remove(join(f.dir, j.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.fail(err)
			return
		}
		f.unread += uint64(j.size)
		f.forget(j)
	}
}

// forget takes a journal off the ring.
func (f *FlightRecorder) forget(j *ringJournal) {
	if i := slices.Index(f.ring, j); i >= 0 {
		f.ring = slices.Delete(f.ring, i, i+1)
		f.total -= j.size
		f.dropped = true
	}
}

func (f *FlightRecorder) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// Flush hands what was appended to the kernel, as Writer does.
func (f *FlightRecorder) Flush() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.flush()
}

func (f *FlightRecorder) flush() error {
	if f.err == nil {
		if err := f.cur.writeApart(&f.mu); err != nil {
			f.fail(err)
		}
	}
	return f.err
}

// Stats returns the state of the ring now: UnsealedBytes are what it takes of the disk.
func (f *FlightRecorder) Stats() WriterStats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	s.UnsealedBytes = f.total + f.stateLen
	s.SealedBytes = f.sealed.Load()
	if !errors.Is(f.err, errClosed) {
		s.Err = f.err
	}
	return s
}

// Helpers are none: snaps are sealed in this process.
func (*FlightRecorder) Helpers() []PID { return nil }

// Abandon changes nothing: the ring is not sealed at its end.
func (*FlightRecorder) Abandon(string) {}

// Close ends the recorder. What the ring holds stays on the disk, unsealed: Recover makes a reel of it. Snaps must have ended.
func (f *FlightRecorder) Close() error {
	f.mu.Lock()
	if f.closing {
		f.mu.Unlock()
		return nil
	}
	if f.err == nil {
		f.fail(f.cur.write())
	}
	err := f.err
	f.closing = true
	f.fail(errClosed)
	f.wake.Signal()
	f.closed.Broadcast()
	f.mu.Unlock()
	close(f.stop)
	f.done.Wait()
	if e := f.cur.close(); err == nil {
		err = e
	}
	f.manifest.Flight.Ended = true
	if e := f.manifest.store(f.cfg.FS, f.dir); err == nil {
		err = e
	}
	if e := f.lock.Close(); err == nil {
		err = e
	}
	return err
}
