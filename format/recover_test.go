package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/format/formattest"
)

const (
	manifestFile = reelDir + "/manifest.json"
	tailJournal  = reelDir + "/journal-000003.log"
)

func recoverOptions(fsys format.FS) format.RecoverOptions {
	return format.RecoverOptions{FS: fsys, Tool: "test", Now: 7, Filter: func(*format.Manifest) (format.Filter, error) { return format.NoFilter{}, nil }}
}

// recovered recovers a reel and demands what holds of every recovered one: it is clean, names what was recovered, is whole to
// Verify but for the files that were damaged before, and a second recovery finds nothing and changes no byte.
func recovered(t *testing.T, fsys *formattest.FS) *format.Recovery {
	t.Helper()
	got, err := format.Recover(reelDir, recoverOptions(fsys))
	if err != nil {
		t.Fatal(err)
	}
	r, err := format.Open(reelDir, format.OpenOptions{FS: fsys})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	m := r.Manifest()
	if !m.Clean || m.Unsealed != "" || m.Recovered == nil || m.Recovered.Tool != "test" || m.Recovered.When != 7 {
		t.Errorf("the manifest says %+v, recovered %+v", m, m.Recovered)
	}
	for _, p := range r.Verify(t.Context()) {
		switch p.Kind {
		case format.ProblemUnclean, format.ProblemTorn, format.ProblemWithheld:
			t.Errorf("a recovered reel says %v", p)
		}
	}
	before := contents(fsys)
	again, err := format.Recover(reelDir, recoverOptions(fsys))
	if err != nil || !again.Nothing {
		t.Errorf("a second recovery: %+v, %v", again, err)
	}
	if !reflect.DeepEqual(before, contents(fsys)) {
		t.Error("a second recovery changed the reel")
	}
	return got
}

func contents(fsys *formattest.FS) map[string]string {
	all := map[string]string{}
	for _, name := range fsys.Files() {
		all[name] = string(fsys.Data(name))
	}
	return all
}

// Whatever a reel went through, recovery keeps the rows that a reader finds, says what it cut, and leaves nothing unsealed.
func TestRecover(t *testing.T) {
	all := seq(1, 25)
	whole := func(fsys *formattest.FS) {}
	edit := func(name string, f func([]byte) []byte) func(*formattest.FS) {
		return func(fsys *formattest.FS) { fsys.Edit(name, f) }
	}
	for _, tt := range []struct {
		name   string
		damage func(*formattest.FS)
		want   []int
		cut    int64 // bytes
		torn   bool
		after  format.KTime
	}{
		{"killed", whole, all, 0, false, 0},
		{"torn frame", edit(tailJournal, func(b []byte) []byte { return b[:len(b)-5] }), seq(1, 24), int64(noteFrame - 5), true, 24},
		{"zero tail", edit(tailJournal, func(b []byte) []byte { return append(b, make([]byte, 4096)...) }), all, 4096, true, 25},
		{"flipped bit in a frame", edit(tailJournal, func(b []byte) []byte { b[frameAt(23)+20] ^= 4; return b }),
			slices.Concat(seq(1, 22), seq(24, 25)), int64(noteFrame), false, 22},
		{"journal header damaged", edit(tailJournal, func(b []byte) []byte { b[20]++; return b }), all, journalHead, false, 0},
		{"journal header and first frame damaged", edit(tailJournal, func(b []byte) []byte { clear(b[10 : journalHead+20]); return b }),
			slices.Concat(seq(1, 20), seq(22, 25)), int64(journalHead + noteFrame), false, 0},
		{"journal of garbage", edit(tailJournal, func(b []byte) []byte { return bytes.Repeat([]byte("junk"), 100) }), seq(1, 20), 400, false, 0},
		{"journal of zeros", edit(tailJournal, func(b []byte) []byte { return make([]byte, 4096) }), seq(1, 20), 4096, false, 0},
		{"empty journal", func(f *formattest.FS) { f.Put(reelDir+"/journal-000004.log", nil) }, all, 0, false, 0},
		{"half-written segment", func(f *formattest.FS) { f.Put(reelDir+"/segment-000003.tmp/note.parquet", []byte("PAR1")) }, all, 0, false, 0},
		{"segment not in the manifest yet", func(f *formattest.FS) {
			f.Put(reelDir+"/segment-000003/note.parquet", []byte("whatever"))
		}, all, 0, false, 0},
		{"sealed journal not removed yet", func(f *formattest.FS) {
			f.Put(reelDir+"/journal-000002.log", f.Data(tailJournal))
		}, all, 0, false, 0},
		{"half-written manifest", func(f *formattest.FS) { f.Put(manifestFile+".tmp", []byte(`{"format":`)) }, all, 0, false, 0},
		{"manifest missing", func(f *formattest.FS) { must(t, f.Remove(manifestFile)) }, all, 0, false, 0},
		{"manifest empty", edit(manifestFile, func([]byte) []byte { return nil }), all, 0, false, 0},
		{"manifest of zeros", edit(manifestFile, func(b []byte) []byte { clear(b); return b }), all, 0, false, 0},
		{"manifest with a segment twice", edit(manifestFile, func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"number": 2`), []byte(`"number": 1`), 1)
		}), all, 0, false, 0},
		{"manifest missing, a segment damaged", func(f *formattest.FS) {
			must(t, f.Remove(manifestFile))
			f.Edit(reelDir+"/segment-000002/note.parquet", func(b []byte) []byte { b[firstPage(b)+10] ^= 1; return b })
		}, slices.Concat(seq(1, 10), seq(21, 25)), -1, false, 0},
		{"manifest of before the second segment", edit(manifestFile, func(b []byte) []byte {
			i := bytes.Index(b, []byte("    {\n      \"number\": 2"))
			return slices.Concat(bytes.TrimSuffix(b[:i], []byte(",\n")), []byte("\n  ]\n}\n"))
		}), all, 0, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fsys := killed(t)
			tt.damage(fsys)
			got := recovered(t, fsys)
			rows, problems := read(t, fsys)
			if !slices.Equal(rows, tt.want) {
				t.Errorf("rows %v, want %v", rows, tt.want)
			}
			if problems[0].Kind != format.ProblemRecovered {
				t.Errorf("problems %v", problems)
			}
			if tt.cut >= 0 && got.CutBytes != tt.cut || tt.torn != (got.TornBytes > 0) {
				t.Errorf("cut %d bytes (%d torn), want %d: %+v", got.CutBytes, got.TornBytes, tt.cut, got.Cuts)
			}
			if tt.after != 0 && (len(got.Cuts) != 1 || got.Cuts[0].After != tt.after) {
				t.Errorf("cuts %+v, want one after %v", got.Cuts, tt.after)
			}
			for _, f := range fsys.Files() {
				if strings.HasSuffix(f, ".log") || strings.Contains(f, ".tmp") {
					t.Errorf("%s is left", f)
				}
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A segment whose bytes never reached the disk is made again of its journal, if that is still there, whatever the manifest says.
func TestRecoverPrefersTheJournal(t *testing.T) {
	fsys := formattest.New()
	w := create(t, fsys, format.WriterConfig{})
	for n := 1; n <= 5; n++ {
		must(t, w.AppendRow(note(n)))
	}
	must(t, w.Flush())
	journal := fsys.Data(reelDir + "/journal-000001.log")
	must(t, w.Close())
	fsys.Put(reelDir+"/journal-000001.log", journal)
	fsys.Edit(reelDir+"/segment-000001/note.parquet", func(b []byte) []byte { return b[:len(b)/2] })
	got := recovered(t, fsys)
	if rows, _ := read(t, fsys); !slices.Equal(rows, seq(1, 5)) || got.Sealed != 1 {
		t.Errorf("rows %v, %+v", rows, got)
	}
}

// The manifest is rebuilt from any prefix of itself, and keeps what the prefix says.
func TestRecoverCutManifest(t *testing.T) {
	whole := killed(t)
	full := whole.Data(manifestFile)
	captures := 0
	for n := range full {
		fsys := whole.Kill()
		fsys.Edit(manifestFile, func(b []byte) []byte { return b[:n] })
		got, err := format.Recover(reelDir, recoverOptions(fsys))
		if n >= len(full)-1 { // all but the last line end is whole
			break
		}
		if err != nil {
			t.Fatalf("%d bytes of the manifest: %v", n, err)
		}
		if rows, _ := read(t, fsys); !slices.Equal(rows, seq(1, 25)) || !got.Rebuilt {
			t.Fatalf("%d bytes of the manifest: rows %v, %+v", n, rows, got)
		}
		if known := got.Manifest.Capture.Tool == "test"; known != (len(got.Unknown) == 0) {
			t.Fatalf("%d bytes of the manifest: tool %q, unknown %v", n, got.Manifest.Capture.Tool, got.Unknown)
		} else if known {
			captures++
		}
		if !bytes.Equal(fsys.Data(manifestFile+".damaged"), full[:n]) {
			t.Fatalf("%d bytes of the manifest: the damaged one is not kept", n)
		}
	}
	if captures < len(full)/4 {
		t.Errorf("the capture survives %d of %d cuts", captures, len(full))
	}
}

// A kill of the recovery, or a crash of the machine, between any two of its operations leaves a reel that a further recovery
// completes: with the same rows, and the same account of what was cut.
func TestRecoverIsAtomic(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(*formattest.FS)
	}{
		{"torn", func(*formattest.FS) {}},
		{"manifest lost", func(f *formattest.FS) { f.Edit(manifestFile, func(b []byte) []byte { return b[:300] }) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first := tornReel(t)
			tt.damage(first)
			type moment struct {
				op   string
				left *formattest.FS
			}
			var moments []moment
			fsys := first.Kill()
			fsys.Watch(func(op string, crashed, killed *formattest.FS) {
				moments = append(moments, moment{"crash after " + op, crashed}, moment{"kill after " + op, killed})
			})
			want := recovered(t, fsys)
			for _, m := range moments {
				checkRecoverable(t, m.op, m.left, want)
			}
			if len(moments) < 40 {
				t.Errorf("only %d operations were watched", len(moments)/2)
			}
		})
	}
}

// tornReel has two sealed segments, two whole journals, a journal with garbage inside and a torn end, and one without any frame.
func tornReel(t *testing.T) *formattest.FS {
	fsys := formattest.New()
	w := create(t, fsys, format.WriterConfig{})
	for n := 1; n <= 25; n++ {
		must(t, w.AppendRow(note(n)))
	}
	waitFor(t, "the seal of two segments", func() bool { return w.Stats().Segments == 2 })
	fsys.Inject(formattest.Fault{Op: formattest.OpMkdir, Match: "segment-", Err: syscall.EIO})
	for n := 26; n <= 45; n++ {
		must(t, w.AppendRow(note(n)))
	}
	must(t, w.Flush())
	after := fsys.Kill()
	_ = w.Close()
	after.Edit(reelDir+"/journal-000004.log", func(b []byte) []byte { clear(b[200:230]); return b[:len(b)-10] })
	after.Put(reelDir+"/journal-000007.log", []byte("no journal"))
	after.Put(reelDir+"/segment-000005.tmp/note.parquet", []byte("PAR1"))
	return after
}

// tornRows are those of tornReel: 33 and 40 are damaged.
var tornRows = slices.Concat(seq(1, 32), seq(34, 39), seq(41, 45))

func checkRecoverable(t *testing.T, what string, fsys *formattest.FS, want *format.Recovery) {
	t.Helper()
	if _, err := format.Recover(reelDir, recoverOptions(fsys)); err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	rows, problems := read(t, fsys)
	if !slices.Equal(rows, tornRows) {
		t.Errorf("%s: rows %v, want %v", what, rows, tornRows)
	}
	r, err := format.Open(reelDir, format.OpenOptions{FS: fsys})
	must(t, err)
	defer r.Close()
	got := *r.Manifest().Recovered
	if !r.Manifest().Clean || got.CutBytes != want.CutBytes || got.TornBytes != want.TornBytes || got.Sealed != want.Sealed || got.Records != want.Records {
		t.Errorf("%s: clean=%v recovered %+v, want %+v (%v)", what, r.Manifest().Clean, got, want.Recovered, problems)
	}
}

// Any operation that fails ends the recovery with its error; nothing is lost, and a recovery on a healed disk completes it.
func TestRecoverFaults(t *testing.T) {
	first := tornReel(t)
	clean := first.Kill()
	want := recovered(t, clean)
	for _, op := range []formattest.Op{formattest.OpMkdir, formattest.OpCreate, formattest.OpOpen, formattest.OpReadDir, formattest.OpRename,
		formattest.OpRemove, formattest.OpSyncDir, formattest.OpWrite, formattest.OpSync, formattest.OpRead} {
		failed := 0
		for skip := 0; ; skip++ {
			fsys := first.Kill()
			why := syscall.EIO
			if op == formattest.OpWrite && skip%2 == 1 {
				why = syscall.ENOSPC
			}
			fsys.Inject(formattest.Fault{Op: op, Skip: skip, Times: 1, Err: why, Short: 3})
			_, err := format.Recover(reelDir, recoverOptions(fsys))
			if err == nil && skip > failed+20 {
				break // the operation is done less often than that
			}
			if err != nil {
				failed++
				if why == syscall.ENOSPC && !errors.As(err, new(*format.DiskFullError)) {
					t.Errorf("%s %d on a full disk: %v", op, skip, err)
				}
			}
			fsys.Heal()
			checkRecoverable(t, fmt.Sprintf("%s %d fails (%v)", op, skip, err), fsys, want)
		}
		if failed == 0 {
			t.Errorf("no %s fails", op)
		}
	}
}

// A short write without an error is one too.
func TestRecoverShortWrite(t *testing.T) {
	first := tornReel(t)
	want := recovered(t, first.Kill())
	fsys := first.Kill()
	fsys.Inject(formattest.Fault{Op: formattest.OpWrite, Times: 1, Short: 7})
	if _, err := format.Recover(reelDir, recoverOptions(fsys)); err == nil {
		t.Error("a short write is not noticed")
	}
	checkRecoverable(t, "short write", fsys, want)
}

func TestRecoverRefuses(t *testing.T) {
	t.Run("a reel that is being recorded", func(t *testing.T) {
		fsys := formattest.New()
		w := create(t, fsys, format.WriterConfig{})
		must(t, w.AppendRow(note(1)))
		must(t, w.Flush())
		before := contents(fsys)
		_, err := format.Recover(reelDir, recoverOptions(fsys))
		if !errors.As(err, new(*format.LockedError)) || !reflect.DeepEqual(before, contents(fsys)) {
			t.Errorf("%v", err)
		}
		must(t, w.Close())
		if got, err := format.Recover(reelDir, recoverOptions(fsys)); err != nil || !got.Nothing {
			t.Errorf("when it has ended: %+v, %v", got, err)
		}
	})
	t.Run("a dry run changes nothing", func(t *testing.T) {
		fsys := tornReel(t)
		fsys.Edit(manifestFile, func(b []byte) []byte { return b[:200] })
		before := contents(fsys)
		opts := recoverOptions(fsys)
		opts.DryRun = true
		dry, err := format.Recover(reelDir, opts)
		must(t, err)
		if !reflect.DeepEqual(before, contents(fsys)) {
			t.Error("files changed")
		}
		real := recovered(t, fsys)
		if dry.Sealed != real.Sealed || dry.Records != real.Records || dry.CutBytes != real.CutBytes || !slices.Equal(dry.Cuts, real.Cuts) {
			t.Errorf("it would %+v, and did %+v", dry.Recovered, real.Recovered)
		}
		slices.Sort(dry.Removed)
		slices.Sort(real.Removed)
		if !slices.Equal(dry.Removed, slices.DeleteFunc(slices.Clone(real.Removed), func(s string) bool {
			return strings.HasPrefix(s, "journal-") && s != "journal-000007.log"
		})) {
			t.Errorf("it would remove %v, and did %v", dry.Removed, real.Removed)
		}
	})
	for _, tt := range []struct {
		name string
		edit func(*formattest.FS)
		want func(error) bool
	}{
		{"another format", func(f *formattest.FS) {
			f.Edit(manifestFile, func(b []byte) []byte { return bytes.Replace(b, []byte(`"reel"`), []byte(`"tape"`), 1) })
		}, func(err error) bool { return errors.Is(err, format.ErrNotReel) }},
		{"a newer reel", func(f *formattest.FS) {
			f.Edit(manifestFile, func(b []byte) []byte {
				return bytes.Replace(b, []byte(`"schema_version": 2`), []byte(`"schema_version": 99`), 1)
			})
		}, func(err error) bool { return errors.As(err, new(*format.TooNewError)) }},
		{"a cut manifest of a newer reel", func(f *formattest.FS) {
			f.Edit(manifestFile, func(b []byte) []byte {
				return bytes.Replace(b, []byte(`"schema_version": 2`), []byte(`"schema_version": 99`), 1)[:200]
			})
		}, func(err error) bool { return errors.As(err, new(*format.TooNewError)) }},
		{"a directory of other things", func(f *formattest.FS) {
			for _, name := range f.Files() {
				must(t, f.Remove(name))
			}
			f.Put(reelDir+"/holiday.jpg", []byte("JFIF"))
		}, func(err error) bool { return errors.Is(err, format.ErrNotReel) }},
		{"nothing that says whose it is", func(f *formattest.FS) {
			must(t, f.Remove(manifestFile))
			for _, name := range f.Files() {
				f.Put(name, []byte("garbage"))
			}
		}, func(err error) bool { return strings.Contains(err.Error(), "none of its 3 other files can be read") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fsys := killed(t)
			tt.edit(fsys)
			before := contents(fsys)
			if _, err := format.Recover(reelDir, recoverOptions(fsys)); err == nil || !tt.want(err) {
				t.Errorf("%v", err)
			}
			if !reflect.DeepEqual(before, contents(fsys)) {
				t.Error("files changed")
			}
		})
	}
	if _, err := format.Recover("nothing.reel", recoverOptions(formattest.New())); !errors.Is(err, format.ErrNotReel) {
		t.Errorf("no directory: %v", err)
	}
}

// A journal of another reel is nobody's to remove.
func TestRecoverLeavesOthers(t *testing.T) {
	fsys := killed(t)
	other := killed(t).Data(tailJournal)
	fsys.Put(reelDir+"/journal-000009.log", other)
	got, err := format.Recover(reelDir, recoverOptions(fsys))
	if err != nil || len(got.Left) != 1 || !strings.Contains(got.Left[0], "journal-000009.log is journal 3 of the reel") {
		t.Errorf("%+v, %v", got, err)
	}
	if !bytes.Equal(fsys.Data(reelDir+"/journal-000009.log"), other) {
		t.Error("it was changed")
	}
}

// What is sealed by a recovery went through the filter, and the manifest says which.
func TestRecoverMasks(t *testing.T) {
	fsys := formattest.New()
	w := create(t, fsys, format.WriterConfig{})
	must(t, w.AppendRow(&format.Process{Time: 1, Op: format.ProcExec, PID: 4, Args: []string{"curl", "-u", "me:secret"}}))
	must(t, w.Flush())
	left := fsys.Kill()
	must(t, w.Close())
	opts := recoverOptions(left)
	opts.Filter = func(m *format.Manifest) (format.Filter, error) {
		if m.Capture.Tool != "test" {
			t.Errorf("the filter is made for %+v", m.Capture)
		}
		return argsFilter{}, nil
	}
	got, err := format.Recover(reelDir, opts)
	must(t, err)
	if got.Manifest.Segments[0].Filter != "args" {
		t.Errorf("filter %q", got.Manifest.Segments[0].Filter)
	}
	for name, data := range contents(left) {
		if strings.Contains(data, "secret") {
			t.Errorf("%s holds the secret", name)
		}
	}
	refused := errors.New("not with me")
	opts.Filter = func(*format.Manifest) (format.Filter, error) { return nil, refused }
	if _, err := format.Recover(reelDir, opts); !errors.Is(err, refused) {
		t.Errorf("%v", err)
	}
}

type argsFilter struct{}

func (argsFilter) Version() string      { return "args" }
func (argsFilter) Fresh() format.Filter { return argsFilter{} }
func (argsFilter) Apply(row format.Row) {
	if p, ok := row.(*format.Process); ok {
		p.Args = p.Args[:1]
	}
}
