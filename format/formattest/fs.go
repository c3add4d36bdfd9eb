// Package formattest turns the file system that a reel is written to into one that fails and crashes on demand.
package formattest

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/ebpf-reel/reel/format"
)

// Op is an operation of a file system.
type Op string

// The operations that can fail.
const (
	OpMkdir   Op = "mkdir"
	OpCreate  Op = "create"
	OpOpen    Op = "open"
	OpReadDir Op = "readdir"
	OpRename  Op = "rename"
	OpRemove  Op = "remove"
	OpSyncDir Op = "syncdir"
	OpWrite   Op = "write"
	OpSync    Op = "sync"
	OpRead    Op = "read"
	OpLink    Op = "link"
	OpLock    Op = "lock"
)

// Fault makes operations fail.
type Fault struct {
	Op    Op
	Match string // a part of the path; "" any
	Skip  int    // how many such operations succeed first
	Times int    // how many fail; 0: all from then on
	Err   error
	Short int // of a write: bytes that are written all the same
}

// FS is a file system in memory. Like a real one it keeps what was synced, and only that, over a crash: bytes of files by
// Sync, names of directories by SyncDir. The zero value is empty.
type FS struct {
	mu     sync.Mutex
	dirs   map[string]*dir
	faults []*Fault
	space  int64 // bytes that may still be written; negative: no bound
	bound  bool
	watch  func(op string, crashed, killed *FS)
	locked map[string]bool
	sized  string // directory whose size is watched
	size   func(bytes int64)
}

var _ format.FS = (*FS)(nil)

// dir is the names in one directory: now, and after a crash.
type dir struct {
	now, durable map[string]*inode
}

// inode is a file, or a directory (named by its path in FS.dirs).
type inode struct {
	dir    bool
	data   []byte
	synced int
	links  int // names beyond the first
}

// New returns a file system that holds the directories "." and those given.
func New(dirs ...string) *FS {
	f := &FS{dirs: map[string]*dir{".": newDir()}}
	for _, d := range dirs {
		if err := f.Mkdir(d); err != nil {
			panic(err)
		}
		f.dirs["."].durable[d] = f.dirs["."].now[d]
	}
	return f
}

func newDir() *dir { return &dir{now: map[string]*inode{}, durable: map[string]*inode{}} }

// Inject adds a fault.
func (f *FS) Inject(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &fault)
}

// Heal removes all faults, and the bound of SetSpace.
func (f *FS) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults, f.bound = nil, false
}

// SetSpace bounds the bytes that may still be written: ENOSPC after them. Removing a file gives back what it held.
func (f *FS) SetSpace(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.space, f.bound = n, true
}

// Watch calls fn after each operation that changed something ("write a.reel/journal-000001.log"), with what a crash of the
// machine and what the death of the process would leave at that moment.
func (f *FS) Watch(fn func(op string, crashed, killed *FS)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watch = fn
}

// WatchSize calls fn after each operation that changed something with the bytes of all files in a directory.
func (f *FS) WatchSize(dir string, fn func(bytes int64)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sized, f.size = dir, fn
}

// changed tells the watchers.
func (f *FS) changed(op Op, name string) {
	if f.size != nil {
		if d := f.lookup(f.sized); d != nil {
			var n int64
			for _, i := range d.now {
				n += int64(len(i.data))
			}
			f.size(n)
		}
	}
	if f.watch != nil {
		f.watch(string(op)+" "+name, f.crash(), f.kill())
	}
}

// Crash returns the file system as it is after the machine went down: what was not synced is lost. Files that are open
// stay with the old one.
func (f *FS) Crash() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.crash()
}

func (f *FS) crash() *FS {
	after := &FS{dirs: map[string]*dir{}}
	for name, d := range f.dirs {
		kept := newDir()
		for n, i := range d.durable {
			c := &inode{dir: i.dir, data: slices.Clone(i.data[:i.synced]), synced: i.synced}
			kept.now[n], kept.durable[n] = c, c
		}
		after.dirs[name] = kept
	}
	return after
}

// Kill returns the file system as it is after the process was killed: all that it wrote is there.
func (f *FS) Kill() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kill()
}

func (f *FS) kill() *FS {
	after := &FS{dirs: map[string]*dir{}}
	for name, d := range f.dirs {
		kept := newDir()
		for n, i := range d.now {
			c := &inode{dir: i.dir, data: slices.Clone(i.data), synced: len(i.data)}
			kept.now[n], kept.durable[n] = c, c
		}
		after.dirs[name] = kept
	}
	return after
}

// Edit replaces the bytes of a file, as a damaged disk would. It panics when there is no such file.
func (f *FS) Edit(name string, edit func(data []byte) []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, err := f.file(name)
	if err != nil {
		panic(err)
	}
	i.data = edit(slices.Clone(i.data))
	i.synced = len(i.data)
}

// Data returns the bytes of a file. It panics when there is no such file.
func (f *FS) Data(name string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, err := f.file(name)
	if err != nil {
		panic(err)
	}
	return slices.Clone(i.data)
}

// Put makes a file, and the directory that it is in, or replaces its bytes.
func (f *FS) Put(name string, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	parent := filepath.Dir(name)
	if f.dirs[parent] == nil {
		f.dirs[parent] = newDir()
		i := &inode{dir: true}
		f.dirs[filepath.Dir(parent)].now[filepath.Base(parent)] = i
		f.dirs[filepath.Dir(parent)].durable[filepath.Base(parent)] = i
	}
	i := &inode{data: slices.Clone(data), synced: len(data)}
	f.dirs[parent].now[filepath.Base(name)] = i
	f.dirs[parent].durable[filepath.Base(name)] = i
}

// Files returns the paths of all files, sorted.
func (f *FS) Files() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for d := range f.dirs {
		entries := f.lookup(d)
		if entries == nil {
			continue // renamed or removed
		}
		for n, i := range entries.now {
			if !i.dir {
				names = append(names, filepath.Join(d, n))
			}
		}
	}
	slices.Sort(names)
	return names
}

// do runs one operation: it fails as a fault says.
func (f *FS) do(op Op, name string) error {
	if fault := f.fault(op, name); fault != nil {
		return &fs.PathError{Op: string(op), Path: name, Err: fault.Err}
	}
	return nil
}

func (f *FS) fault(op Op, name string) *Fault {
	for i, fault := range f.faults {
		if fault.Op != op || !strings.Contains(name, fault.Match) {
			continue
		}
		if fault.Skip > 0 {
			fault.Skip--
			continue
		}
		if fault.Times > 0 {
			if fault.Times--; fault.Times == 0 {
				f.faults = slices.Delete(f.faults, i, i+1)
			}
		}
		return fault
	}
	return nil
}

// lookup returns a directory that is there now: FS.dirs keeps those that a crash would bring back.
func (f *FS) lookup(name string) *dir {
	if name != "." {
		up := f.dirs[filepath.Dir(name)]
		if up == nil || up.now[filepath.Base(name)] == nil {
			return nil
		}
	}
	return f.dirs[name]
}

func (f *FS) parent(name string) (*dir, string, error) {
	d := f.lookup(filepath.Dir(name))
	if d == nil {
		return nil, "", &fs.PathError{Op: "lookup", Path: name, Err: fs.ErrNotExist}
	}
	return d, filepath.Base(name), nil
}

func (f *FS) file(name string) (*inode, error) {
	d, base, err := f.parent(name)
	if err != nil {
		return nil, err
	}
	i := d.now[base]
	switch {
	case i == nil:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case i.dir:
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EISDIR}
	}
	return i, nil
}

// add makes a name, which must be new.
func (f *FS) add(op Op, name string, i *inode) error {
	if err := f.do(op, name); err != nil {
		return err
	}
	d, base, err := f.parent(name)
	if err != nil {
		return err
	}
	if d.now[base] != nil {
		return &fs.PathError{Op: string(op), Path: name, Err: fs.ErrExist}
	}
	d.now[base] = i
	if op == OpCreate {
		f.changed(op, name)
	}
	return nil
}

// Mkdir implements format.FS.
func (f *FS) Mkdir(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.add(OpMkdir, name, &inode{dir: true}); err != nil {
		return err
	}
	f.dirs[name] = newDir()
	f.changed(OpMkdir, name)
	return nil
}

// Create implements format.FS.
func (f *FS) Create(name string) (format.AppendFile, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := new(inode)
	if err := f.add(OpCreate, name, i); err != nil {
		return nil, err
	}
	return &handle{fs: f, name: name, inode: i}, nil
}

// Open implements format.FS.
func (f *FS) Open(name string) (format.ReadFile, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.do(OpOpen, name); err != nil {
		return nil, err
	}
	i, err := f.file(name)
	if err != nil {
		return nil, err
	}
	return &handle{fs: f, name: name, inode: i}, nil
}

// ReadDir implements format.FS.
func (f *FS) ReadDir(name string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.do(OpReadDir, name); err != nil {
		return nil, err
	}
	d := f.lookup(name)
	if d == nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	return slices.Sorted(maps.Keys(d.now)), nil
}

// Rename implements format.FS. A directory takes what is in it along.
func (f *FS) Rename(oldname, newname string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.do(OpRename, newname); err != nil {
		return err
	}
	from, oldBase, err := f.parent(oldname)
	if err != nil {
		return err
	}
	to, newBase, err := f.parent(newname)
	if err != nil {
		return err
	}
	i := from.now[oldBase]
	if i == nil {
		return &fs.PathError{Op: "rename", Path: oldname, Err: fs.ErrNotExist}
	}
	if old := to.now[newBase]; old != nil {
		if old.dir || i.dir {
			return &fs.PathError{Op: "rename", Path: newname, Err: fs.ErrExist}
		}
		f.space += int64(len(old.data))
	}
	delete(from.now, oldBase)
	to.now[newBase] = i
	if i.dir {
		// Whichever name survives a crash, the directory's own content is the same.
		f.dirs[newname] = f.dirs[oldname]
	}
	f.changed(OpRename, newname)
	return nil
}

// Link implements format.FS.
func (f *FS) Link(oldname, newname string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.do(OpLink, newname); err != nil {
		return err
	}
	i, err := f.file(oldname)
	if err != nil {
		return err
	}
	to, base, err := f.parent(newname)
	if err != nil {
		return err
	}
	if to.now[base] != nil {
		return &fs.PathError{Op: "link", Path: newname, Err: fs.ErrExist}
	}
	i.links++
	to.now[base] = i
	f.changed(OpLink, newname)
	return nil
}

// Lock implements format.FS. A crash or a kill frees it.
func (f *FS) Lock(dir string) (io.Closer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.do(OpLock, dir); err != nil {
		return nil, err
	}
	if f.lookup(dir) == nil {
		return nil, &fs.PathError{Op: "lock", Path: dir, Err: fs.ErrNotExist}
	}
	if f.locked[dir] {
		return nil, &format.LockedError{Dir: dir}
	}
	if f.locked == nil {
		f.locked = map[string]bool{}
	}
	f.locked[dir] = true
	return &lock{f, dir}, nil
}

type lock struct {
	fs  *FS
	dir string
}

func (l *lock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.locked, l.dir)
	return nil
}

// Remove implements format.FS.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.do(OpRemove, name); err != nil {
		return err
	}
	d, base, err := f.parent(name)
	if err != nil {
		return err
	}
	i := d.now[base]
	if i == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	if i.dir && len(f.dirs[name].now) > 0 {
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
	}
	if i.links > 0 {
		i.links--
	} else {
		f.space += int64(len(i.data))
	}
	delete(d.now, base)
	f.changed(OpRemove, name)
	return nil
}

// SyncDir implements format.FS.
func (f *FS) SyncDir(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.do(OpSyncDir, name); err != nil {
		return err
	}
	d := f.lookup(name)
	if d == nil {
		return &fs.PathError{Op: "syncdir", Path: name, Err: fs.ErrNotExist}
	}
	d.durable = maps.Clone(d.now)
	f.changed(OpSyncDir, name)
	return nil
}

// handle is an open file.
type handle struct {
	fs     *FS
	name   string
	inode  *inode
	closed bool
}

func (h *handle) Write(p []byte) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed {
		return 0, fs.ErrClosed
	}
	if fault := h.fs.fault(OpWrite, h.name); fault != nil {
		n := min(fault.Short, len(p))
		h.inode.data = append(h.inode.data, p[:n]...)
		if fault.Err == nil {
			return n, io.ErrShortWrite
		}
		return n, &fs.PathError{Op: "write", Path: h.name, Err: fault.Err}
	}
	if h.fs.bound && int64(len(p)) > h.fs.space {
		n := int(max(h.fs.space, 0))
		h.inode.data = append(h.inode.data, p[:n]...)
		h.fs.space -= int64(n)
		return n, &fs.PathError{Op: "write", Path: h.name, Err: syscall.ENOSPC}
	}
	h.fs.space -= int64(len(p))
	h.inode.data = append(h.inode.data, p...)
	h.fs.changed(OpWrite, h.name)
	return len(p), nil
}

func (h *handle) Sync() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed {
		return fs.ErrClosed
	}
	if err := h.fs.do(OpSync, h.name); err != nil {
		return err
	}
	h.inode.synced = len(h.inode.data)
	h.fs.changed(OpSync, h.name)
	return nil
}

func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed {
		return 0, fs.ErrClosed
	}
	if err := h.fs.do(OpRead, h.name); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	if off >= int64(len(h.inode.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.inode.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) Size() (int64, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	return int64(len(h.inode.data)), nil
}

func (h *handle) Close() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed {
		return fs.ErrClosed
	}
	h.closed = true
	return nil
}
