//go:build linux && (amd64 || arm64)

package capture

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/doctor"
)

// preflight refuses early and in plain words what would fail later in strange ones.
func preflight() error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	if missing := doctor.Effective(status).MissingRequired(); len(missing) > 0 {
		return &RefusedError{
			Why: "recording needs privileges that this process lacks (" + strings.Join(missing, ", ") + ")",
			Do:  "run it as root (sudo reel capture ...), or give the binary what it needs: " + doctor.Grant,
			Err: unix.EPERM,
		}
	}
	return nil
}

// explainLoad makes one sentence of what package bpf says.
func explainLoad(err error) error {
	var unsupported *bpf.UnsupportedError
	if errors.As(err, &unsupported) {
		return &RefusedError{Why: fmt.Sprintf("cannot %s: %s", unsupported.What, unsupported.Why), Do: unsupported.Do, Err: err}
	}
	return &RefusedError{
		Why: fmt.Sprintf("the kernel does not take the probes (%v)", err),
		Do:  "Linux 5.10 or later with BTF is needed; please report this with the output of uname -r",
		Err: err,
	}
}

// requireHooks refuses a capture that would see nothing.
func requireHooks(hooks []bpf.HookResult) error {
	for _, h := range hooks {
		if h.Required && h.Err != nil {
			return &RefusedError{
				Why: fmt.Sprintf("the hook %s cannot be attached, and without it there is nothing to see (%s)", h.Name, h.Purpose),
				Do:  h.Err.Error(),
				Err: h.Err,
			}
		}
	}
	return nil
}
