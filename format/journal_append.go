package format

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// journalBuffer is what is appended before it is written: one write(2) for about a thousand records.
const journalBuffer = 256 << 10

// journal is one journal that is being appended to. The Writer's lock guards all but file, whose Sync and Close syncMu
// guards: a sync may take long, and appending must not wait for it.
type journal struct {
	number  int
	name    string
	seed    uint32
	buf     []byte
	size    int64 // written and buffered
	frames  int64
	created time.Time

	syncMu sync.Mutex
	file   AppendFile
	dirty  bool // Writer's lock: written since the last sync began
	named  bool // flushLoop: the directory was synced since the file was made
}

// createJournal makes journal n of a reel. Its name lasts once the directory is synced.
func createJournal(fsys FS, dir, uuid string, n int, now time.Time, buf []byte) (*journal, error) {
	h, err := journalHeader(uuid, n)
	if err != nil {
		return nil, err
	}
	f, err := fsys.Create(join(dir, journalName(n)))
	if err != nil {
		return nil, diskError(journalName(n), err)
	}
	if buf == nil {
		buf = make([]byte, 0, journalBuffer)
	}
	return &journal{
		number: n, name: journalName(n), file: f, created: now, size: journalHeaderSize,
		seed: binary.LittleEndian.Uint32(h[60:]), buf: append(buf[:0], h[:]...),
	}, nil
}

// append adds one frame. It writes when the buffer is full, and allocates only for a frame larger than that.
func (j *journal) append(kind frameKind, body []byte) error {
	n := frameHeaderSize + len(body)
	if len(j.buf)+n > cap(j.buf) {
		if err := j.write(); err != nil {
			return err
		}
	}
	if n > cap(j.buf) {
		large := appendFrame(nil, j.seed, kind, body)
		_, err := j.file.Write(large)
		if err != nil {
			return diskError(j.name, err)
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

// write hands the buffer to the file.
func (j *journal) write() error {
	if len(j.buf) == 0 {
		return nil
	}
	n, err := j.file.Write(j.buf)
	if err == nil && n < len(j.buf) {
		err = fmt.Errorf("%d of %d bytes were written", n, len(j.buf))
	}
	if err != nil {
		return diskError(j.name, err)
	}
	j.buf = j.buf[:0]
	j.dirty = true
	return nil
}

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
