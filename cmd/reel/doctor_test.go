//go:build linux && (amd64 || arm64)

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/format"
)

func TestDoctor(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		name string
		args []string
		as   func(*exec.Cmd)
		code int
		text string
	}{
		{"root", nil, nil, 0, "hook tp_btf/sys_exit"},
		{"nobody", nil, nobody, 5, "no capture is possible here"},
		{"a process", []string{"-p", fmt.Sprint(os.Getpid())}, nil, 0, "io_uring"},
		{"no process", []string{"-p", "4194303"}, nil, 2, "process 4194303 does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := command(t, append([]string{"doctor"}, c.args...)...)
			if c.as != nil {
				c.as(cmd)
			}
			text, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(text), c.text) {
				t.Errorf("exit code %d, want %d, and it says %q:\n%s", code, c.code, c.text, text)
			}
		})
	}
	text, err := command(t, "doctor", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var d diagnosis
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Checks) < 20 || d.State == format.CheckBlocked {
		t.Errorf("%+v", d)
	}
}
