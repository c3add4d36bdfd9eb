package format

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// entry is one row of a journal: where its frame is, and what its place in the order depends on.
type entry struct {
	time  KTime
	off   int64 // of the frame
	more  int32 // first of its chunks in journalIndex.chunks; -1 none
	cpu   uint16
	table TableID
	kind  frameKind
}

// chunkRef is the frame of one io_more record, and the next one of the same io.
type chunkRef struct {
	off  int64
	next int32
}

// journalIndex is what one pass over a journal finds.
type journalIndex struct {
	file    ReadFile
	name    string
	number  int
	seed    uint32
	size    int64 // that was looked at: the file may be growing
	entries []entry
	chunks  []chunkRef
	cpus    int // that had io
	frames  int64
	skipped int64 // bytes that are no frames
	orphans int64 // chunks whose io is not there
	bad     int64 // whole frames that hold no row
	damage  []Problem
}

// typicalFrame is the length of a frame of small messages: how many entries a journal may have is guessed by it.
const typicalFrame = 256

// pendingIO is the last io of a CPU: the one that chunks can follow.
type pendingIO struct {
	head  eventHead
	entry int32
	last  int32 // its last chunk; -1 none
}

// indexJournal reads a journal once, frame by frame, checks every frame, and sorts its rows. What is damaged is skipped
// and told; only a header that is not this journal's is an error.
func indexJournal(file ReadFile, name, uuid string, number int) (*journalIndex, error) {
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	ix := &journalIndex{file: file, name: name, number: number, size: size}
	if size == 0 {
		return ix, nil // made, and not written to yet
	}
	win := window{file: file, size: size, step: windowBytes}
	off := int64(journalHeaderSize)
	h, err := win.at(0, int(min(size, journalHeaderSize)))
	if err != nil {
		return nil, err
	}
	if ix.seed, err = checkJournalHeader(h, uuid, number); err != nil {
		var tooNew *TooNewError
		if errors.As(err, &tooNew) {
			return nil, err
		}
		corrupt := &CorruptError{File: name, Segment: number, Offset: 0, Err: err}
		if off, err = ix.withoutHeader(&win, uuid); err != nil {
			return nil, err
		}
		if off == size {
			return nil, corrupt
		}
	}
	ix.entries = make([]entry, 0, size/typicalFrame)
	pending := map[uint16]*pendingIO{}
	for off < size {
		n, err := win.frame(off, ix.seed)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			next, err := ix.resync(&win, off)
			if err != nil {
				return nil, err
			}
			off = next
			continue
		}
		frame, err := win.at(off, n)
		if err != nil {
			return nil, err
		}
		ix.frames++
		ix.add(off, frame, pending)
		off += int64(n)
	}
	ix.cpus = len(pending)
	slices.SortFunc(ix.entries, compareEntries)
	return ix, nil
}

// withoutHeader finds the first frame of a journal whose header is damaged: its crc starts with that of the header as it must have
// been, so a frame that is right by it is this journal's. The end of the file is returned when there is none.
func (ix *journalIndex) withoutHeader(win *window, uuid string) (int64, error) {
	h, err := journalHeader(uuid, ix.number)
	if err != nil {
		return 0, err
	}
	ix.seed = binary.LittleEndian.Uint32(h[60:])
	off, _, err := win.next(0, ix.seed)
	if err != nil || off == ix.size {
		return ix.size, err
	}
	ix.skipped += off
	ix.damage = append(ix.damage, Problem{Kind: ProblemGarbage, File: ix.name, Segment: ix.number, Offset: 0, Bytes: off, Loss: off > journalHeaderSize,
		Message: fmt.Sprintf("the journal's header is damaged (%d bytes): the disk or a program did it; all whole records are kept", off),
		Err:     &CorruptError{File: ix.name, Segment: ix.number, Offset: 0, Err: errors.New("no whole header")}})
	return off, nil
}

// compareEntries is the order of rows within a segment (SPEC.md §6): a total one, since offsets differ.
func compareEntries(a, b entry) int {
	if a.time != b.time {
		return cmp.Compare(a.time, b.time)
	}
	if a.table != b.table {
		return cmp.Compare(a.table, b.table)
	}
	if a.cpu != b.cpu {
		return cmp.Compare(a.cpu, b.cpu)
	}
	return cmp.Compare(a.off, b.off)
}

// add files a whole frame.
func (ix *journalIndex) add(off int64, frame []byte, pending map[uint16]*pendingIO) {
	body := frame[frameHeaderSize:]
	kind := frameKind(binary.LittleEndian.Uint16(frame[8:]))
	if kind == frameRow {
		table, time, cpu, err := rowHead(body)
		if err != nil {
			ix.bad++
			return
		}
		ix.entries = append(ix.entries, entry{time: time, off: off, more: -1, cpu: cpu, table: table, kind: kind})
		return
	}
	head, err := readEventHead(body)
	if err != nil {
		ix.bad++
		return
	}
	e := entry{time: head.time, off: off, more: -1, cpu: head.cpu, kind: kind}
	switch head.kind {
	case EventIO, EventDgram:
		e.table = TableIO
		p := pending[head.cpu]
		if p == nil {
			p = new(pendingIO)
			pending[head.cpu] = p
		}
		*p = pendingIO{head: head, entry: int32(len(ix.entries)), last: -1}
	case EventIOMore:
		p := pending[head.cpu]
		if p == nil || p.head.time != head.time || p.head.tid != head.tid {
			ix.orphans++
			return
		}
		c := int32(len(ix.chunks))
		ix.chunks = append(ix.chunks, chunkRef{off: off, next: -1})
		if p.last < 0 {
			ix.entries[p.entry].more = c
		} else {
			ix.chunks[p.last].next = c
		}
		p.last = c
		return
	case EventSock, EventUnix:
		e.table = TableSocket
	case EventProc:
		e.table = TableProcess
		e.cpu = 0
	case EventTCP:
		e.table = TableTCP
	case EventTLSKey:
		e.table = TableTLSKey
	case EventTLS:
		e.table = TableTLS
	default:
		ix.bad++
		return
	}
	ix.entries = append(ix.entries, e)
}

// resync finds the next whole frame after off, or the end, and tells what was skipped.
func (ix *journalIndex) resync(win *window, off int64) (int64, error) {
	p := Problem{File: ix.name, Segment: ix.number, Offset: off, Loss: true}
	next, zeros, err := win.next(off+1, ix.seed)
	if err != nil {
		return 0, err
	}
	p.Bytes = next - off
	ix.skipped += p.Bytes
	first, err := win.at(off, int(min(ix.size-off, frameHeaderSize)))
	if err != nil {
		return 0, err
	}
	n, plausible := frameLength(first)
	switch {
	case next == ix.size && (plausible && off+int64(n) > ix.size || len(first) < frameHeaderSize):
		p.Kind = ProblemTorn
		p.Message = fmt.Sprintf("the last frame is not whole (%d bytes): the recorder was stopped while it wrote, or is still running; all before it is kept", p.Bytes)
	case zeros && first[0] == 0:
		p.Kind = ProblemGarbage
		p.Message = fmt.Sprintf("%d bytes are zero: the machine went down before they reached the disk; all else is kept", p.Bytes)
	default:
		p.Kind = ProblemGarbage
		p.Message = fmt.Sprintf("%d bytes are no frames: the disk or a program damaged them; all else is kept", p.Bytes)
	}
	p.Err = &CorruptError{File: ix.name, Segment: ix.number, Offset: off, Err: errors.New("no whole frame")}
	ix.damage = append(ix.damage, p)
	return next, nil
}

// window reads a file once from its start to its end, and shows a part of it at a time.
type window struct {
	file ReadFile
	size int64
	step int   // bytes read at once, or more where more is asked for
	off  int64 // of data
	data []byte
}

const windowBytes = 1 << 20

// at returns n bytes at off; off+n must be within size. The bytes are valid until the next call. Going back costs a read.
func (w *window) at(off int64, n int) ([]byte, error) {
	if off < w.off || off+int64(n) > w.off+int64(len(w.data)) {
		want := int(min(w.size-off, int64(max(n, w.step))))
		if cap(w.data) < want {
			w.data = make([]byte, want)
		}
		w.data = w.data[:want]
		w.off = off
		if got, err := w.file.ReadAt(w.data, off); got < want {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF // it was longer before
			}
			w.data = w.data[:0]
			return nil, err
		}
	}
	at := int(off - w.off)
	return w.data[at : at+n], nil
}

// frame returns the length of the frame at off, 0 if there is no whole one.
func (w *window) frame(off int64, seed uint32) (int, error) {
	if w.size-off < frameHeaderSize {
		return 0, nil
	}
	h, err := w.at(off, frameHeaderSize)
	if err != nil {
		return 0, err
	}
	n, ok := frameLength(h)
	if !ok || int64(n) > w.size-off {
		return 0, nil
	}
	frame, err := w.at(off, n)
	if err != nil {
		return 0, err
	}
	if !frameWhole(frame, seed) {
		return 0, nil
	}
	return n, nil
}

// resyncWork bounds what is checksummed in search of a frame, as a multiple of the file: bytes that look like frame after
// frame would cost a product of lengths.
const resyncWork = 8

// next returns the offset of the first whole frame at or after off, or the end of the file. zeros tells that all bytes
// skipped are zero.
func (w *window) next(off int64, seed uint32) (_ int64, zeros bool, err error) {
	zeros = true
	budget := resyncWork*w.size + windowBytes
	for ; w.size-off >= frameHeaderSize; off++ {
		// A frame of this version has kind 1 or 2 and then a zero: look for those before looking closer.
		h, err := w.at(off, int(min(w.size-off, 64<<10)))
		if err != nil {
			return 0, false, err
		}
		i := 0
		for ; i+frameHeaderSize <= len(h); i++ {
			if h[i] != 0 {
				zeros = false
			}
			if k := h[i+8]; (k == 1 || k == 2) && h[i+9] == 0 && h[i+10] == 0 && h[i+11] == 0 {
				break
			}
		}
		off += int64(i)
		if i+frameHeaderSize > len(h) {
			off--
			continue
		}
		n, ok := frameLength(h[i:])
		if !ok || int64(n) > w.size-off {
			continue
		}
		if budget -= int64(n); budget < 0 {
			break
		}
		if n, err = w.frame(off, seed); err != nil || n > 0 {
			return off, zeros, err
		}
	}
	if tail := w.size - off; tail > 0 && tail < frameHeaderSize {
		rest, err := w.at(off, int(tail))
		if err != nil {
			return 0, false, err
		}
		zeros = zeros && len(bytes.Trim(rest, "\x00")) == 0
	}
	return w.size, zeros, nil
}
