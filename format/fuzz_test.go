package format

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// memFile is a file of bytes.
type memFile struct{ *bytes.Reader }

func newMemFile(b []byte) memFile { return memFile{bytes.NewReader(b)} }

func (f memFile) Size() (int64, error) { return f.Reader.Size(), nil }
func (memFile) Close() error           { return nil }

// journalBytes is a journal of a few kernel records and rows.
func journalBytes(tb testing.TB) []byte {
	h, err := journalHeader(benchUUID, 1)
	if err != nil {
		tb.Fatal(err)
	}
	seed, err := checkJournalHeader(h[:], benchUUID, 1)
	if err != nil {
		tb.Fatal(err)
	}
	b := h[:]
	io := sampleIO(100, 1)
	io.More = 1
	b = appendFrame(b, seed, frameEvent, ioEvent(io, []byte("GET / HTTP/1.1\r\n\r\n")))
	b = appendFrame(b, seed, frameEvent, moreEvent(io, 18, []byte("body")))
	for _, row := range sampleRows() {
		body, err := appendRowBody(nil, row)
		if err != nil {
			tb.Fatal(err)
		}
		b = appendFrame(b, seed, frameRow, body)
	}
	return b
}

// FuzzJournal reads any bytes as a journal. Bodies are fuzzed too: the fuzzer's bytes after the header are also framed
// with a right crc, which it could not guess.
func FuzzJournal(f *testing.F) {
	whole := journalBytes(f)
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add(whole[:10])
	f.Add(append(bytes.Clone(whole), make([]byte, 100)...))
	for _, row := range sampleRows() {
		body, err := appendRowBody(nil, row)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		readJournal(t, data)
		if len(data) == 0 || len(data) > maxBody {
			return
		}
		h, _ := journalHeader(benchUUID, 1)
		seed, _ := checkJournalHeader(h[:], benchUUID, 1)
		for _, kind := range []frameKind{frameEvent, frameRow} {
			framed := appendFrame(bytes.Clone(h[:]), seed, kind, data)
			if ix := readJournal(t, framed); ix == nil || ix.frames != 1 || ix.skipped != 0 {
				t.Fatalf("a whole frame is not read as one: %+v", ix)
			}
			// What is whole before and after damage is read.
			torn := append(bytes.Clone(framed), framed[journalHeaderSize:len(framed)-1]...)
			torn = append(torn, framed[journalHeaderSize:]...)
			if ix := readJournal(t, torn); ix.frames < 2 {
				t.Fatalf("%d frames are read beside a torn one", ix.frames)
			}
		}
	})
}

func readJournal(t *testing.T, data []byte) *journalIndex {
	ix, err := indexJournal(newMemFile(data), journalName(1), benchUUID, 1)
	if err != nil {
		var tooNew *TooNewError
		if !errors.Is(err, ErrCorrupt) && !errors.As(err, &tooNew) {
			t.Fatalf("an error of another kind: %v", err)
		}
		return nil
	}
	if end := ix.skipped; end > int64(len(data)) {
		t.Fatalf("%d of %d bytes are skipped", end, len(data))
	}
	rows := newJournalRows(ix, NoFilter{})
	var last place
	for i, e := range ix.entries {
		row, _, err := rows.read(i, nil)
		if err != nil {
			t.Fatalf("a frame that was whole cannot be read: %v", err)
		}
		p := place{time: e.time, table: e.table, cpu: e.cpu}
		if row != nil && (row.Table() != e.table || row.At() != e.time) {
			t.Fatalf("entry %+v is row %+v", e, row)
		}
		if i > 0 && p.less(last) {
			t.Fatalf("entry %d is out of order", i)
		}
		last = p
	}
	return ix
}

// FuzzManifest reads any bytes as a manifest; what is taken leads nowhere outside the reel.
func FuzzManifest(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "a.reel")
	w := testWriter(f, dir, WriterConfig{})
	for _, row := range sampleRows() {
		if err := w.AppendRow(row); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(join(dir, manifestName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":"reel","schema_version":1}`))
	f.Add([]byte(`{"format":"reel","schema_version":2}`))
	f.Add([]byte(`{"format":"tape"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(data)
		if err != nil {
			var tooNew *TooNewError
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNotReel) && !errors.As(err, &tooNew) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		for _, s := range m.Segments {
			for _, file := range s.Files {
				if !filepath.IsLocal(filepath.FromSlash(file.Name)) {
					t.Fatalf("file %q leaves the reel", file.Name)
				}
			}
		}
	})
}

// sealedFiles seals the sample rows and returns the bytes of their files by table.
func sealedFiles(tb testing.TB) map[TableID][]byte {
	dir := filepath.Join(tb.TempDir(), "a.reel")
	w := testWriter(tb, dir, WriterConfig{UUID: benchUUID, SegmentTime: time.Hour})
	for range 40 {
		for _, row := range sampleRows() {
			if err := w.AppendRow(row); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	files := map[TableID][]byte{}
	for id, name := range tableNames {
		if name == "" {
			continue
		}
		data, err := os.ReadFile(join(dir, segmentName(1)+"/"+name+".parquet"))
		if err != nil {
			tb.Fatal(err)
		}
		files[TableID(id)] = data
	}
	return files
}

// FuzzParquet reads any bytes as the file of each table.
func FuzzParquet(f *testing.F) {
	files := sealedFiles(f)
	for _, data := range files {
		f.Add(data)
	}
	payload := files[TablePayload]
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzTable(t, data, &socketTable)
		fuzzTable(t, data, &processTable)
		fuzzTable(t, data, &heartbeatTable)
		fuzzTable(t, data, &hookTable)
		fuzzTable(t, data, &tcpTable)
		fuzzTable(t, data, &tlsKeyTable)
		fuzzTable(t, data, &probeTable)
		fuzzTable(t, data, &tlsTable)
		fuzzTable(t, data, &payloadTable)
		fuzzIO(t, data, payload)
		fuzzIO(t, files[TableIO], data)
	})
}

// fuzzTable reads all rows, or until an error: the checks of the manifest are left out, as a hostile one would pass them.
func fuzzTable[R any](t *testing.T, data []byte, def *table[R]) {
	pf, err := openParquet(newMemFile(data))
	if err != nil {
		return
	}
	r, err := newTableReader(def, pf)
	if err != nil {
		return
	}
	source := &fileSource[R]{t: r, file: newMemFile(nil), info: File{MinTime: -1 << 63, MaxTime: 1<<63 - 1}}
	if def.time == nil {
		rows := make([]R, 1)
		for range 1 << 16 {
			if _, err := r.read(rows); err != nil {
				return
			}
		}
		return
	}
	b := &rowBatch[R]{rows: make([]R, 64)}
	for range 1 << 10 {
		if err := source.fill(b); err != nil {
			return
		}
	}
}

func fuzzIO(t *testing.T, ios, payloads []byte) {
	pf, err := openParquet(newMemFile(ios))
	if err != nil {
		return
	}
	r, err := newTableReader(&ioTable, pf)
	if err != nil {
		return
	}
	s := &ioSource{fileSource: fileSource[ioRow]{t: r, file: newMemFile(nil), info: File{MinTime: -1 << 63, MaxTime: 1<<63 - 1}}, payload: payloadSource{ref: -1}}
	if pp, err := openParquet(newMemFile(payloads)); err == nil {
		if pt, err := newTableReader(&payloadTable, pp); err == nil {
			s.payload.reader = newPayloadReader(pt)
		}
	}
	defer s.close()
	b := &rowBatch[ioRow]{}
	for range 64 {
		err := s.fill(b)
		b.release()
		if err != nil {
			return
		}
	}
}
