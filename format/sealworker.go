package format

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// SealWorker seals journals in place of the Writer's own goroutine. Package sealer has one in a process of its own, so that
// sealing may wait for idle CPUs without the recorder waiting for it.
type SealWorker interface {
	// Seal makes the segment of a journal that nothing is appended to any more, as Sealing.Seal does. One at a time.
	// *WorkerError means that the worker is the matter, not the journal: the Writer keeps the journal and seals it at its end.
	Seal(number int) (Segment, error)
	// Hurry says whether sealing is behind: then it must not wait for idle CPUs. It does not block.
	Hurry(on bool)
	// Helpers are the processes at work now: what they take is the recorder's.
	Helpers() []PID
	// Abort ends what it does now, at once; Seal returns a *WorkerError. Close is called all the same. It does not block.
	Abort()
	// Close ends it. Seal is not called after.
	Close()
}

// WorkerError means that a SealWorker could not seal a journal, which may be all right.
type WorkerError struct {
	Journal  int
	Unusable bool // it will not seal another either
	Err      error
}

func (e *WorkerError) Error() string {
	return fmt.Sprintf("the sealing process could not seal %s: %v", journalName(e.Journal), e.Err)
}

func (e *WorkerError) Unwrap() error { return e.Err }

// Sealing seals the journals of a reel that another process writes: the other side of a SealWorker.
type Sealing struct {
	fsys   FS
	dir    string
	of     *Manifest
	filter Filter
}

// OpenSealing prepares to seal journals of the reel in dir. The filter must be the one that the reel's manifest names: rows of one
// reel are masked by one set of rules. fsys nil: OS.
func OpenSealing(dir string, filter Filter, fsys FS) (*Sealing, error) {
	if filter == nil {
		return nil, errors.New("format: OpenSealing without a filter: NoFilter{} keeps credentials")
	}
	fsys = cmp.Or[FS](fsys, OS{})
	m, err := loadManifest(fsys, dir)
	if err != nil {
		return nil, err
	}
	if m.Capture.Filter != filter.Version() {
		return nil, fmt.Errorf("format: %s is masked by %q, not by %q", dir, m.Capture.Filter, filter.Version())
	}
	return &Sealing{fsys: fsys, dir: dir, of: m, filter: filter}, nil
}

// Seal writes the segment of a journal. It is whole, and its name lasts, when Seal returns without an error; the manifest, which
// makes it count, and the journal are left to the Writer. What an earlier try of the same journal left is replaced. progress is called
// after each block of rows with the time that it took.
func (s *Sealing) Seal(number int, progress func(worked time.Duration)) (Segment, error) {
	name := journalName(number)
	file, err := s.fsys.Open(join(s.dir, name))
	if err != nil {
		return Segment{}, err
	}
	ix, err := indexJournal(file, name, s.of.journalUUID(file), number)
	var seg Segment
	if err == nil {
		ix.trim(s.of.Snap)
		seg, err = sealJournal(s.fsys, s.dir, s.of.UUID, ix, s.filter, progress)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return Segment{}, err
	}
	return seg, nil
}
