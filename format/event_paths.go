package format

import (
	"bytes"
	"slices"
	"strings"

	"github.com/ebpf-reel/reel/format/wire"
)

// cutPath stands for the first directories of a path that has more than were recorded.
const cutPath = "..."

// joinParts makes a path of its parts, the last first, each ended by NUL (struct proc_event of event.h).
func joinParts(b []byte, cut bool) string {
	parts := strings.Split(string(bytes.TrimSuffix(b, []byte{0})), "\x00")
	slices.Reverse(parts)
	path := "/" + strings.Join(parts, "/")
	if cut {
		return cutPath + path
	}
	return path
}

// exePath writes a path as readlink of /proc/PID/exe gives it.
func exePath(b []byte, flags uint16) string {
	if len(b) == 0 {
		return ""
	}
	path := joinParts(b, flags&wire.ProcExeCut != 0)
	if flags&wire.ProcExeDeleted != 0 {
		path += " (deleted)"
	}
	return path
}

// cgroupPath picks the path that says more of a process: where v1 and v2 are mounted side by side, one of them is often the
// root, or the service that started a container. A record of schema 1 has none.
func cgroupPath(v2, v1 []byte, e *wire.ProcEvent) string {
	if len(v1) > len(v2) {
		v2 = v1
	}
	if len(v2) == 0 && e.NSPID == 0 {
		return ""
	}
	return joinParts(v2, e.Flags&wire.ProcCgroupCut != 0)
}
