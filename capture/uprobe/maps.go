//go:build linux && (amd64 || arm64)

package uprobe

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format"
)

// fileID is what the lines of /proc/PID/maps call a file. The path is part of it, since the number of a file that was removed
// may be given to another.
type fileID struct {
	device string
	inode  uint64
	path   string
}

// mapping is an executable mapping of a file.
type mapping struct {
	id   fileID
	span string // name in map_files
}

// mapped returns the files that a process maps executable, each once.
func mapped(root string, pid format.PID) ([]mapping, error) {
	f, err := os.Open(procPath(root, pid, "maps"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []mapping
	seen := map[fileID]bool{}
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 0, 4096), 1<<20)
	for lines.Scan() {
		m, ok := parseMapping(lines.Bytes())
		if ok && !seen[m.id] {
			seen[m.id] = true
			all = append(all, m)
		}
	}
	return all, lines.Err()
}

// parseMapping reads one line of proc_pid_maps(5): address range, permissions, offset, device, inode, path.
func parseMapping(line []byte) (m mapping, ok bool) {
	var field [5][]byte
	for i := range field {
		line = bytes.TrimLeft(line, " ")
		field[i], line, _ = bytes.Cut(line, []byte(" "))
	}
	path := strings.TrimSuffix(string(bytes.TrimLeft(line, " ")), " (deleted)")
	inode, err := strconv.ParseUint(string(field[4]), 10, 64)
	if err != nil || inode == 0 || len(field[1]) != 4 || field[1][2] != 'x' || !strings.HasPrefix(path, "/") {
		return m, false
	}
	from, to, _ := strings.Cut(string(field[0]), "-")
	span := strings.TrimLeft(from, "0") + "-" + strings.TrimLeft(to, "0") // map_files has no leading zeros
	return mapping{id: fileID{device: string(field[3]), inode: inode, path: path}, span: span}, true
}

func procPath(root string, pid format.PID, name string) string {
	return filepath.Join(root, fmt.Sprint(pid), name)
}

// openMapped opens the file behind a mapping: by the mapping itself, which also leads to a file that was removed or lies in
// another mount namespace; where that is not allowed, by its path in the process's root.
func openMapped(root string, pid format.PID, m mapping) (*os.File, error) {
	f, err := os.Open(procPath(root, pid, "map_files/"+m.span))
	if err == nil {
		return f, nil
	}
	f, byPath := os.Open(procPath(root, pid, "root"+m.id.path))
	if byPath != nil {
		return nil, err
	}
	return f, nil
}

// identify returns what /proc/PID/maps calls a file that is open here, by mapping it.
func identify(f *os.File, path string) (fileID, error) {
	page, err := unix.Mmap(int(f.Fd()), 0, 1, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
	if err != nil {
		return fileID{}, err
	}
	defer func() { _ = unix.Munmap(page) }()
	own, err := os.Open("/proc/self/maps")
	if err != nil {
		return fileID{}, err
	}
	defer own.Close()
	start := fmt.Sprintf("%x-", uintptr(unsafe.Pointer(unsafe.SliceData(page))))
	lines := bufio.NewScanner(own)
	for lines.Scan() {
		if m, ok := parseMapping(lines.Bytes()); ok && strings.HasPrefix(m.span, start) {
			return m.id, nil
		}
	}
	return fileID{}, fmt.Errorf("%s cannot be found in the own mappings", path)
}
