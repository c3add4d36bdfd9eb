//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// enterNamespace is the first process of a pid namespace, started in it: it mounts a /proc of that, and becomes another program.
func enterNamespace(args []string) error {
	if os.Getpid() != 1 || len(args) == 0 {
		return errors.New("not the first process of a pid namespace")
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return syscall.Exec(args[0], args, os.Environ())
}

// namespaces are the flags of clone(2) for it.
const namespaces = unix.CLONE_NEWPID | unix.CLONE_NEWNS
