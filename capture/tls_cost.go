//go:build linux && (amd64 || arm64)

package capture

import (
	"debug/elf"
	"errors"
	"os"
	"reflect"
	"runtime"
	"time"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/image"
	"github.com/ebpf-reel/reel/capture/site"
)

// probed is what a probe is placed on to see what one costs. It calls, so that it begins as functions that are probed do.
//
//go:noinline
func probed(n int) int {
	runtime.KeepAlive(n)
	return unprobed(n) + 1
}

//go:noinline
func unprobed(n int) int { return n + 1 }

// costCalls is over how many calls the cost of a probe is taken.
const costCalls = 500

// hitCost measures what one hit of a probe costs on this machine: of one in this process, on an instruction like those that
// plaintext probes stand on.
func hitCost(kernel Kernel) (time.Duration, error) {
	offset, err := ownOffset(reflect.ValueOf(probed).Pointer())
	if err != nil {
		return 0, err
	}
	placed, err := kernel.AttachUprobes("/proc/self/exe", uint32(os.Getpid()), []bpf.Uprobe{{Program: "openssl_read", Offset: offset}})
	if err != nil {
		return 0, err
	}
	with := callTime()
	if err := placed.Close(); err != nil {
		return 0, err
	}
	return max(with-callTime(), 0) / costCalls, nil
}

// callTime is the shortest of some tries: others run on the machine too.
func callTime() time.Duration {
	best := time.Duration(1<<63 - 1)
	for range 3 {
		start := time.Now()
		for n := range costCalls {
			probed(n)
		}
		best = min(best, time.Since(start))
	}
	return best
}

// ownOffset returns where in this program's file the place lies that plaintext probes would take of a function of it.
func ownOffset(pc uintptr) (uint64, error) {
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		return 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	img, err := image.New(file, info.Size())
	if err != nil {
		return 0, err
	}
	if img.Elf.Type != elf.ET_EXEC {
		return 0, errors.New("this program is position-independent")
	}
	end, f := pc, runtime.FuncForPC(pc)
	for runtime.FuncForPC(end) == f && end-pc < 1<<12 {
		end++
	}
	offset, code, err := img.Code(image.Function{Addr: uint64(pc), Size: uint64(end - pc)})
	if err != nil {
		return 0, err
	}
	plan, err := site.Go(site.Arch(runtime.GOARCH), code)
	if err != nil {
		return 0, err
	}
	return offset + uint64(plan.Entry.Offset), nil
}
