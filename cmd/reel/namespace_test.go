//go:build linux && (amd64 || arm64)

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/capture"
	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/format"
)

// pidNamespace is a pid namespace with a /proc of its own, and with processes that were there before the test's.
type pidNamespace struct {
	init format.PID
	end  func() // with all that runs in it
}

func newPIDNamespace(t *testing.T) *pidNamespace {
	t.Helper()
	needRoot(t)
	// Ids in there are to be others than out here, and to differ from each other: a few are used up first.
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c",
		"for i in 1 2 3 4 5 6 7; do /bin/true; done; echo up; exec sleep 300")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	t.Cleanup(end)
	if _, err := out.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.ParseUint(strings.TrimSpace(string(children)), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &pidNamespace{format.PID(pid), end}
}

// enter makes cmd run in the namespace; its process id out here is then that of nsenter's child.
func (n *pidNamespace) enter(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	// The program keeps the name reel by a link of that name.
	link := filepath.Join(t.TempDir(), "reel")
	if err := os.Symlink(cmd.Path, link); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("nsenter")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Args = append([]string{"nsenter", "--target", fmt.Sprint(n.init), "--pid", "--mount", "--wd=" + cmd.Dir, link}, cmd.Args[1:]...)
	cmd.Path = path
	return cmd
}

// child is the only child of a process, out here and as its own namespace has it.
func child(t *testing.T, of int) (outside, inside format.PID) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) { // poll
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", of, of))
		pid, err := strconv.ParseUint(strings.TrimSpace(string(children)), 10, 32)
		if err != nil {
			continue
		}
		if row, err := procfs.New().Describe(format.PID(pid)); err == nil {
			return row.PID, row.NSPID
		}
	}
	t.Fatalf("process %d has no child", of)
	return 0, 0
}

// A recorder in a pid namespace of its own, as in a container: -p takes ids as they are there, the reel has the kernel's.
func TestRecordsInsideAPIDNamespace(t *testing.T) {
	ns := newPIDNamespace(t)
	s := subjectProcess(t, "nsenter", "--target", fmt.Sprint(ns.init), "--pid", "--mount", "--wd=.", "python3", "-u", "testdata/upstream.py")
	url := "http://127.0.0.1:" + s.says(t, `port (\d+)`) + "/"
	t.Cleanup(ns.end)
	outside, inside := child(t, s.Process.Pid)
	if outside == inside {
		t.Fatalf("process %d has the same id inside", outside)
	}

	work := t.TempDir()
	cmd := command(t, "capture", "-p", fmt.Sprint(inside), "-w", filepath.Join(work, "in.reel"))
	r := start(t, ns.enter(t, cmd))
	t.Cleanup(ns.end)
	r.await(t, r.stderr.String, "recording 1 process")
	if want := fmt.Sprintf("python3 %d", inside); !strings.Contains(r.stderr.String(), want) {
		t.Errorf("it does not say that it records %q:\n%s", want, r.stderr.String())
	}
	ask(t, url)
	recorder, _ := child(t, r.Process.Pid)
	if err := syscall.Kill(int(recorder), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if status := r.wait(t); status.ExitStatus() != 0 {
		t.Fatalf("it ended with %d:\n%s", status.ExitStatus(), r.stderr.String())
	}

	var described bool
	var payload []byte
	notes := map[string]bool{}
	for _, row := range rowsOf(t, filepath.Join(work, "in.reel")) {
		switch row := row.(type) {
		case *format.IO:
			if row.PID != outside {
				t.Fatalf("a call of process %d, want %d", row.PID, outside)
			}
			payload = append(payload, row.Payload...)
		case *format.Process:
			if row.PID == outside && row.Op == format.ProcSnapshot {
				described = true
				if row.NSPID != inside || !slices.Contains(row.Args, "-u") || !strings.Contains(row.Exe, "python3") || !row.Target {
					t.Errorf("the process is described as %+v, want %d inside", row, inside)
				}
			}
		case *format.Note:
			notes[row.Name] = true
		}
	}
	if !described {
		t.Error("the process is not described")
	}
	if !bytes.Contains(payload, []byte("GET / HTTP/1.1")) {
		t.Errorf("the request is not in the reel: %q", payload)
	}
	if !notes[string(capture.NotePIDNamespace)] {
		t.Errorf("the note on pid namespaces is missing: %v", notes)
	}
}

// Descendants, a command and names are followed there too: all that looks into /proc.
func TestRecordsACommandInsideAPIDNamespace(t *testing.T) {
	ns := newPIDNamespace(t)
	url := webServer(t)
	work := t.TempDir()
	cmd := command(t, "capture", "--only", "net", "-w", filepath.Join(work, "in.reel"), "--", "sh", "-c", "curl -s "+url+"; curl -s "+url+"; exit 7")
	r := start(t, ns.enter(t, cmd))
	t.Cleanup(ns.end)
	if status := r.wait(t); status.ExitStatus() != 7 {
		t.Fatalf("it ended with %d:\n%s", status.ExitStatus(), r.stderr.String())
	}
	programs := map[string]int{}
	asked := 0
	for _, row := range rowsOf(t, filepath.Join(work, "in.reel")) {
		switch row := row.(type) {
		case *format.Process:
			if row.Op == format.ProcExec {
				programs[row.Comm]++
				if row.NSPID == 0 || row.NSPID == row.PID {
					t.Errorf("process %d (%s) is %d inside", row.PID, row.Comm, row.NSPID)
				}
			}
		case *format.IO:
			asked += bytes.Count(row.Payload, []byte("GET / HTTP/1.1"))
		}
	}
	if programs["curl"] != 2 || programs["sh"] != 1 || asked != 2 {
		t.Errorf("programs %v and %d requests are in the reel, want a shell, curl twice, and 2:\n%s", programs, asked, r.stderr.String())
	}
}
