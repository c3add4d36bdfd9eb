package symbols

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"

	"github.com/ebpf-reel/reel/format"
)

const (
	maxNotes   = 1 << 20
	maxBuildID = 64
	ntBuildID  = 3 // NT_GNU_BUILD_ID
	ntGoBuild  = 4
	hashedEnds = 4 << 10 // bytes of each end of a file, for one that has no build id
	hashBytes  = 16
)

// findBuildID takes GNU's build id, else Go's, else makes one of the file's ends and its length, as the OpenTelemetry profiles do
// (process.executable.build_id.htlhash).
func (im *Image) findBuildID() {
	var goID []byte
	for _, p := range im.elf.Progs {
		if p.Type != elf.PT_NOTE || p.Filesz > maxNotes {
			continue
		}
		data := make([]byte, p.Filesz)
		if n, err := p.ReadAt(data, 0); err != nil && n < len(data) {
			continue
		}
		for len(data) >= 12 {
			name, desc, typ, rest := note(data)
			if rest == nil {
				break
			}
			data = rest
			switch {
			case typ == ntBuildID && string(name) == "GNU\x00" && len(desc) <= maxBuildID && len(desc) > 0:
				im.BuildID, im.BuildIDKind = hex.EncodeToString(desc), format.BuildIDGNU
				return
			case typ == ntGoBuild && string(name) == "Go\x00\x00":
				goID = desc
			}
		}
	}
	if len(goID) > 0 {
		sum := sha256.Sum256(goID)
		im.BuildID, im.BuildIDKind = hex.EncodeToString(sum[:hashBytes]), format.BuildIDGo
		return
	}
	if id := im.hashEnds(); id != "" {
		im.BuildID, im.BuildIDKind = id, format.BuildIDHash
	}
}

// note splits off one note of a PT_NOTE segment; rest is nil where there is none.
func note(b []byte) (name, desc []byte, typ uint32, rest []byte) {
	nameLen := uint64(binary.LittleEndian.Uint32(b))
	descLen := uint64(binary.LittleEndian.Uint32(b[4:]))
	typ = binary.LittleEndian.Uint32(b[8:])
	b = b[12:]
	pad := func(n uint64) uint64 { return (n + 3) &^ 3 }
	if pad(nameLen) > uint64(len(b)) || pad(nameLen)+descLen > uint64(len(b)) {
		return nil, nil, 0, nil
	}
	name, desc = b[:nameLen], b[pad(nameLen):pad(nameLen)+descLen]
	return bytes.Clone(name), bytes.Clone(desc), typ, b[min(pad(nameLen)+pad(descLen), uint64(len(b))):]
}

func (im *Image) hashEnds() string {
	h := sha256.New()
	buf := make([]byte, hashedEnds)
	for _, at := range []int64{0, max(0, im.size-hashedEnds)} {
		part := buf[:min(hashedEnds, im.size)]
		if n, err := im.file.ReadAt(part, at); err != nil && n < len(part) {
			return ""
		}
		h.Write(part)
	}
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(im.size))
	h.Write(length[:])
	return hex.EncodeToString(h.Sum(nil)[:hashBytes])
}
