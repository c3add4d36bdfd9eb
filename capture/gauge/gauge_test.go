//go:build linux

package gauge

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/ebpf-reel/reel/format"
)

// node writes the files of a txtar below a new folder that stands for /.
func node(t *testing.T, archive string) *Gauges {
	t.Helper()
	root := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		path := filepath.Join(root, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return newAt(root)
}

const meminfo = "-- proc/meminfo --\nMemTotal:       1000000 kB\nMemFree:         100000 kB\nMemAvailable:    500000 kB\n"

func TestMemory(t *testing.T) {
	for _, c := range []struct {
		name, files string
		free, total uint64
	}{
		{"no cgroups", "", 500000 << 10, 1000000 << 10},
		{"v2 without a limit", `
-- proc/self/mountinfo --
30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw
-- proc/self/cgroup --
0::/system.slice/reel.service
-- sys/fs/cgroup/system.slice/reel.service/memory.max --
max
-- sys/fs/cgroup/system.slice/reel.service/memory.current --
5
`, 500000 << 10, 1000000 << 10},
		{"v2, the limit is above ours", `
-- proc/self/mountinfo --
30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw
-- proc/self/cgroup --
0::/kubepods/pod7/c9
-- sys/fs/cgroup/kubepods/pod7/c9/memory.max --
300000000
-- sys/fs/cgroup/kubepods/pod7/c9/memory.current --
1000
-- sys/fs/cgroup/kubepods/pod7/memory.max --
200000000
-- sys/fs/cgroup/kubepods/pod7/memory.current --
190000000
-- sys/fs/cgroup/kubepods/pod7/memory.stat --
anon 7
inactive_file 40000000
active_file 5
-- sys/fs/cgroup/kubepods/memory.max --
max
`, 50000000, 200000000},
		{"v2 with a namespace of its own", `
-- proc/self/mountinfo --
30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw
-- proc/self/cgroup --
0::/
-- sys/fs/cgroup/memory.max --
100000000
-- sys/fs/cgroup/memory.current --
120000000
`, 0, 100000000},
		{"v2 that shows the container alone, with the host's path", `
-- proc/self/mountinfo --
30 23 0:26 /kubepods/pod7/c9 /sys/fs/cgroup ro - cgroup2 cgroup2 rw
-- proc/self/cgroup --
0::/kubepods/pod7/c9
-- sys/fs/cgroup/memory.max --
100000000
-- sys/fs/cgroup/memory.current --
99999999
`, 1, 100000000},
		{"v1", `
-- proc/self/mountinfo --
30 23 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct
31 23 0:27 / /sys/fs/cgroup/with\040space rw,nosuid shared:7 master:1 - cgroup cgroup rw,memory
32 23 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
-- proc/self/cgroup --
9:cpu:/elsewhere
4:memory:/docker/abc
0::/
-- sys/fs/cgroup/with space/docker/abc/memory.limit_in_bytes --
67108864
-- sys/fs/cgroup/with space/docker/abc/memory.usage_in_bytes --
60000000
-- sys/fs/cgroup/with space/docker/abc/memory.stat --
inactive_file 1
total_inactive_file 10000000
-- sys/fs/cgroup/with space/memory.limit_in_bytes --
9223372036854771712
-- sys/fs/cgroup/with space/memory.usage_in_bytes --
9
`, 67108864 - 50000000, 67108864},
	} {
		t.Run(c.name, func(t *testing.T) {
			free, total, err := node(t, meminfo+c.files).Memory()
			if err != nil || free != c.free || total != c.total {
				t.Errorf("%d of %d bytes are free (%v), want %d of %d", free, total, err, c.free, c.total)
			}
		})
	}
}

// Files that are not as they should be are an error or no limit, never a panic.
func TestMemoryOfAStrangeNode(t *testing.T) {
	for _, files := range []string{
		"-- proc/meminfo --\nMemTotal: 12 kB\n",
		"-- proc/meminfo --\nMemTotal: 99999999999999999999 kB\nMemAvailable:\n",
	} {
		if _, _, err := node(t, files).Memory(); err == nil || !strings.Contains(err.Error(), "/proc/meminfo") {
			t.Errorf("%q: %v", files, err)
		}
	}
	for _, files := range []string{
		"-- proc/self/cgroup --\n\n:\n0::\n4:memory\n-- proc/self/mountinfo --\n\n - \n1 2 3 4 5 - cgroup2\n1 2 3 /\\0 /\\999 - cgroup2 a b\n",
		"-- proc/self/cgroup --\n0::/../../..\n-- proc/self/mountinfo --\n1 2 3 / /sys - cgroup2 a b\n-- sys/memory.max --\n-5\n",
	} {
		if free, _, err := node(t, meminfo+files).Memory(); err != nil || free != 500000<<10 {
			t.Errorf("%q: %d free, %v", files, free, err)
		}
	}
}

// This machine, against free(1), df(1) and ps(1).
func TestThisMachine(t *testing.T) {
	g := New()
	free, total, err := g.Memory()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("free", "-b").Output()
	if err != nil {
		t.Fatal(err)
	}
	all, _ := strconv.ParseUint(strings.Fields(strings.Split(string(out), "\n")[1])[1], 10, 64)
	if total > all || free > total || free == 0 {
		t.Errorf("%d of %d bytes are free, free(1) knows %d", free, total, all)
	}

	dir := t.TempDir()
	free, size, err := g.Disk(dir)
	if err != nil {
		t.Fatal(err)
	}
	if out, err = exec.Command("df", "-B1", "--output=size,avail", dir).Output(); err != nil {
		t.Fatal(err)
	}
	df := strings.Fields(strings.Split(string(out), "\n")[1])
	wantSize, _ := strconv.ParseUint(df[0], 10, 64)
	wantFree, _ := strconv.ParseUint(df[1], 10, 64)
	if size != wantSize || max(free, wantFree)-min(free, wantFree) > 1<<30 { // others write meanwhile
		t.Errorf("%d of %d bytes are free, df says %d of %d", free, size, wantFree, wantSize)
	}
	if load, err := g.Load(); err != nil || load < 0 || load > 1000 {
		t.Errorf("load %v: %v", load, err)
	}
	if _, _, err := g.Disk(filepath.Join(dir, "none")); err == nil {
		t.Error("a path that is not there has a file system")
	}
}

func TestUsage(t *testing.T) {
	g := New()
	before, err := g.Usage(nil)
	if err != nil {
		t.Fatal(err)
	}
	// A helper with a hostile name that works, and waits for a child that works.
	busy := filepath.Join(t.TempDir(), "a) R 1 1 (b")
	script := "#!/bin/sh\nsh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo done; read end\n"
	if err := os.WriteFile(busy, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(busy)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	pid := format.PID(cmd.Process.Pid)
	with, err := g.Usage([]format.PID{pid})
	if err != nil {
		t.Fatal(err)
	}
	rss, err := exec.Command("ps", "-o", "rss=", "-p", fmt.Sprint(pid)).Output()
	if err != nil {
		t.Fatal(err)
	}
	kib, _ := strconv.ParseUint(string(bytes.TrimSpace(rss)), 10, 64)
	if with.Memory <= kib<<10 || with.Memory > kib<<10+1<<30 {
		t.Errorf("%d bytes in all, the helper alone has %d", with.Memory, kib<<10)
	}
	in.Close()
	_ = cmd.Wait()
	used := cmd.ProcessState.SystemTime() + cmd.ProcessState.UserTime()
	after, err := g.Usage([]format.PID{pid}) // it has ended: what it took stays
	if err != nil {
		t.Fatal(err)
	}
	self, err := New().Usage(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := after.CPU - self.CPU; got < used-100*time.Millisecond || got > used+20*time.Millisecond {
		t.Errorf("the helper took %v, it is read as %v", used, got)
	}
	if after.CPU < before.CPU || after.Memory >= with.Memory+1<<20 {
		t.Errorf("before %+v, with the helper %+v, after %+v", before, with, after)
	}
}
