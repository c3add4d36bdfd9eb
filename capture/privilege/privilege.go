//go:build linux

// Package privilege turns what a process may do into the least that it still needs: its capabilities, on all threads, and those of
// whatever it starts later.
package privilege

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Set is a set of capabilities (capabilities(7)): bit n is capability n.
type Set uint64

// Of makes a set.
func Of(capabilities ...uint) (s Set) {
	for _, c := range capabilities {
		s |= 1 << c
	}
	return s
}

// ErrCgo means that this binary was built with cgo, where Go does not reach all threads (syscall.AllThreadsSyscall). What
// make build makes is not.
var ErrCgo = errors.New("this build of reel uses cgo, and cannot give up privileges on all of its threads: build it with CGO_ENABLED=0")

// Permitted is what this process may make use of.
func Permitted() (Set, error) {
	_, permitted, err := get()
	return permitted, err
}

// Reduce gives up everything but keep, for good: permitted, effective and inheritable, ambient and (if CAP_SETPCAP is there to do it)
// bounding, on all threads. What is executed from now on gains nothing by its owner or its file (no_new_privs). It returns what is left.
func Reduce(keep Set) (Set, error) {
	effective, permitted, err := get()
	if err != nil {
		return 0, err
	}
	if err := onAllThreads(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil {
		return permitted, fmt.Errorf("clear the ambient capabilities: %w", err)
	}
	if effective>>unix.CAP_SETPCAP&1 == 1 {
		for c := range uint(unix.CAP_LAST_CAP + 1) {
			if keep>>c&1 == 1 {
				continue
			}
			// EINVAL: an older kernel does not have this one.
			if err := onAllThreads(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(c), 0); err != nil && !errors.Is(err, unix.EINVAL) {
				return permitted, fmt.Errorf("drop capability %d from the bounding set: %w", c, err)
			}
		}
	}
	h, d := capUser(permitted&keep, effective&keep)
	err = onAllThreads(unix.SYS_CAPSET, uintptr(unsafe.Pointer(h)), uintptr(unsafe.Pointer(&d[0])), 0)
	runtime.KeepAlive(h)
	runtime.KeepAlive(d)
	if err != nil {
		return permitted, fmt.Errorf("give up capabilities: %w", err)
	}
	if err := onAllThreads(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return permitted & keep, fmt.Errorf("set no_new_privs: %w", err)
	}
	return permitted & keep, nil
}

// CloseToChildren takes care that a program which this thread executes next has no capability from this one: those that are ambient
// would be handed on to it. The caller has locked itself to its thread.
func CloseToChildren() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear the ambient capabilities: %w", err)
	}
	effective, permitted, err := get()
	if err != nil {
		return err
	}
	h, d := capUser(permitted, effective)
	if err := unix.Capset(h, &d[0]); err != nil {
		return fmt.Errorf("clear the inheritable capabilities: %w", err)
	}
	return nil
}

// CanWrite reports whether files in dir could be made and opened with keep and no more. It tries that on a thread of its own.
func CanWrite(dir string, keep Set) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this function, and its capabilities with it
		effective, permitted, err := get()
		if err == nil {
			h, d := capUser(permitted, effective&keep)
			err = unix.Capset(h, &d[0])
		}
		if err == nil {
			err = unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
			// Until the thread is gone it takes part in what all threads do, and must be able to.
			h, d := capUser(permitted, effective)
			err = errors.Join(err, unix.Capset(h, &d[0]))
		}
		result <- err
	}()
	return <-result
}

// get reads the capabilities of this thread; all of a Go program have the same.
func get() (effective, permitted Set, err error) {
	h, d := capUser(0, 0)
	if err := unix.Capget(h, &d[0]); err != nil {
		return 0, 0, fmt.Errorf("read the capabilities: %w", err)
	}
	return Set(d[0].Effective) | Set(d[1].Effective)<<32, Set(d[0].Permitted) | Set(d[1].Permitted)<<32, nil
}

// capUser makes what capget(2) and capset(2) take, for the calling thread.
func capUser(permitted, effective Set) (*unix.CapUserHeader, *[2]unix.CapUserData) {
	return &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &[2]unix.CapUserData{
		{Permitted: uint32(permitted), Effective: uint32(effective)},
		{Permitted: uint32(permitted >> 32), Effective: uint32(effective >> 32)},
	}
}

func onAllThreads(trap, a1, a2, a3 uintptr) error {
	_, _, errno := syscall.AllThreadsSyscall6(trap, a1, a2, a3, 0, 0, 0)
	switch errno {
	case 0:
		return nil
	case syscall.ENOTSUP:
		return ErrCgo
	}
	return errno
}
