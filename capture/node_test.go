//go:build linux && (amd64 || arm64)

package capture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/capture/budget"
	"github.com/ebpf-reel/reel/format"
)

// memoryGroup is a cgroup of the test's own with a limit of memory.
type memoryGroup struct {
	dir   string
	usage string // file
	limit int64
}

func newMemoryGroup(t *testing.T, limit int64) *memoryGroup {
	t.Helper()
	needRoot(t)
	name := fmt.Sprintf("reel-test-%d", os.Getpid())
	g := &memoryGroup{limit: limit}
	var limitFile string
	if own := ownCgroup(t, "memory"); own != "" {
		g.dir = filepath.Join("/sys/fs/cgroup/memory", own, name)
		limitFile, g.usage = "memory.limit_in_bytes", "memory.usage_in_bytes"
	} else {
		g.dir = filepath.Join("/sys/fs/cgroup", name) // v2, at the top: a group with processes has no groups with limits
		limitFile, g.usage = "memory.max", "memory.current"
		_ = os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+memory"), 0)
	}
	if err := os.Mkdir(g.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // later than the end of the processes in it, which were launched after
		for deadline := time.Now().Add(10 * time.Second); os.Remove(g.dir) != nil && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond) // poll
		}
	})
	if err := os.WriteFile(filepath.Join(g.dir, limitFile), []byte(strconv.FormatInt(limit, 10)), 0); err != nil {
		t.Fatal(err)
	}
	return g
}

// ownCgroup is the path of this process in a v1 hierarchy; "" where there is none.
func ownCgroup(t *testing.T, controller string) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 && slices.Contains(strings.Split(parts[1], ","), controller) {
			return parts[2]
		}
	}
	return ""
}

func (g *memoryGroup) used(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, g.usage))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// helper starts a helper in the cgroup.
func (g *memoryGroup) helper(t *testing.T, name string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := `echo $$ > "$0/cgroup.procs" && exec "$@"`
	cmd := exec.Command("sh", append([]string{"-c", script, g.dir, self}, args...)...)
	cmd.Env = append(os.Environ(), helperEnv+"="+name)
	return launch(t, cmd)
}

// The recorder's cgroup has a limit far below what the node has: when others in it have taken the rest, the recorder ends, before
// the kernel ends somebody.
func TestFreeMemoryOfTheCgroupEndsTheCapture(t *testing.T) {
	g := newMemoryGroup(t, 768<<20)
	program, _ := ownName(t)
	server := serveAs(t, program)
	dir := filepath.Join(t.TempDir(), "cgroup.reel")
	recorder := g.helper(t, "record", dir, strconv.Itoa(int(server.pid())))
	waitFor(t, "it records", func() bool {
		if recorder.ended() {
			t.Fatalf("the recorder ended: %s", recorder.out.String())
		}
		return strings.Contains(recorder.out.String(), "recording")
	})
	run(t, []string{"curl", "-s", "-o", os.DevNull, server.url})
	// 32 MiB are to stay free in a cgroup of this size.
	hog := g.helper(t, "hog", strconv.FormatInt(g.limit-g.used(t)-24<<20, 10))
	waitFor(t, "the memory is taken, or the recorder has seen enough", func() bool { return strings.Contains(hog.out.String(), "full") || recorder.ended() })
	select {
	case <-recorder.done:
	case <-time.After(20 * time.Second):
		t.Fatalf("it goes on with %d of %d bytes in use", g.used(t), g.limit)
	}
	if said := recorder.out.String(); !strings.Contains(said, "of memory are free, 32.0 MiB are to stay free (--min-free-memory): the capture ended before its time") {
		t.Fatalf("it ended (%v) and said %q", recorder.ProcessState, said)
	}
	got := read(t, dir)
	if !got.manifest.Clean || len(got.moved(server.pid(), format.Write)) < DefaultSnaplen {
		t.Errorf("clean %v, %d bytes", got.manifest.Clean, len(got.moved(server.pid(), format.Write)))
	}
	if last := got.beats[len(got.beats)-1]; last.FreeMemory == 0 || last.FreeMemory > 32<<20 {
		t.Errorf("the last heartbeat has %d bytes of free memory", last.FreeMemory)
	}
}

// A disk that is full when the reel is sealed: the capture says so, every row is in journals, and with room recover makes it clean.
func TestDiskFillsDuringTheSeal(t *testing.T) {
	disk := tmpfs(t, "16m")
	server := &fileServer{process: helper(t, "noise")}
	server.awaitURL(t)
	cfg := config(t)
	cfg.Dir = filepath.Join(disk, "full.reel")
	cfg.PIDs = []format.PID{server.pid()}
	cfg.SegmentTime = time.Hour
	cfg.Limits.MinFreeDisk = budget.Unlimited
	r := begin(t, cfg)
	for range 60 { // 3.75 MiB, which no compression makes less
		run(t, []string{"curl", "-s", "-o", os.DevNull, server.url})
	}
	// Another program takes the rest but for a little, which the end of the journal needs.
	other := filepath.Join(disk, "other")
	free := func() int64 {
		var s unix.Statfs_t
		if err := unix.Statfs(disk, &s); err != nil {
			t.Fatal(err)
		}
		return int64(s.Bavail) * s.Bsize
	}
	waitFor(t, "the journal is written", func() bool { return free() < 13<<20 })
	if err := os.WriteFile(other, make([]byte, free()-1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	r.cancel()
	<-r.done
	broken, ok := as[*BrokenError](r.err)
	if !ok || !strings.Contains(broken.Error(), "no space left to write segment-") {
		t.Fatalf("it ended with %v", r.err)
	}
	got := read(t, cfg.Dir)
	moved := len(got.moved(server.pid(), format.Write))
	if got.manifest.Clean || !strings.Contains(got.manifest.Unsealed, "no space left") || moved < 60*64<<10 {
		t.Errorf("clean %v, unsealed %q, %d bytes", got.manifest.Clean, got.manifest.Unsealed, moved)
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	if _, err := format.Recover(cfg.Dir, format.RecoverOptions{Filter: func(*format.Manifest) (format.Filter, error) { return format.NoFilter{}, nil }}); err != nil {
		t.Fatal(err)
	}
	if got = read(t, cfg.Dir); !got.manifest.Clean || len(got.moved(server.pid(), format.Write)) != moved {
		t.Errorf("recovered: clean %v, %d bytes of %d", got.manifest.Clean, len(got.moved(server.pid(), format.Write)), moved)
	}
}

// A directory that cannot be written to is refused in one sentence, and nothing is loaded or left behind.
func TestReadOnlyDirectory(t *testing.T) {
	disk := tmpfs(t, "1m")
	if err := unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	server := serve(t, "127.0.0.1", "python3")
	cfg := config(t)
	cfg.Dir = filepath.Join(disk, "x.reel")
	cfg.PIDs = []format.PID{server.pid()}
	cfg.Limits.MinFreeDisk = budget.Unlimited
	_, err := Record(t.Context(), cfg)
	refused, ok := as[*RefusedError](err)
	if !ok || refused.Error() != "the reel cannot be written (mkdir "+cfg.Dir+": read-only file system): choose a place that can be written to with -w" {
		t.Errorf("it says %v", err)
	}
}
