//go:build linux && (amd64 || arm64)

package doctor

import (
	"bytes"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format"
)

// Capability is one of Linux's (capabilities(7)), by its number.
type Capability uint

// Set is a set of capabilities, as /proc/PID/status prints it.
type Set uint64

// Has reports whether the set holds c, or CAP_SYS_ADMIN where that stands for c.
func (s Set) Has(c Capability) bool {
	if s>>c&1 == 1 {
		return true
	}
	switch c {
	case unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_CHECKPOINT_RESTORE, unix.CAP_SYSLOG: // split off from it by Linux 5.8, 5.9 and 2.6.37
		return s>>unix.CAP_SYS_ADMIN&1 == 1
	}
	return false
}

// A need is a capability that a capture makes use of.
type need struct {
	capability Capability
	name       string
	required   bool
	lost       string // without it
}

var needs = []need{
	{unix.CAP_BPF, "CAP_BPF", true, "everything: programs cannot be loaded into the kernel"},
	{unix.CAP_PERFMON, "CAP_PERFMON", true, "everything: programs may not read what a hook shows them"},
	{unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE", false, "path and namespaces of other users' processes"},
	{unix.CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", false, "names of containers and pods, where the files of their runtime are root's"},
	{unix.CAP_CHECKPOINT_RESTORE, "CAP_CHECKPOINT_RESTORE", false, "nothing in this version: binaries that were replaced while they run will be read by it"},
	{unix.CAP_SYSLOG, "CAP_SYSLOG", false, "nothing in this version: functions of the kernel in stacks will be named by it"},
}

// Effective reads the capabilities that count from /proc/PID/status.
func Effective(status []byte) Set {
	return capabilityLine(status, "CapEff:")
}

func capabilityLine(status []byte, name string) Set {
	for line := range bytes.Lines(status) {
		if hex, ok := bytes.CutPrefix(line, []byte(name)); ok {
			set, _ := strconv.ParseUint(string(bytes.TrimSpace(hex)), 16, 64)
			return Set(set)
		}
	}
	return 0
}

// MissingRequired names what no capture can do without and s does not have.
func (s Set) MissingRequired() (missing []string) {
	for _, n := range needs {
		if n.required && !s.Has(n.capability) {
			missing = append(missing, n.name)
		}
	}
	return missing
}

// Grant is how to give a binary all that a capture makes use of.
const Grant = "setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep reel"

func (n node) capabilities() (checks []format.Check) {
	status, err := n.read("proc/self/status")
	set := Effective(status)
	for _, need := range needs {
		c := format.Check{Name: need.name, State: format.CheckOK, Found: "effective"}
		switch {
		case err != nil:
			c.State, c.Found, c.Lost = format.CheckLimited, "not known: "+err.Error(), need.lost
		case set.Has(need.capability):
		default:
			c.State, c.Found, c.Lost = format.CheckLimited, "not effective", need.lost
			c.Remedy = "run reel as root, or give the binary what it needs: " + Grant
			if need.required {
				c.State = format.CheckBlocked
			} else if strings.HasPrefix(need.lost, "nothing") {
				c.State, c.Remedy = format.CheckOK, ""
			}
		}
		checks = append(checks, c)
	}
	return checks
}
