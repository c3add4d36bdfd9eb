//go:build linux && (amd64 || arm64)

package profile

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/ebpf-reel/reel/format"
)

// space is the code in the memory of one process.
type space struct {
	pid    format.PID
	ranges []codeRange // by address, apart from each other
	parent format.PID
	read   format.KTime // when /proc was read
	tried  format.KTime // when it was last tried, for an address that is in no range
	gone   bool         // /proc has it no more
}

// codeRange is a mapping that may be executed.
type codeRange struct {
	start, end uint64
	offset     uint64 // in the file
	path       string
	module     *module
	stored     bool // its row is in the reel
}

// maxRanges bounds the code ranges of one process; more are not kept.
const maxRanges = 1 << 16

func (s *space) find(addr uint64) *codeRange {
	i, ok := slices.BinarySearchFunc(s.ranges, addr, func(r codeRange, addr uint64) int {
		switch {
		case addr < r.start:
			return 1
		case addr >= r.end:
			return -1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &s.ranges[i]
}

// add puts a range over those that it overlaps, as a new mapping does.
func (s *space) add(r codeRange) {
	if r.start >= r.end || len(s.ranges) >= maxRanges {
		return
	}
	kept := s.ranges[:0:0]
	for _, old := range s.ranges {
		if old.end <= r.start || old.start >= r.end {
			kept = append(kept, old)
			continue
		}
		if old.start < r.start {
			head := old
			head.end = r.start
			kept = append(kept, head)
		}
		if old.end > r.end {
			tail := old
			tail.offset += r.end - old.start
			tail.start = r.end
			kept = append(kept, tail)
		}
	}
	s.ranges = append(kept, r)
	slices.SortFunc(s.ranges, func(a, b codeRange) int { return cmp.Compare(a.start, b.start) })
}

// fork returns the same space for a child.
func (s *space) fork(pid format.PID) *space {
	child := &space{pid: pid, parent: s.pid, ranges: slices.Clone(s.ranges), read: s.read}
	for i := range child.ranges {
		child.ranges[i].stored = false
	}
	return child
}

// keepStored takes over which ranges are in the reel.
func (s *space) keepStored(old []codeRange) {
	for _, o := range old {
		if r := s.find(o.start); r != nil && o.stored && r.start == o.start && r.end == o.end && r.offset == o.offset && r.module == o.module {
			r.stored = true
		}
	}
}

// mapLine is an executable line of /proc/PID/maps.
type mapLine struct {
	start, end, offset uint64
	dev                string
	inode              uint64
	path               string // "" anonymous
	deleted            bool
}

// parseMapLine reads one line; ok is false for a mapping without code.
func parseMapLine(line []byte) (m mapLine, ok bool) {
	fields := bytes.Fields(line[:min(len(line), 128)])
	if len(fields) < 5 || len(fields[1]) < 3 || fields[1][2] != 'x' {
		return m, false
	}
	from, to, _ := bytes.Cut(fields[0], []byte("-"))
	var errs [4]error
	m.start, errs[0] = strconv.ParseUint(string(from), 16, 64)
	m.end, errs[1] = strconv.ParseUint(string(to), 16, 64)
	m.offset, errs[2] = strconv.ParseUint(string(fields[2]), 16, 64)
	m.inode, errs[3] = strconv.ParseUint(string(fields[4]), 10, 64)
	for _, err := range errs {
		if err != nil {
			return m, false
		}
	}
	m.dev = string(fields[3])
	// The path is the rest behind the inode, whatever it holds; the kernel writes a newline in it as \012.
	rest := line
	for range 5 {
		rest = bytes.TrimLeft(rest, " ")
		i := bytes.IndexByte(rest, ' ')
		if i < 0 {
			rest = nil
			break
		}
		rest = rest[i:]
	}
	m.path = strings.TrimLeft(string(rest), " ")
	m.path = strings.ReplaceAll(m.path, `\012`, "\n")
	m.path, m.deleted = strings.CutSuffix(m.path, " (deleted)")
	return m, true
}

// readMaps calls fn with each executable mapping of a process.
func readMaps(pid format.PID, fn func(mapLine)) error {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewReaderSize(f, 16<<10)
	for n := 0; n < maxRanges; n++ {
		line, err := lines.ReadSlice('\n')
		if len(line) == 0 && err != nil {
			break
		}
		if m, ok := parseMapLine(bytes.TrimSuffix(line, []byte("\n"))); ok {
			fn(m)
		}
	}
	return nil
}
