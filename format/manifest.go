package format

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
)

// SchemaVersion is the version of the format that this package writes (SPEC.md §10).
const SchemaVersion = 2

// FullSnaplen as CaptureInfo.Snaplen means that every byte is captured.
const FullSnaplen = ^uint32(0)

// Names in a reel's directory.
const (
	manifestName = "manifest.json"
	formatName   = "reel"
)

// Limits of a manifest, checked before anything is allocated by it.
const (
	maxManifestBytes = 64 << 20
	maxSegments      = 1 << 20
)

// CaptureInfo says what was recorded, where and how: fixed when the reel is created.
type CaptureInfo struct {
	Tool      string   `json:"tool"`                // "reel 0.1.0"
	Host      string   `json:"host"`                // nodename
	Kernel    string   `json:"kernel"`              // release: "6.18.0"
	Arch      string   `json:"arch"`                // GOARCH of the recorder
	BootID    string   `json:"boot_id"`             // /proc/sys/kernel/random/boot_id
	CPUs      int      `json:"cpus"`                // possible CPUs, as the kernel numbers them
	Command   []string `json:"command"`             // of the recorder, masked (D15)
	Targets   []string `json:"targets"`             // how processes were chosen: "pid 4711", "comm nginx"
	On        []string `json:"on"`                  // what is on: "net", "tls", ... (D19)
	Snaplen   uint32   `json:"snaplen"`             // bytes per message; FullSnaplen: all
	Ports     []uint16 `json:"ports"`               // empty: all
	Payload   string   `json:"payload"`             // policy: "none", "heads", "snap", "full"
	Filter    string   `json:"filter"`              // Filter.Version; Create sets it
	KeepKeys  bool     `json:"keep_keys,omitempty"` // keys of TLS connections stay in the reel (since version 2)
	StartWall WallTime `json:"start_wall"`          // when the capture began
	// Checks is what the recorder found of its node, as reel doctor does; empty before schema version 2.
	Checks []Check `json:"checks,omitempty"`
}

// Manifest describes a reel: manifest.json.
type Manifest struct {
	Format        string      `json:"format"` // "reel"
	SchemaVersion int         `json:"schema_version"`
	UUID          string      `json:"uuid"` // RFC 9562, version 4; Create makes it when it is empty
	Capture       CaptureInfo `json:"capture"`
	Clean         bool        `json:"clean"` // the recorder ended the reel
	// Unsealed says that rows were left behind at the end, for a full disk: the sentence to print. "" otherwise.
	Unsealed string `json:"unsealed,omitempty"`
	// Recovered says what reel recover did to a reel that its recorder had not ended; nil: nothing.
	Recovered *Recovered `json:"recovered,omitempty"`
	Flight    *Flight    `json:"flight,omitempty"` // it is the ring of a flight recorder
	Snap      *Snap      `json:"snap,omitempty"`   // it was made of such a ring
	Segments  []Segment  `json:"segments"`         // in any order; readers sort by Number
}

// Segment is one sealed part of a reel.
type Segment struct {
	Number       int    `json:"number"`               // from 1; that of the journal it was made of
	JournalBytes int64  `json:"journal_bytes"`        // of that journal
	Frames       int64  `json:"frames"`               // of that journal
	Skipped      int64  `json:"skipped_bytes"`        // bytes of that journal that were no whole frames
	Torn         int64  `json:"torn_bytes,omitempty"` // of those: at its end, cut by a recovery
	Orphans      int64  `json:"orphan_chunks"`        // io_more records whose io record was lost
	Bad          int64  `json:"bad_events"`           // whole frames whose event could not be decoded
	Filter       string `json:"filter"`               // that its rows went through
	Files        []File `json:"files"`                // tables that have rows
}

// File is one table of one segment.
type File struct {
	Table  string `json:"table"`
	Name   string `json:"name"` // within the reel, slash separated
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // lower hex
	// FooterCRC is the CRC-32C of the footer, its length and the magic: all that no page checksum covers and that decides
	// how pages are read. A reader checks it without reading the file.
	FooterCRC uint32 `json:"footer_crc32c"`
	MinTime   KTime  `json:"min_time"` // of its rows, both inclusive; 0 for payload
	MaxTime   KTime  `json:"max_time"`
}

// Rows returns how many rows of a table the sealed segments hold.
func (m *Manifest) Rows(t TableID) int64 {
	var n int64
	for _, s := range m.Segments {
		for _, f := range s.Files {
			if f.Table == t.String() {
				n += f.Rows
			}
		}
	}
	return n
}

// TimeRange returns the first and the last time of the sealed rows; ok is false without rows.
func (m *Manifest) TimeRange() (first, last KTime, ok bool) {
	for _, s := range m.Segments {
		for _, f := range s.Files {
			if f.Table == TablePayload.String() || f.Rows == 0 {
				continue
			}
			if !ok {
				first, last, ok = f.MinTime, f.MaxTime, true
			}
			first, last = min(first, f.MinTime), max(last, f.MaxTime)
		}
	}
	return first, last, ok
}

// clone returns a copy that shares nothing that changes.
func (m *Manifest) clone() *Manifest {
	c := *m
	c.Segments = slices.Clone(m.Segments)
	return &c
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// parseManifest reads a manifest and checks all that later code relies on. Errors are *CorruptError, *TooNewError or
// ErrNotReel (JSON, but not ours).
func parseManifest(data []byte) (*Manifest, error) {
	var m Manifest
	var head struct {
		Format        string `json:"format"`
		SchemaVersion int    `json:"schema_version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, corruptManifest(jsonOffset(err), err)
	}
	if head.Format != formatName {
		return nil, fmt.Errorf("%w: its %s has format %q", ErrNotReel, manifestName, head.Format)
	}
	if head.SchemaVersion > SchemaVersion {
		return nil, &TooNewError{Found: head.SchemaVersion, Supported: SchemaVersion}
	}
	if head.SchemaVersion < 1 {
		return nil, corruptManifest(-1, fmt.Errorf("schema version %d does not exist", head.SchemaVersion))
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, corruptManifest(jsonOffset(err), err)
	}
	if err := m.check(); err != nil {
		return nil, corruptManifest(-1, err)
	}
	slices.SortFunc(m.Segments, func(a, b Segment) int { return a.Number - b.Number })
	return &m, nil
}

func corruptManifest(offset int64, err error) error {
	return &CorruptError{File: manifestName, Offset: offset, Err: err}
}

func jsonOffset(err error) int64 {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return syntax.Offset
	}
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return typ.Offset
	}
	return -1
}

func (m *Manifest) check() error {
	if !uuidPattern.MatchString(m.UUID) {
		return fmt.Errorf("uuid %q is none", m.UUID)
	}
	if m.Snap != nil && !uuidPattern.MatchString(m.Snap.Of) {
		return fmt.Errorf("the snap is of a ring with uuid %q, which is none", m.Snap.Of)
	}
	if len(m.Segments) > maxSegments {
		return fmt.Errorf("%d segments are more than %d", len(m.Segments), maxSegments)
	}
	seen := make(map[int]bool, len(m.Segments))
	for _, s := range m.Segments {
		if s.Number < 1 || s.Number > maxSegments {
			return fmt.Errorf("segment number %d is outside 1 to %d", s.Number, maxSegments)
		}
		if seen[s.Number] {
			return fmt.Errorf("segment %d is there twice", s.Number)
		}
		seen[s.Number] = true
		tables := make(map[string]bool, len(s.Files))
		for _, f := range s.Files {
			if tables[f.Table] {
				return fmt.Errorf("segment %d has table %q twice", s.Number, f.Table)
			}
			tables[f.Table] = true
			if f.Rows < 0 || f.Bytes < 0 || f.MinTime > f.MaxTime {
				return fmt.Errorf("segment %d table %q: rows, bytes or times are impossible", s.Number, f.Table)
			}
			// A name leads nowhere but into its own segment, whoever wrote the manifest.
			if f.Name != segmentName(s.Number)+"/"+path.Base(f.Name) || !fs.ValidPath(f.Name) {
				return fmt.Errorf("segment %d has a file named %q", s.Number, f.Name)
			}
		}
	}
	return nil
}

// loadManifest reads and checks the manifest of the reel in dir.
func loadManifest(fsys FS, dir string) (*Manifest, error) {
	f, err := fsys.Open(join(dir, manifestName))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || isNotDir(err) {
			return nil, fmt.Errorf("%s is %w: it has no %s", dir, ErrNotReel, manifestName)
		}
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > maxManifestBytes {
		return nil, corruptManifest(-1, fmt.Errorf("%d bytes are more than %d", size, maxManifestBytes))
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, size), data); err != nil {
		return nil, err
	}
	m, err := parseManifest(data)
	if errors.Is(err, ErrNotReel) {
		return nil, fmt.Errorf("%s is %w", dir, err)
	}
	return m, err
}

// store replaces the manifest of the reel in dir, so that a crash leaves the old one or the new one: write beside, fsync,
// rename, fsync the directory.
func (m *Manifest) store(fsys FS, dir string) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return err
	}
	return replaceFile(fsys, dir, manifestName, buf.Bytes())
}

func segmentName(n int) string { return fmt.Sprintf("segment-%06d", n) }

func journalName(n int) string { return fmt.Sprintf("journal-%06d.log", n) }
