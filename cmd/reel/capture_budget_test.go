//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/capture"
	"github.com/ebpf-reel/reel/capture/budget"
)

func TestLimitValues(t *testing.T) {
	for text, want := range map[string]budget.Bytes{"none": budget.Unlimited, "10MiB": 10 << 20, "10MiB/s": 10 << 20, "1": 1} {
		var v limitValue
		if err := v.Set(text); err != nil || budget.Bytes(v) != want {
			t.Errorf("%q is %d bytes: %v", text, v, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "x", "10%", "None", "9999999999GiB"} {
		var v limitValue
		if err := v.Set(text); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q is %d bytes: %v", text, v, err)
		}
	}
	for text, want := range map[string]budget.Share{"20%": 0.2, "150 %": 1.5, "0.5%": 0.005} {
		var v shareValue
		if err := v.Set(text); err != nil || budget.Share(v) != want {
			t.Errorf("%q is %v of a core: %v", text, v, err)
		}
	}
	for _, text := range []string{"", "20", "0%", "-5%", "NaN%", "Inf%", "1e9%", "%"} {
		var v shareValue
		if err := v.Set(text); err == nil {
			t.Errorf("%q is %v of a core", text, v)
		}
	}
}

// A node that is too short for the budget is refused with 5, a budget that makes no sense with 2; neither leaves anything behind.
func TestBudgetIsRefused(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--min-free-disk", "8000000GiB"}, 5, "reel: the node is too short of what a capture takes: "},
		{[]string{"--min-free-memory", "8000000GiB"}, 5, "of memory are free, 7.6 PiB are to stay free (--min-free-memory)"},
		{[]string{"--max-cpu", "20"}, 2, `"20" is no share of a core: write it in percent of one, as 20%`},
		{[]string{"--max-load", "-2"}, 2, "a load of -2 is not possible: --max-load takes a number per core, as 2.5"},
		{[]string{"--max-disk", "0"}, 2, "0 bytes are not possible; none is no limit"},
	} {
		dir := filepath.Join(t.TempDir(), "x.reel")
		cmd := command(t, append([]string{"capture", "-p", fmt.Sprint(os.Getpid()), "-w", dir}, c.args...)...)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.says) {
			t.Errorf("%v: exit code %d, want %d; it says\n%s", c.args, cmd.ProcessState.ExitCode(), c.code, out)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%v: it leaves %s", c.args, dir)
		}
	}
}

// The reel's size is an end that was asked for, a short node is not.
func TestBudgetExitCodes(t *testing.T) {
	if code := codeOf(captureError(&capture.NodeError{Dir: "x.reel", Why: "no memory"})); code != exitEnvironment {
		t.Errorf("a short node has exit code %d", code)
	}
	needRoot(t)
	url := webServer(t)
	dir := filepath.Join(t.TempDir(), "x.reel")
	r := start(t, command(t, "capture", "-p", fmt.Sprint(os.Getpid()), "-w", dir, "--max-disk", "100KiB"))
	r.await(t, r.stderr.String, "at 100.0 KiB of disk")
	for ended := false; !ended; {
		ask(t, url)
		select {
		case <-r.done:
			ended = true
		default:
		}
	}
	if code := r.ProcessState.ExitCode(); code != 0 || !strings.Contains(r.stderr.String(), "the reel has the size it may have: the reel takes ") {
		t.Errorf("exit code %d:\n%s", code, r.stderr.String())
	}
	if clean, _ := calls(t, dir); !clean {
		t.Error("the reel is not clean")
	}
}
