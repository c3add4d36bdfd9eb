package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// descendants returns a process and all that descend from it, now.
func descendants(pid int) []int {
	pids := []int{pid}
	for i := 0; i < len(pids); i++ {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pids[i]))
		if err != nil {
			continue // it has ended
		}
		for _, t := range tasks {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pids[i], t.Name()))
			if err != nil {
				continue
			}
			for f := range strings.FieldsSeq(string(text)) {
				if kid, err := strconv.Atoi(f); err == nil {
					pids = append(pids, kid)
				}
			}
		}
	}
	return pids
}

// treeCPU returns the CPU time of a process, of those that it has waited for, and of its descendants.
func treeCPU(pid int) (time.Duration, error) {
	var sum time.Duration
	for _, p := range descendants(pid) {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
		if err != nil {
			if p == pid {
				return 0, err
			}
			continue // its parent has waited for it meanwhile: the next reading has it
		}
		// proc(5): after the name in brackets, field 3 is the state; utime, stime, cutime, cstime are 14 to 17.
		_, rest, _ := strings.Cut(string(data), ") ")
		f := strings.Fields(rest)
		if len(f) < 15 {
			return 0, fmt.Errorf("/proc/%d/stat: %d fields", p, len(f))
		}
		cpu, err := ticks(f[11], f[12], f[13], f[14])
		if err != nil {
			return 0, err
		}
		sum += cpu
	}
	return sum, nil
}

// watched follows the memory of a recorder: the sum over its processes of the most that each has had resident.
type watched struct {
	stop chan struct{}
	done sync.WaitGroup
	peak int64 // bytes; once done
}

const watchEvery = 200 * time.Millisecond

func watch(pid int) *watched {
	w := &watched{stop: make(chan struct{})}
	w.done.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			sum := int64(0)
			for _, p := range descendants(pid) {
				sum += peakRSS(p)
			}
			w.peak = max(w.peak, sum)
			select {
			case <-w.stop:
				return
			case <-tick.C:
			}
		}
	})
	return w
}

func (w *watched) end() int64 {
	close(w.stop)
	w.done.Wait()
	return w.peak
}

// peakRSS is VmHWM of /proc/PID/status; 0 for a process that has ended.
func peakRSS(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
