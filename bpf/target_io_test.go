//go:build linux && (amd64 || arm64)

package bpf

import (
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format/wire"
)

func init() {
	scenarios["calls"] = scenario{play: playCalls}
	scenarios["vectors"] = scenario{play: playVectors}
	scenarios["edges"] = scenario{play: playEdges}
	scenarios["nocopy"] = scenario{play: playNoCopy}
	scenarios["budget"] = scenario{play: playBudget}
	scenarios["large"] = scenario{play: playLarge}
}

// send moves b by one call of the write family.
func (p *player) send(call uint8, fd int, b []byte) {
	p.sendVector(call, fd, b, iovecs(b))
}

func (p *player) sendVector(call uint8, fd int, b []byte, v []unix.Iovec) {
	n := int64(-1)
	switch call {
	case wire.CallWrite:
		n = syscall6(unix.SYS_WRITE, uintptr(fd), ptr(&b[0]), uintptr(len(b)))
	case wire.CallSendto:
		n = syscall6(unix.SYS_SENDTO, uintptr(fd), ptr(&b[0]), uintptr(len(b)), 0, 0, 0)
	case wire.CallWritev:
		n = syscall6(unix.SYS_WRITEV, uintptr(fd), ptr(&v[0]), uintptr(len(v)))
	case wire.CallPwritev2:
		n = syscall6(unix.SYS_PWRITEV2, uintptr(fd), ptr(&v[0]), uintptr(len(v)), ^uintptr(0), ^uintptr(0), 0)
	case wire.CallSendmsg:
		msg := unix.Msghdr{Iov: &v[0]}
		msg.SetIovlen(len(v))
		n = syscall6(unix.SYS_SENDMSG, uintptr(fd), ptr(&msg), 0)
	case wire.CallSendmmsg:
		half := len(b) / 2
		msgs, _ := messages(b[:half], b[half:])
		if got := syscall6(unix.SYS_SENDMMSG, uintptr(fd), ptr(&msgs[0]), 2, 0); got != 2 {
			panic(fmt.Sprintf("sendmmsg: %d", got))
		}
		p.did(step{Call: call, Dir: wire.DirWrite, FD: fd, Ret: int64(half), Payload: b[:half]})
		p.did(step{Call: call, Dir: wire.DirWrite, FD: fd, Ret: int64(len(b) - half), Payload: b[half:], Flags: wire.IOSameCall})
		return
	}
	runtime.KeepAlive(v)
	if n != int64(len(b)) {
		panic(fmt.Sprintf("call %d sent %d of %d bytes", call, n, len(b)))
	}
	p.did(step{Call: call, Dir: wire.DirWrite, FD: fd, Ret: n, Payload: b})
}

// mmsghdr is struct mmsghdr of 64-bit Linux.
type mmsghdr struct {
	hdr unix.Msghdr
	_   [2]uint32 // msg_len: for the kernel to write; padding
}

func messages(parts ...[]byte) ([]mmsghdr, [][]unix.Iovec) {
	msgs := make([]mmsghdr, len(parts))
	var keep [][]unix.Iovec
	for i, part := range parts {
		v := iovecs(part)
		msgs[i].hdr.Iov = &v[0]
		msgs[i].hdr.SetIovlen(1)
		keep = append(keep, v)
	}
	return msgs, keep
}

// receive takes n bytes by one call of the read family, once they have all arrived.
func (p *player) receive(call uint8, fd, n int) []byte {
	b := make([]byte, n)
	p.receiveVector(call, fd, b, iovecs(b))
	return b
}

func (p *player) receiveVector(call uint8, fd int, b []byte, v []unix.Iovec) {
	awaitInput(fd, len(b))
	n := int64(-1)
	switch call {
	case wire.CallRead:
		n = syscall6(unix.SYS_READ, uintptr(fd), ptr(&b[0]), uintptr(len(b)))
	case wire.CallRecvfrom:
		n = syscall6(unix.SYS_RECVFROM, uintptr(fd), ptr(&b[0]), uintptr(len(b)), 0, 0, 0)
	case wire.CallReadv:
		n = syscall6(unix.SYS_READV, uintptr(fd), ptr(&v[0]), uintptr(len(v)))
	case wire.CallPreadv2:
		n = syscall6(unix.SYS_PREADV2, uintptr(fd), ptr(&v[0]), uintptr(len(v)), ^uintptr(0), ^uintptr(0), 0)
	case wire.CallRecvmsg:
		msg := unix.Msghdr{Iov: &v[0]}
		msg.SetIovlen(len(v))
		n = syscall6(unix.SYS_RECVMSG, uintptr(fd), ptr(&msg), 0)
	case wire.CallRecvmmsg:
		half := len(b) / 2
		msgs, _ := messages(b[:half], b[half:])
		if got := syscall6(unix.SYS_RECVMMSG, uintptr(fd), ptr(&msgs[0]), 2, 0, 0); got != 2 {
			panic(fmt.Sprintf("recvmmsg: %d", got))
		}
		p.did(step{Call: call, Dir: wire.DirRead, FD: fd, Ret: int64(half), Payload: b[:half]})
		p.did(step{Call: call, Dir: wire.DirRead, FD: fd, Ret: int64(len(b) - half), Payload: b[half:], Flags: wire.IOSameCall})
		return
	}
	runtime.KeepAlive(v)
	if n != int64(len(b)) {
		panic(fmt.Sprintf("call %d received %d of %d bytes", call, n, len(b)))
	}
	p.did(step{Call: call, Dir: wire.DirRead, FD: fd, Ret: n, Payload: b})
}

// awaitInput returns when n bytes can be read at once.
func awaitInput(fd, n int) {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if err == unix.EINTR {
			continue
		}
		check(err)
		have, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
		check(err)
		if have >= n {
			return
		}
		runtime.Gosched()
	}
}

var (
	writeCalls = []uint8{wire.CallWrite, wire.CallWritev, wire.CallSendto, wire.CallSendmsg, wire.CallSendmmsg, wire.CallPwritev2}
	readCalls  = []uint8{wire.CallRead, wire.CallReadv, wire.CallRecvfrom, wire.CallRecvmsg, wire.CallRecvmmsg, wire.CallPreadv2}
)

// playCalls moves a pattern by every call of the family, in sizes around the classes of ring records.
func playCalls(p *player) {
	client, server := p.pair()
	for i, call := range writeCalls {
		for _, n := range []int{2, 127, 128, 129, 1000, 4000} {
			b := pattern(n, i*100+n)
			p.send(call, client, b)
			p.receive(readCalls[i], server, n)
			p.send(call, server, b)
			p.receive(readCalls[i], client, n)
		}
	}
}

// playVectors moves patterns in vectors of odd shapes.
func playVectors(p *player) {
	client, server := p.pair()
	ones := make([]int, 1023)
	for i := range ones {
		ones[i] = 1
	}
	shapes := map[string][]int{
		"two":                      {238, 100},
		"zero-length elements":     {0, 5, 0, 0, 7, 0},
		"large after small":        {1, 2, 3},
		"small after large":        {3000, 1, 1, 1},
		"1,024 elements":           ones,
		"first element over 2 KiB": {2500, 300},
	}
	for _, name := range []string{"two", "zero-length elements", "large after small", "small after large", "1,024 elements", "first element over 2 KiB"} {
		for i, call := range []uint8{wire.CallWritev, wire.CallSendmsg, wire.CallPwritev2} {
			total := 3500
			if name == "two" {
				total = 338
			}
			b := pattern(total, len(name)+i)
			p.sendVector(call, client, b, iovecs(b, shapes[name]...))
			got := make([]byte, total)
			p.receiveVector([]uint8{wire.CallReadv, wire.CallRecvmsg, wire.CallPreadv2}[i], server, got, iovecs(got, shapes[name]...))
			p.send(wire.CallWrite, server, []byte("ok"))
			p.receive(wire.CallRead, client, 2)
		}
	}
}

// playEdges makes the calls that are not simply so many bytes.
func playEdges(p *player) {
	client, server := p.pair()

	// A peek returns bytes that come again.
	b := pattern(100, 1)
	p.send(wire.CallWrite, client, b)
	awaitInput(server, len(b))
	got := make([]byte, 60)
	n := syscall6(unix.SYS_RECVFROM, uintptr(server), ptr(&got[0]), 60, unix.MSG_PEEK)
	p.did(step{Note: "peek", Call: wire.CallRecvfrom, Dir: wire.DirRead, FD: server, Ret: n, Payload: b[:60], Flags: wire.IOPeek})

	// A buffer larger than what is there.
	big := make([]byte, 1000)
	n = syscall6(unix.SYS_READ, uintptr(server), ptr(&big[0]), 1000)
	p.did(step{Note: "partial", Call: wire.CallRead, Dir: wire.DirRead, FD: server, Ret: n, Payload: b})

	// EAGAIN is not recorded.
	if n = syscall6(unix.SYS_RECVFROM, uintptr(server), ptr(&big[0]), 10, unix.MSG_DONTWAIT); n != -int64(unix.EAGAIN) {
		panic(n)
	}
	// MSG_TRUNC throws bytes away.
	p.send(wire.CallWrite, client, b)
	awaitInput(server, len(b))
	n = syscall6(unix.SYS_RECVFROM, uintptr(server), ptr(&big[0]), 100, unix.MSG_TRUNC|unix.MSG_DONTWAIT)
	p.did(step{Note: "trunc", Call: wire.CallRecvfrom, Dir: wire.DirRead, FD: server, Ret: n, Cut: wire.CutNoCopy, Flags: wire.IOTrunc | wire.IONonblock})

	// A partial write on a full socket.
	check(unix.SetNonblock(client, true))
	flood := pattern(8<<20, 2)
	n = syscall6(unix.SYS_WRITE, uintptr(client), ptr(&flood[0]), uintptr(len(flood)))
	if n <= 0 || n == int64(len(flood)) {
		panic(fmt.Sprintf("write of 8 MiB: %d", n))
	}
	p.did(step{Note: "partial write", Call: wire.CallWrite, Dir: wire.DirWrite, FD: client, Ret: n, Payload: flood[:n], Cut: wire.CutBudget, Flags: wire.IONonblock})
	sink := make([]byte, 1<<16)
	for left := n; left > 0; {
		r := syscall6(unix.SYS_RECVFROM, uintptr(server), ptr(&sink[0]), uintptr(min(left, 1<<16)))
		p.did(step{Note: "drain", Call: wire.CallRecvfrom, Dir: wire.DirRead, FD: server, Ret: r, Cut: 255})
		left -= r
	}
	check(unix.SetNonblock(client, false))

	// A bad buffer fails before a byte moves.
	p.send(wire.CallWrite, client, b)
	awaitInput(server, len(b))
	n = syscall6(unix.SYS_READ, uintptr(server), 1, 100)
	p.did(step{Note: "EFAULT", Call: wire.CallRead, Dir: wire.DirRead, FD: server, Ret: n})
	p.receive(wire.CallRead, server, len(b))

	// Data and FIN in one read, then the end of the stream.
	p.send(wire.CallWrite, client, b)
	check(unix.Shutdown(client, unix.SHUT_WR))
	awaitHangup(server)
	n = syscall6(unix.SYS_READ, uintptr(server), ptr(&big[0]), 1000)
	p.did(step{Note: "data before FIN", Call: wire.CallRead, Dir: wire.DirRead, FD: server, Ret: n, Payload: b})
	n = syscall6(unix.SYS_READ, uintptr(server), ptr(&big[0]), 1000)
	p.did(step{Note: "EOF", Call: wire.CallRead, Dir: wire.DirRead, FD: server, Ret: n, Flags: wire.IOEOF})
	if n = syscall6(unix.SYS_READ, uintptr(server), ptr(&big[0]), 0); n != 0 { // no room: not the end of anything
		panic(n)
	}
	n = syscall6(unix.SYS_SENDTO, uintptr(client), ptr(&big[0]), 10, unix.MSG_NOSIGNAL)
	p.did(step{Note: "EPIPE", Call: wire.CallSendto, Dir: wire.DirWrite, FD: client, Ret: n})

	// What is no socket is not recorded.
	var fds [2]int
	check(unix.Pipe(fds[:]))
	syscall6(unix.SYS_WRITE, uintptr(fds[1]), ptr(&b[0]), 10)
	syscall6(unix.SYS_READ, uintptr(fds[0]), ptr(&big[0]), 10)
	syscall6(unix.SYS_READ, 9999, ptr(&big[0]), 10)
	syscall6(unix.SYS_READ, ^uintptr(0), ptr(&big[0]), 10)
}

// awaitHangup returns when the peer's FIN has arrived.
func awaitHangup(fd int) {
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		_, err := unix.Poll(fds, -1)
		if err == unix.EINTR {
			continue
		}
		check(err)
		if fds[0].Revents&unix.POLLRDHUP != 0 {
			return
		}
	}
}

// playNoCopy moves bytes that never lie in the process.
func playNoCopy(p *player) {
	client, server := p.pair()
	file, err := os.CreateTemp("", "reel")
	check(err)
	defer os.Remove(file.Name())
	b := pattern(3000, 3)
	_, err = file.Write(b)
	check(err)
	_, err = file.Seek(0, io.SeekStart)
	check(err)

	n := syscall6(unix.SYS_SENDFILE, uintptr(client), file.Fd(), 0, 2500)
	p.did(step{Note: "sendfile", Call: wire.CallSendfile, Dir: wire.DirWrite, FD: client, Ret: n, Cut: wire.CutNoCopy})
	awaitInput(server, int(n))

	var fds [2]int
	check(unix.Pipe(fds[:]))
	n = syscall6(unix.SYS_SPLICE, uintptr(server), 0, uintptr(fds[1]), 0, 2500, 0)
	p.did(step{Note: "splice from socket", Call: wire.CallSplice, Dir: wire.DirRead, FD: server, Ret: n, Cut: wire.CutNoCopy})
	n = syscall6(unix.SYS_SPLICE, uintptr(fds[0]), 0, uintptr(server), 0, uintptr(n), 0)
	p.did(step{Note: "splice to socket", Call: wire.CallSplice, Dir: wire.DirWrite, FD: server, Ret: n, Cut: wire.CutNoCopy})
	p.receive(wire.CallRead, client, int(n))
}

// playBudget sends messages of several calls, so that the budget runs out and starts again.
func playBudget(p *player) {
	client, server := p.pair()
	for i := range 2 { // two messages each way, in calls of 3,000 bytes
		for j := range 4 {
			p.send(wire.CallWrite, client, pattern(3000, i*10+j))
			p.receive(wire.CallRead, server, 3000)
		}
		p.send(wire.CallWrite, server, pattern(3000, i*10+5))
		p.receive(wire.CallRead, client, 3000)
	}
}

// playLarge sends more in one call than one record holds.
func playLarge(p *player) {
	client, server := p.pair()
	check(unix.SetsockoptInt(server, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20))
	check(unix.SetsockoptInt(client, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 8<<20))
	for i, n := range []int{16384, 16385, 100_000, 500_000} {
		b := pattern(n, n)
		p.send(wire.CallWrite, client, b)
		p.receive(wire.CallRead, server, n)
		got := make([]byte, n)
		p.sendVector(wire.CallWritev, client, b, iovecs(b, 1, 0, 20_000, 16384, 5))
		p.receiveVector(wire.CallReadv, server, got, iovecs(got, 30_000, 7))
		p.send(wire.CallWrite, server, pattern(10, i))
		p.receive(wire.CallRead, client, 10)
	}
}
