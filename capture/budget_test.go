//go:build linux && (amd64 || arm64)

package capture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/capture/budget"
	"github.com/ebpf-reel/reel/format"
)

// tmpfs mounts a small file system of the test's own.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	needRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("reel-test", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// du is what du(1) says that a folder takes, in bytes of its files.
func du(t *testing.T, dir string) int64 {
	t.Helper()
	out, err := exec.Command("du", "-sb", "--apparent-size", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(strings.Fields(string(out))[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestShedsForReal records a server under a rate that it exceeds by far, up to the last level: each row has its exact length, and
// the kernel's own count of the connection's bytes (ss) is what rows and shed calls add up to.
func TestShedsForReal(t *testing.T) {
	needRoot(t)
	program, _ := ownName(t)
	server := serveAs(t, program)
	cfg := config(t)
	cfg.Snaplen = 4096
	cfg.PIDs = []format.PID{server.pid()}
	cfg.Limits.Rate = 1 << 10
	levels := make(chan budget.Level, 100)
	cfg.OnProgress = func(p Progress) { levels <- p.Shed }
	r := begin(t, cfg)
	client := helper(t, "client", server.url)
	asked := 0
	ask := func() {
		t.Helper()
		if _, err := fmt.Fprintln(client.in); err != nil {
			t.Fatal(err)
		}
		asked++
		waitFor(t, "the answer", func() bool { return len(client.words()) == asked })
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		if time.Now().After(deadline) {
			t.Fatal("the last level is not reached within 30 s")
		}
		for range 5 {
			ask()
		}
		if level := <-levels; level == budget.IO {
			break
		}
	}
	for range 50 {
		ask()
	}
	out, err := exec.Command("ss", "-tinH", "src", strings.TrimPrefix(strings.TrimSuffix(server.url, "/file.bin"), "http://")).Output()
	if err != nil {
		t.Fatal(err)
	}
	moved := func(name string) (n uint64) {
		t.Helper()
		m := regexp.MustCompile(` ` + name + `:(\d+)`).FindSubmatch(out)
		if m == nil && name == "bytes_retrans" {
			return 0 // ss prints no zero
		}
		if m == nil {
			t.Fatalf("ss does not say %s: %s", name, out)
		}
		n, _ = strconv.ParseUint(string(m[1]), 10, 64)
		return n
	}
	want := moved("bytes_sent") - moved("bytes_retrans") + moved("bytes_received") // a busy machine makes TCP probe for tail loss
	got := r.end(t)
	if r.summary.Shed != budget.IO || r.summary.ShedCalls < 100 {
		t.Errorf("level %d, %d calls shed; want the last, and two for each of 50 requests", r.summary.Shed, r.summary.ShedCalls)
	}
	last := got.beats[len(got.beats)-1]
	total := last.ShedBytes
	seen := map[string]bool{}
	for _, row := range got.io {
		if row.Ret > 0 {
			total += uint64(row.Ret)
		}
		if row.Cut == format.CutShed {
			seen[fmt.Sprint("shed to ", len(row.Payload))] = true
			if len(row.Payload) > 512 {
				t.Errorf("%d bytes are kept of a message that is shed", len(row.Payload))
			}
		}
	}
	// A run of a probe that the kernel skipped is a call that is neither a row nor counted; it is noted.
	if skipped := got.note(NoteProbeSkipped); total > want || total < want && skipped == nil {
		t.Errorf("rows and shed calls (%d bytes) add up to %d bytes, ss says %d; skipped %+v", last.ShedBytes, total, want, skipped)
	}
	if !seen["shed to 512"] || !seen["shed to 0"] {
		t.Errorf("not every level was seen: %v", seen)
	}
	if n := got.note(NoteShedCalls); n == nil || n.Count != r.summary.ShedCalls || n.Detail != fmt.Sprintf("they moved %d bytes", last.ShedBytes) {
		t.Errorf("the note of shed calls is %+v; heartbeat %+v", n, last)
	}
	if n := got.note(NoteShed); n == nil || !strings.Contains(n.Detail, "1.0 KiB/s are allowed (--max-rate)") {
		t.Errorf("the note of the first level is %+v", n)
	}
}

// Another program fills the disk: the breaker ends the capture before it is full, and the reel is sealed and clean.
func TestFreeDiskEndsTheCapture(t *testing.T) {
	disk := tmpfs(t, "64m")
	program, _ := ownName(t)
	server := serveAs(t, program)
	cfg := config(t)
	cfg.Dir = filepath.Join(disk, "short.reel")
	cfg.PIDs = []format.PID{server.pid()}
	cfg.Limits.MinFreeDisk = 8 << 20
	r := begin(t, cfg)
	run(t, []string{"curl", "-s", "-o", os.DevNull, server.url})
	file, err := os.Create(filepath.Join(disk, "other"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write(make([]byte, 60<<20)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.done:
	case <-time.After(30 * time.Second):
		t.Fatal("it goes on")
	}
	node, ok := as[*NodeError](r.err)
	if !ok || !strings.Contains(node.Error(), "of disk are free, 8.0 MiB are to stay free (--min-free-disk)") {
		t.Fatalf("it ended with %v", r.err)
	}
	got := read(t, cfg.Dir)
	if !got.manifest.Clean || len(got.problems) != 0 || len(got.moved(server.pid(), format.Write)) < len(server.body) {
		t.Errorf("clean %v, problems %v, %d bytes", got.manifest.Clean, got.problems, len(got.moved(server.pid(), format.Write)))
	}
	if n := got.note(NoteStopped); n == nil || !strings.HasPrefix(n.Detail, string(ReasonNode)) {
		t.Errorf("the reel says that it ended since %+v", n)
	}
}

// The reel is bounded: at no time does it take more than it may, and in the end it is sealed.
func TestReelKeepsToItsSize(t *testing.T) {
	needRoot(t)
	server := &fileServer{process: helper(t, "noise")}
	server.awaitURL(t)
	cfg := config(t)
	cfg.PIDs = []format.PID{server.pid()}
	cfg.Limits.Disk = 8 << 20
	r := begin(t, cfg)
	client := helper(t, "client", server.url)
	most := int64(0)
	for ended := false; !ended; {
		if _, err := fmt.Fprintln(client.in); err != nil {
			t.Fatal(err)
		}
		select {
		case <-r.done:
			ended = true
		case <-time.After(50 * time.Millisecond): // the pace: somewhat more than 1 MiB a second
		}
		// du fails where a file goes while it looks.
		if size, err := exec.Command("du", "-sb", "--apparent-size", cfg.Dir).Output(); err == nil {
			n, _ := strconv.ParseInt(strings.Fields(string(size))[0], 10, 64)
			most = max(most, n)
		}
	}
	got := r.wait(t)
	if r.summary.Reason != ReasonDisk || !got.manifest.Clean {
		t.Errorf("it ended because %s, clean %v", r.summary.Reason, got.manifest.Clean)
	}
	if most > int64(cfg.Limits.Disk) {
		t.Errorf("the reel took up to %d bytes, %d are allowed", most, cfg.Limits.Disk)
	}
	if size := du(t, cfg.Dir); r.summary.ReelBytes < int64(cfg.Limits.Disk)/2 || size < r.summary.ReelBytes || size > r.summary.ReelBytes+64<<10 {
		t.Errorf("du says %d bytes, the receipt %d and a manifest; %d are allowed", size, r.summary.ReelBytes, cfg.Limits.Disk)
	}
}

// treeTime is the CPU time of a process and of its children, as /proc/PID/stat has it, in ticks of 10 ms.
func treeTime(t *testing.T, pid format.PID) (sum time.Duration) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if fields[1] != fmt.Sprint(pid) && file != fmt.Sprintf("/proc/%d/stat", pid) {
			continue
		}
		for _, field := range fields[11:15] {
			ticks, _ := strconv.Atoi(field)
			sum += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return sum
}

// TestReceiptAgainstTheKernel holds the recorder's account of itself against what the kernel counts of its process.
func TestReceiptAgainstTheKernel(t *testing.T) {
	needRoot(t)
	program, _ := ownName(t)
	server := serveAs(t, program)
	client := helper(t, "client", server.url, "forever")
	dir := filepath.Join(t.TempDir(), "receipt.reel")
	recorder := helper(t, "record", dir, strconv.Itoa(int(server.pid())))
	waitFor(t, "it records", func() bool { return strings.Contains(recorder.out.String(), "recording") })
	// While it runs, for each second a look at /proc/PID/stat, whose clock has ticks of 10 ms.
	type look struct {
		at  format.KTime
		cpu time.Duration
	}
	var looks []look
	for range 40 {
		looks = append(looks, look{systemClock{}.Now(), treeTime(t, recorder.pid())})
		time.Sleep(100 * time.Millisecond) // poll
	}
	client.kill()
	if err := recorder.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-recorder.done
	whole := recorder.ProcessState.UserTime() + recorder.ProcessState.SystemTime()
	got := read(t, dir)
	compared := 0
	for _, beat := range got.beats {
		for i := range looks[1:] {
			before, after := looks[i], looks[i+1]
			if beat.Time < before.at || beat.Time > after.at {
				continue
			}
			compared++
			const ticks = 30 * time.Millisecond // of the kernel's clock, and between the readings of one beat
			if beat.RecorderCPU < before.cpu-ticks || beat.RecorderCPU > after.cpu+ticks {
				t.Errorf("the receipt has %v of CPU, /proc had %v before and %v after", beat.RecorderCPU, before.cpu, after.cpu)
			}
		}
		if beat.RecorderCPU > whole {
			t.Errorf("the receipt has %v of CPU, the process took %v in all", beat.RecorderCPU, whole)
		}
		// Each of the two processes had at most that.
		if most := uint64(recorder.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) << 10; beat.RSS > 2*most || beat.RSS < most/8 {
			t.Errorf("the receipt has %d bytes of memory, a process had at most %d", beat.RSS, most)
		}
		if beat.FreeMemory == 0 || beat.FreeDisk == 0 {
			t.Errorf("the receipt does not say what is free: %+v", beat)
		}
	}
	if compared < 3 {
		t.Errorf("%d heartbeats lie between two looks", compared)
	}
	last := got.beats[len(got.beats)-1]
	if last.ProgramTime <= 0 || last.ProgramsMeasured < 900*time.Millisecond || last.ProgramsMeasured > 6*time.Second {
		t.Errorf("the programs ran for %v, measured for %v", last.ProgramTime, last.ProgramsMeasured)
	}
}
