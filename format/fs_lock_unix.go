//go:build unix && !solaris && !aix

package format

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Lock takes an exclusive flock(2) on the directory itself: no file is left by it, and it ends with the process.
func (OS) Lock(dir string) (io.Closer, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil {
		return d, nil
	}
	_ = d.Close()
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, &LockedError{Dir: dir}
	case errors.Is(err, syscall.EBADF), errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EINVAL):
		return nil, fmt.Errorf("lock %s: %w: %w", dir, errors.ErrUnsupported, err) // NFS locks no directories
	}
	return nil, fmt.Errorf("lock %s: %w", dir, err)
}
