package format

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A manifest that is lost is rebuilt of what the files say of themselves: the footer of each Parquet file holds its reel,
// segment, table and the masking rules that its rows went through, and the header of each journal its reel and number. What
// the damaged manifest still says, as far as it is JSON, comes first.

// rebuild makes a manifest. It changes nothing on disk.
func (r *recovery) rebuild(names []string) (*Manifest, error) {
	old, found, err := r.salvage(names)
	if err != nil {
		return nil, err
	}
	snapOf := ""
	if old.Snap != nil {
		snapOf = old.Snap.Of
	}
	uuid, err := r.identify(names, old.UUID, snapOf)
	if err != nil {
		return nil, err
	}
	m := &Manifest{Format: formatName, SchemaVersion: SchemaVersion, UUID: uuid, Capture: old.Capture, Flight: old.Flight, Segments: []Segment{}}
	if old.Snap != nil && uuidPattern.MatchString(old.Snap.Of) {
		m.Snap = old.Snap
	}
	r.manifest = m
	r.out.Rebuilt = true
	if !found {
		r.out.Unknown = []string{"capture"}
		m.Capture = CaptureInfo{Command: []string{}, Targets: []string{}, On: []string{}, Ports: []uint16{}}
	}
	for _, name := range names {
		n, tmp, ok := segmentNumber(name)
		if !ok || tmp || r.readableJournal(names, n) {
			continue // of a segment and a journal of one number, the journal has all rows
		}
		seg, err := r.readSegment(n)
		if err != nil {
			return nil, err
		}
		if len(seg.Files) == 0 {
			continue
		}
		for _, o := range old.Segments {
			if o.Number == n && slices.Equal(o.Files, seg.Files) {
				seg = o // it knows of the journal too
			}
		}
		m.Segments = append(m.Segments, seg)
		if m.Capture.Filter == "" {
			m.Capture.Filter = seg.Filter
		}
	}
	slices.SortFunc(m.Segments, func(a, b Segment) int { return a.Number - b.Number })
	return m, m.check()
}

// salvage reads what is whole of a damaged manifest, or of one that was being written. found tells that what it says of the
// capture is.
func (r *recovery) salvage(names []string) (m Manifest, found bool, err error) {
	for _, name := range [...]string{manifestName, manifestName + ".damaged", manifestName + ".tmp"} {
		if !slices.Contains(names, name) {
			continue
		}
		data, err := r.readSmall(name)
		if err != nil {
			return m, false, err
		}
		part, ok := salvageManifest(data)
		if part.SchemaVersion > SchemaVersion {
			return m, false, &TooNewError{Found: part.SchemaVersion, Supported: SchemaVersion}
		}
		if ok && !found {
			m, found = part, true
		}
	}
	return m, found, nil
}

// readSmall reads a manifest, up to the limit of one.
func (r *recovery) readSmall(name string) ([]byte, error) {
	f, err := r.fsys.Open(join(r.dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	data := make([]byte, min(size, maxManifestBytes))
	n, err := f.ReadAt(data, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return data[:n], err
}

// salvageManifest reads members until the first that is not JSON. ok tells that format and capture are whole.
func salvageManifest(data []byte) (m Manifest, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return m, false
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return m, ok
		}
		var v any = new(json.RawMessage)
		switch key {
		case "format":
			v = &m.Format
		case "schema_version":
			v = &m.SchemaVersion
		case "uuid":
			v = &m.UUID
		case "flight":
			v = &m.Flight
		case "snap":
			v = &m.Snap
		case "capture":
			var c CaptureInfo
			if dec.Decode(&c) != nil {
				return m, ok
			}
			m.Capture, ok = c, m.Format == formatName
			continue
		case "segments":
			if t, err := dec.Token(); err != nil || t != json.Delim('[') {
				return m, ok
			}
			for dec.More() {
				var s Segment
				if dec.Decode(&s) != nil {
					return m, ok
				}
				m.Segments = append(m.Segments, s)
			}
		}
		if dec.Decode(v) != nil {
			return m, ok
		}
	}
	return m, ok
}

// identify finds out which reel the files are of: most of them decide.
func (r *recovery) identify(names []string, claimed, snapOf string) (string, error) {
	votes := map[string]int{}
	files := 0
	for _, name := range names {
		if n, ok := journalNumber(name); ok {
			files++
			f, err := r.fsys.Open(join(r.dir, journalName(n)))
			if err != nil {
				return "", err
			}
			if id, ok := journalIdentity(f); ok && id.number == n {
				votes[id.uuid]++
			}
			_ = f.Close()
		}
		n, tmp, ok := segmentNumber(name)
		if !ok || tmp {
			continue
		}
		tables, err := r.fsys.ReadDir(join(r.dir, name))
		if err != nil {
			return "", err
		}
		for _, table := range tables {
			files++
			kv, err := r.footer(segmentName(n) + "/" + table)
			if err != nil || !uuidPattern.MatchString(kv[keyUUID]) {
				continue
			}
			if v, err := strconv.Atoi(kv[keySchemaVersion]); err == nil && v > SchemaVersion {
				return "", &TooNewError{Found: v, Supported: SchemaVersion}
			}
			votes[kv[keyUUID]]++
		}
	}
	if files == 0 {
		return "", fmt.Errorf("%s is %w: it has no %s that can be read, no journal and no segment", r.dir, ErrNotReel, manifestName)
	}
	if snapOf != "" {
		delete(votes, snapOf) // of its journals: the reel itself is another
	}
	best := ""
	if uuidPattern.MatchString(claimed) {
		best = claimed
	}
	for uuid, n := range votes {
		if best == "" || n > votes[best] || n == votes[best] && best != claimed && uuid < best {
			best = uuid
		}
	}
	if best == "" {
		return "", fmt.Errorf("%s cannot be recovered: its %s is gone or damaged, and none of its %d other files can be read", r.dir, manifestName, files)
	}
	return best, nil
}

type journalID struct {
	uuid   string
	number int
}

// journalIdentity reads whose a journal is; false: its header is not whole.
func journalIdentity(file ReadFile) (id journalID, ok bool) {
	var h [journalHeaderSize]byte
	if n, _ := file.ReadAt(h[:], 0); n < len(h) || [8]byte(h[:8]) != journalMagic ||
		binary.LittleEndian.Uint32(h[60:]) != crc32.Checksum(h[:60], castagnoli) {
		return id, false
	}
	u := hex.EncodeToString(h[16:32])
	return journalID{strings.Join([]string{u[:8], u[8:12], u[12:16], u[16:20], u[20:]}, "-"), int(binary.LittleEndian.Uint32(h[32:]))}, true
}

// readableJournal reports whether a journal is there and has a whole frame.
func (r *recovery) readableJournal(names []string, n int) bool {
	if !slices.Contains(names, journalName(n)) {
		return false
	}
	f, err := r.fsys.Open(join(r.dir, journalName(n)))
	if err != nil {
		return false
	}
	defer f.Close()
	ix, err := indexJournal(f, journalName(n), r.manifest.journalUUID(f), n)
	return err == nil && ix.frames > 0
}

// footer reads what a Parquet file says of itself.
func (r *recovery) footer(name string) (kv map[string]string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading its footer panicked: %v", p)
		}
	}()
	f, err := r.fsys.Open(join(r.dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	pf, err := openParquet(f)
	if err != nil {
		return nil, err
	}
	return pf.kv, nil
}

// readSegment describes a segment by its files, which it reads. Files that are damaged are left out, and noted as cut.
func (r *recovery) readSegment(n int) (Segment, error) {
	seg := Segment{Number: n, Files: []File{}}
	tables, err := r.fsys.ReadDir(join(r.dir, segmentName(n)))
	if err != nil {
		return seg, err
	}
	for _, table := range tables {
		name := segmentName(n) + "/" + table
		f, filter, err := r.readTable(n, name)
		if err != nil {
			r.addCut(RecoverCut{File: name, Bytes: f.Bytes, Rows: f.Rows, Why: err.Error()})
			continue
		}
		seg.Filter = filter
		seg.Files = append(seg.Files, f)
	}
	return seg, nil
}

// readTable reads a whole file of a segment.
func (r *recovery) readTable(n int, name string) (f File, filter string, err error) {
	f = File{Name: name}
	file, err := r.fsys.Open(join(r.dir, name))
	if err != nil {
		return f, "", err
	}
	defer file.Close()
	if f.Bytes, err = file.Size(); err != nil {
		return f, "", err
	}
	kv, err := r.footer(name)
	if err != nil {
		return f, "", err
	}
	f.Table = kv[keyTable]
	t, err := ParseTableID(f.Table)
	if err != nil || name != segmentName(n)+"/"+f.Table+".parquet" {
		return f, "", fmt.Errorf("it says that it is table %q", f.Table)
	}
	if err := r.describe(file, &f); err != nil {
		return f, "", err
	}
	reel := &Reel{dir: r.dir, fsys: r.fsys, filter: withhold{}, manifest: &Manifest{UUID: r.manifest.UUID}, bad: map[string]bool{}}
	seg := &Segment{Number: n, Files: []File{f}}
	f.MinTime, f.MaxTime, err = reel.times(seg, t, f)
	return f, kv[keyFilter], err
}

// describe fills what the manifest says of a file as a whole.
func (r *recovery) describe(file ReadFile, f *File) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading its footer panicked: %v", p)
		}
	}()
	pf, err := openParquet(file)
	if err != nil {
		return err
	}
	f.Rows, f.FooterCRC = pf.rows, pf.crc
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, f.Bytes)); err != nil {
		return err
	}
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return nil
}

// times reads all rows of a file, which checks its pages, and returns their first and last time.
func (r *Reel) times(seg *Segment, t TableID, f File) (first, last KTime, err error) {
	if t == TablePayload {
		source, err := openSource(r, seg.Number, f, &payloadTable)
		if err != nil {
			return 0, 0, err
		}
		return 0, 0, source.file.Close()
	}
	f.MinTime, f.MaxTime = math.MinInt64, math.MaxInt64
	s, err := r.openStream(seg, t, f, RowsOptions{NoPayload: true})
	if err != nil {
		return 0, 0, err
	}
	defer s.stop()
	for n := int64(0); ; n++ {
		if err := s.next(); err != nil {
			if errors.Is(err, io.EOF) && n == f.Rows {
				return first, last, nil
			}
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("%d rows were read, its footer says %d", n, f.Rows)
			}
			return 0, 0, err
		}
		if n == 0 {
			first = s.row().At()
		}
		last = s.row().At()
	}
}
