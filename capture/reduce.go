//go:build linux && (amd64 || arm64)

package capture

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/capture/doctor"
	"github.com/ebpf-reel/reel/capture/privilege"
)

// Privileges says what a recorder keeps of what it was given, once it is attached and a command runs.
type Privileges uint8

// The choices.
const (
	PrivilegesKept    Privileges = iota // all: the process has other work too
	PrivilegesReduced                   // what finding, describing and snapshotting later processes needs
	PrivilegesFrozen                    // none
)

// keep is what is kept of them.
func (c *Config) keep() privilege.Set {
	if c.Privileges == PrivilegesFrozen {
		if doctor.KernelBefore(5, 19) { // which lets only CAP_BPF look into a map that is open already
			return privilege.Of(unix.CAP_BPF)
		}
		return 0
	}
	// CAP_SYS_NICE: a sealer that is behind stops to be idle.
	keep := privilege.Of(unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH, unix.CAP_CHECKPOINT_RESTORE, unix.CAP_SYSLOG, unix.CAP_SYS_NICE)
	if c.Limits.CPU > 0 { // the run time of programs is part of what is held, and to measure it takes this
		keep |= privilege.Of(unix.CAP_SYS_ADMIN)
	}
	if c.Flight != nil { // a snap is made where whoever asks says
		keep |= privilege.Of(unix.CAP_DAC_OVERRIDE)
	}
	return keep
}

// reduce gives up what a recorder that is attached needs no more.
func (r *recording) reduce() error {
	if r.cfg.Privileges == PrivilegesKept {
		return nil
	}
	keep := r.cfg.keep()
	if err := privilege.CanWrite(r.cfg.Dir, keep); err != nil {
		return &RefusedError{
			Why: "without its privileges reel could not go on writing to " + r.cfg.Dir + " (" + err.Error() + ")",
			Do:  "choose a directory that this user reaches without them: -w DIR",
			Err: err,
		}
	}
	_, err := privilege.Reduce(keep)
	switch {
	case err == nil:
		return nil
	case r.cfg.Privileges == PrivilegesReduced && errors.Is(err, privilege.ErrCgo): // a build for tests
		return nil
	}
	return &RefusedError{Why: "reel cannot give up its privileges", Do: err.Error(), Err: err}
}
