//go:build linux && (amd64 || arm64)

package capture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/format"
)

// shell starts a shell that waits for a line before it runs a script, so that it is recorded before the script begins.
func shell(t *testing.T, script string) (p *process, begin func()) {
	t.Helper()
	p = launch(t, exec.Command("/bin/sh", "-c", "read line; "+script))
	return p, func() {
		if _, err := p.in.Write([]byte("go\n")); err != nil {
			t.Fatal(err)
		}
	}
}

// of returns the rows of one process and operation.
func (r *recorded) of(op format.ProcOp, wants func(*format.Process) bool) (rows []format.Process) {
	for i := range r.processes {
		if p := &r.processes[i]; p.Op == op && wants(p) {
			rows = append(rows, *p)
		}
	}
	return rows
}

// A thousand programs, each of which is gone within a millisecond or two, are as complete as one that stays: what is recorded of
// each was taken in the kernel when it began.
func TestShortProcessesAreComplete(t *testing.T) {
	needRoot(t)
	const runs = 1000
	truePath, err := filepath.EvalSymlinks("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	p, begin1 := shell(t, "i=0; while [ $i -lt "+strconv.Itoa(runs)+" ]; do /bin/true run $i; i=$((i+1)); done")
	cfg := config(t)
	cfg.PIDs = []format.PID{p.pid()}
	r := begin(t, cfg)
	begin1()
	got := r.wait(t)
	seen := map[string]bool{}
	for _, row := range got.of(format.ProcExec, func(p *format.Process) bool { return p.Comm == "true" }) {
		if row.Exe != truePath || len(row.Args) != 3 || row.Args[0] != "/bin/true" || row.Cgroup == "" || row.NetNS == 0 || row.MntNS == 0 ||
			row.PidNS == 0 || row.NSPID != row.PID || row.PPID != p.pid() || row.Start == 0 {
			t.Fatalf("incomplete: %+v", row)
		}
		seen[row.Args[2]] = true
	}
	if len(seen) != runs {
		t.Errorf("%d programs recorded, want %d", len(seen), runs)
	}
	ends := got.of(format.ProcExit, func(row *format.Process) bool { return row.PPID == p.pid() })
	if len(ends) != runs || slices.ContainsFunc(ends, func(row format.Process) bool { return row.ExitStatus != 0 }) {
		t.Errorf("%d ends recorded, want %d, all with status 0", len(ends), runs)
	}
	if n := got.note(NoteProcessUndescribed); n != nil {
		t.Errorf("%d programs were not described", n.Count)
	}
}

// How processes end: an exit with its code, a signal with its number; and what they become: another program, another name.
func TestLivesOfProcesses(t *testing.T) {
	needRoot(t)
	script := `
(exit 7)
sh -c 'kill -SEGV $$'
sh -c 'exec sleep 0'
perl -e '$0 = "renamed"; select undef, undef, undef, 0.01'
true`
	p, begin1 := shell(t, script)
	cfg := config(t)
	cfg.PIDs = []format.PID{p.pid()}
	r := begin(t, cfg)
	begin1()
	got := r.wait(t)
	ends := map[uint32]int{}
	for _, row := range got.of(format.ProcExit, func(*format.Process) bool { return true }) {
		ends[row.ExitStatus&^0x80]++ // but for the core dump, which the machine may or may not keep
	}
	if ends[7<<8] != 1 || ends[11] != 1 {
		t.Errorf("wait statuses %v, want one exit with code 7 and one by signal 11", ends)
	}
	renames := got.of(format.ProcRename, func(*format.Process) bool { return true })
	if len(renames) != 1 || renames[0].Comm != "renamed" {
		t.Errorf("renames: %+v", renames)
	}
	execs := got.of(format.ProcExec, func(row *format.Process) bool { return row.Comm == "sleep" })
	if len(execs) != 1 {
		t.Fatalf("%d execs of sleep", len(execs))
	}
	before := got.of(format.ProcExec, func(row *format.Process) bool { return row.PID == execs[0].PID && row.Comm == "sh" })
	if len(before) != 1 || before[0].Time >= execs[0].Time || before[0].Exe == execs[0].Exe {
		t.Errorf("the program before sleep: %+v", before)
	}
}

// A thousand children that stay are targets, and all are there.
func TestThousandChildrenThatStay(t *testing.T) {
	needRoot(t)
	const children = 1000
	p, begin1 := shell(t, "i=0; while [ $i -lt "+strconv.Itoa(children)+" ]; do sleep 600 & i=$((i+1)); done; echo $!; wait")
	defer func() {
		for _, pid := range childrenOf(t, p.pid()) {
			if proc, err := os.FindProcess(int(pid)); err == nil {
				_ = proc.Kill()
			}
		}
	}()
	cfg := config(t)
	cfg.PIDs = []format.PID{p.pid()}
	r := begin(t, cfg)
	begin1()
	waitFor(t, "all children to run", func() bool { return len(childrenOf(t, p.pid())) == children })
	waitFor(t, "all children to be programs of their own", func() bool {
		for _, pid := range childrenOf(t, p.pid()) {
			if comm, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(int(pid)), "comm")); strings.TrimSpace(string(comm)) != "sleep" {
				return false
			}
		}
		return true
	})
	got := r.end(t)
	for name, rows := range map[string][]format.Process{
		"execs":     got.of(format.ProcExec, func(row *format.Process) bool { return row.Comm == "sleep" && row.Exe != "" && len(row.Args) == 2 }),
		"snapshots": got.of(format.ProcSnapshot, func(row *format.Process) bool { return row.Comm == "sleep" && row.Exe != "" && len(row.Args) == 2 }),
	} {
		if len(rows) != children {
			tally := map[string]int{}
			for _, row := range got.processes {
				tally[fmt.Sprintf("%v %s exe=%q args=%d target=%t", row.Op, row.Comm, row.Exe, len(row.Args), row.Target)]++
			}
			t.Errorf("%d %s, want %d; recorded: %v; notes %+v", len(rows), name, children, tally, got.notes)
		}
	}
}

// childrenOf reads the children of a process's first thread.
func childrenOf(t *testing.T, pid format.PID) (pids []format.PID) {
	t.Helper()
	dir := filepath.Join("/proc", strconv.Itoa(int(pid)), "task", strconv.Itoa(int(pid)), "children")
	text, err := os.ReadFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range strings.Fields(string(text)) {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, format.PID(n))
	}
	return pids
}
