//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"

	"github.com/ebpf-reel/reel/capture"
)

// defaultCPUHz is no divisor of what timers run at: samples do not march in step with what a program does each 10 ms.
const defaultCPUHz = 99

func (f *captureFlags) profileConfig(cfg *capture.Config, given func(flag string) bool) error {
	hzGiven := given("cpu-hz")
	switch {
	case hzGiven && f.cpuHz < 1:
		return &usageError{fmt.Sprintf("--cpu-hz %d is not possible: it takes 1 and more", f.cpuHz)}
	case f.oncpu, hzGiven:
		cfg.SampleHz = f.cpuHz
	}
	switch {
	case given("min-block") && f.minBlock <= 0:
		return &usageError{fmt.Sprintf("--min-block %v is not possible: it takes 1us and more", f.minBlock)}
	case f.offcpu, given("min-block"):
		cfg.MinBlock = f.minBlock
	}
	return nil
}
