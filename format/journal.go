package format

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
)

// A journal is a header and frames (SPEC.md §4):
//
//	0        8         10       12       16       32       36       40                 60      64
//	┌────────┬─────────┬────────┬────────┬────────┬────────┬────────┬──────────────────┬───────┐
//	│ magic  │ version │ size   │ zero   │ uuid   │ number │ zero   │ zero             │ crc   │
//	│ 8 B    │ u16     │ u16    │ u32    │ 16 B   │ u32    │ u32    │ 20 B             │ u32   │
//	└────────┴─────────┴────────┴────────┴────────┴────────┴────────┴──────────────────┴───────┘
//
//	0      4        8      10     12
//	┌──────┬────────┬──────┬──────┬───────────────┐
//	│ crc  │ length │ kind │ zero │ body          │  crc = CRC-32C over length, kind, zero and body,
//	│ u32  │ u32    │ u16  │ u16  │ length bytes  │  started with the crc of the journal's header
//	└──────┴────────┴──────┴──────┴───────────────┘
//
// Numbers are little endian. The header's crc depends on the reel's random uuid and the journal's number, so a frame of
// another journal, or one that a recorded process sent as payload, is no frame of this one.
const (
	journalVersion    = 1
	journalHeaderSize = 64
	frameHeaderSize   = 12

	// maxBody bounds a frame before anything is allocated by its length.
	maxBody = 16 << 20
)

var journalMagic = [8]byte{'R', 'E', 'E', 'L', 'J', 'R', 'N', 'L'}

// frameKind says what a frame's body is. 0 is invalid on purpose: unwritten blocks read as zeros.
type frameKind uint16

const (
	frameEvent frameKind = 1 // a kernel record, as event.h lays it out
	frameRow   frameKind = 2 // a row made in user space (rowcodec.go)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// journalHeader returns the header of a journal; its last four bytes start the crc of its frames.
func journalHeader(uuid string, number int) ([journalHeaderSize]byte, error) {
	var h [journalHeaderSize]byte
	id, err := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
	if err != nil || len(id) != 16 {
		return h, fmt.Errorf("uuid %q is none", uuid)
	}
	copy(h[:], journalMagic[:])
	binary.LittleEndian.PutUint16(h[8:], journalVersion)
	binary.LittleEndian.PutUint16(h[10:], journalHeaderSize)
	copy(h[16:], id)
	binary.LittleEndian.PutUint32(h[32:], uint32(number))
	binary.LittleEndian.PutUint32(h[60:], crc32.Checksum(h[:60], castagnoli))
	return h, nil
}

// checkJournalHeader returns what the crc of the journal's frames starts with.
func checkJournalHeader(h []byte, uuid string, number int) (seed uint32, err error) {
	want, err := journalHeader(uuid, number)
	if err != nil {
		return 0, err
	}
	switch {
	case len(h) < journalHeaderSize:
		return 0, errors.New("the journal's header is not whole")
	case [8]byte(h[:8]) != journalMagic:
		return 0, errors.New("it does not begin as a journal does")
	case binary.LittleEndian.Uint32(h[60:]) != crc32.Checksum(h[:60], castagnoli):
		return 0, errors.New("the crc of the journal's header is wrong")
	case binary.LittleEndian.Uint16(h[8:]) > journalVersion:
		return 0, &TooNewError{Found: int(binary.LittleEndian.Uint16(h[8:])), Supported: journalVersion}
	case [journalHeaderSize]byte(h[:journalHeaderSize]) != want:
		return 0, errors.New("the journal belongs to another reel, or has another number")
	}
	return binary.LittleEndian.Uint32(h[60:]), nil
}

// appendFrame appends one frame to buf.
func appendFrame(buf []byte, seed uint32, kind frameKind, body []byte) []byte {
	start := len(buf)
	buf = append(buf, make([]byte, frameHeaderSize)...)
	buf = append(buf, body...)
	sealFrame(buf[start:], seed, kind)
	return buf
}

// sealFrame fills the header of a frame whose body is in place.
func sealFrame(frame []byte, seed uint32, kind frameKind) {
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(frame)-frameHeaderSize))
	binary.LittleEndian.PutUint16(frame[8:], uint16(kind))
	binary.LittleEndian.PutUint16(frame[10:], 0)
	binary.LittleEndian.PutUint32(frame, crc32.Update(seed, castagnoli, frame[4:]))
}

// frameLength returns the length of the frame that h begins, if h can begin one: its crc is not checked.
func frameLength(h []byte) (n int, ok bool) {
	if len(h) < frameHeaderSize {
		return 0, false
	}
	body := binary.LittleEndian.Uint32(h[4:])
	kind := frameKind(binary.LittleEndian.Uint16(h[8:]))
	if body == 0 || body > maxBody || kind == 0 || kind > frameRow || binary.LittleEndian.Uint16(h[10:]) != 0 {
		return 0, false
	}
	return frameHeaderSize + int(body), true
}

// frameWhole reports whether the bytes of a frame are those that were written.
func frameWhole(frame []byte, seed uint32) bool {
	return crc32.Update(seed, castagnoli, frame[4:]) == binary.LittleEndian.Uint32(frame)
}
