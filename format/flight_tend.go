package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"time"
)

// flushLoop bounds what a crash can lose, and lets go of what is too old.
func (f *FlightRecorder) flushLoop() {
	tick := time.NewTicker(f.cfg.FlushInterval)
	defer tick.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-tick.C:
			f.tick()
		}
	}
}

func (f *FlightRecorder) tick() {
	f.mu.Lock()
	_ = f.flush()
	if step := f.cfg.Time / 16; step > 0 && f.err == nil && f.cur.frames > 0 && time.Since(f.cur.created) >= max(step, f.cfg.FlushInterval) {
		f.rotate(false)
	}
	cur, dirty := f.cur, f.cur.dirty
	f.cur.dirty = false
	f.wake.Signal()
	f.mu.Unlock()
	if !dirty {
		return
	}
	err := cur.sync()
	if err == nil && !cur.named {
		if err = diskError(cur.name, f.cfg.FS.SyncDir(f.dir)); err == nil {
			cur.named = true
		}
	}
	if err != nil {
		f.mu.Lock()
		f.fail(err)
		f.mu.Unlock()
	}
}

// tend is the goroutine that works behind the appending one: it closes journals that were rotated, gives them to snaps, and folds
// into the state what leaves the ring.
func (f *FlightRecorder) tend() {
	for {
		f.mu.Lock()
		for !f.closing && f.unclosed() == nil && len(f.leaving()) == 0 {
			f.wake.Wait()
		}
		closing := f.closing
		f.mu.Unlock()
		f.tending.Lock()
		err := f.closeRotated()
		for err == nil {
			f.mu.Lock()
			gone := f.leaving()
			for _, j := range gone {
				j.busy = true
			}
			f.mu.Unlock()
			if len(gone) == 0 {
				break
			}
			err = f.retire(gone)
		}
		f.tending.Unlock()
		f.mu.Lock()
		if err != nil {
			f.fail(err)
			f.closed.Broadcast()
		}
		failed := f.err != nil
		f.mu.Unlock()
		if closing || failed {
			return
		}
	}
}

func (f *FlightRecorder) unclosed() *ringJournal {
	for _, j := range f.ring {
		if !j.closed {
			return j
		}
	}
	return nil
}

// leaving returns the oldest journals that are to leave the ring: nearly no room is left, or they are too old. Where many come at a
// time, their state is written once.
func (f *FlightRecorder) leaving() (gone []*ringJournal) {
	left, room := f.total, f.room()-4*f.cfg.JournalBytes
	for _, j := range f.ring {
		old := f.cfg.Time > 0 && f.newest.Sub(j.last) > f.cfg.Time
		if !j.closed || left <= room && !old {
			break
		}
		gone = append(gone, j)
		left -= j.size
	}
	return gone
}

// closeRotated closes the files of journals that were rotated, and gives them to the snaps at work.
func (f *FlightRecorder) closeRotated() error {
	for {
		f.mu.Lock()
		j := f.unclosed()
		f.mu.Unlock()
		if j == nil {
			return nil
		}
		if err := j.close(); err != nil {
			return err
		}
		for _, p := range f.pending {
			p.take(j)
		}
		f.mu.Lock()
		j.closed = true
		f.mu.Unlock()
		f.closed.Broadcast()
	}
}

// retire folds the oldest journals into the state, writes that, and only then removes the journals: at every moment the directory
// holds a state and all rows behind it. The lock of tending is held.
func (f *FlightRecorder) retire(gone []*ringJournal) error {
	asOf := f.asOf
	for _, j := range gone {
		if j.any {
			asOf = max(asOf, j.last+1)
		}
	}
	for _, j := range gone {
		f.state.age()
		if err := f.fold(j.journal, j.mark, j.size, asOf); err != nil {
			return err
		}
	}
	if err := f.foldStaying(gone, asOf); err != nil {
		return err
	}
	f.mu.Lock()
	f.asOf = asOf
	begins := max(f.begins(gone), asOf)
	f.state.skipped += f.unread
	f.unread = 0
	f.mu.Unlock()
	data, err := encodeState(f.manifest.UUID, f.state, begins, f.cfg.Bytes/8)
	if err != nil {
		return err
	}
	f.mu.Lock()
	before := f.stateLen
	f.stateLen += int64(len(data))
	f.makeRoom(0)
	f.mu.Unlock()
	if err := replaceFile(f.cfg.FS, f.dir, journalName(stateJournal), data); err != nil {
		return err
	}
	for _, j := range gone {
		if err := f.cfg.FS.Remove(join(f.dir, j.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stateLen -= before
	for _, j := range gone {
		f.forget(j)
	}
	return nil
}

// foldStaying folds what the journals that stay in the ring have from before a time.
func (f *FlightRecorder) foldStaying(gone []*ringJournal, asOf KTime) error {
	f.mu.Lock()
	if err := f.flush(); err != nil {
		f.mu.Unlock()
		return err
	}
	var early []ringJournal
	for _, j := range f.ring {
		if j.any && j.first < asOf && !slices.Contains(gone, j) {
			early = append(early, *j)
		}
	}
	if f.span.any && f.span.first < asOf {
		early = append(early, ringJournal{journal: f.cur, span: f.span, mark: f.mark})
	}
	sizes := make([]int64, len(early))
	for i, j := range early {
		sizes[i] = j.size
	}
	f.mu.Unlock()
	for i, j := range early {
		err := f.fold(j.journal, j.mark, sizes[i], asOf)
		if errors.Is(err, fs.ErrNotExist) {
			continue // dropped unread, and counted
		}
		if err != nil {
			return err
		}
		f.mu.Lock()
		f.setMark(j.journal, mark{bytes: sizes[i], before: asOf})
		f.mu.Unlock()
	}
	return nil
}

// fold takes the rows of the first bytes of a journal that are of before a time, and not in the state yet.
func (f *FlightRecorder) fold(j *journal, done mark, size int64, before KTime) error {
	file, err := f.cfg.FS.Open(join(f.dir, j.name))
	if err != nil {
		return err
	}
	err = f.state.foldJournal(file, size, done, before)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("reading %s: %w", j.name, err)
	}
	return nil
}

// setMark notes what of a journal is in the state, wherever that journal is by now.
func (f *FlightRecorder) setMark(j *journal, m mark) {
	if f.cur == j {
		f.mark = m
	}
	for _, r := range f.ring {
		if r.journal == j {
			r.mark = m
		}
	}
}

// begins returns the time of the first row of the ring without the journals that leave it.
func (f *FlightRecorder) begins(gone []*ringJournal) KTime {
	var all span
	for _, j := range f.ring {
		if j.any && !slices.Contains(gone, j) {
			all.add(j.first)
		}
	}
	if f.span.any {
		all.add(f.span.first)
	}
	if !all.any {
		return f.newest
	}
	return all.first
}

// encodeState makes the journal that holds a state as of a time. Rows beyond limit bytes are left out, and counted.
func encodeState(uuid string, s *liveState, at KTime, limit int64) (data []byte, err error) {
	h, err := journalHeader(uuid, stateJournal)
	if err != nil {
		return nil, err
	}
	var carried [2]int // sockets, processes
	seed := binary.LittleEndian.Uint32(h[60:])
	rows, left := s.rows(at), uint64(0)
	data = append(make([]byte, 0, 64<<10), h[:]...)
	var body []byte
	put := func(row Row) error {
		if body, err = appendRowBody(body[:0], row); err != nil {
			return err
		}
		if int64(len(data)+len(body)) > limit {
			left++
			return nil
		}
		data = appendFrame(data, seed, frameRow, body)
		switch row.(type) {
		case *Socket:
			carried[0]++
		case *Process:
			carried[1]++
		}
		return nil
	}
	for _, row := range rows {
		if err := put(row); err != nil {
			return nil, err
		}
	}
	limit = math.MaxInt64
	for _, n := range s.notesOf(at, carried, left) {
		if err := put(n); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// replaceFile replaces a file as a whole: a crash leaves the old one or the new one.
func replaceFile(fsys FS, dir, name string, data []byte) error {
	tmp := join(dir, name+".tmp")
	if err := writeFile(fsys, tmp, data); err != nil {
		return diskError(name, err)
	}
	if err := fsys.Rename(tmp, join(dir, name)); err != nil {
		return diskError(name, err)
	}
	return diskError(name, fsys.SyncDir(dir))
}
