//go:build linux && (amd64 || arm64)

package bpf

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// UnsupportedError says that this machine, or this user on it, cannot run the programs.
type UnsupportedError struct {
	What string // that was attempted: "load the program sys_exit"
	Why  string // that it was refused: "the kernel has no BTF"
	Do   string // what the user can do about it
	Err  error  // of the kernel
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("cannot %s: %s; %s", e.What, e.Why, e.Do)
}

func (e *UnsupportedError) Unwrap() error { return e.Err }

// btfPath is where the kernel describes its own types.
const btfPath = "/sys/kernel/btf/vmlinux"

// explain turns an error of the kernel into an UnsupportedError where its cause is known, else it wraps it.
func explain(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) && !verifierRefused(err):
		return &UnsupportedError{what, "the kernel refused (" + unix.EPERM.Error() + ")",
			"run as root, or give the program CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE; " +
				"in a container also check its seccomp profile and kernel lockdown", err}
	case errors.Is(err, unix.ENOMEM):
		return &UnsupportedError{what, "not enough memory for the kernel's rings", "choose a smaller ring", err}
	case errors.Is(err, ebpf.ErrNotSupported):
		if _, statErr := os.Stat(btfPath); statErr != nil {
			return noBTF(what, err)
		}
		return &UnsupportedError{what, "this kernel is too old", "Linux 5.10 or later is needed", err}
	}
	return fmt.Errorf("cannot %s: %w", what, err)
}

func verifierRefused(err error) bool {
	var v *ebpf.VerifierError
	return errors.As(err, &v)
}

func noBTF(what string, err error) *UnsupportedError {
	return &UnsupportedError{what, "the kernel does not describe its types (no " + btfPath + ")",
		"boot a kernel built with CONFIG_DEBUG_INFO_BTF=y", err}
}
