package format

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// journalBuffer is what is appended before it is written: one write(2) for about a thousand records.
const journalBuffer = 256 << 10

// journal is one journal that is being appended to. Its owner's lock guards all but file and what stands beside it: a write or a
// sync may take long, and appending must not wait for it. So there are two buffers: one is filled while the other is written.
type journal struct {
	number  int
	name    string
	seed    uint32
	buf     []byte
	size    int64 // written and buffered
	frames  int64
	created time.Time
	dirty   bool // written since the last sync began

	writeMu sync.Mutex // held while the file is written: taken with the owner's lock held, never the other way round
	other   []byte     // the buffer that is not filled
	failed  error      // of the first write that did: nothing may follow what is not whole

	syncMu sync.Mutex // held while the file is synced or closed
	file   AppendFile
	named  bool // flushLoop: the directory was synced since the file was made
}

// buffers are those of a journal, for the next one.
type buffers struct{ fill, other []byte }

// createJournal makes journal n of a reel. Its name lasts once the directory is synced.
func createJournal(fsys FS, dir, uuid string, n int, now time.Time, spare buffers) (*journal, error) {
	h, err := journalHeader(uuid, n)
	if err != nil {
		return nil, err
	}
	f, err := fsys.Create(join(dir, journalName(n)))
	if err != nil {
		return nil, diskError(journalName(n), err)
	}
	if spare.fill == nil {
		spare.fill = make([]byte, 0, journalBuffer)
	}
	return &journal{
		number: n, name: journalName(n), file: f, created: now, size: journalHeaderSize,
		seed: binary.LittleEndian.Uint32(h[60:]), buf: append(spare.fill[:0], h[:]...), other: spare.other,
	}, nil
}

// fits reports whether append would not have to write for such a body, or whether room cannot be made for it.
func (j *journal) fits(body []byte) bool {
	n := frameHeaderSize + len(body)
	return len(j.buf)+n <= cap(j.buf) || n > cap(j.buf)
}

// append adds one frame. Where the buffer has no room for it, it writes; it allocates only for a frame larger than that.
func (j *journal) append(kind frameKind, body []byte) error {
	n := frameHeaderSize + len(body)
	if len(j.buf)+n > cap(j.buf) {
		if err := j.write(); err != nil {
			return err
		}
	}
	if n > cap(j.buf) {
		j.writeMu.Lock()
		err := j.put(appendFrame(nil, j.seed, kind, body))
		j.writeMu.Unlock()
		if err != nil {
			return err
		}
		j.dirty = true
	} else {
		start := len(j.buf)
		j.buf = j.buf[:start+n]
		copy(j.buf[start+frameHeaderSize:], body)
		sealFrame(j.buf[start:], j.seed, kind)
	}
	j.size += int64(n)
	j.frames++
	return nil
}

// write hands what was appended to the file. Nobody can append meanwhile: for what is rare, and for ends.
func (j *journal) write() error {
	j.writeMu.Lock()
	defer j.writeMu.Unlock()
	if err := j.put(j.buf); err != nil {
		return err
	}
	j.dirty = j.dirty || len(j.buf) > 0
	j.buf = j.buf[:0]
	return nil
}

// writeApart does the same while others append: it lets go of the owner's lock, which is held again when it returns. What the owner
// keeps may be another by then. It waits with the lock held only if the other buffer is still being written.
func (j *journal) writeApart(owner *sync.Mutex) error {
	j.writeMu.Lock()
	full := j.buf
	if j.other == nil {
		j.other = make([]byte, 0, journalBuffer)
	}
	j.buf = j.other[:0]
	owner.Unlock()
	err := j.put(full)
	j.other = full
	j.writeMu.Unlock()
	owner.Lock()
	j.dirty = j.dirty || len(full) > 0
	return err
}

// put writes to the file. writeMu is held.
func (j *journal) put(b []byte) error {
	if j.failed != nil || len(b) == 0 {
		return j.failed
	}
	n, err := j.file.Write(b)
	if err == nil && n < len(b) {
		err = fmt.Errorf("%d of %d bytes were written", n, len(b))
	}
	j.failed = diskError(j.name, err)
	return j.failed
}

// spare returns the buffers of a journal that is written, for the next.
func (j *journal) spare() buffers { return buffers{j.buf, j.other} }

// sync makes what was written last.
func (j *journal) sync() error {
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	if j.file == nil {
		return nil
	}
	return diskError(j.name, j.file.Sync())
}

// close syncs and closes the file; later syncs do nothing.
func (j *journal) close() error {
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Sync()
	if e := j.file.Close(); err == nil {
		err = e
	}
	j.file = nil
	return diskError(j.name, err)
}
