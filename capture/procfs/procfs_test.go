//go:build linux

package procfs

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// ps is the oracle for a process of the test.
func ps(t *testing.T, pid int, field string) string {
	t.Helper()
	out, err := exec.Command("ps", "-ww", "-o", field+"=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		t.Fatalf("ps: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func TestDescribesAsPsDoes(t *testing.T) {
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	pid := cmd.Process.Pid
	var row format.Process
	for deadline := time.Now().Add(10 * time.Second); len(row.Args) == 0 && time.Now().Before(deadline); {
		// Start returns in the middle of the exec, before the arguments are there.
		var err error
		if row, err = New().Describe(format.PID(pid)); err != nil {
			t.Fatal(err)
		}
	}
	for field, got := range map[string]string{
		"comm": row.Comm, "ppid": strconv.Itoa(int(row.PPID)), "ruid": strconv.Itoa(int(row.UID)), "args": strings.Join(row.Args, " "),
		"netns": strconv.FormatUint(row.NetNS, 10), "pidns": strconv.FormatUint(row.PidNS, 10), "mntns": strconv.FormatUint(row.MntNS, 10),
	} {
		if want := ps(t, pid, field); got != want {
			t.Errorf("%s: %q, ps says %q", field, got, want)
		}
	}
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if want, err := filepath.EvalSymlinks(sleep); err != nil || row.Exe != want {
		t.Errorf("exe %q, want %q", row.Exe, want)
	}
	// Started within the second: CLOCK_BOOTTIME now is in /proc/uptime.
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	up, err := strconv.ParseFloat(strings.Fields(string(uptime))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	if age := time.Duration(up*1e9) - time.Duration(row.Start); age < -Tick || age > 10*time.Second {
		t.Errorf("it started %v ago", age)
	}
	pids, err := New().PIDs()
	if err != nil || !slices.Contains(pids, format.PID(pid)) {
		t.Errorf("it is not among %v: %v", pids, err)
	}
}

func TestCountsCPUsAsGetconfDoes(t *testing.T) {
	out, err := exec.Command("getconf", "_NPROCESSORS_ONLN").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strconv.Itoa(New().CPUs()); got != strings.TrimSpace(string(out)) {
		t.Errorf("%s CPUs, getconf says %s", got, out)
	}
}

func TestGoneProcess(t *testing.T) {
	for _, err := range []error{
		func() error { _, err := New().Stat(1<<22 - 1); return err }(),
		func() error { _, err := New().Describe(1<<22 - 1); return err }(),
		func() error { _, err := New().Leader(1<<22 - 1); return err }(),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v is not fs.ErrNotExist", err)
		}
	}
}

const statTail = " S 1 2 3 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 9 0 1234 99 100\n"

func TestParsesStat(t *testing.T) {
	for _, comm := range []string{"web", "a b", "(sd-pam)", ") R 0 (", "ü\n"} {
		s, err := parseStat([]byte("4711 (" + comm + ")" + statTail))
		if err != nil {
			t.Fatalf("%q: %v", comm, err)
		}
		want := Stat{PID: 4711, PPID: 1, Comm: comm, State: 'S', Threads: 9, CPU: 110 * time.Millisecond, Start: 1234 * uint64(Tick)}
		if s != want {
			t.Errorf("got %+v, want %+v", s, want)
		}
	}
	if s, err := parseStat([]byte("2 (kthreadd)" + strings.Replace(statTail, "4194304", "2129984", 1))); err != nil || !s.Kernel {
		t.Errorf("a kernel thread is %+v: %v", s, err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("4711 (web)" + statTail)) // whole
	f.Add([]byte("4711 (web) S 1"))        // cut
	f.Add([]byte(")("))                    // parentheses-the-wrong-way
	f.Add([]byte("4711 (web)" + strings.ReplaceAll(statTail, "1", "99999999999999999999")))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = parseStat(data) })
}

func TestPicksTheCgroupThatNames(t *testing.T) {
	for text, want := range map[string]string{
		"0::/system.slice/nginx.service\n": "/system.slice/nginx.service",
		"0::/\n":                           "/",
		"":                                 "",
		"12:memory:/docker/abc\n1:name=systemd:/docker/abc/init\n0::/\n":      "/docker/abc/init",
		"12:memory:/kubepods/pod1/c1\n1:name=systemd:/\n":                     "/kubepods/pod1/c1",
		"1:name=systemd:/user.slice\n0::/system.slice/containerd.service:x\n": "/system.slice/containerd.service:x",
	} {
		if got := Best(parseCgroups([]byte(text))); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestSplitsArguments(t *testing.T) {
	for text, want := range map[string][]string{
		"curl\x00-s\x00\x00url\x00":             {"curl", "-s", "", "url"},
		"nginx: worker process":                 {"nginx: worker process"},
		"nginx: master process\x00\x00\x00\x00": {"nginx: master process"},
		"":                                      nil,
	} {
		if got := splitArgs([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// Long command lines are cut, and say so.
func TestCutsArguments(t *testing.T) {
	cmd := exec.Command("sh", "-c", "read line", strings.Repeat("x", 2*ArgsBytes))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); _ = cmd.Wait() }()
	var row format.Process
	for deadline := time.Now().Add(10 * time.Second); len(row.Args) == 0 && time.Now().Before(deadline); {
		// Start returns in the middle of the exec, before the arguments are there.
		if row, err = New().Describe(format.PID(cmd.Process.Pid)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(strings.Join(row.Args, "\x00")); !row.ArgsCut || n != ArgsBytes {
		t.Errorf("%d bytes of arguments, cut %v", n, row.ArgsCut)
	}
}
