package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// libraryText reads the code of a library as a process has it.
func libraryText(t *testing.T, pid int, library string) []byte {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	lines := bufio.NewScanner(bytes.NewReader(maps))
	for lines.Scan() {
		var from, to uint64
		if f := strings.Fields(lines.Text()); len(f) < 6 || f[1] != "r-xp" || !strings.Contains(f[5], library) {
			continue
		}
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x", &from, &to); err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(io.NewSectionReader(mem, int64(from), int64(to-from)))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	t.Fatalf("process %d does not map %s", pid, library)
	return nil
}

// TestTLSProbesLeaveNothing: the code of a target is what it was when the capture has ended, that of a process that is not recorded
// never changes, and processes that come and go leave no descriptor behind in the recorder.
func TestTLSProbesLeaveNothing(t *testing.T) {
	needRoot(t)
	target, other := startNginx(t, 1, startBackend(t)), startNginx(t, 1, startBackend(t))
	worker, stranger := target.workers()[0], other.workers()[0]
	before := libraryText(t, worker, "libcrypto.so.3")
	r := record(t, "-p", fmt.Sprint(target.pid()))
	if bytes.Equal(before, libraryText(t, worker, "libcrypto.so.3")) {
		t.Error("the target has no breakpoints: this test could not fail")
	}
	if !bytes.Equal(before, libraryText(t, stranger, "libcrypto.so.3")) {
		t.Error("a process that is not recorded has breakpoints")
	}
	descriptors := func() int {
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.pid()))
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	first := descriptors()
	for range 20 {
		target.reload(t)
	}
	// Probes of processes that have ended are taken out beside all else.
	waitFor(t, time.Minute, "the recorder has closed what it had opened for workers that have ended", func() bool { return descriptors() <= first })
	if out, err := exec.Command(need(t, "curl", "curl"), "-ksS", "-o", "/dev/null", fmt.Sprintf("https://127.0.0.1:%d/small", target.tls)).CombinedOutput(); err != nil {
		t.Fatalf("curl: %v: %s", err, out)
	}
	worker = target.workers()[0]
	r.stop(t)
	if !bytes.Equal(before, libraryText(t, worker, "libcrypto.so.3")) {
		t.Error("the code of the target is not what it was")
	}
	if got := len(serverView(t, analyzeReel(t, r.dir), target.tls)); got != 1 {
		t.Errorf("%d exchanges with a worker that was forked 20 times anew, want 1", got)
	}
}
