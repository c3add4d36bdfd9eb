//go:build !linux

package format

import (
	"testing"
	"time"
)

func reportCPU(*testing.B, time.Duration, int) {}

func cpuTime(*testing.B) time.Duration { return 0 }
