//go:build linux && (amd64 || arm64)

package capture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/capture/budget"
	"github.com/ebpf-reel/reel/format"
)

// A recorder that is killed at any moment, under load and while segments are sealed, leaves a reel that opens, says that it
// ended uncleanly, and lacks nothing that lies more than one flush interval before the kill.
func TestKilledRecorderLosesOneFlushInterval(t *testing.T) {
	needRoot(t)
	program, _ := ownName(t)
	server := serveAs(t, program)
	client := helper(t, "client", server.url, "forever")
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range 10 {
		dir := filepath.Join(t.TempDir(), "killed.reel")
		recorder := helper(t, "record", dir, strconv.Itoa(int(client.pid())))
		waitFor(t, "it records", func() bool {
			if recorder.ended() {
				t.Fatalf("the recorder ended: %s", recorder.out.String())
			}
			return slices.Contains(recorder.words(), "recording")
		})
		began := systemClock{}.Now()
		life := 600*time.Millisecond + time.Duration(random.Int64N(int64(1200*time.Millisecond)))
		waitFor(t, "the moment of the kill", func() bool { return systemClock{}.Now().Sub(began) >= life })
		killed := systemClock{}.Now()
		recorder.kill()

		got := read(t, dir)
		if got.manifest.Clean || !slices.ContainsFunc(got.problems, func(p format.Problem) bool { return p.Kind == format.ProblemUnclean }) {
			t.Errorf("kill %d (seed %d): the reel does not say that it is unclean: %v", i, seed, got.problems)
		}
		// The client's own account: every answer that it had, until a flush interval before the kill.
		answers := -1 // the first may be to a request from before the capture
		for _, line := range client.words() {
			ns, err := strconv.ParseInt(line, 10, 64)
			if err != nil {
				continue // a line that is being written
			}
			if at := format.KTime(ns); at > began && killed.Sub(at) > 500*time.Millisecond {
				answers++
			}
		}
		requests := 0
		for _, row := range got.io {
			if row.Dir == format.Write && killed.Sub(row.Time) > 500*time.Millisecond {
				requests++
			}
		}
		if answers <= 0 || requests < answers {
			t.Errorf("kill %d after %v (seed %d): the client had %d answers by a flush interval before, the reel has %d requests", i, life, seed, answers, requests)
		}
	}
}

// A full disk ends the capture with one sentence, and what was sealed before stays readable.
func TestFullDisk(t *testing.T) {
	needRoot(t)
	disk := t.TempDir()
	if err := unix.Mount("reel-test", disk, "tmpfs", 0, "size=3m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	program, _ := ownName(t)
	server := serveAs(t, program)
	cfg := config(t)
	cfg.Dir = filepath.Join(disk, "full.reel")
	cfg.PIDs = []format.PID{server.pid()}
	cfg.SegmentBytes = 256 << 10
	cfg.Limits.MinFreeDisk = budget.Unlimited // else it ends before the disk is full
	r := begin(t, cfg)
	client := helper(t, "client", server.url, "forever")
	select {
	case <-r.done:
	case <-time.After(time.Minute):
		t.Fatal("the capture does not end on a full disk")
	}
	client.kill()
	broken, ok := as[*BrokenError](r.err)
	if !ok {
		t.Fatalf("it ended with %v", r.err)
	}
	if _, ok := as[*format.DiskFullError](r.err); !ok {
		t.Errorf("it ended with %q, want a disk that is full", broken)
	}
	if r.summary == nil || r.summary.Clean || r.summary.Reason != ReasonBroken {
		t.Errorf("the summary is %+v", r.summary)
	}
	got := read(t, cfg.Dir)
	if got.manifest.Clean || len(got.io) == 0 {
		t.Errorf("the reel says clean=%v and has %d calls", got.manifest.Clean, len(got.io))
	}
	// And a disk that is full already leaves nothing behind.
	rest, err := os.Create(filepath.Join(disk, "rest"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = rest.Write(make([]byte, 4096))
	}
	rest.Close()
	cfg.Dir = filepath.Join(disk, "none.reel")
	_, err = Record(t.Context(), cfg)
	if _, ok := as[*format.DiskFullError](err); !ok {
		t.Errorf("a capture to a full disk says %v", err)
	}
	if _, err := os.Stat(cfg.Dir); err == nil {
		entries, _ := os.ReadDir(cfg.Dir)
		t.Errorf("a capture that did not begin left %d files in %s", len(entries), cfg.Dir)
	}
}

// Files are the user's alone.
func TestReelIsPrivate(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	server := serve(t, "127.0.0.1", "python3")
	cfg := config(t)
	cfg.PIDs = []format.PID{server.pid()}
	r := begin(t, cfg)
	r.end(t)
	err := filepath.WalkDir(cfg.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			return fmt.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
