//go:build linux && (amd64 || arm64)

package capture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/bpf"
)

// initialPIDNamespace is the inode number of the pid namespace that the kernel starts with (PROC_PID_INIT_INO of
// include/linux/proc_ns.h). Hooks name processes by their ids there.
const initialPIDNamespace = 0xEFFFFFFC

// preflight refuses early and in plain words what would fail later in strange ones.
func preflight(proc Proc) error {
	inode, err := proc.OwnPIDNamespace()
	if err != nil || inode != initialPIDNamespace {
		// Without an entry of ours, /proc is that of a pid namespace that does not hold us.
		return &RefusedError{
			Why: "reel runs inside a pid namespace, where processes have other ids than in the kernel",
			Do:  "run it on the host, or in a container that shares the host's pid namespace (docker run --pid=host, hostPID: true)",
			Err: err,
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	if missing := missingCapabilities(status); len(missing) > 0 {
		return &RefusedError{
			Why: "recording needs privileges that this process lacks (" + strings.Join(missing, ", ") + ")",
			Do:  "run it as root (sudo reel capture ...), or give the binary what it needs: setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep reel",
			Err: unix.EPERM,
		}
	}
	return nil
}

// missingCapabilities names what loading and attaching needs and CapEff of /proc/PID/status does not have. CAP_SYS_ADMIN
// stands for both, as before Linux 5.8.
func missingCapabilities(status []byte) (missing []string) {
	var effective uint64
	for scan := bufio.NewScanner(bytes.NewReader(status)); scan.Scan(); {
		if hex, ok := strings.CutPrefix(scan.Text(), "CapEff:"); ok {
			effective, _ = strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
		}
	}
	has := func(capability uint) bool { return effective>>capability&1 == 1 }
	if has(unix.CAP_SYS_ADMIN) {
		return nil
	}
	if !has(unix.CAP_BPF) {
		missing = append(missing, "CAP_BPF")
	}
	if !has(unix.CAP_PERFMON) {
		missing = append(missing, "CAP_PERFMON")
	}
	return missing
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
