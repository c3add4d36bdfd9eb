package format

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// FS is what a reel needs of a file system. Paths are those of the os package. OS is the real one; package formattest has
// one in memory that fails and crashes on demand.
type FS interface {
	// Mkdir makes a directory of mode 0700; fs.ErrExist when something has that name.
	Mkdir(name string) error
	// Create makes a file of mode 0600, to be written from its start to its end; fs.ErrExist when something has that name.
	Create(name string) (AppendFile, error)
	// Open opens a file for reading; fs.ErrNotExist when there is none.
	Open(name string) (ReadFile, error)
	// ReadDir returns the names in a directory, sorted.
	ReadDir(name string) ([]string, error)
	// Rename moves a file or a directory, atomically; a file replaces a file. SyncDir makes it last.
	Rename(oldname, newname string) error
	// Remove deletes a file or an empty directory; fs.ErrNotExist when there is none.
	Remove(name string) error
	// SyncDir makes the names in a directory outlast a crash.
	SyncDir(name string) error
	// Link gives a file a second name; fs.ErrExist when something has that name, errors.ErrUnsupported where a file has only one.
	Link(oldname, newname string) error
	// Lock keeps others from writing into a directory until it is closed, or the process ends: *LockedError while another
	// process has it, errors.ErrUnsupported on a file system without locks.
	Lock(dir string) (io.Closer, error)
}

// AppendFile is a file that is being written.
type AppendFile interface {
	io.Writer
	// Sync makes what was written outlast a crash.
	Sync() error
	Close() error
}

// ReadFile is a file that is being read. It stays readable when its name is removed.
type ReadFile interface {
	io.ReaderAt
	// Size returns the length now: the file may be growing.
	Size() (int64, error)
	Close() error
}

// OS is the file system of the operating system.
type OS struct{}

// Mkdir makes a directory of mode 0700.
func (OS) Mkdir(name string) error { return os.Mkdir(name, 0o700) }

// Create makes a file of mode 0600.
func (OS) Create(name string) (AppendFile, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
}

// Open opens a file for reading.
func (OS) Open(name string) (ReadFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		// A device or a pipe in place of a file would block or never end.
		return 0, &fs.PathError{Op: "read", Path: f.Name(), Err: errors.New("not a regular file")}
	}
	return info.Size(), nil
}

// ReadDir returns the names in a directory, sorted.
func (OS) ReadDir(name string) ([]string, error) {
	entries, err := os.ReadDir(name)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// Rename moves a file or a directory.
func (OS) Rename(oldname, newname string) error { return os.Rename(oldname, newname) }

// Remove deletes a file or an empty directory.
func (OS) Remove(name string) error { return os.Remove(name) }

// SyncDir fsyncs a directory; on Windows, where directories have no fsync, it does nothing.
func (OS) SyncDir(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

// Link makes a hard link, where the file system has them and both names are on it.
func (OS) Link(oldname, newname string) error {
	err := os.Link(oldname, newname)
	if err != nil && (errors.Is(err, syscall.EXDEV) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EMLINK)) {
		return errors.Join(errors.ErrUnsupported, err)
	}
	return err
}

// lockReel locks the directory of a reel for whoever writes it; on a file system without locks nobody is kept out.
func lockReel(fsys FS, dir string) (io.Closer, error) {
	l, err := fsys.Lock(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		return noLock{}, nil
	}
	return l, err
}

type noLock struct{}

func (noLock) Close() error { return nil }

func join(dir, name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }

// writeFile makes a file with data in it that outlasts a crash; one that an earlier crash left there is replaced.
func writeFile(fsys FS, name string, data []byte) error {
	if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := fsys.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// removeDir deletes a directory and the files in it; nothing there is fine.
func removeDir(fsys FS, name string) error {
	names, err := fsys.ReadDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, n := range names {
		if e := fsys.Remove(filepath.Join(name, n)); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return err
	}
	return fsys.Remove(name)
}

func isExist(err error) bool { return errors.Is(err, fs.ErrExist) }

func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

// diskError turns an error of writing a file of the reel into a *DiskFullError if that is what it is.
func diskError(file string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return &DiskFullError{File: file, Err: err}
	}
	return err
}
