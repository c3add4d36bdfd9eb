// Command split burns CPU in three functions, 70 : 20 : 10 of the time that the kernel counts, until it has done so many rounds (split.c).
package main

import (
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

var sink uint64

func burn(n, k uint64, at *uint64) {
	for i := range n {
		*at += i*i + k
	}
}

//go:noinline
func seventy(n uint64) { burn(n, 7, &sink) }

//go:noinline
func twenty(n uint64) { burn(n, 2, &sink) }

//go:noinline
func ten(n uint64) { burn(n, 1, &sink) }

func cpuTime() int64 {
	const process = 2 // CLOCK_PROCESS_CPUTIME_ID
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, process, uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}

func main() {
	rounds, _ := strconv.Atoi(os.Args[1])
	length, until := uint32(1), cpuTime()
	for range rounds {
		length = length*1103515245 + 12345
		tenth := int64(1_000_000 + (length>>8)%2_000_000)
		for until += 7 * tenth; cpuTime() < until; {
			seventy(200_000)
		}
		for until += 2 * tenth; cpuTime() < until; {
			twenty(200_000)
		}
		for until += tenth; cpuTime() < until; {
			ten(200_000)
		}
	}
}
