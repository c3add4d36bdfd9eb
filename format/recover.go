package format

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// RecoverOptions says how a reel is recovered.
type RecoverOptions struct {
	// Filter makes what the rows of journals go through on their way into segments. It is given the manifest that was found, or
	// rebuilt: the filter must not mask less than the recorder would have (DESIGN D15). An error refuses the recovery.
	Filter func(*Manifest) (Filter, error)
	// Opener replaces keys and what they open by plaintext. It is asked as Filter is; nil, as its result may be: keys stay.
	Opener func(*Manifest) Opener
	DryRun bool     // say what would be done, and change nothing
	Tool   string   // for the manifest: "reel 0.1.0"
	Now    WallTime // for the manifest
	FS     FS       // nil: OS{}
	// Rest is called after each block of rows with the time that it took; nil: without rest.
	Rest func(time.Duration)
}

// Recovery is the outcome of Recover.
type Recovery struct {
	Recovered
	Manifest *Manifest
	Nothing  bool     // the reel was clean and had nothing to remove
	Removed  []string // left by interrupted seals, or without a record
	Left     []string // sentences: what is wrong and cannot be helped
}

// Recover makes a clean reel of one whose recorder was killed, lost its machine or met a full disk: journals are sealed up to
// where they are whole, what interrupted seals left is removed, and the manifest says what was cut. A manifest that is missing
// or damaged is rebuilt of what segments and journals say of themselves.
//
// Every step leaves a reel that opens, and that a further Recover goes on with. Recovering a clean reel changes nothing.
// Errors: *LockedError while its recorder works, ErrNotReel, *TooNewError, *DiskFullError, those of Filter and the file system.
func Recover(dir string, opts RecoverOptions) (*Recovery, error) {
	if opts.FS == nil {
		opts.FS = OS{}
	}
	if opts.Rest == nil {
		opts.Rest = func(time.Duration) {}
	}
	lock, err := lockReel(opts.FS, dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || isNotDir(err) {
			return nil, fmt.Errorf("%s is %w: there is no such directory", dir, ErrNotReel)
		}
		return nil, err
	}
	defer lock.Close()
	r := &recovery{dir: dir, fsys: opts.FS, opts: opts}
	if err := r.begin(); err != nil {
		return nil, err
	}
	err = r.run()
	r.out.Manifest = r.manifest
	return &r.out, err
}

type recovery struct {
	dir  string
	fsys FS
	opts RecoverOptions

	manifest *Manifest
	damaged  bool // manifest.json is there and damaged
	tail     []int
	strays   []string // directories and files to remove at the end
	filter   Filter
	changed  bool       // the manifest in memory says more than the one on disk
	snap     bool       // the reel is a snap that is finished in time: nothing is recovered, only sealed
	worker   SealWorker // of a snap, in another process; nil: none
	out      Recovery
}

// begin finds out what there is. It changes nothing.
func (r *recovery) begin() error {
	names, err := r.fsys.ReadDir(r.dir)
	if isNotDir(err) {
		return fmt.Errorf("%s is %w: it is no directory", r.dir, ErrNotReel)
	}
	if err != nil {
		return err
	}
	if err := r.load(names); err != nil {
		return err
	}
	if err := r.sort(names); err != nil {
		return err
	}
	if r.filter, err = r.opts.Filter(r.manifest); err != nil {
		return err
	}
	if r.manifest.Capture.Filter == "" {
		r.manifest.Capture.Filter = r.filter.Version()
	}
	return nil
}

// load reads the manifest, or rebuilds it.
func (r *recovery) load(names []string) error {
	m, err := loadManifest(r.fsys, r.dir)
	switch {
	case err == nil:
		r.manifest = m
		if m.Recovered != nil {
			r.out.Recovered = *m.Recovered
			r.out.Cuts = slices.Clone(m.Recovered.Cuts)
		}
		return nil
	case errors.Is(err, ErrCorrupt):
		r.damaged = true
	case errors.Is(err, ErrNotReel) && !slices.Contains(names, manifestName):
	default:
		return err
	}
	r.manifest, err = r.rebuild(names)
	r.changed = true
	return err
}

// sort decides for each name in the directory what becomes of it.
func (r *recovery) sort(names []string) error {
	for _, name := range names {
		if n, ok := journalNumber(name); ok {
			if err := r.sortJournal(n); err != nil {
				return err
			}
		}
	}
	slices.Sort(r.tail)
	for _, name := range names {
		n, tmp, ok := segmentNumber(name)
		switch {
		case name == manifestName+".tmp", name == journalName(stateJournal)+".tmp", name == ControlName, ok && tmp:
			r.strays = append(r.strays, name)
		case !ok || r.segment(n) >= 0:
		case slices.Contains(r.tail, n):
			r.out.Removed = append(r.out.Removed, name) // the seal of the journal does it
		default:
			if err := r.adopt(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// segment returns the index of a segment in the manifest; -1: it is not there.
func (r *recovery) segment(n int) int {
	return slices.IndexFunc(r.manifest.Segments, func(s Segment) bool { return s.Number == n })
}

// sortJournal decides whether a journal is to be sealed. One whose segment the manifest names is not, unless that segment is not
// whole: its bytes came to the disk later than the manifest, or never.
func (r *recovery) sortJournal(n int) error {
	i := r.segment(n)
	if i < 0 {
		r.tail = append(r.tail, n)
		return nil
	}
	for _, f := range r.manifest.Segments[i].Files {
		if !r.whole(f) {
			r.manifest.Segments = slices.Delete(slices.Clone(r.manifest.Segments), i, i+1)
			r.tail = append(r.tail, n)
			return nil
		}
	}
	r.strays = append(r.strays, journalName(n))
	return nil
}

// whole reports whether a file has the length and the footer that the manifest says.
func (r *recovery) whole(f File) bool {
	file, err := r.fsys.Open(join(r.dir, f.Name))
	if err != nil {
		return false
	}
	defer file.Close()
	_, crc, size, err := readFooter(file)
	return err == nil && size == f.Bytes && crc == f.FooterCRC
}

// adopt takes a segment that the manifest does not name, and that has no journal any more.
func (r *recovery) adopt(n int) error {
	seg, err := r.readSegment(n)
	if err != nil {
		return err
	}
	if len(seg.Files) == 0 {
		r.out.Left = append(r.out.Left, segmentName(n)+" is not of this reel, or damaged: it is left where it is")
		return nil
	}
	r.manifest.Segments = append(slices.Clone(r.manifest.Segments), seg)
	r.out.Adopted = append(r.out.Adopted, n)
	r.changed = true
	return nil
}

// run does what begin found to be done.
func (r *recovery) run() error {
	if r.manifest.Clean && len(r.tail) == 0 && len(r.strays) == 0 && !r.changed {
		r.out.Nothing = true
		return nil
	}
	r.out.When, r.out.Tool = r.opts.Now, r.opts.Tool
	if r.out.Rebuilt && !r.opts.DryRun {
		if err := r.replaceManifest(); err != nil {
			return err
		}
	}
	for _, n := range r.tail {
		if err := r.seal(n); err != nil {
			return err
		}
	}
	if r.opts.DryRun {
		r.out.Removed = append(r.out.Removed, r.strays...)
		return nil
	}
	if r.changed {
		if err := r.store(); err != nil { // what was cut outlasts the files that it was cut from
			return err
		}
	}
	for _, name := range r.strays {
		if err := r.remove(name); err != nil {
			return err
		}
	}
	if err := r.fsys.SyncDir(r.dir); err != nil {
		return diskError(r.dir, err)
	}
	if err := r.finish(); err != nil {
		return err
	}
	r.manifest.Clean, r.manifest.Unsealed = true, ""
	return r.store()
}

// finish replaces keys by what they open.
func (r *recovery) finish() error {
	var opener Opener
	if r.opts.Opener != nil {
		opener = r.opts.Opener(r.manifest)
	}
	if opener == nil {
		return nil
	}
	f := finishing{fsys: r.fsys, dir: r.dir, manifest: r.manifest, opener: opener, filter: r.filter.Fresh(), rest: r.opts.Rest}
	m, err := f.run()
	if err == nil {
		r.manifest = m
	}
	return err
}

// replaceManifest keeps the damaged manifest under another name, and stores the rebuilt one.
func (r *recovery) replaceManifest() error {
	if r.damaged {
		if err := r.fsys.Rename(join(r.dir, manifestName), join(r.dir, manifestName+".damaged")); err != nil {
			return err
		}
	}
	return r.store()
}

func (r *recovery) store() error {
	m := r.manifest
	if planned := r.snap || m.Flight != nil && m.Flight.Ended; !planned || r.out.CutBytes > 0 {
		facts := r.out.Recovered
		facts.Cuts = slices.Clone(facts.Cuts)
		m.Recovered = &facts
	}
	if err := m.store(r.fsys, r.dir); err != nil {
		return err
	}
	r.changed = false
	return nil
}

func (r *recovery) remove(name string) error {
	path := join(r.dir, name)
	var err error
	if _, _, ok := segmentNumber(name); ok {
		err = removeDir(r.fsys, path)
	} else {
		err = r.fsys.Remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s, which an interrupted seal left: %w", name, err)
	}
	r.out.Removed = append(r.out.Removed, name)
	return nil
}

// seal makes a segment of a journal, as the recorder would have.
func (r *recovery) seal(n int) error {
	name := journalName(n)
	if done, err := r.sealElsewhere(n); done || err != nil {
		return err
	}
	file, err := r.fsys.Open(join(r.dir, name))
	if err != nil {
		return err
	}
	defer file.Close()
	ix, err := indexJournal(file, name, r.manifest.journalUUID(file), n)
	if errors.Is(err, ErrCorrupt) {
		return r.unreadable(n, file, err)
	}
	if err != nil {
		return err
	}
	r.manifest.windowOfRing(ix) // the first of the ring
	ix.trim(r.manifest.Snap)
	if ix.frames == 0 || r.manifest.Snap != nil && len(ix.entries) == 0 {
		r.cut(ix)
		r.strays = append(r.strays, name)
		return nil
	}
	if r.opts.DryRun {
		r.count(ix)
		return nil
	}
	seg, err := sealJournal(r.fsys, r.dir, r.manifest.UUID, ix, r.filter, r.opts.Rest)
	if err != nil {
		return err
	}
	seg.Torn = r.count(ix)
	return r.name(seg)
}

// name makes a segment count, and removes its journal.
func (r *recovery) name(seg Segment) error {
	r.manifest.Segments = append(slices.Clone(r.manifest.Segments), seg)
	r.manifest.Clean = false
	r.manifest.SchemaVersion = SchemaVersion
	if err := r.store(); err != nil {
		return err
	}
	return r.remove(journalName(seg.Number))
}

// sealElsewhere has the worker seal a journal of a snap. Where it cannot, this process does.
func (r *recovery) sealElsewhere(n int) (done bool, err error) {
	if r.worker == nil {
		return false, nil
	}
	seg, err := r.worker.Seal(n)
	var unable *WorkerError
	switch {
	case errors.As(err, &unable):
		if unable.Unusable {
			r.worker = nil
		}
		return false, nil
	case err != nil:
		return false, err
	case seg.Skipped > 0:
		return false, nil // it is damaged: what is cut is looked at here
	}
	return true, r.name(seg)
}

// unreadable deals with a journal of which no frame can be read.
func (r *recovery) unreadable(n int, file ReadFile, why error) error {
	name := journalName(n)
	if other, ok := journalIdentity(file); ok && (other.uuid != r.manifest.journalUUID(file) || other.number != n) {
		r.out.Left = append(r.out.Left, fmt.Sprintf("%s is journal %d of the reel %s: it is left where it is", name, other.number, other.uuid))
		return nil
	}
	size, err := file.Size()
	if err != nil {
		return err
	}
	r.addCut(RecoverCut{File: name, Bytes: size, Why: errors.Unwrap(why).Error()})
	r.strays = append(r.strays, name)
	return nil
}
