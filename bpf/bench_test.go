//go:build linux && (amd64 || arm64)

package bpf

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format/wire"
)

func threadCPU() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return ts.Nano()
}

// BenchmarkCalls measures the CPU time of the four calls of a small HTTP exchange over loopback (write, recvfrom, writev of
// head and body, read): without programs, with programs of which this process is no target, and as a target; the last
// counts the bytes of messages for a trigger too.
// The machine's noise only adds: compare the least of several runs (-count).
func BenchmarkCalls(b *testing.B) {
	for _, mode := range []struct {
		name     string
		attach   bool
		target   bool
		snaplen  uint32
		transfer uint64
	}{{"none", false, false, 0, 0}, {"untargeted", true, false, 4096, 0}, {"lengths", true, true, 0, 0}, {"heads", true, true, 4096, 0},
		{"transfers", true, true, 4096, 1 << 20}} {
		b.Run(mode.name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var o *Objects
			if mode.attach {
				o = attached(b, Options{Snaplen: mode.snaplen, Transfer: mode.transfer})
			}
			if mode.target {
				if err := o.AddTarget(uint32(os.Getpid())); err != nil {
					b.Fatal(err)
				}
			}
			p := &player{family: unix.AF_INET}
			client, server := p.pair()
			request, response, buf := pattern(40, 1), pattern(338, 2), make([]byte, 1024)
			v := iovecs(response, 238)
			spent := int64(0)
			for n := 0; b.Loop(); n++ {
				if o != nil && n%1000 == 0 { // outside of what is measured
					if _, err := o.Drain(func([]byte) error { return nil }); err != nil {
						b.Fatal(err)
					}
				}
				began := threadCPU()
				syscall6(unix.SYS_WRITE, uintptr(client), ptr(&request[0]), uintptr(len(request)))
				syscall6(unix.SYS_RECVFROM, uintptr(server), ptr(&buf[0]), uintptr(len(buf)), 0, 0, 0)
				syscall6(unix.SYS_WRITEV, uintptr(server), ptr(&v[0]), uintptr(len(v)))
				syscall6(unix.SYS_READ, uintptr(client), ptr(&buf[0]), uintptr(len(buf)))
				spent += threadCPU() - began
			}
			b.ReportMetric(float64(spent)/float64(b.N), "cpu-ns/op")
			if o != nil {
				noLoss(b, o)
			}
			unix.Close(client)
			unix.Close(server)
		})
	}
}

// BenchmarkDrain measures how fast records leave the rings, decoded and undecoded: the same records again and again, by
// setting the reader back.
func BenchmarkDrain(b *testing.B) {
	o := attached(b, Options{Snaplen: 4096, RingBytes: 64 << 20})
	p := start(b, "flood", "v4")
	if err := o.AddTarget(p.pid()); err != nil {
		b.Fatal(err)
	}
	p.proceed()
	p.finish()
	var e wire.Event
	for _, mode := range []struct {
		name string
		fn   func([]byte) error
	}{{"raw", func([]byte) error { return nil }}, {"decoded", func(ev []byte) error { return wire.Decode(ev, &e) }}} {
		b.Run(mode.name, func(b *testing.B) {
			b.ReportAllocs()
			events := 0
			for b.Loop() {
				for _, r := range o.rings.rings {
					position(r.consumer).Store(0)
				}
				n, err := o.Drain(mode.fn)
				if err != nil || n < 2*floodCalls {
					b.Fatalf("%d events, %v", n, err)
				}
				events += n
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
		})
	}
}
