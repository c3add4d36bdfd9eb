//go:build linux && (amd64 || arm64)

package capture

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/doctor"
	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/format"
)

// What cannot be recorded is refused in one sentence, and leaves nothing behind.
func TestRefusals(t *testing.T) {
	needRoot(t)
	self := format.PID(os.Getpid())
	comm := fmt.Sprintf("reel-self-%d", self%10000) // a name that no other process has
	rename(t, comm)
	target := launch(t, sleeper())
	thread := threadOf(t, self)
	for _, c := range []struct {
		name string
		set  func(*Config)
		want string // the sentence, or its end
	}{
		{"nothing", func(*Config) {}, "nothing to record: choose processes with -p PID, --comm NAME, --container NAME, --cgroup PATH, or a command after --"},
		{"no such process", func(c *Config) { c.PIDs = []format.PID{1<<22 - 1} }, "process 4194303 does not exist: ps -e lists those that do"},
		{"no such name", func(c *Config) { c.Comms = []string{"no-such-name"} }, "--comm no-such-name names no process that runs now: ps -eo pid,comm shows the names (the first 15 characters count)"},
		{"itself", func(c *Config) { c.PIDs = []format.PID{self} }, fmt.Sprintf("process %d is this recorder itself: it does not record itself; choose another process", self)},
		{"its own name", func(c *Config) { c.Comms = []string{comm} }, "--comm " + comm + " names this recorder itself and nothing else: it does not record itself; choose another name"},
		{"a thread", func(c *Config) { c.PIDs = []format.PID{thread} }, fmt.Sprintf("%d is a thread of process %d: processes are recorded as a whole, use -p %d", thread, self, self)},
		{"a kernel thread", func(c *Config) { c.PIDs = []format.PID{2} }, "process 2 is a thread of the kernel (kthreadd): only programs make system calls; choose one"},
		{"no such command", func(c *Config) { c.Command = []string{"no-such-command"} }, `the command "no-such-command" is not in PATH: give its path`},
		{"no such file", func(c *Config) { c.Command = []string{"/no/such/file"} }, `the command "/no/such/file" does not exist: check its path`},
		{"no program", func(c *Config) { c.Command = []string{writeFile(t, 0o600)} }, "cannot be run: it is not an executable file"},
		{"no format", func(c *Config) { c.Command = []string{writeFile(t, 0o700)} }, "cannot be run: exec format error"},
		{"no name", func(c *Config) { c.Dir = ""; c.PIDs = []format.PID{target.pid()} }, "the name of the reel is empty: give one with -w NAME.reel"},
		{"negative time", func(c *Config) { c.Duration = -time.Second; c.PIDs = []format.PID{target.pid()} }, "a capture of -1s is not possible: the duration is positive, or 0 for no limit"},
		{"odd rings", func(c *Config) { c.RingBytes = 100_000; c.PIDs = []format.PID{target.pid()} }, "rings of 100000 bytes are not possible: the size is a power of two from 4096 to 1073741824"},
		{"no directory", func(c *Config) { c.Dir += "/a/b"; c.PIDs = []format.PID{target.pid()} }, "no such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t)
			cfg.Duration = 5 * time.Second // should it not be refused
			c.set(&cfg)
			_, err := Record(t.Context(), cfg)
			if err == nil {
				t.Fatal("it was not refused")
			}
			got := err.Error()
			if !strings.HasSuffix(got, c.want) {
				t.Errorf("the sentence is %q, want %q", got, c.want)
			}
			if strings.Contains(got, "\n") {
				t.Errorf("%q is more than one line", got)
			}
			if cfg.Dir != "" {
				if _, err := os.Lstat(cfg.Dir); err == nil {
					t.Errorf("%s was left behind", cfg.Dir)
				}
			}
		})
	}
}

// rename gives this process a name until the end of the test.
func rename(t *testing.T, comm string) {
	t.Helper()
	file := fmt.Sprintf("/proc/%d/comm", os.Getpid())
	old, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(comm), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.WriteFile(file, old, 0) })
}

func TestRefusesAnExistingOutput(t *testing.T) {
	needRoot(t)
	target := launch(t, sleeper())
	cfg := config(t)
	cfg.PIDs = []format.PID{target.pid()}
	if err := os.WriteFile(cfg.Dir, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Record(t.Context(), cfg)
	if _, ok := as[*format.ExistsError](err); !ok {
		t.Errorf("it says %v", err)
	}
	if data, _ := os.ReadFile(cfg.Dir); string(data) != "somebody's" {
		t.Error("the file was touched")
	}
}

func TestRefusesAProcessThatHasEnded(t *testing.T) {
	stat := procfs.Stat{PID: 4711, Comm: "web", State: 'Z'}
	for threads, refused := range map[uint64]bool{1: true, 2: false} {
		stat.Threads = threads
		_, err := chooseProcess(fakeProc{map[format.PID]procfs.Stat{4711: stat}}, 4711, 1)
		if _, ok := as[*TargetError](err); ok != refused {
			t.Errorf("a zombie with %d threads: %v", threads, err)
		}
	}
}

// What is missing is named; either CAP_SYS_ADMIN or the two that replaced it will do.
func TestNamesMissingCapabilities(t *testing.T) {
	for capEff, want := range map[string]string{
		"000001ffffffffff": "", "0000000000200000": "", "000000c000000000": "",
		"0000000000000000": "CAP_BPF CAP_PERFMON", "0000008000000000": "CAP_PERFMON", "0000004000000000": "CAP_BPF",
	} {
		if got := strings.Join(doctor.Effective([]byte("Name:\treel\nCapEff:\t"+capEff+"\n")).MissingRequired(), " "); got != want {
			t.Errorf("with %s, %q is missing, want %q", capEff, got, want)
		}
	}
}

func TestConfigChecks(t *testing.T) {
	ok := Config{Dir: "x", PIDs: []format.PID{1}, Filter: format.NoFilter{}, Snaplen: bpf.SnapFull}
	if err := ok.check(); err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string]func(*Config){
		"pid 0": func(c *Config) { c.PIDs = []format.PID{0} }, "port 0": func(c *Config) { c.Ports = []uint16{0} },
		"empty comm": func(c *Config) { c.Comms = []string{""} }, "no filter": func(c *Config) { c.Filter = nil },
		"no reexec": func(c *Config) { c.Command = []string{"ls"} }, "small segments": func(c *Config) { c.SegmentBytes = 1 },
		"short segments": func(c *Config) { c.SegmentTime = 1 }, "short flush": func(c *Config) { c.FlushInterval = 1 },
	} {
		cfg := ok
		set(&cfg)
		if _, usage := as[*UsageError](cfg.check()); !usage {
			t.Errorf("%s is not refused: %v", name, cfg.check())
		}
	}
}

func TestRingsFitTheMachine(t *testing.T) {
	for cpus, want := range map[int]int{1: 8 << 20, 16: 8 << 20, 17: 4 << 20, 64: 2 << 20, 128: 1 << 20, 512: 1 << 20} {
		if got := new(Config).ringBytes(cpus); got != want {
			t.Errorf("%d CPUs: %d bytes each, want %d", cpus, got, want)
		}
	}
	if got := (&Config{RingBytes: 4096}).ringBytes(512); got != 4096 {
		t.Errorf("a given size is changed to %d", got)
	}
}

func TestDefaultDir(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 15, 30, 0, time.UTC)
	for want, cfg := range map[string]Config{
		"go-20261122-101530.reel":      {Command: []string{"/usr/bin/go", "test"}},
		"nginx-20261122-101530.reel":   {Comms: []string{"nginx", "php"}},
		"a-b-c-20261122-101530.reel":   {Comms: []string{"../a/b c"}},
		"capture-20261122-101530.reel": {PIDs: []format.PID{1<<22 - 1}},
	} {
		if got := DefaultDir(&cfg, at); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestNotesHaveSentences(t *testing.T) {
	n := 0
	for name := range NoteNames() {
		n++
		if s := name.Sentence(); s == "" || strings.HasSuffix(s, ".") {
			t.Errorf("%s: %q", name, s)
		}
	}
	if n < 10 {
		t.Errorf("%d names", n)
	}
}
