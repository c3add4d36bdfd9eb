package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ebpf-reel/reel/analyze/mask"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/format/text"
)

var update = flag.Bool("update", false, "rewrite what the scripts expect")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"reel": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exitcode": exitCodeCommand,
			"flip":     flipCommand,
			"truncate": truncateCommand,
			"replace":  replaceCommand,
			"killed":   killedCommand,
			"mode":     modeCommand,
		},
	})
}

// exitcode N COMMAND... runs a command and demands its exit code; stdout and stderr then look at its output.
func exitCodeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode N COMMAND [ARGS]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit interface{ ExitCode() int }
	if err != nil {
		var ok bool
		if exit, ok = err.(interface{ ExitCode() int }); !ok {
			ts.Fatalf("%s did not run: %v", args[1], err)
		}
		code = exit.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// flip FILE FROM TO inverts the bytes of a file from an offset to another.
func flipCommand(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(oneMatch(ts, args[0]))
	data, err := os.ReadFile(path)
	ts.Check(err)
	from, err := strconv.Atoi(args[1])
	ts.Check(err)
	to, err := strconv.Atoi(args[2])
	ts.Check(err)
	for i := from; i < to; i++ {
		data[i] ^= 0xff
	}
	ts.Check(os.WriteFile(path, data, 0o600))
}

// truncate FILE N cuts the last N bytes off a file.
func truncateCommand(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	info, err := os.Stat(path)
	ts.Check(err)
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.Truncate(path, info.Size()-int64(n)))
}

// replace FILE OLD NEW edits a file; OLD must be in it.
func replaceCommand(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	if !bytes.Contains(data, []byte(args[1])) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, bytes.ReplaceAll(data, []byte(args[1]), []byte(args[2])), 0o600))
}

// killed TEXT DIR leaves in DIR what a recorder of the rows of TEXT leaves that was killed after its flush.
func killedCommand(ts *testscript.TestScript, neg bool, args []string) {
	f, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	m, rows, err := text.Parse(f)
	ts.Check(err)
	live := ts.MkAbs(args[1] + ".live")
	w, err := format.Create(live, m.Capture, format.WriterConfig{Filter: mask.New(mask.Options{})})
	ts.Check(err)
	for row, err := range rows {
		ts.Check(err)
		ts.Check(w.AppendRow(row))
	}
	ts.Check(w.Flush())
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), os.DirFS(live)))
	ts.Check(w.Close())
	ts.Check(os.RemoveAll(live))
}

// mode PERM FILE demands the permissions of a file.
func modeCommand(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// oneMatch expands a pattern that must match one file.
func oneMatch(ts *testscript.TestScript, pattern string) string {
	matches, err := filepath.Glob(ts.MkAbs(pattern))
	ts.Check(err)
	if len(matches) != 1 {
		ts.Fatalf("%s matches %d files", pattern, len(matches))
	}
	return matches[0]
}
