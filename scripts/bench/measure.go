package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is what a process that ended has cost.
type usage struct {
	wall   time.Duration
	cpu    time.Duration // user and system
	maxRSS int64         // bytes
}

// timed runs cmd to its end.
func timed(cmd *exec.Cmd) (usage, error) {
	start := time.Now()
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return usage{}, err
	}
	u := ended(cmd)
	u.wall = time.Since(start)
	return u, err
}

// ended returns the usage of a command that was waited for (without wall time).
func ended(cmd *exec.Cmd) usage {
	u := usage{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.maxRSS = ru.Maxrss * 1024 // getrusage(2): kilobytes
	}
	return u
}

const tick = time.Second / 100 // USER_HZ of every Linux that Go runs on

// processCPU returns the CPU time of a running process. It includes BPF programs and interrupts that ran on its behalf.
func processCPU(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// proc(5): after the name in brackets, field 3 is the state; utime is 14, stime 15.
	_, rest, _ := strings.Cut(string(data), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(f))
	}
	return ticks(f[11], f[12])
}

// machineCPU returns the time that all CPUs were busy since boot, stolen time not counted.
func machineCPU() (time.Duration, error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	// proc(5): cpu user nice system idle iowait irq softirq steal
	f := strings.Fields(strings.SplitN(string(data), "\n", 2)[0])
	if len(f) < 8 {
		return 0, fmt.Errorf("/proc/stat: %d fields", len(f))
	}
	return ticks(f[1], f[2], f[3], f[6], f[7])
}

func ticks(fields ...string) (time.Duration, error) {
	var sum time.Duration
	for _, f := range fields {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	m := len(s) / 2
	if len(s)%2 == 1 {
		return s[m]
	}
	return (s[m-1] + s[m]) / 2
}

// machine describes what this ran on, by kind: no name that only one machine has.
func machine() string {
	model := runtime.GOARCH
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.SplitSeq(string(data), "\n") {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				model = strings.TrimSpace(v)
				break
			}
		}
	}
	kernel := "unknown kernel"
	if data, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = "Linux " + strings.TrimSpace(string(data))
	}
	virtual := ""
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil && strings.Contains(string(data), " hypervisor ") {
		virtual = ", virtual machine"
	}
	return fmt.Sprintf("%d × %s%s, %s, %s", runtime.NumCPU(), model, virtual, kernel, runtime.Version())
}
