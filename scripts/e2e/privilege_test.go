package e2e

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format"
)

// The capabilities that a recorder wants (docs/deploy.md), all that it is given here.
var wanted = map[string]uintptr{
	"CAP_BPF": unix.CAP_BPF, "CAP_PERFMON": unix.CAP_PERFMON, "CAP_SYS_PTRACE": unix.CAP_SYS_PTRACE,
	"CAP_DAC_READ_SEARCH": unix.CAP_DAC_READ_SEARCH, "CAP_CHECKPOINT_RESTORE": unix.CAP_CHECKPOINT_RESTORE, "CAP_SYSLOG": unix.CAP_SYSLOG,
}

// asNobody is reel as user nobody with these capabilities and no others.
func asNobody(t *testing.T, dir string, capabilities map[string]uintptr, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(reelBin, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	for _, c := range capabilities {
		cmd.SysProcAttr.AmbientCaps = append(cmd.SysProcAttr.AmbientCaps, c)
	}
	return cmd
}

// nobodysDir is a directory that nobody may write to and reach.
func nobodysDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "reel-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	return dir
}

func without(name string) map[string]uintptr {
	rest := map[string]uintptr{}
	for n, c := range wanted {
		if n != name {
			rest[n] = c
		}
	}
	return rest
}

// What doctor says with each capability missing in turn is what a capture then does, and what its reel says.
func TestDoctorPredictsTheCapture(t *testing.T) {
	needRoot(t)
	// A process of root's: what nobody may know of it is up to CAP_SYS_PTRACE.
	target := start(t, nil, "/usr/bin/sleep", "600")
	for _, missing := range []string{"", "CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_CHECKPOINT_RESTORE", "CAP_SYSLOG"} {
		t.Run("without "+missing, func(t *testing.T) {
			dir := nobodysDir(t)
			var said struct {
				State  format.CheckState
				Checks []format.Check
			}
			cmd := asNobody(t, dir, without(missing), "doctor", "--json")
			out, _ := cmd.Output()
			doctorCode := cmd.ProcessState.ExitCode()
			if err := json.Unmarshal(out, &said); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			blocked := missing == "CAP_BPF" || missing == "CAP_PERFMON"
			if (said.State == format.CheckBlocked) != blocked || (doctorCode == 5) != blocked {
				t.Errorf("doctor says %s, exit code %d", said.State, doctorCode)
			}
			cmd = asNobody(t, dir, without(missing), "capture", "-p", fmt.Sprint(target.pid()), "-d", "200ms", "-w", "x.reel")
			text, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != doctorCode {
				t.Fatalf("exit codes: doctor %d, capture %d:\n%s", doctorCode, code, text)
			}
			if blocked {
				if !strings.Contains(string(text), missing) {
					t.Errorf("capture does not name %s: %s", missing, text)
				}
				return
			}
			checkOwnerAndModes(t, filepath.Join(dir, "x.reel"))
			r, err := format.Open(filepath.Join(dir, "x.reel"), format.OpenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got, want := states(r.Manifest().Capture.Checks), states(said.Checks); !slices.Equal(got, want) {
				t.Errorf("the reel has other checks than doctor made:\n%v\n%v", got, want)
			}
			hidden := false
			for row, err := range r.Rows(format.RowsOptions{Tables: []format.TableID{format.TableNote}}) {
				if err != nil {
					t.Fatal(err)
				}
				hidden = hidden || row.(*format.Note).Name == "process_hidden"
			}
			if hidden != (missing == "CAP_SYS_PTRACE") {
				t.Errorf("process_hidden: %v", hidden)
			}
		})
	}
}

// states is what does not change from one second to the next.
func states(checks []format.Check) (all []string) {
	for _, c := range checks {
		all = append(all, c.Name+" "+string(c.State)+" "+c.Lost)
	}
	return all
}

func checkOwnerAndModes(t *testing.T, dir string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; info.Mode().Perm() != want || owner != nobody {
			t.Errorf("%s: mode %v, owner %d", path, info.Mode(), owner)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var capabilityLine = regexp.MustCompile(`(?m)^Cap(Inh|Prm|Eff|Bnd|Amb):\s+([0-9a-f]+)$`)

// threads reads the capability sets of each thread of a process, and whether all have no_new_privs.
func threads(t *testing.T, pid int) (sets []map[string]string, noNewPrivs bool) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	noNewPrivs = true
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		set := map[string]string{}
		for _, m := range capabilityLine.FindAllStringSubmatch(string(text), -1) {
			set[m[1]] = m[2]
		}
		sets = append(sets, set)
		noNewPrivs = noNewPrivs && strings.Contains(string(text), "NoNewPrivs:\t1")
	}
	return sets, noNewPrivs
}

// A recorder that runs has given up what it needs no more, on all threads and for whatever it starts; and it goes on recording.
func TestRecorderGivesUpPrivileges(t *testing.T) {
	needRoot(t)
	const bpf, perfmon, ptrace, read, restore, syslog, nice, admin = unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH,
		unix.CAP_CHECKPOINT_RESTORE, unix.CAP_SYSLOG, unix.CAP_SYS_NICE, unix.CAP_SYS_ADMIN
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	defer server.Close()
	port := server.Listener.Addr().(*net.TCPAddr).Port
	for _, c := range []struct {
		option string
		keeps  []uint
	}{
		{"", []uint{bpf, perfmon, ptrace, read, restore, syslog, nice}},
		{"--max-cpu=100%", []uint{bpf, perfmon, ptrace, read, restore, syslog, nice, admin}},
		{"--freeze", nil},
	} {
		t.Run(c.option, func(t *testing.T) {
			// A shell that asks twice: once before the recorder is looked at, once after.
			in, gate, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer gate.Close()
			client := startWith(t, in, nil, "/bin/sh", "-c", "while read line; do curl -sS "+server.URL+"; done")
			in.Close()
			args := []string{"-p", fmt.Sprint(client.pid()), "--port", fmt.Sprint(port)}
			if c.option != "" {
				args = append(args, c.option)
			}
			rec := record(t, args...)
			var keep uint64
			for _, n := range c.keeps {
				keep |= 1 << n
			}
			want := fmt.Sprintf("%016x", keep)
			none := fmt.Sprintf("%016x", 0)
			waitFor(t, 10*time.Second, "the recorder has given up privileges", func() bool {
				sets, nnp := threads(t, rec.pid())
				return nnp && sets[0]["Prm"] == want
			})
			sets, _ := threads(t, rec.pid())
			for _, set := range sets {
				if set["Prm"] != want || set["Eff"] != want || set["Bnd"] != want || set["Inh"] != none || set["Amb"] != none {
					t.Errorf("a thread of the recorder has %v, want %s", set, want)
				}
			}
			for range 2 {
				said := strings.Count(client.out.String(), "hello")
				if _, err := gate.WriteString("\n"); err != nil {
					t.Fatal(err)
				}
				waitFor(t, 10*time.Second, "an answer", func() bool { return strings.Count(client.out.String(), "hello") > said })
			}
			rec.stop(t)
			a := analyzeReel(t, rec.dir)
			if len(a.Exchanges) != 2 {
				t.Errorf("%d exchanges, want 2", len(a.Exchanges))
			}
			gate.Close()
			client.wait(t, 10*time.Second, 0)
		})
	}
}

// A command that a privileged reel starts has no capability of reel's.
func TestCommandInheritsNoCapability(t *testing.T) {
	needRoot(t)
	dir := nobodysDir(t)
	cmd := asNobody(t, dir, wanted, "capture", "-w", "x.reel", "--", "/bin/sh", "-c", "cat /proc/self/status; cat /proc/self/status >&2")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := capabilityLine.FindAllStringSubmatch(string(out), -1)
	if len(found) != 5 {
		t.Fatalf("%d sets in what the command says:\n%s", len(found), out)
	}
	for _, m := range found {
		if m[1] != "Bnd" && strings.Trim(m[2], "0") != "" {
			t.Errorf("the command has Cap%s %s", m[1], m[2])
		}
	}
}

// make build makes one file that needs no other.
func TestBinaryIsStatic(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(makefile), "\nbuild:")
	recipe, _, _ := strings.Cut(rest, "\n\n")
	_, command, _ := strings.Cut(recipe, "\n\t")
	if !ok || !strings.Contains(command, "bin/reel") {
		t.Fatalf("the recipe of make build: %q", recipe)
	}
	out := filepath.Join(t.TempDir(), "reel")
	build := exec.Command("/bin/sh", "-ec", strings.ReplaceAll(command, "bin/reel", out))
	build.Dir = "../.."
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	f, err := elf.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary asks for a dynamic loader")
		}
	}
	if libraries, err := f.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("it needs %v (%v)", libraries, err)
	}
}
