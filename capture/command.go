//go:build linux && (amd64 || arm64)

package capture

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ebpf-reel/reel/capture/privilege"
	"github.com/ebpf-reel/reel/format"
)

// A command that is recorded from its first system call on must be a target before it runs. So the recorder's own program is
// started in its place, by Config.Reexec; it waits at a pipe (ExecHeld), and becomes the command when the pipe says so.
//
//	fd 3  gate: one byte lets it go; the end of the file (the recorder is gone) ends it
//	fd 4  verdict: one byte says that it waits (its own exec is over, and must not be recorded as the command's); then it is
//	      closed by a successful exec, or else says why there was none
const (
	gateFD    = 3
	verdictFD = 4
)

// heldCommand is a process that waits to become the command.
type heldCommand struct {
	name    string     // as the user gave it
	pid     format.PID // of the process that waits, and then is the command; set by who holds it
	cmd     *exec.Cmd
	gate    *os.File
	verdict *os.File
	done    chan struct{} // closed when it has ended and was waited for
}

// findCommand refuses a command that cannot be run, before anything is started for it.
func findCommand(command []string) (string, error) {
	path, err := exec.LookPath(command[0])
	if err == nil || errors.Is(err, exec.ErrDot) {
		return filepath.Abs(path)
	}
	target := fmt.Sprintf("the command %q", command[0])
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", &TargetError{target, "cannot be run", "it is not an executable file"}
	case strings.Contains(command[0], "/"):
		return "", &TargetError{target, "does not exist", "check its path"}
	}
	return "", &TargetError{target, "is not in PATH", "give its path"}
}

// hold starts the process that will be the command. Standard streams, environment and process group are the recorder's.
func hold(reexec []string, path string, command []string) (*heldCommand, error) {
	gateRead, gate, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	verdict, verdictWrite, err := os.Pipe()
	if err != nil {
		gateRead.Close()
		gate.Close()
		return nil, err
	}
	args := append(append(slices.Clone(reexec), path), command...)
	// The program that runs, whatever its name leads to by now.
	h := &heldCommand{name: command[0], cmd: exec.Command("/proc/self/exe", args...), gate: gate, verdict: verdict, done: make(chan struct{})}
	h.cmd.Args[0] = os.Args[0]
	h.cmd.Stdin, h.cmd.Stdout, h.cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	h.cmd.ExtraFiles = []*os.File{gateRead, verdictWrite} // fds 3 and 4
	err = h.cmd.Start()
	gateRead.Close()
	verdictWrite.Close()
	if err != nil {
		h.abandon()
		return nil, fmt.Errorf("start the command: %w", err)
	}
	go func() {
		_ = h.cmd.Wait() // how it ended is in ProcessState
		close(h.done)
	}()
	if _, err := io.ReadFull(verdict, make([]byte, 1)); err != nil {
		h.abandon()
		<-h.done
		return nil, fmt.Errorf("start the command: the process that waits for it ended (%v)", h.cmd.ProcessState)
	}
	return h, nil
}

// ExecHeld makes this process the command, without the capabilities that reel may have been given (root stays root): args are the path of a program and its arguments, from its name on. It returns
// only if that was not to be, with the exit code of this process.
func ExecHeld(args []string) int {
	if len(args) < 2 {
		return 127
	}
	// Capabilities are a thread's, and this is the one that becomes the command. It is the one that leads the process, too, if main is still
	// on it: probes that stand before the program runs are tied to that.
	runtime.LockOSThread()
	syscall.CloseOnExec(gateFD)
	syscall.CloseOnExec(verdictFD)
	if n, err := syscall.Write(verdictFD, []byte{1}); n != 1 || err != nil {
		return 127
	}
	if n, err := syscall.Read(gateFD, make([]byte, 1)); n != 1 || err != nil {
		return 127 // the recorder has given up
	}
	err := privilege.CloseToChildren()
	if err == nil {
		err = syscall.Exec(args[0], args[1:], os.Environ())
	}
	_, _ = syscall.Write(verdictFD, []byte(err.Error()))
	return 127
}

// release lets the command run and waits until it does.
func (h *heldCommand) release() error {
	_, err := h.gate.Write([]byte{1})
	h.gate.Close()
	reason, readErr := io.ReadAll(io.LimitReader(h.verdict, 1024))
	h.verdict.Close()
	if len(reason) > 0 {
		return &TargetError{fmt.Sprintf("the command %q", h.name), "cannot be run", string(reason)}
	}
	return errors.Join(err, readErr)
}

// abandon ends a command that was never let go. Harmless after release.
func (h *heldCommand) abandon() {
	h.gate.Close()
	h.verdict.Close()
}

// cpu is what the command has taken, once it has ended: it is a child of the recorder, and no helper.
func (h *heldCommand) cpu() time.Duration {
	if h == nil {
		return 0
	}
	if _, ended := h.ended(); !ended {
		return 0 // not waited for: it counts nowhere yet
	}
	return h.cmd.ProcessState.UserTime() + h.cmd.ProcessState.SystemTime()
}

// ended reports whether the command has ended, and its wait status.
func (h *heldCommand) ended() (syscall.WaitStatus, bool) {
	select {
	case <-h.done:
		status, _ := h.cmd.ProcessState.Sys().(syscall.WaitStatus)
		return status, true
	default:
		return 0, false
	}
}
