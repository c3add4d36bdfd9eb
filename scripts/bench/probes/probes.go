// Package probes turns the functions of a TLS library into probes that do nothing: what is left of a recorder's cost when it records
// nothing.
package probes

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/ebpf-reel/reel/capture/image"
	"github.com/ebpf-reel/reel/capture/tlslib"
)

// Functions are those that a server moves its plaintext by.
var Functions = []string{"SSL_read", "SSL_write"}

// Run probes the functions in the library in args[0], for the process args[1], at the places where reel's plaintext probes stand, until
// it is interrupted. The file args[2] is its output, which is empty.
func Run(args []string) error {
	if len(args) != 3 {
		return errors.New("want a library, a pid, and a file")
	}
	pid, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.Kprobe, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}})
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	defer prog.Close()
	file, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	library, err := image.New(file, info.Size())
	if err != nil {
		return err
	}
	plan := tlslib.Plaintext{}.Plan(library, args[0])
	if plan == nil || plan.Err != nil {
		return fmt.Errorf("%s has no places for probes: %v", args[0], plan)
	}
	exe, err := link.OpenExecutable(args[0])
	if err != nil {
		return err
	}
	// The first probes of the plan, up to those of functions that a server of this kind does not call.
	n := 0
	for _, p := range plan.Probes {
		if strings.HasSuffix(p.Program, "_ex") || strings.HasSuffix(p.Program, "sendfile") || strings.HasSuffix(p.Program, "free") {
			break
		}
		attach := exe.Uprobe
		if p.Return {
			attach = exe.Uretprobe
		}
		l, err := attach("", prog, &link.UprobeOptions{Address: p.Offset, PID: pid})
		if err != nil {
			return fmt.Errorf("attach at %#x: %w", p.Offset, err)
		}
		defer l.Close()
		n++
	}
	if err := os.WriteFile(args[2], nil, 0o600); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "recording nothing by %d probes\n", n)
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt)
	<-end
	return nil
}
