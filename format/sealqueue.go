package format

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"
)

// sealQueue has journals sealed one after the other in the background, and keeps the manifest.
type sealQueue struct {
	dir  string
	cfg  WriterConfig
	uuid string
	own  *Sealing // in this process: without a worker, or where that cannot

	mu      sync.Mutex
	wake    *sync.Cond
	queue   []*journal
	failed  []*journal // kept as they are; tried once more at the end
	closing bool
	left    string // not "": why no journal is sealed any more
	st      sealState
	hurry   chan struct{} // closed while the sealer works without rest
	hurried bool

	// Only the sealing goroutine, and close once that is gone.
	manifest *Manifest
	worker   SealWorker // nil: none, or it is of no use any more
	done     sync.WaitGroup
}

// sealState is what Stats asks for.
type sealState struct {
	sealed   int64 // bytes of journal sealed
	parquet  int64 // bytes of Parquet written
	segments int
	err      error // first
}

func newSealQueue(dir string, cfg WriterConfig, m *Manifest) *sealQueue {
	q := &sealQueue{
		dir: dir, cfg: cfg, uuid: m.UUID, manifest: m, hurry: make(chan struct{}), worker: cfg.Worker,
		own: &Sealing{fsys: cfg.FS, dir: dir, of: m, filter: cfg.Filter},
	}
	q.wake = sync.NewCond(&q.mu)
	q.done.Go(q.run)
	return q
}

// add hands over a journal that nothing is appended to any more. unsealed is the length of all journals that wait.
func (q *sealQueue) add(j *journal, unsealed int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, j)
	if unsealed-q.st.sealed > q.cfg.MaxUnsealed {
		q.press()
	}
	q.wake.Signal()
}

// press makes sealing go on without rest, from now until nothing waits. The lock is held.
func (q *sealQueue) press() {
	if !q.hurried {
		q.hurried = true
		close(q.hurry)
		if q.cfg.Worker != nil {
			q.cfg.Worker.Hurry(true)
		}
	}
}

// relax ends what press began. The lock is held.
func (q *sealQueue) relax() {
	q.hurried, q.hurry = false, make(chan struct{})
	if q.cfg.Worker != nil {
		q.cfg.Worker.Hurry(false)
	}
}

// rest lets a sealer in this process sleep for as long as it has worked since the last rest: it takes half of a core at most. Its
// thread keeps the process's priority: a thread of a lower one stops the whole process wherever Go's collector has to wait for it
// (docs/decisions/004-sealer-process.md).
func (q *sealQueue) rest(worked time.Duration) {
	q.mu.Lock()
	hurry := q.hurry
	q.mu.Unlock()
	timer := time.NewTimer(worked)
	defer timer.Stop()
	select {
	case <-hurry:
	case <-timer.C:
	}
}

// abandon leaves journals that are not sealed as they are. It may be called while close waits.
func (q *sealQueue) abandon(why string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.left = why
	q.press() // a sealer in this process goes on to the end of its segment
	if q.cfg.Worker != nil {
		q.cfg.Worker.Abort()
	}
}

func (q *sealQueue) leaving() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.left
}

func (q *sealQueue) state() sealState {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.st
}

// run is the sealing goroutine.
func (q *sealQueue) run() {
	for {
		q.mu.Lock()
		if len(q.queue) == 0 && q.hurried && !q.closing {
			q.relax()
		}
		for len(q.queue) == 0 && !q.closing {
			q.wake.Wait()
		}
		if len(q.queue) == 0 {
			q.mu.Unlock()
			return
		}
		j := q.queue[0]
		q.queue = q.queue[1:]
		// Every try would fill a full disk again that others may be using.
		keep := errors.As(q.st.err, new(*DiskFullError)) || q.left != ""
		q.mu.Unlock()
		if keep && j.frames > 0 {
			_ = j.close()
			q.keep(j, nil)
			continue
		}
		q.seal(j)
	}
}

// seal turns a journal into a segment, or keeps it.
func (q *sealQueue) seal(j *journal) {
	syncErr := j.close()
	seg, err := q.sealFile(j)
	var worker *WorkerError
	if errors.As(err, &worker) {
		q.keep(j, nil) // it may be all right: close tries it in this process
		return
	}
	if err != nil {
		q.keep(j, err)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.st.sealed += j.size - journalHeaderSize
	for _, f := range seg.Files {
		q.st.parquet += f.Bytes
	}
	q.st.segments = len(q.manifest.Segments)
	if q.st.err == nil {
		q.st.err = syncErr
	}
}

// finish replaces keys by what they open.
func (q *sealQueue) finish() error {
	f := finishing{fsys: q.cfg.FS, dir: q.dir, manifest: q.manifest, opener: q.cfg.Opener, filter: q.cfg.Filter.Fresh(), rest: func(time.Duration) {}}
	m, err := f.run()
	if err == nil {
		q.manifest = m
	}
	return err
}

func (q *sealQueue) keep(j *journal, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failed = append(q.failed, j)
	if q.st.err == nil {
		q.st.err = err
	}
}

// sealFile seals, names the segment in the manifest, and only then removes the journal: at every moment the rows are in
// one of them, and a reader counts a journal whose segment the manifest has as done.
func (q *sealQueue) sealFile(j *journal) (Segment, error) {
	path := join(q.dir, j.name)
	if j.frames == 0 {
		return Segment{}, q.cfg.FS.Remove(path)
	}
	seg, err := q.segment(j)
	if err != nil {
		return Segment{}, err
	}
	m := q.manifest.clone()
	m.Segments = append(m.Segments, seg)
	if err := m.store(q.cfg.FS, q.dir); err != nil {
		return Segment{}, err
	}
	q.manifest = m
	if err := q.cfg.FS.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return seg, nil // it stays behind, and readers know that its segment counts
	}
	return seg, nil
}

// segment makes the segment of a journal, by the worker while there is one.
func (q *sealQueue) segment(j *journal) (Segment, error) {
	if q.worker == nil {
		return q.own.Seal(j.number, q.rest)
	}
	seg, err := q.worker.Seal(j.number)
	var lost *WorkerError
	if errors.As(err, &lost) && lost.Unusable {
		q.worker = nil
		return q.own.Seal(j.number, q.rest)
	}
	if err == nil && (seg.Number != j.number || seg.Filter != q.cfg.Filter.Version()) {
		err = &WorkerError{Journal: j.number, Err: fmt.Errorf("it made segment %d with the filter %q", seg.Number, seg.Filter)}
	}
	return seg, err
}

// close seals what waits, tries once more what failed, and ends the manifest. err is why the writer stopped, nil if it
// did not. The first error of all is returned.
func (q *sealQueue) close(err error) error {
	q.mu.Lock()
	q.closing = true
	q.press()
	q.mu.Unlock()
	q.wake.Signal()
	q.done.Wait()
	q.worker = nil
	if q.cfg.Worker != nil {
		q.cfg.Worker.Close()
	}
	failed, left := q.failed, q.leaving()
	if len(failed) > 0 && left == "" {
		q.failed = nil
		q.st.err = nil
		for _, j := range failed {
			q.seal(j)
		}
	}
	if err == nil {
		err = q.st.err
	}
	if n := len(q.failed); err == nil && n > 0 && left != "" {
		err = &UnsealedError{Journals: n, Why: left}
	}
	if err == nil && q.cfg.Opener != nil {
		err = q.finish()
	}
	q.manifest.Clean = err == nil && (q.cfg.Of == nil || q.cfg.Of.Clean)
	if n := len(q.failed); n > 0 && left != "" {
		q.manifest.Unsealed = unsealedText(n, left)
	} else if n > 0 {
		q.manifest.Unsealed = fmt.Sprintf("%d journals could not be sealed: %v", n, q.st.err)
	}
	if e := q.manifest.store(q.cfg.FS, q.dir); err == nil {
		err = e
	}
	return err
}
