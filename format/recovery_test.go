package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/format/formattest"
)

const reelDir = "a.reel"

// note makes row n of a test reel. All have the same length in a journal.
func note(n int) *format.Note {
	return &format.Note{Time: format.KTime(n), Name: "test", Count: uint64(n), Detail: strings.Repeat("x", 40)}
}

// noteFrame is what a note takes of a journal, and journalHead what precedes the first (SPEC.md §4).
var noteFrame = 12 + 2 + 1 + (1 + len("test")) + 1 + (1 + 40)

const journalHead = 64

// perSegment rows fill a segment.
const perSegment = 10

func create(t testing.TB, fsys format.FS, cfg format.WriterConfig) *format.Writer {
	t.Helper()
	cfg.FS = fsys
	if cfg.Filter == nil {
		cfg.Filter = format.NoFilter{}
	}
	if cfg.SegmentBytes == 0 {
		cfg.SegmentBytes = int64(journalHead + perSegment*noteFrame)
	}
	if cfg.FlushInterval == 0 {
		cfg.FlushInterval = time.Hour // tests flush
	}
	w, err := format.Create(reelDir, format.CaptureInfo{Tool: "test"}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// waitFor waits for a condition.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen in 30 s", what)
		}
	}
}

// killed returns the file system of a recorder that was killed after rows 1 to 25: two sealed segments of ten rows, and a
// journal of five.
func killed(t testing.TB) *formattest.FS {
	t.Helper()
	fsys := formattest.New()
	w := create(t, fsys, format.WriterConfig{})
	for n := 1; n <= 25; n++ {
		if err := w.AppendRow(note(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the seal of two segments", func() bool { return w.Stats().Segments == 2 && w.Stats().Err == nil })
	waitFor(t, "the removal of their journals", func() bool {
		return !slices.ContainsFunc(fsys.Files(), func(f string) bool { return strings.HasSuffix(f, "journal-000002.log") })
	})
	after := fsys.Kill()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return after
}

// read returns the numbers of the notes that a reel holds, and what is wrong with it.
func read(t testing.TB, fsys format.FS) (rows []int, problems []format.Problem) {
	t.Helper()
	r, err := format.Open(reelDir, format.OpenOptions{FS: fsys, Filter: format.NoFilter{}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for row, err := range r.Rows(format.RowsOptions{}) {
		if err != nil {
			if !errors.Is(err, format.ErrCorrupt) {
				t.Fatal(err)
			}
			continue
		}
		rows = append(rows, int(row.(*format.Note).Count))
	}
	return rows, r.Problems()
}

func seq(from, to int) []int {
	var s []int
	for n := from; n <= to; n++ {
		s = append(s, n)
	}
	return s
}

// firstPage returns where the bytes of a file's first page begin: zstd says so.
func firstPage(b []byte) int { return bytes.Index(b, []byte("\x28\xb5\x2f\xfd")) }

func frameAt(n int) int { return journalHead + (n-21)*noteFrame }

func TestRecovery(t *testing.T) {
	const (
		journal  = reelDir + "/journal-000003.log"
		segment2 = reelDir + "/segment-000002/note.parquet"
	)
	all := seq(1, 25)
	without := func(ns ...int) []int {
		return slices.DeleteFunc(slices.Clone(all), func(n int) bool { return slices.Contains(ns, n) })
	}
	// Each row damages the reel of killed and says which rows survive, and what Open and Rows tell beside the unclean end:
	// kind, file, whether rows are lost.
	type told struct {
		kind format.ProblemKind
		file string
		loss bool
	}
	for _, tt := range []struct {
		name    string
		corrupt func(f *formattest.FS)
		want    []int
		problem []told
	}{
		{"killed", func(*formattest.FS) {}, all, nil},
		{"torn frame", func(f *formattest.FS) {
			f.Edit(journal, func(b []byte) []byte { return b[:len(b)-5] })
		}, without(25), []told{{format.ProblemTorn, "journal-000003.log", true}}},
		{"torn frame header", func(f *formattest.FS) {
			f.Edit(journal, func(b []byte) []byte { return b[:frameAt(25)+7] })
		}, without(25), []told{{format.ProblemTorn, "journal-000003.log", true}}},
		{"zeroed page", func(f *formattest.FS) {
			f.Edit(journal, func(b []byte) []byte { clear(b[frameAt(22)+3 : frameAt(24)-2]); return b })
		}, without(22, 23), []told{{format.ProblemGarbage, "journal-000003.log", true}}},
		{"zero tail", func(f *formattest.FS) {
			f.Edit(journal, func(b []byte) []byte { return append(b, make([]byte, 4096)...) })
		}, all, []told{{format.ProblemGarbage, "journal-000003.log", true}}},
		{"garbage tail", func(f *formattest.FS) {
			f.Edit(journal, func(b []byte) []byte { return append(b, bytes.Repeat([]byte("junk\x01\x00\x00\x00"), 100)...) })
		}, all, []told{{format.ProblemGarbage, "journal-000003.log", true}}},
		{"flipped bit in a frame", func(f *formattest.FS) {
			f.Edit(journal, func(b []byte) []byte { b[frameAt(23)+20] ^= 4; return b })
		}, without(23), []told{{format.ProblemGarbage, "journal-000003.log", true}}},
		{"length of 4 GiB", func(f *formattest.FS) {
			f.Edit(journal, func(b []byte) []byte { copy(b[frameAt(23)+4:], "\xff\xff\xff\xff"); return b })
		}, without(23), []told{{format.ProblemGarbage, "journal-000003.log", true}}},
		{"journal header damaged", func(f *formattest.FS) {
			f.Edit(journal, func(b []byte) []byte { b[20]++; return b })
		}, all, []told{{format.ProblemGarbage, "journal-000003.log", false}}},
		{"journal header torn", func(f *formattest.FS) {
			f.Edit(journal, func(b []byte) []byte { return b[:10] })
		}, seq(1, 20), []told{{format.ProblemCorrupt, "journal-000003.log", true}}},
		{"empty journal", func(f *formattest.FS) {
			f.Put(reelDir+"/journal-000004.log", nil)
		}, all, nil},
		{"journal of another number", func(f *formattest.FS) {
			f.Put(reelDir+"/journal-000004.log", f.Data(journal))
		}, all, []told{{format.ProblemCorrupt, "journal-000004.log", true}}},
		{"frames of another journal as garbage", func(f *formattest.FS) {
			other := killed(t).Data(journal)[journalHead:] // another uuid: its crc starts elsewhere
			f.Edit(journal, func(b []byte) []byte { return append(b, other...) })
		}, all, []told{{format.ProblemGarbage, "journal-000003.log", true}}},
		{"missing file", func(f *formattest.FS) {
			if err := f.Remove(segment2); err != nil {
				t.Fatal(err)
			}
		}, without(seq(11, 20)...), []told{{format.ProblemMissing, "segment-000002/note.parquet", true}}},
		{"flipped bit in a page", func(f *formattest.FS) {
			f.Edit(segment2, func(b []byte) []byte { b[firstPage(b)+10] ^= 1; return b })
		}, without(seq(11, 20)...), []told{{format.ProblemCorrupt, "segment-000002/note.parquet", true}}},
		{"truncated file", func(f *formattest.FS) {
			f.Edit(segment2, func(b []byte) []byte { return b[:len(b)/2] })
		}, without(seq(11, 20)...), []told{{format.ProblemCorrupt, "segment-000002/note.parquet", true}}},
		{"file of another segment", func(f *formattest.FS) {
			f.Put(segment2, f.Data(reelDir+"/segment-000001/note.parquet"))
		}, without(seq(11, 20)...), []told{{format.ProblemCorrupt, "segment-000002/note.parquet", true}}},
		{"half-written segment", func(f *formattest.FS) {
			f.Put(reelDir+"/segment-000003.tmp/note.parquet", []byte("PAR1"))
		}, all, []told{{format.ProblemStray, "segment-000003.tmp", false}}},
		{"segment not in the manifest yet", func(f *formattest.FS) {
			f.Put(reelDir+"/segment-000003/note.parquet", f.Data(segment2))
		}, all, []told{{format.ProblemStray, "segment-000003", false}}},
		{"segment not in the manifest, journal gone", func(f *formattest.FS) {
			f.Put(reelDir+"/segment-000003/note.parquet", f.Data(segment2))
			if err := f.Remove(journal); err != nil {
				t.Fatal(err)
			}
		}, seq(1, 20), []told{{format.ProblemStray, "segment-000003", true}}},
		{"sealed journal not removed yet", func(f *formattest.FS) {
			f.Put(reelDir+"/journal-000002.log", f.Data(journal))
		}, all, []told{{format.ProblemStray, "journal-000002.log", false}}},
		{"half-written manifest", func(f *formattest.FS) {
			f.Put(reelDir+"/manifest.json.tmp", []byte(`{"format":`))
		}, all, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fsys := killed(t)
			tt.corrupt(fsys)
			got, problems := read(t, fsys)
			if !slices.Equal(got, tt.want) {
				t.Errorf("rows %v survive, want %v", got, tt.want)
			}
			want := append([]told{{format.ProblemUnclean, "", false}}, tt.problem...)
			var have []told
			for _, p := range problems {
				have = append(have, told{p.Kind, p.File, p.Loss})
			}
			if !slices.Equal(have, want) {
				t.Errorf("problems:\n%v\nwant %v", problems, want)
			}
		})
	}
}

func TestDamagedManifest(t *testing.T) {
	const manifest = reelDir + "/manifest.json"
	for _, tt := range []struct {
		name string
		edit func(b []byte) []byte
		want func(err error) bool
	}{
		{"not JSON", func(b []byte) []byte { return b[:len(b)/2] }, func(err error) bool { return errors.Is(err, format.ErrCorrupt) }},
		{"another format", func(b []byte) []byte { return bytes.Replace(b, []byte(`"reel"`), []byte(`"tape"`), 1) },
			func(err error) bool { return errors.Is(err, format.ErrNotReel) }},
		{"too new", func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"schema_version": 2`), []byte(`"schema_version": 99`), 1)
		}, func(err error) bool {
			var e *format.TooNewError
			return errors.As(err, &e) && e.Found == 99 && e.Supported == format.SchemaVersion
		}},
		{"a file outside", func(b []byte) []byte {
			return bytes.Replace(b, []byte("segment-000001/note.parquet"), []byte("../../../../etc/passwd"), 1)
		}, func(err error) bool { return errors.Is(err, format.ErrCorrupt) }},
		{"a segment twice", func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"number": 2`), []byte(`"number": 1`), 1)
		}, func(err error) bool { return errors.Is(err, format.ErrCorrupt) }},
	} {
		fsys := killed(t)
		fsys.Edit(manifest, tt.edit)
		_, err := format.Open(reelDir, format.OpenOptions{FS: fsys})
		if err == nil || !tt.want(err) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Whichever byte of a segment is damaged, its rows come out as they were or not at all, and Verify knows.
func TestEveryByteOfASegment(t *testing.T) {
	const file = reelDir + "/segment-000002/note.parquet"
	fsys := killed(t)
	whole := fsys.Data(file)
	silent := 0
	for i := range whole {
		fsys.Put(file, slices.Concat(whole[:i], []byte{whole[i] ^ 1}, whole[i+1:]))
		r, err := format.Open(reelDir, format.OpenOptions{FS: fsys, Filter: format.NoFilter{}})
		if err != nil {
			t.Fatal(err)
		}
		failed := false
		for row, err := range r.Rows(format.RowsOptions{}) {
			if err != nil {
				failed = true
				continue
			}
			n := row.(*format.Note)
			if want := note(int(n.Time)); *n != *want {
				t.Fatalf("byte %d damaged: row %+v", i, n)
			}
		}
		if !failed {
			silent++
		}
		if !slices.ContainsFunc(r.Verify(t.Context()), func(p format.Problem) bool { return p.Kind == format.ProblemCorrupt && p.Segment == 2 }) {
			t.Errorf("byte %d damaged: Verify does not tell", i)
		}
		r.Close()
	}
	t.Logf("%d bytes, damage in %d of them matters to no row", len(whole), silent)
}

// Any order of the segments in the manifest gives the same rows.
func TestSegmentOrder(t *testing.T) {
	fsys := killed(t)
	want, _ := read(t, fsys)
	fsys.Edit(reelDir+"/manifest.json", func(b []byte) []byte {
		i := bytes.Index(b, []byte("    {\n      \"number\": 1"))
		j := bytes.Index(b, []byte("    {\n      \"number\": 2"))
		k := bytes.LastIndex(b, []byte("\n  ]"))
		first, second := bytes.TrimSuffix(b[i:j], []byte(",\n")), b[j:k]
		return slices.Concat(b[:i], second, []byte(",\n"), first, b[k:])
	})
	got, _ := read(t, fsys)
	if !slices.Equal(got, want) {
		t.Errorf("rows %v, with the segments the other way round %v", want, got)
	}
}

func ExampleProblem() {
	fmt.Println(format.Problem{Kind: format.ProblemTorn, File: "journal-000003.log", Message: "the last frame is not whole"})
	// Output: torn_frame: journal-000003.log: the last frame is not whole
}
