package format

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"
)

// Snap is the member of a manifest that says of which flight recorder a reel was made, and what it is to hold.
type Snap struct {
	Of     string        `json:"of"` // uuid of the ring: its journals have it in their headers
	Reason string        `json:"reason"`
	When   WallTime      `json:"when"`      // it was asked for
	Asked  KTime         `json:"asked"`     // the same, CLOCK_MONOTONIC
	Before time.Duration `json:"before_ns"` // asked for; 0: all that the ring held
	After  time.Duration `json:"after_ns"`
	From   KTime         `json:"from"` // of the rows, inclusive: later than asked for if the ring did not reach back so far
	To     KTime         `json:"to"`   // inclusive; 0: the snap was interrupted before its end
}

// journalUUID is what a journal of the reel has in its header: the uuid of the reel, or in a snap that of the ring.
func (m *Manifest) journalUUID(file ReadFile) string {
	if m.Snap != nil {
		if id, ok := journalIdentity(file); !ok || id.uuid != m.UUID {
			return m.Snap.Of
		}
	}
	return m.UUID
}

// windowOfRing says what the ring of a flight recorder holds, as if all of it had been kept by a snap: the rows behind its state, which
// is as of the last time in its journal.
func (m *Manifest) windowOfRing(state *journalIndex) {
	if m.Flight == nil || m.Snap != nil || state.number != stateJournal || len(state.entries) == 0 {
		return
	}
	from := state.entries[len(state.entries)-1].time
	m.Snap = &Snap{Of: m.UUID, Reason: "all that the ring held", Asked: from, From: from}
}

// trim leaves out rows outside the window of a snap. The state before it stays whatever its time.
func (ix *journalIndex) trim(s *Snap) {
	if s == nil || ix.number == stateJournal {
		return
	}
	ix.entries = slices.DeleteFunc(ix.entries, func(e entry) bool { return e.time < s.From || s.To != 0 && e.time > s.To })
}

// PendingSnap is a snap that waits for the end of its window. Finish and then Seal end it.
type PendingSnap struct {
	f        *FlightRecorder
	dir      string
	lock     io.Closer
	manifest *Manifest
	state    *liveState        // before the first journal; nil: its journal is linked as it is
	marks    map[*journal]mark // what state has of the journals
	taken    []*ringJournal
	err      error // of taking
}

// BeginSnap makes a reel in dir that takes all rows of the ring from s.Before before s.Asked on: its journals get a second name
// there, so that the ring may drop them. The recorder goes on. Errors: *ExistsError, *DiskFullError, those of the file system.
func (f *FlightRecorder) BeginSnap(dir string, s Snap) (*PendingSnap, error) {
	lock, err := makeReel(f.cfg.FS, dir)
	if err != nil {
		return nil, err
	}
	s.Of = f.manifest.UUID
	p := &PendingSnap{f: f, dir: dir, lock: lock, manifest: &Manifest{
		Format: formatName, SchemaVersion: SchemaVersion, UUID: newUUID(), Capture: f.manifest.Capture, Segments: []Segment{}, Snap: &s,
	}}
	if err := p.begin(); err != nil {
		f.forgetSnap(p)
		return nil, errors.Join(err, removeDir(f.cfg.FS, dir), lock.Close())
	}
	return p, nil
}

func (p *PendingSnap) begin() error {
	f, s := p.f, p.manifest.Snap
	f.tending.Lock()
	defer f.tending.Unlock()
	if err := f.closeRotated(); err != nil {
		return err
	}
	f.mu.Lock()
	ring := slices.DeleteFunc(slices.Clone(f.ring), func(j *ringJournal) bool { return !j.closed })
	begins := max(f.begins(nil), f.asOf)
	marks := map[*journal]mark{f.cur: f.mark}
	for _, j := range f.ring {
		marks[j.journal] = j.mark
	}
	hasState := f.stateLen > 0
	f.mu.Unlock()
	s.From = begins
	if s.Before > 0 && s.Asked.Add(-s.Before) > begins {
		s.From = s.Asked.Add(-s.Before)
		p.state, p.marks = f.state.clone(), marks
	}
	if err := p.manifest.store(f.cfg.FS, p.dir); err != nil {
		return err
	}
	f.pending = append(f.pending, p)
	if hasState {
		p.link(journalName(stateJournal))
	}
	for _, j := range ring {
		p.take(j)
	}
	return p.err
}

// take gives a closed journal to the snap. The lock of tending is held. An error is told by Finish.
func (p *PendingSnap) take(j *ringJournal) {
	if j.any && j.last < p.manifest.Snap.From && p.state == nil {
		return
	}
	p.link(j.name)
	p.taken = append(p.taken, j)
}

// link gives a journal of the ring a name in the snap, or copies it where files have one name only.
func (p *PendingSnap) link(name string) {
	if p.err != nil {
		return
	}
	fsys := p.f.cfg.FS
	from, to := join(p.f.dir, name), join(p.dir, name)
	err := fsys.Link(from, to)
	if errors.Is(err, errors.ErrUnsupported) {
		err = copyFile(fsys, from, to)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return // it was dropped unread, and that is counted
	}
	p.err = diskError(name, err)
}

func copyFile(fsys FS, from, to string) error {
	in, err := fsys.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	size, err := in.Size()
	if err != nil {
		return err
	}
	out, err := fsys.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.NewSectionReader(in, 0, size))
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// Window returns the time of the first row that the snap is to hold.
func (p *PendingSnap) Window() (from KTime) { return p.manifest.Snap.From }

// Finish ends the window: rows up to a time, which have been appended, belong to it. The state before the window is written into the
// snap. From then on the snap does not need the recorder any more. After an error, Abandon ends the snap.
func (p *PendingSnap) Finish(to KTime) error {
	f := p.f
	f.cut()
	f.forgetSnap(p)
	if p.err != nil {
		return p.err
	}
	p.manifest.Snap.To = to
	if p.state != nil {
		if err := p.advance(); err != nil {
			return err
		}
	}
	return p.manifest.store(f.cfg.FS, p.dir)
}

// snapRotate bounds the wait for the chunks of a call, before a journal that waits for them is ended.
const (
	snapRotate = 2 * time.Millisecond
	snapTries  = 50
)

// cut begins a new journal, so that the one before is closed and taken by all snaps.
func (f *FlightRecorder) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for try := 0; f.err == nil && f.cur.frames > 0; try++ {
		cur := f.cur
		if f.rotate(try >= snapTries); f.cur != cur {
			break
		}
		f.mu.Unlock()
		time.Sleep(snapRotate)
		f.mu.Lock()
	}
	for f.err == nil && f.unclosed() != nil {
		f.closed.Wait()
	}
}

func (f *FlightRecorder) forgetSnap(p *PendingSnap) {
	f.tending.Lock()
	defer f.tending.Unlock()
	f.pending = slices.DeleteFunc(f.pending, func(o *PendingSnap) bool { return o == p })
}

// advance folds what lies before the window into the state, and drops journals that hold nothing else.
func (p *PendingSnap) advance() error {
	fsys, from := p.f.cfg.FS, p.manifest.Snap.From
	for _, j := range p.taken {
		if !j.any || j.first >= from {
			continue
		}
		path := join(p.dir, j.name)
		file, err := fsys.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		p.state.age()
		err = p.state.foldJournal(file, j.size, p.marks[j.journal], from)
		if err := errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("reading %s: %w", j.name, err)
		}
	}
	data, err := encodeState(p.manifest.Snap.Of, p.state, from, maxBody*4)
	if err != nil {
		return err
	}
	if err := replaceFile(fsys, p.dir, journalName(stateJournal), data); err != nil {
		return err
	}
	for _, j := range p.taken {
		if j.any && j.last < from {
			if err := fsys.Remove(join(p.dir, j.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	p.state, p.marks = nil, nil
	return nil
}

// Seal makes a clean reel of the snap. It may take a while, and is interrupted at any moment without loss: Recover goes on with it.
// worker does it in another process; nil: this one does. rest is called after each block with the time that it took; nil: without rest.
func (p *PendingSnap) Seal(worker SealWorker, rest func(time.Duration)) (*Manifest, error) {
	if rest == nil {
		rest = func(time.Duration) {}
	}
	r := &recovery{dir: p.dir, fsys: p.f.cfg.FS, snap: true, worker: worker, opts: RecoverOptions{
		FS: p.f.cfg.FS, Tool: p.manifest.Capture.Tool, Now: p.manifest.Snap.When, Rest: rest,
		Filter: func(*Manifest) (Filter, error) { return p.f.cfg.Filter.Fresh(), nil },
		Opener: func(*Manifest) Opener { return p.f.cfg.Opener },
	}}
	err := r.begin()
	if err == nil {
		err = r.run()
	}
	if err == nil {
		for _, s := range r.manifest.Segments {
			for _, f := range s.Files {
				p.f.sealed.Add(f.Bytes)
			}
		}
	}
	if e := p.lock.Close(); err == nil {
		err = e
	}
	return r.manifest, err
}

// Abandon gives the snap up and leaves what it has: Recover makes a reel of it.
func (p *PendingSnap) Abandon() error {
	p.f.forgetSnap(p)
	return p.lock.Close()
}
