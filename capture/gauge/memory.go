//go:build linux

package gauge

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Memory returns what can still be had without swapping, and how much there is in all: of the node (MemAvailable, MemTotal),
// or of the tightest memory limit of a cgroup that this process is in, if that is less.
func (g *Gauges) Memory() (free, total uint64, err error) {
	const path = "proc/meminfo"
	text, err := g.read(path)
	if err != nil {
		return 0, 0, err
	}
	free, okFree := kilobytes(text, "MemAvailable:")
	total, okTotal := kilobytes(text, "MemTotal:")
	if !okFree || !okTotal {
		return 0, 0, fmt.Errorf("/%s: MemAvailable or MemTotal is missing", path)
	}
	own, err := g.read("proc/self/cgroup")
	if err != nil {
		return free, total, nil //nolint:nilerr // a kernel without cgroups
	}
	for _, h := range g.cgroups {
		for _, dir := range h.levels(g.root, own) {
			limit, room, ok := h.room(dir)
			if ok {
				free, total = min(free, room), min(total, limit)
			}
		}
	}
	return free, total, nil
}

// kilobytes finds "Name:   123 kB".
func kilobytes(text []byte, name string) (uint64, bool) {
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			fields := bytes.Fields(rest)
			if len(fields) == 0 {
				return 0, false
			}
			n, err := strconv.ParseUint(string(fields[0]), 10, 54)
			return n << 10, err == nil
		}
	}
	return 0, false
}

// hierarchy is a mounted hierarchy of cgroups that limits memory.
type hierarchy struct {
	unified bool   // cgroup v2
	point   string // where it is mounted
	top     string // the cgroup that is seen there
}

// memoryHierarchies reads /proc/self/mountinfo (proc(5)); none is no error.
func memoryHierarchies(root string) (found []hierarchy) {
	text, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		// 36 35 98:0 /top /point rw,noatime master:1 - type source options
		left, right, ok := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 5 || len(r) < 3 {
			continue
		}
		h := hierarchy{top: unescape(l[3]), point: unescape(l[4])}
		switch {
		case r[0] == "cgroup2":
			h.unified = true
		case r[0] != "cgroup" || !slices.Contains(strings.Split(r[2], ","), "memory"):
			continue
		}
		found = append(found, h)
	}
	return found
}

// unescape undoes the octal escapes of mountinfo: \040 is a space.
func unescape(s string) string {
	for i := 0; i+3 < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
			s = s[:i] + string([]byte{byte(n)}) + s[i+4:]
		}
	}
	return s
}

// levels returns the folders of this process's cgroup and of those above it, as far as they are seen. own is /proc/self/cgroup.
func (h *hierarchy) levels(root string, own []byte) (dirs []string) {
	for line := range strings.Lines(string(own)) {
		// 4:memory:/path, 0::/path
		part := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(part) < 3 || h.unified != (part[0] == "0" && part[1] == "") ||
			!h.unified && !slices.Contains(strings.Split(part[1], ","), "memory") {
			continue
		}
		below, inside := strings.CutPrefix(part[2], strings.TrimSuffix(h.top, "/"))
		if !inside || below != "" && below[0] != '/' {
			below = "" // in a container that shows another cgroup than its own path says: that one is ours
		}
		for dir := filepath.Clean("/" + below); ; dir = filepath.Dir(dir) {
			dirs = append(dirs, filepath.Join(root, h.point, dir))
			if dir == "/" {
				return dirs
			}
		}
	}
	return nil
}

// room returns the limit of a cgroup and what may still be taken of it: file pages that were not used for long are given
// back at need, as the kernel and Kubernetes count them. ok is false where there is no limit.
func (h *hierarchy) room(dir string) (limit, room uint64, ok bool) {
	names := [...]string{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"} // v1
	if h.unified {
		names = [...]string{"memory.max", "memory.current", "inactive_file"}
	}
	limit, ok = number(filepath.Join(dir, names[0]))
	if !ok || limit >= 1<<62 { // v1 says "none" by the largest number of whole pages
		return 0, 0, false
	}
	used, ok := number(filepath.Join(dir, names[1]))
	if !ok {
		return 0, 0, false
	}
	stat, err := os.ReadFile(filepath.Join(dir, "memory.stat"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, 0, false
	}
	for line := range strings.Lines(string(stat)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == names[2] {
			n, _ := strconv.ParseUint(value, 10, 64)
			used -= min(used, n)
		}
	}
	return limit, limit - min(limit, used), true
}

// number reads a file of one number; "max" is none.
func number(path string) (uint64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}
