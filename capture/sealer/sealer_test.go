//go:build linux && (amd64 || arm64)

package sealer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/capture/capturetest"
	"github.com/ebpf-reel/reel/format"
)

// Words that make the test binary another process.
const (
	sealArg     = "seal"     // a worker
	crashArg    = "crash"    // one that ends as soon as it is asked
	recorderArg = "recorder" // a recorder that writes until it is killed, into the reel that follows
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case sealArg:
			os.Exit(Work(os.Args[2:], format.NoFilter{}))
		case crashArg:
			fmt.Println(`{"ready":true}`)
			_, _ = os.Stdin.Read(make([]byte, 1))
			fmt.Fprintln(os.Stderr, "panic: a bug")
			os.Exit(2)
		case recorderArg:
			if err := record(os.Args[2]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// troubles collects what a Process tells.
type troubles struct {
	mu  sync.Mutex
	all []Trouble
}

func (t *troubles) add(one Trouble) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, one)
}

func (t *troubles) list() []Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.all)
}

const segmentBytes = 4 << 20

// create makes a reel whose segments another process seals.
func create(dir string, p format.SealWorker) (*format.Writer, error) {
	return createWith(dir, p, 1<<40)
}

// createWith is create, whose worker is in a hurry above some bytes of journal: without, it rests as long as the machine is busy.
func createWith(dir string, p format.SealWorker, maxUnsealed int64) (*format.Writer, error) {
	return format.Create(dir, format.CaptureInfo{Tool: "reel test", StartWall: 1}, format.WriterConfig{
		SegmentBytes: segmentBytes, Filter: format.NoFilter{}, Worker: p, MaxUnsealed: maxUnsealed, ShedUnsealed: 1 << 40,
	})
}

// write appends notes from number first on until they are many segments; returned is the number of the next.
func write(w *format.Writer, first, segments int) (int, error) {
	detail := strings.Repeat("x", 200)
	n := first
	for bytes := 0; bytes < segments*(segmentBytes+1024); n++ {
		note := format.Note{Time: format.KTime(n + 1), Name: "n", Count: uint64(n), Detail: detail}
		if err := w.AppendRow(&note); err != nil {
			return n, err
		}
		bytes += len(detail) + 32
	}
	return n, w.Flush()
}

// wantRows checks that the reel holds the notes 0 to n-1, and returns it closed.
func wantRows(t *testing.T, dir string, n int) *format.Manifest {
	t.Helper()
	r, err := format.Open(dir, format.OpenOptions{Filter: format.NoFilter{}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	next := 0
	for row, err := range r.Rows(format.RowsOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		note, ok := row.(*format.Note)
		if !ok {
			t.Fatalf("a row of type %T", row)
		}
		if int(note.Count) != next {
			t.Fatalf("row %d is note %d", next, note.Count)
		}
		next++
	}
	if next != n {
		t.Fatalf("the reel holds %d rows, %d were written", next, n)
	}
	return r.Manifest()
}

// waitFor waits for a condition with a bound.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
		time.Sleep(2 * time.Millisecond) // poll
	}
}

// helper waits for the worker.
func helper(t *testing.T, p *Process) int {
	t.Helper()
	var pids []format.PID
	waitFor(t, "a worker runs", func() bool {
		pids = p.Helpers()
		return len(pids) > 0
	})
	return int(pids[0])
}

func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(text, []byte(") Z ")) // a zombie is dead
}

// allIdle reports whether every thread of a process works only where no other wants to.
func allIdle(t *testing.T, pid int) bool {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return false
	}
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		attr, err := unix.SchedGetAttr(tid, 0)
		if err == nil && attr.Policy != unix.SCHED_IDLE {
			return false
		}
	}
	return len(entries) > 0
}

func begin(t *testing.T, word string) (*Process, *format.Writer, *troubles, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "t.reel")
	told := &troubles{}
	p := New(Config{Dir: dir, Reexec: []string{word}, OnTrouble: told.add})
	w, err := create(dir, p)
	if err != nil {
		t.Fatal(err)
	}
	return p, w, told, dir
}

func mustWrite(t *testing.T, w *format.Writer, first, segments int) int {
	t.Helper()
	n, err := write(w, first, segments)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSealsInAnotherProcessAtIdlePriority(t *testing.T) {
	p, w, told, dir := begin(t, sealArg)
	if len(p.Helpers()) != 0 {
		t.Error("a worker runs before there is anything to seal")
	}
	n := mustWrite(t, w, 0, 2)
	pid := helper(t, p)
	waitFor(t, "it is idle", func() bool { return allIdle(t, pid) })
	waitFor(t, "segments are sealed", func() bool { return w.Stats().Segments >= 1 })
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if alive(pid) || len(p.Helpers()) != 0 {
		t.Error("the worker outlives its writer")
	}
	if m := wantRows(t, dir, n); !m.Clean {
		t.Error("the reel is not clean")
	}
	if len(told.list()) != 0 {
		t.Errorf("troubles: %v", told.list())
	}
}

func TestHurriesAndRelaxes(t *testing.T) {
	p, w, _, dir := begin(t, sealArg)
	n := mustWrite(t, w, 0, 2)
	pid := helper(t, p)
	waitFor(t, "it is idle", func() bool { return allIdle(t, pid) })
	p.Hurry(true)
	if p.Helpers()[0] != format.PID(pid) || allIdle(t, pid) {
		t.Error("it is as idle as before")
	}
	p.Hurry(false)
	if !allIdle(t, pid) {
		t.Error("it is not idle again")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	wantRows(t, dir, n)
}

// Without the privilege to leave SCHED_IDLE, another worker takes over at normal priority.
func TestHurriesWithoutPrivilege(t *testing.T) {
	p, w, told, dir := begin(t, sealArg)
	n := mustWrite(t, w, 0, 3)
	pid := helper(t, p)
	waitFor(t, "it is idle", func() bool { return allIdle(t, pid) })
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine, and its missing privilege with it
		var limit unix.Rlimit
		err := unix.Getrlimit(unix.RLIMIT_NICE, &limit)
		if err == nil && limit.Cur != 0 {
			err = fmt.Errorf("RLIMIT_NICE is %d: it gives the privilege", limit.Cur)
		}
		if err == nil {
			err = dropCapability(unix.CAP_SYS_NICE)
		}
		if err == nil {
			p.Hurry(true)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Error("the idle worker still runs")
	}
	wantRows(t, dir, n)
	if len(told.list()) != 0 {
		t.Errorf("a change of priority is no trouble, told was %v", told.list())
	}
}

// dropCapability takes one capability from the calling thread.
func dropCapability(c uint) error {
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&h, &data[0]); err != nil {
		return err
	}
	data[c/32].Effective &^= 1 << (c % 32)
	return unix.Capset(&h, &data[0])
}

func TestKilledWorkerIsReplaced(t *testing.T) {
	p, w, told, dir := begin(t, sealArg)
	n, killed := 0, 0
	for ; killed < 3; killed++ {
		n = mustWrite(t, w, n, 2)
		pid := helper(t, p)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "another worker runs", func() bool {
			now := p.Helpers()
			return len(now) > 0 && int(now[0]) != pid
		})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if m := wantRows(t, dir, n); !m.Clean {
		t.Error("the reel is not clean")
	}
	got := told.list()
	if len(got) != killed || !strings.Contains(got[0].String(), "was killed by signal 9") {
		t.Errorf("killed %d times, told was %v", killed, got)
	}
}

// A worker that is stopped holds up nothing: it is ended, and another begins the journal anew.
func TestStoppedWorkerIsReplaced(t *testing.T) {
	p, w, told, dir := begin(t, sealArg)
	n := mustWrite(t, w, 0, 3)
	pid := helper(t, p)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	n = mustWrite(t, w, n, 2)
	if took := time.Since(begun); took > stoppedFor {
		t.Errorf("appending took %v while the worker was stopped", took)
	}
	waitFor(t, "it is ended", func() bool { return !alive(pid) })
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	wantRows(t, dir, n)
	if got := told.list(); len(got) != 1 || got[0].PID != format.PID(pid) || !strings.Contains(got[0].What, "was stopped") {
		t.Errorf("told was %v", got)
	}
}

// A worker that is stopped when the reel is closed is replaced as well.
func TestStoppedWorkerAtTheEnd(t *testing.T) {
	p, w, _, dir := begin(t, sealArg)
	n := mustWrite(t, w, 0, 2)
	if err := syscall.Kill(helper(t, p), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if m := wantRows(t, dir, n); !m.Clean {
		t.Error("the reel is not clean")
	}
}

// A worker that crashes on every journal costs time only: the writer seals in its own process at its end.
func TestCrashingWorker(t *testing.T) {
	_, w, told, dir := begin(t, crashArg)
	n := mustWrite(t, w, 0, 2)
	waitFor(t, "it was tried as often as it is", func() bool { return len(told.list()) >= maxTries })
	if err := w.Stats().Err; err != nil {
		t.Errorf("a crashing worker ends the capture: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if m := wantRows(t, dir, n); !m.Clean {
		t.Error("the reel is not clean")
	}
	if got := told.list(); !strings.Contains(got[0].What, "panic: a bug") {
		t.Errorf("told was %v", got)
	}
}

func TestWorkerThatCannotBeStarted(t *testing.T) {
	_, w, told, dir := begin(t, strings.Repeat("x", 256<<10)) // MAX_ARG_STRLEN is 128 KiB
	n := mustWrite(t, w, 0, 2)
	waitFor(t, "this process seals", func() bool { return w.Stats().Segments >= 1 })
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if m := wantRows(t, dir, n); !m.Clean {
		t.Error("the reel is not clean")
	}
	if got := told.list(); len(got) != 1 || got[0].PID != 0 {
		t.Errorf("told was %v", got)
	}
}

// A disk that is full is the recorder's to know, with its file, and no trouble of the worker's.
func TestFullDiskInTheWorker(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("reel-test", disk, "tmpfs", 0, "size=9m"); err != nil {
		t.Fatalf("mount a small tmpfs (needs root): %v", err)
	}
	defer func() { _ = unix.Unmount(disk, unix.MNT_DETACH) }()
	dir := filepath.Join(disk, "t.reel")
	told := &troubles{}
	w, err := create(dir, New(Config{Dir: dir, Reexec: []string{sealArg}, OnTrouble: told.add}))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for err == nil && n < 1<<20 {
		n, err = write(w, n, 1)
		if err == nil {
			err = w.Stats().Err
		}
		if err == nil { // fill what compresses too well
			err = os.WriteFile(filepath.Join(disk, strconv.Itoa(n)), make([]byte, 512<<10), 0o600)
			if errors.Is(err, syscall.ENOSPC) {
				err = nil
			}
		}
	}
	var full *format.DiskFullError
	if !errors.As(err, &full) {
		t.Fatalf("a full disk says %v", err)
	}
	if err := w.Close(); !errors.As(err, &full) {
		t.Errorf("closing it says %v", err)
	}
	if len(told.list()) != 0 {
		t.Errorf("told was %v", told.list())
	}
	r, err := format.Open(dir, format.OpenOptions{Filter: format.NoFilter{}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Manifest().Clean {
		t.Error("the reel says that it is clean")
	}
}

// Two rules of masking in one reel would be a lie in its manifest.
func TestRefusesAnotherFilter(t *testing.T) {
	_, w, _, dir := begin(t, sealArg)
	defer w.Close()
	if _, err := format.OpenSealing(dir, otherFilter{}, nil); err == nil {
		t.Error("a reel is sealed by a filter that is not its own")
	}
}

type otherFilter struct{ format.NoFilter }

func (otherFilter) Version() string { return "other/1" }

// record is a recorder that prints the worker's pid once there is one, and how many rows are sealed.
func record(dir string) error {
	p := New(Config{Dir: dir, Reexec: []string{sealArg}})
	w, err := createWith(dir, p, 4*segmentBytes)
	if err != nil {
		return err
	}
	for n := 0; ; {
		if n, err = write(w, n, 1); err != nil {
			return err
		}
		if pids := p.Helpers(); len(pids) > 0 {
			fmt.Println(pids[0], w.Stats().Segments, n)
		}
		for w.Stats().UnsealedBytes > 8*segmentBytes { // the worker is idle, and the disk is not endless
			runtime.Gosched()
		}
	}
}

// kill -9 of a recorder whose worker seals, or is stopped, leaves no process and a reel that lacks no row that was flushed.
func TestKilledRecorderLeavesNoWorker(t *testing.T) {
	for _, stop := range []bool{false, true} {
		t.Run(fmt.Sprintf("stopped=%v", stop), func(t *testing.T) {
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "t.reel")
			out := &capturetest.Output{}
			cmd := exec.Command(self, recorderArg, dir)
			cmd.Stdout, cmd.Stderr = out, os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var worker, segments, rows int
			waitFor(t, "segments are sealed", func() bool {
				_, err := fmt.Sscan(out.LastLine(), &worker, &segments, &rows)
				return err == nil && segments >= 2
			})
			if stop {
				if err := syscall.Kill(worker, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // killed
			waitFor(t, "the worker ends", func() bool { return !alive(worker) })
			if _, err := fmt.Sscan(out.LastLine(), &worker, &segments, &rows); err != nil {
				t.Fatal(err)
			}
			r, err := format.Open(dir, format.OpenOptions{Filter: format.NoFilter{}})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			held := 0
			for row, err := range r.Rows(format.RowsOptions{}) {
				if err != nil {
					t.Fatal(err)
				}
				if note, ok := row.(*format.Note); !ok || int(note.Count) != held {
					t.Fatalf("row %d is %v", held, row)
				}
				held++
			}
			if r.Manifest().Clean || held < rows {
				t.Errorf("clean=%v, %d rows of %d that were flushed", r.Manifest().Clean, held, rows)
			}
		})
	}
}

// An aborted worker ends at once, whatever it is at; no other is started, and nobody is told of trouble.
func TestAbort(t *testing.T) {
	p, w, told, dir := begin(t, sealArg)
	n := mustWrite(t, w, 0, 8)
	pid := helper(t, p)
	w.Abandon("told so")
	waitFor(t, "the worker is gone", func() bool { return !alive(pid) })
	var unsealed *format.UnsealedError
	if err := w.Close(); !errors.As(err, &unsealed) || unsealed.Journals == 0 {
		t.Errorf("Close says %v", err)
	}
	if m := wantRows(t, dir, n); m.Clean || !strings.Contains(m.Unsealed, "told so") {
		t.Errorf("the manifest says clean %v, %q", m.Clean, m.Unsealed)
	}
	if len(told.list()) != 0 {
		t.Errorf("trouble: %v", told.list())
	}
}
