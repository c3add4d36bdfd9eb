//go:build linux && (amd64 || arm64)

package profile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/capture/symbols"
	"github.com/ebpf-reel/reel/capture/unwind"
	"github.com/ebpf-reel/reel/format"
)

// module is something that holds code: a file, the kernel, memory that a process fills itself.
type module struct {
	row   format.Module
	image *symbols.Image // nil: there is none, or it could not be read
	table *unwind.Table  // nil: none

	stored bool            // its row is in the reel
	named  map[uint64]bool // symbols that are
}

// fileKey is what tells files apart.
type fileKey struct {
	dev   string
	inode uint64
}

// modules are those that were met. Files stay open, so that one that is deleted or replaced keeps its names.
type modules struct {
	files  map[fileKey]*module
	jit    map[format.PID]*module
	other  map[string]*module // by name: [vsyscall]
	nextID format.ModuleID
	full   uint64 // files beyond maxModules
}

// named returns the module of a name that is no file's.
func (m *modules) named(kind format.ModuleKind, name string) *module {
	mod := m.other[name]
	if mod == nil {
		mod = m.make(kind, 0, name)
		m.other[name] = mod
	}
	return mod
}

// forget makes all be stored again.
func (m *modules) forget() {
	again := func(mod *module) {
		mod.stored = false
		clear(mod.named)
	}
	for _, mod := range m.files {
		again(mod)
	}
	for _, mod := range m.jit {
		again(mod)
	}
	for _, mod := range m.other {
		again(mod)
	}
}

// maxModules bounds the files that are open at once.
const maxModules = 4096

func newModules() *modules {
	return &modules{files: map[fileKey]*module{}, jit: map[format.PID]*module{}, other: map[string]*module{}}
}

func (m *modules) make(kind format.ModuleKind, pid format.PID, path string) *module {
	m.nextID++
	return &module{row: format.Module{ID: m.nextID, Kind: kind, PID: pid, Path: path}, named: map[uint64]bool{}}
}

// of returns the module of a mapping. Its file is opened when a stack touches it, by load.
func (m *modules) of(pid, parent format.PID, line *mapLine) *module {
	switch {
	case line.path == "[vdso]":
		vdso := m.named(format.ModuleVDSO, line.path)
		if vdso.image == nil && vdso.row.Error == "" {
			vdso.image, vdso.row.Error = openVDSO()
			vdso.describe()
		}
		return vdso
	case line.inode == 0 && strings.HasPrefix(line.path, "[") && !strings.HasPrefix(line.path, "[anon") && line.path != "[heap]" && line.path != "[stack]":
		return m.named(format.ModuleUnknown, line.path)
	case line.inode == 0:
		if m.jit[pid] == nil {
			m.jit[pid] = m.make(format.ModuleJIT, pid, "[jit]")
		}
		return m.jit[pid]
	}
	key := fileKey{line.dev, line.inode}
	if f := m.files[key]; f != nil {
		return f
	}
	f := m.make(format.ModuleELF, pid, line.path)
	if len(m.files) >= maxModules {
		m.full++
		f.row.Error = fmt.Sprintf("more than %d files have code", maxModules)
		return f
	}
	m.files[key] = f
	f.open(pid, parent, line)
	return f
}

// open opens the file of a mapping.
func (mod *module) open(pid, parent format.PID, line *mapLine) {
	f, size, err := openMapped(pid, parent, line)
	if err == nil {
		mod.row.Bytes = uint64(size)
		mod.image, err = symbols.Open(f, size)
	}
	if err != nil {
		mod.row.Kind = format.ModuleUnknown
		mod.row.Error = reason(err)
		return
	}
	mod.describe()
}

// reason is an error without the path of /proc that it happened at.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

func (mod *module) describe() {
	im := mod.image
	if im == nil {
		return
	}
	r := &mod.row
	r.BuildID, r.BuildIDKind = im.BuildID, im.BuildIDKind
	r.Symbols, r.Names, r.Error = uint32(im.Symbols), im.Names, im.Trouble()
	table, err := readTable(im)
	if err != nil {
		r.Error = strings.Join(append([]string{r.Error}[:min(1, len(r.Error))], err.Error()), "; ")
	}
	mod.table = table
}

// readTable reads the unwind table of a file, which may be hostile.
func readTable(im *symbols.Image) (t *unwind.Table, err error) {
	defer func() {
		if p := recover(); p != nil {
			t, err = nil, fmt.Errorf(".eh_frame: %v", p)
		}
	}()
	return unwind.NewTable(im.ELF())
}

// openMapped opens the very file that is mapped, also one that has another name by now or none.
func openMapped(pid, parent format.PID, line *mapLine) (*os.File, int64, error) {
	f, err := openRegular(unix.AT_FDCWD, fmt.Sprintf("/proc/%d/map_files/%x-%x", pid, line.start, line.end), 0)
	if err != nil {
		f, err = openInRoot(fmt.Sprintf("/proc/%d/root", pid), line)
	}
	if err != nil && parent != 0 { // a process that has ended saw what its parent sees
		f, err = openInRoot(fmt.Sprintf("/proc/%d/root", parent), line)
	}
	if err != nil {
		f, err = openInRoot("/", line)
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// openInRoot opens it by its name as the process sees it. The name is the process's to choose: it is resolved below its root, and
// what is found there must be the file that is mapped.
func openInRoot(dir string, line *mapLine) (*os.File, error) {
	if line.deleted {
		return nil, fs.ErrNotExist
	}
	root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(root) }()
	f, err := openRegular(root, line.path, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Ino != line.inode {
		f.Close()
		return nil, errors.New("another file has its name by now")
	}
	return f, nil
}

// openRegular opens a regular file and nothing else: to open a device or a pipe may do something.
func openRegular(dir int, path string, resolve uint64) (*os.File, error) {
	fd, err := unix.Openat2(dir, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: resolve})
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, errors.New("it is no regular file")
	}
	return os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDONLY|unix.O_NOCTTY, 0)
}

// openVDSO reads the vdso of this process: the kernel gives all of them the same.
func openVDSO() (*symbols.Image, string) {
	var found mapLine
	if err := readMaps(format.PID(os.Getpid()), func(l mapLine) {
		if l.path == "[vdso]" {
			found = l
		}
	}); err != nil {
		return nil, reason(err)
	}
	const maxVDSO = 1 << 20
	if found.end == 0 || found.end-found.start > maxVDSO {
		return nil, "this process has none"
	}
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		return nil, reason(err)
	}
	defer mem.Close()
	data := make([]byte, found.end-found.start)
	if _, err := mem.ReadAt(data, int64(found.start)); err != nil {
		return nil, reason(err)
	}
	im, err := symbols.Open(memory{bytes.NewReader(data)}, int64(len(data)))
	if err != nil {
		return nil, err.Error()
	}
	return im, ""
}

// memory is a file that was read whole.
type memory struct{ io.ReaderAt }

func (memory) Close() error { return nil }

// address turns an address of a process into one of the module.
func (r *codeRange) address(addr uint64) uint64 {
	mod := r.module
	if mod.image == nil {
		if mod.row.Kind == format.ModuleJIT {
			return addr
		}
		return addr - r.start + r.offset
	}
	if v, ok := mod.image.Address(addr - r.start + r.offset); ok {
		return v
	}
	return addr - r.start + r.offset
}

// close closes all files.
func (m *modules) close() {
	for _, f := range m.files {
		if f.image != nil {
			_ = f.image.Close() // it was only read
		}
	}
}
