package format

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"sync"
)

// OpenOptions says how a reel is read. The zero value is right for a clean reel.
type OpenOptions struct {
	// Filter masks the rows of an unsealed tail; those of sealed segments went through one at the seal. Without a filter
	// the payload and the process arguments of the tail are withheld (ProblemWithheld): secrets do not come out by
	// default. NoFilter{} shows them.
	Filter Filter
	FS     FS // nil: OS{}
}

// Reel is an open reel. Its methods may be called from several goroutines.
type Reel struct {
	dir      string
	fsys     FS
	filter   Filter
	manifest *Manifest
	tail     []*journalIndex // not sealed, by number
	bad      map[string]bool // files that are known not to be readable

	mu       sync.Mutex
	problems []Problem
}

// Open opens the reel in dir, also one whose recorder died or is still running: then what was recorded until now is
// read. Errors: ErrNotReel, *TooNewError, *CorruptError, those of the file system. What is damaged elsewhere than in the
// manifest is no error: Problems tells it.
func Open(dir string, opts OpenOptions) (*Reel, error) {
	r := &Reel{dir: dir, fsys: opts.FS, filter: opts.Filter, bad: map[string]bool{}}
	if r.fsys == nil {
		r.fsys = OS{}
	}
	if r.filter == nil {
		r.filter = withhold{}
	}
	names, files, err := r.load()
	if err != nil {
		return nil, err
	}
	r.lookAtEnd()
	if err := r.indexTail(files); err != nil {
		_ = r.Close()
		return nil, err
	}
	r.lookForKeys()
	r.look(names)
	return r, nil
}

// tailFile is an open journal.
type tailFile struct {
	number int
	file   ReadFile
}

// load reads the manifest and opens the journals that it has no segment for. A recorder at work may seal a journal in
// between; then its segment is in the manifest that is read next.
func (r *Reel) load() (names []string, files []tailFile, err error) {
	const tries = 10
	for range tries {
		if r.manifest, err = loadManifest(r.fsys, r.dir); err != nil {
			return nil, nil, r.withoutManifest(err)
		}
		if names, err = r.fsys.ReadDir(r.dir); err != nil {
			return nil, nil, err
		}
		gone := false
		for _, name := range names {
			n, ok := journalNumber(name)
			if !ok || r.sealed(n) {
				continue
			}
			f, err := r.fsys.Open(join(r.dir, name))
			if errors.Is(err, fs.ErrNotExist) {
				gone = true
				break
			}
			if err != nil {
				closeTail(files)
				return nil, nil, err
			}
			files = append(files, tailFile{n, f})
		}
		again, err := loadManifest(r.fsys, r.dir)
		if err == nil && !gone && reflect.DeepEqual(again, r.manifest) {
			return names, files, nil
		}
		closeTail(files)
		files = nil
	}
	return nil, nil, fmt.Errorf("%s changes faster than it can be opened: wait until the recorder is done", r.dir)
}

// withoutManifest says what to do when a directory has no manifest but other files of a reel.
func (r *Reel) withoutManifest(err error) error {
	names, _ := r.fsys.ReadDir(r.dir)
	if errors.Is(err, ErrNotReel) && !slices.Contains(names, manifestName) && slices.ContainsFunc(names, func(name string) bool {
		_, journal := journalNumber(name)
		_, _, segment := segmentNumber(name)
		return journal || segment
	}) {
		return fmt.Errorf("%w, but other files of a reel (reel recover rebuilds it)", err)
	}
	return err
}

func closeTail(files []tailFile) {
	for _, f := range files {
		_ = f.file.Close()
	}
}

var journalPattern = regexp.MustCompile(`^journal-([0-9]{6,7})\.log$`)

func journalNumber(name string) (int, bool) {
	m := journalPattern.FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n, err == nil && n > 0 && n <= maxSegments && journalName(n) == name
}

func (r *Reel) sealed(number int) bool {
	_, ok := slices.BinarySearchFunc(r.manifest.Segments, number, func(s Segment, n int) int { return s.Number - n })
	return ok
}

// indexTail reads the journals once. One that is damaged beyond reading is a problem, not an error.
func (r *Reel) indexTail(files []tailFile) error {
	for i, f := range files {
		name := journalName(f.number)
		ix, err := indexJournal(f.file, name, r.manifest.journalUUID(f.file), f.number)
		if err != nil {
			size, _ := f.file.Size()
			_ = f.file.Close()
			if !errors.Is(err, ErrCorrupt) {
				closeTail(files[i+1:])
				return err
			}
			r.add(Problem{Kind: ProblemCorrupt, File: name, Segment: f.number, Offset: 0, Bytes: size, Loss: true, Err: err,
				Message: fmt.Sprintf("none of its %d bytes can be read: %v", size, errors.Unwrap(err))})
			continue
		}
		r.manifest.windowOfRing(ix) // the first of the ring
		ix.trim(r.manifest.Snap)
		r.tail = append(r.tail, ix)
	}
	return nil
}

// lookAtEnd tells how the reel ended.
func (r *Reel) lookAtEnd() {
	if !r.manifest.Clean {
		p := Problem{Kind: ProblemUnclean, Offset: -1, Message: "the recorder did not end this reel (it was killed, the machine went down, or it is still running): what it had not written yet is missing, at most the last flush interval"}
		if r.manifest.Flight != nil {
			p.Message = "this is the ring of a flight recorder, of which nothing is sealed: reel snap makes a reel of it while the recorder runs, reel recover when it has ended"
		}
		if r.manifest.Unsealed != "" {
			p.Message = "the recorder could not end this reel: " + r.manifest.Unsealed
		}
		r.add(p)
	}
	if rec := r.manifest.Recovered; rec != nil {
		r.add(Problem{Kind: ProblemRecovered, Offset: -1, Bytes: rec.CutBytes, Loss: rec.CutBytes > rec.TornBytes, Message: rec.sentence()})
	}
}

// lookForKeys tells that an unclean reel holds keys.
func (r *Reel) lookForKeys() {
	if r.manifest.Clean || !r.holdsKeys() {
		return
	}
	for i := range r.problems {
		if p := &r.problems[i]; p.Kind == ProblemUnclean {
			p.Message += "; it holds keys of TLS connections, which a reel that ended does not: reel recover takes them out"
		}
	}
}

// holdsKeys reports whether the reel has secrets that it is not meant to keep.
func (r *Reel) holdsKeys() bool {
	return !r.manifest.Capture.KeepKeys && (r.manifest.holdsKeys() || slices.ContainsFunc(r.tail, func(ix *journalIndex) bool {
		return slices.ContainsFunc(ix.entries, func(e entry) bool { return e.table == TableTLSKey })
	}))
}

// look tells what is wrong with the reel without reading its segments.
func (r *Reel) look(names []string) {
	rows := 0
	for _, ix := range r.tail {
		rows += len(ix.entries)
		for _, p := range ix.damage {
			r.add(p)
		}
		if ix.bad > 0 {
			r.add(Problem{Kind: ProblemGarbage, File: ix.name, Segment: ix.number, Offset: -1, Rows: ix.bad, Loss: true,
				Message: fmt.Sprintf("%d frames are whole, but hold nothing that this version of reel knows", ix.bad)})
		}
	}
	if _, ok := r.filter.(withhold); ok && rows > 0 {
		r.add(Problem{Kind: ProblemWithheld, Offset: -1, Message: "payload and process arguments of the unsealed tail are withheld, since nothing masks them: run reel recover, or give a filter"})
	}
	r.lookAtSegments()
	r.lookAtStrays(names)
}

func (r *Reel) lookAtSegments() {
	for _, s := range r.manifest.Segments {
		if n := s.Skipped - s.Torn; n > 0 {
			r.add(Problem{Kind: ProblemGarbage, File: segmentName(s.Number), Segment: s.Number, Offset: -1, Bytes: n, Loss: true,
				Message: fmt.Sprintf("%d bytes of its journal were damaged when it was sealed", n)})
		}
		for _, f := range s.Files {
			size, err := r.fileSize(f.Name)
			p := Problem{File: f.Name, Segment: s.Number, Offset: -1, Rows: f.Rows, Loss: true, Err: err}
			switch {
			case errors.Is(err, fs.ErrNotExist):
				p.Kind = ProblemMissing
				p.Message = fmt.Sprintf("the file is not there, and with it %d rows: copy the reel again, with all its files", f.Rows)
			case err != nil:
				p.Kind = ProblemCorrupt
				p.Message = fmt.Sprintf("the file cannot be read, and with it %d rows: %v", f.Rows, err)
			case size != f.Bytes:
				p.Kind = ProblemCorrupt
				p.Offset = min(size, f.Bytes)
				p.Err = &CorruptError{File: f.Name, Segment: s.Number, Offset: p.Offset, Err: fmt.Errorf("%d bytes, not %d", size, f.Bytes)}
				p.Message = fmt.Sprintf("the file has %d bytes instead of %d, so that its %d rows cannot be read: copy the reel again", size, f.Bytes, f.Rows)
			default:
				continue
			}
			r.bad[f.Name] = true
			r.add(p)
		}
	}
}

func (r *Reel) fileSize(name string) (int64, error) {
	f, err := r.fsys.Open(join(r.dir, name))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Size()
}

var segmentPattern = regexp.MustCompile(`^segment-([0-9]{6,7})(\.tmp)?$`)

// segmentNumber reads the name of a segment; tmp: of one whose seal is at work or was interrupted.
func segmentNumber(name string) (n int, tmp, ok bool) {
	m := segmentPattern.FindStringSubmatch(name)
	if m == nil {
		return 0, false, false
	}
	n, err := strconv.Atoi(m[1])
	tmp = m[2] != ""
	return n, tmp, err == nil && n > 0 && n <= maxSegments && (tmp || segmentName(n) == name)
}

// lookAtStrays tells what an interrupted seal left. Its rows are in a segment or in a journal: never in both.
func (r *Reel) lookAtStrays(names []string) {
	for _, name := range names {
		p := Problem{Kind: ProblemStray, File: name, Offset: -1}
		switch n, tmp, ok := segmentNumber(name); {
		case ok:
			tail := slices.ContainsFunc(r.tail, func(ix *journalIndex) bool { return ix.number == n })
			switch {
			case !tmp && r.sealed(n):
				continue
			case tail || tmp:
				p.Message = "a seal was interrupted: its rows are read from the journal"
			default:
				p.Loss = true
				p.Message = "the manifest does not name this segment, and its journal is gone: its rows are not read until reel recover adds it"
			}
			p.Segment = n
		default:
			n, ok := journalNumber(name)
			if !ok || !r.sealed(n) {
				continue
			}
			p.Segment = n
			p.Message = "the journal was sealed before the recorder could remove it: its rows are read from the segment"
		}
		r.add(p)
	}
}

func (r *Reel) add(p Problem) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.problems {
		if q.Kind == p.Kind && q.File == p.File && q.Offset == p.Offset && q.Message == p.Message {
			return // met again by another pass
		}
	}
	r.problems = append(r.problems, p)
}

// Manifest returns what the reel says of itself. It must not be changed.
func (r *Reel) Manifest() *Manifest { return r.manifest }

// Problems returns what is wrong with the reel, as far as it was looked at until now: Rows finds damage within files.
func (r *Reel) Problems() []Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.problems)
}

// Close closes the reel. Iterators of Rows must have ended.
func (r *Reel) Close() error {
	var errs []error
	for _, ix := range r.tail {
		errs = append(errs, ix.file.Close())
	}
	r.tail = nil
	return errors.Join(errs...)
}
