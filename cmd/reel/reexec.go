//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/ebpf-reel/reel/analyze/mask"
	"github.com/ebpf-reel/reel/capture"
	"github.com/ebpf-reel/reel/capture/sealer"
)

// reel capture runs this program again for two jobs, told by the first argument. They are no commands of the user's.
const (
	heldWord = "exec-held" // waits until it may become the command that is recorded (capture.Config.Reexec)
	sealWord = "seal-for"  // seals the journals of a recorder (capture.Config.SealReexec)
)

// reexeced does such a job and returns the exit code of this process; ok is false when there is none to do.
func reexeced(args []string) (code int, ok bool) {
	if len(args) == 0 {
		return 0, false
	}
	switch args[0] {
	case heldWord:
		return capture.ExecHeld(args[1:]), true
	case sealWord:
		return sealFor(args[1:]), true
	}
	return 0, false
}

// sealCommand is the command line of a process that seals by the same rules as this one: sealFor reads it.
func sealCommand(payload string, keepSecrets bool) []string {
	return []string{sealWord, payload, strconv.FormatBool(keepSecrets)}
}

func sealFor(args []string) int {
	const rules = 2
	if len(args) < rules {
		fmt.Fprintln(os.Stderr, "reel: "+sealWord+" is started by reel capture only")
		return int(exitInput)
	}
	policy, err := mask.ParsePolicy(args[0])
	keepSecrets, err2 := strconv.ParseBool(args[1])
	if err != nil || err2 != nil {
		fmt.Fprintln(os.Stderr, "reel: "+sealWord+" is started by reel capture only")
		return int(exitInput)
	}
	return sealer.Work(args[rules:], mask.New(mask.Options{KeepSecrets: keepSecrets, Payload: policy}))
}
