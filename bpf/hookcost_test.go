//go:build linux && (amd64 || arm64)

package bpf

import (
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// BenchmarkHooks measures what the two ways to see a system call cost, with programs that return at once: typed raw tracepoints, which
// run at every call of every process, and a tracepoint for each call, which run at the calls that are wanted. It is the ground of
// docs/decisions/005-raw-tracepoints.md. "hooked" are the four calls of BenchmarkCalls, "others" four getppid, which nobody wants.
// The machine's noise only adds: compare the least of several runs (-count).
func BenchmarkHooks(b *testing.B) {
	for _, mode := range []struct {
		name   string
		attach func(testing.TB) []io.Closer
	}{{"none", func(testing.TB) []io.Closer { return nil }}, {"raw", rawHooks}, {"each", eachHooks}} {
		b.Run(mode.name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			hooks := mode.attach(b)
			defer func() {
				for _, h := range hooks {
					if err := h.Close(); err != nil {
						b.Error(err)
					}
				}
			}()
			p := &player{family: unix.AF_INET}
			client, server := p.pair()
			defer func() {
				if err := errors.Join(unix.Close(client), unix.Close(server)); err != nil {
					b.Error(err)
				}
			}()
			request, response, buf := pattern(40, 1), pattern(338, 2), make([]byte, 1024)
			v := iovecs(response, 238)
			const repeat = 64 // the clock is read by system calls too
			var hooked, others int64
			for b.Loop() {
				began := threadCPU()
				for range repeat {
					syscall6(unix.SYS_WRITE, uintptr(client), ptr(&request[0]), uintptr(len(request)))
					syscall6(unix.SYS_RECVFROM, uintptr(server), ptr(&buf[0]), uintptr(len(buf)), 0, 0, 0)
					syscall6(unix.SYS_WRITEV, uintptr(server), ptr(&v[0]), uintptr(len(v)))
					syscall6(unix.SYS_READ, uintptr(client), ptr(&buf[0]), uintptr(len(buf)))
				}
				between := threadCPU()
				for range 4 * repeat {
					syscall6(unix.SYS_GETPPID)
				}
				hooked += between - began
				others += threadCPU() - between
			}
			b.ReportMetric(float64(hooked)/float64(4*repeat*b.N), "hooked-ns/call")
			b.ReportMetric(float64(others)/float64(4*repeat*b.N), "others-ns/call")
		})
	}
}

func emptyProgram(tb testing.TB, spec ebpf.ProgramSpec) *ebpf.Program {
	tb.Helper()
	spec.Instructions = asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}
	spec.License = "GPL"
	prog, err := ebpf.NewProgram(&spec)
	if err != nil {
		tb.Fatal(err)
	}
	return prog
}

func rawHooks(tb testing.TB) (hooks []io.Closer) {
	for _, name := range []string{"sys_enter", "sys_exit"} {
		prog := emptyProgram(tb, ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: name})
		l, err := link.AttachTracing(link.TracingOptions{Program: prog})
		if err != nil {
			tb.Fatal(err)
		}
		hooks = append(hooks, l, prog)
	}
	return hooks
}

func eachHooks(tb testing.TB) (hooks []io.Closer) {
	prog := emptyProgram(tb, ebpf.ProgramSpec{Type: ebpf.TracePoint})
	hooks = append(hooks, prog)
	for _, call := range []string{"write", "recvfrom", "writev", "read"} {
		for _, side := range []string{"sys_enter_", "sys_exit_"} {
			l, err := link.Tracepoint("syscalls", side+call, prog, nil)
			if err != nil {
				tb.Fatal(err)
			}
			hooks = append(hooks, l)
		}
	}
	return hooks
}
