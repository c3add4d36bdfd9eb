//go:build linux

package main

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where the results are gathered, and the port that takes them out.
const (
	resultDir  = "/out"
	resultPort = "/dev/ttyS1"
)

// boot is the first process. It never returns: the machine is switched off.
func boot([]string) error {
	err := mountAll()
	if err == nil {
		err = raiseLoopback()
	}
	if err == nil {
		err = steps()
	}
	if err != nil {
		fmt.Println("guest:", err)
		if err := os.WriteFile(filepath.Join(resultDir, "failed"), []byte(err.Error()), 0o644); err != nil {
			fmt.Println("guest:", err)
		}
	}
	if err := carryOut(); err != nil {
		fmt.Println("guest: carry the results out:", err)
	}
	unix.Sync()
	return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func mountAll() error {
	for _, m := range []struct{ dir, kind string }{
		{"/proc", "proc"}, {"/sys", "sysfs"}, {"/dev", "devtmpfs"}, {"/sys/kernel/tracing", "tracefs"}, {"/sys/fs/cgroup", "cgroup2"},
		{"/tmp", "tmpfs"}, {resultDir, "tmpfs"},
	} {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.dir, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.dir, err)
		}
	}
	// Who is not root passes through it.
	return os.Chmod(resultDir, 0o755)
}

// raiseLoopback is `ip link set lo up`.
func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	_, err = net.InterfaceByName("lo")
	return err
}

// carryOut writes the results as one tar archive to the second serial port. Its end marks that nothing is missing.
func carryOut() error {
	port, err := os.OpenFile(resultPort, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer port.Close()
	if err := rawTerminal(port); err != nil {
		return err
	}
	w := tar.NewWriter(port)
	err = filepath.WalkDir(resultDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || !(info.Mode().IsRegular() || info.IsDir()) || path == resultDir {
			return err
		}
		h, err := tar.FileInfoHeader(info, "")
		if err != nil {
			return err
		}
		h.Name, _ = filepath.Rel(resultDir, path)
		if info.IsDir() {
			h.Name += "/"
		}
		if err := w.WriteHeader(h); err != nil || info.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	})
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return unix.IoctlSetInt(int(port.Fd()), unix.TCSBRK, 1) // tcdrain(3): all of it is on the wire
}

// rawTerminal keeps the line discipline from changing bytes (cfmakeraw(3)).
func rawTerminal(port *os.File) error {
	t, err := unix.IoctlGetTermios(int(port.Fd()), unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B115200
	return unix.IoctlSetTermios(int(port.Fd()), unix.TCSETS, t)
}

// stepClock moves the wall clock.
func stepClock(by int64) error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
		return err
	}
	now.Sec += by
	_, _, errno := unix.Syscall(unix.SYS_CLOCK_SETTIME, unix.CLOCK_REALTIME, uintptr(unsafe.Pointer(&now)), 0)
	if errno != 0 {
		return fmt.Errorf("set the clock: %w", errno)
	}
	return nil
}
