//go:build linux && (amd64 || arm64)

package profile

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format"
)

// stream is what the kernel tells of executable mappings as they are made, on all CPUs and of all processes: a process that lives
// for milliseconds would be gone before its /proc could be read.
type stream struct {
	rings   []*mapRing
	records []mapRecord
	lost    uint64
}

// mapRing is the ring of one CPU's perf event (struct perf_event_mmap_page and the data behind it).
type mapRing struct {
	fd   int
	page []byte
	data []byte
	tmp  []byte // a record that wraps
}

// mapRecord is one record.
type mapRecord struct {
	kind   recordKind
	at     format.KTime
	pid    format.PID
	parent format.PID // of a fork
	line   mapLine    // of a mapping
}

type recordKind uint8

const (
	recordMap recordKind = iota
	recordExec
	recordFork
)

const (
	streamBytes = 128 << 10 // of each CPU: 1,000 mappings
	maxPending  = 4096      // records of processes that are not known yet
)

// openStream begins to listen. Where that is refused, mappings are read from /proc alone.
func openStream() (_ *stream, err error) {
	s := &stream{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return nil, err
	}
	cpus, err := parseCPUs(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, err
	}
	for _, cpu := range cpus {
		const clockMonotonic = 1
		attr := unix.PerfEventAttr{
			Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_DUMMY, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
			Sample_type: unix.PERF_SAMPLE_TIME, Clockid: clockMonotonic,
			Bits: unix.PerfBitMmap | unix.PerfBitMmap2 | unix.PerfBitComm | unix.PerfBitCommExec | unix.PerfBitTask | unix.PerfBitSampleIDAll | unix.PerfBitUseClockID,
		}
		fd, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if err != nil {
			return nil, fmt.Errorf("listen to mappings on CPU %d: %w", cpu, err)
		}
		r := &mapRing{fd: fd}
		s.rings = append(s.rings, r)
		page := os.Getpagesize()
		if r.page, err = unix.Mmap(fd, 0, page+streamBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
			return nil, fmt.Errorf("listen to mappings on CPU %d: %w", cpu, err)
		}
		r.data = r.page[page:]
	}
	return s, nil
}

// parseCPUs reads a list such as "0-3,8".
func parseCPUs(text string) (cpus []int, err error) {
	for span := range strings.SplitSeq(text, ",") {
		var a, b int
		if n, _ := fmt.Sscanf(span, "%d-%d", &a, &b); n == 1 {
			b = a
		} else if n != 2 {
			return nil, fmt.Errorf("%q is no list of CPUs", text)
		}
		for c := a; c <= b && c < 1<<16; c++ {
			cpus = append(cpus, c)
		}
	}
	return cpus, nil
}

func (s *stream) close() {
	for _, r := range s.rings {
		if r.page != nil {
			_ = unix.Munmap(r.page) // nothing is left in it that anybody waits for
		}
		_ = unix.Close(r.fd)
	}
}

// read returns what came since the last time, in the order of time. The records are valid until the next call.
func (s *stream) read() []mapRecord {
	s.records = s.records[:0]
	for _, r := range s.rings {
		r.drain(s)
	}
	slices.SortStableFunc(s.records, func(a, b mapRecord) int { return cmp.Compare(a.at, b.at) })
	return s.records
}

// Where struct perf_event_mmap_page keeps the positions of the writer and of the reader.
const (
	headOffset = 1024
	tailOffset = 1032
)

func (r *mapRing) drain(s *stream) {
	head := (*atomic.Uint64)(unsafe.Pointer(&r.page[headOffset])).Load()
	tailAt := (*atomic.Uint64)(unsafe.Pointer(&r.page[tailOffset]))
	tail := tailAt.Load()
	if head == tail {
		return
	}
	size := uint64(len(r.data))
	for tail < head {
		h := r.bytes(tail, 8)
		n := uint64(binary.LittleEndian.Uint16(h[6:]))
		if n < 8 || n > head-tail || n > size {
			tail = head
			break
		}
		s.record(r.bytes(tail, n))
		tail += n
	}
	tailAt.Store(tail)
}

// bytes returns n bytes from a position on.
func (r *mapRing) bytes(at, n uint64) []byte {
	off := at % uint64(len(r.data))
	if off+n <= uint64(len(r.data)) {
		return r.data[off : off+n]
	}
	r.tmp = append(append(r.tmp[:0], r.data[off:]...), r.data[:off+n-uint64(len(r.data))]...)
	return r.tmp
}

// Records of perf_event_open(2).
const (
	perfLost        = 2
	perfComm        = 3
	perfFork        = 7
	perfMmap2       = 10
	miscCommExec    = 1 << 13
	miscBuildID     = 1 << 14
	mmap2Path       = 72
	protExec        = 4
	streamTimeBytes = 8 // at the end of each record: its time
)

func (s *stream) record(b []byte) {
	typ, misc := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:])
	if typ == perfLost {
		if len(b) >= 24 {
			s.lost += binary.LittleEndian.Uint64(b[16:])
		}
		return
	}
	if len(b) < 16+streamTimeBytes {
		return
	}
	rec := mapRecord{at: format.KTime(binary.LittleEndian.Uint64(b[len(b)-streamTimeBytes:])), pid: format.PID(binary.LittleEndian.Uint32(b[8:]))}
	switch typ {
	case perfComm:
		if misc&miscCommExec == 0 {
			return
		}
		rec.kind = recordExec
	case perfFork:
		rec.kind, rec.parent = recordFork, format.PID(binary.LittleEndian.Uint32(b[12:]))
		if rec.parent == rec.pid { // a thread
			return
		}
	case perfMmap2:
		if len(b) < mmap2Path+streamTimeBytes || misc&miscBuildID != 0 || binary.LittleEndian.Uint32(b[64:])&protExec == 0 {
			return
		}
		l := &rec.line
		l.start = binary.LittleEndian.Uint64(b[16:])
		l.end = l.start + binary.LittleEndian.Uint64(b[24:])
		l.offset = binary.LittleEndian.Uint64(b[32:])
		l.dev = fmt.Sprintf("%02x:%02x", binary.LittleEndian.Uint32(b[40:]), binary.LittleEndian.Uint32(b[44:]))
		l.inode = binary.LittleEndian.Uint64(b[48:])
		path, _, _ := bytes.Cut(b[mmap2Path:len(b)-streamTimeBytes], []byte{0})
		l.path = string(path)
		if l.path == "//anon" {
			l.path = ""
		}
		l.path, l.deleted = strings.CutSuffix(l.path, " (deleted)")
	default:
		return
	}
	s.records = append(s.records, rec)
}
