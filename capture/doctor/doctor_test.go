//go:build linux && (amd64 || arm64)

package doctor

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/format"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("REEL_ALLOW_SKIP") == "1" {
			t.Skip("needs root")
		}
		t.Fatal("this test loads BPF programs and needs root; REEL_ALLOW_SKIP=1 skips it")
	}
}

func find(t *testing.T, checks []format.Check, name string) format.Check {
	t.Helper()
	for _, c := range checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no check is called %q: %+v", name, checks)
	return format.Check{}
}

// This machine is fit for a capture, and each hook is tried.
func TestThisNode(t *testing.T) {
	needRoot(t)
	checks := append(Node(Options{Dir: t.TempDir() + "/x.reel", RingBytes: 1 << 20, CPUs: 2}), TryHooks(1<<20)...)
	hooks := 0
	for _, c := range checks {
		if strings.HasPrefix(c.Name, "hook ") {
			hooks++
		}
		if c.State == format.CheckBlocked {
			t.Errorf("blocked: %+v", c)
		}
		if c.State != format.CheckOK && c.Lost == "" {
			t.Errorf("it is not said what is lost: %+v", c)
		}
	}
	if hooks < 10 {
		t.Errorf("%d hooks tried", hooks)
	}
}

// Machines that this is not.
func TestOtherNodes(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		check string
		want  format.CheckState
	}{
		"old kernel":      {map[string]string{"proc/sys/kernel/osrelease": "4.19.0-27-amd64\n"}, "kernel", format.CheckBlocked},
		"5.9":             {map[string]string{"proc/sys/kernel/osrelease": "5.9.16\n"}, "kernel", format.CheckBlocked},
		"5.10":            {map[string]string{"proc/sys/kernel/osrelease": "5.10.0-46-cloud-amd64\n"}, "kernel", format.CheckOK},
		"no release":      {nil, "kernel", format.CheckLimited},
		"no BTF":          {nil, "BTF", format.CheckBlocked},
		"locked down":     {map[string]string{"sys/kernel/security/lockdown": "none integrity [confidentiality]\n"}, "lockdown", format.CheckBlocked},
		"half locked":     {map[string]string{"sys/kernel/security/lockdown": "none [integrity] confidentiality\n"}, "lockdown", format.CheckOK},
		"no capabilities": {map[string]string{"proc/self/status": "CapEff:\t0000000000000000\n"}, "CAP_BPF", format.CheckBlocked},
		"no ptrace":       {map[string]string{"proc/self/status": "CapEff:\t000000c000000000\n"}, "CAP_SYS_PTRACE", format.CheckLimited},
		"not needed yet":  {map[string]string{"proc/self/status": "CapEff:\t000000c000000000\n"}, "CAP_SYSLOG", format.CheckOK},
		"old capability":  {map[string]string{"proc/self/status": "CapEff:\t0000000000200000\n"}, "CAP_PERFMON", format.CheckOK},
		"no cgroups":      {nil, "cgroups", format.CheckLimited},
	} {
		t.Run(name, func(t *testing.T) {
			n := node{root: t.TempDir()}
			for path, text := range c.files {
				if err := os.MkdirAll(filepath.Dir(n.path(path)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(n.path(path), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			checks := append([]format.Check{n.kernel(), n.btf(), n.lockdown(), n.cgroups()}, n.capabilities()...)
			if got := find(t, checks, c.check); got.State != c.want {
				t.Errorf("%+v, want %s", got, c.want)
			}
		})
	}
}

func TestHooksSayWhatIsLost(t *testing.T) {
	checks := Hooks([]bpf.HookResult{{Name: "a", Purpose: "x"}, {Name: "b", Purpose: "y", Err: unix.EPERM}, {Name: "c", Required: true, Err: unix.EPERM}})
	if checks[0].State != format.CheckOK || checks[1].State != format.CheckLimited || checks[1].Lost != "y" || checks[2].State != format.CheckBlocked {
		t.Errorf("%+v", checks)
	}
	if Worst(checks[:1]) != format.CheckOK || Worst(checks[:2]) != format.CheckLimited || Worst(checks) != format.CheckBlocked {
		t.Error("the worst of them is not the state of the whole")
	}
}

// This process with known sockets and a ring.
func TestProcess(t *testing.T) {
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	u, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	s, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var params [120]byte // struct io_uring_params
	ring, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 4, uintptr(unsafe.Pointer(&params)), 0)
	if errno != 0 {
		t.Fatalf("io_uring_setup: %v", errno)
	}
	defer unix.Close(int(ring))

	checks, err := Process(format.PID(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	if got := find(t, checks, "sockets").Found; got != "1 UDP, 1 Unix, 2 TCP" {
		t.Errorf("sockets: %s", got)
	}
	if got := find(t, checks, "io_uring"); got.State != format.CheckLimited || got.Found != "1 open" {
		t.Errorf("io_uring: %+v", got)
	}
	if got := find(t, checks, "TLS"); got.State != format.CheckOK || !strings.Contains(got.Found, "no library") && !strings.Contains(got.Found, "go 1.") {
		t.Errorf("TLS: %+v", got)
	}
	if got := find(t, checks, "program"); got.State != format.CheckOK || !strings.Contains(got.Found, "64-bit") {
		t.Errorf("program: %+v", got)
	}
}

// python3 maps libssl once it has imported ssl.
func TestProcessNamesLibraries(t *testing.T) {
	cmd := exec.Command("/usr/bin/python3", "-c", "import ssl, sys; print('ready', flush=True); sys.stdin.read()")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	checks, err := Process(format.PID(cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if got := find(t, checks, "TLS"); got.State != format.CheckOK || !strings.Contains(got.Found, "openssl 3.") || !strings.Contains(got.Found, "(libcrypto.so.3) by symbol") {
		t.Errorf("TLS: %+v", got)
	}
}

func TestProcessThatIsNot(t *testing.T) {
	if _, err := Process(1<<22 - 1); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}
