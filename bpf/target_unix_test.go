//go:build linux && (amd64 || arm64)

package bpf

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format/wire"
)

func init() {
	scenarios["unix"] = scenario{play: playUnix}
	scenarios["udp"] = scenario{play: playUDP}
	scenarios["oob"] = scenario{play: playUrgent}
	scenarios["zerocopy"] = scenario{play: playZerocopy}
	scenarios["closes"] = scenario{play: playCloses}
}

// playUnix moves bytes over Unix sockets of all types: bound to a file, to an abstract name, and as a pair.
func playUnix(p *player) {
	dir, err := os.MkdirTemp("", "reel")
	check(err)
	defer os.RemoveAll(dir)
	for _, path := range []string{filepath.Join(dir, "web.sock"), "@reel/" + dir} {
		l, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		check(err)
		check(unix.Bind(l, &unix.SockaddrUnix{Name: path}))
		check(unix.Listen(l, 4))
		client, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		check(err)
		check(unix.Connect(client, &unix.SockaddrUnix{Name: path}))
		server, _, err := unix.Accept(l)
		check(err)
		for i, call := range writeCalls {
			p.send(call, client, pattern(300+i, i))
			p.receive(readCalls[i], server, 300+i)
			p.send(call, server, pattern(500+i, i))
			p.receive(readCalls[i], client, 500+i)
		}
		check(unix.Close(client))
		b := make([]byte, 10)
		n := syscall6(unix.SYS_READ, uintptr(server), ptr(&b[0]), 10)
		p.did(step{Note: "EOF", Call: wire.CallRead, Dir: wire.DirRead, FD: server, Ret: n, Flags: wire.IOEOF})
		check(unix.Close(server))
		check(unix.Close(l))
	}
	for _, typ := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_SEQPACKET} {
		pair, err := unix.Socketpair(unix.AF_UNIX, typ, 0)
		check(err)
		flags := uint16(wire.IODgram)
		if typ == unix.SOCK_STREAM {
			flags = 0
		}
		b := pattern(200, typ)
		n := syscall6(unix.SYS_WRITE, uintptr(pair[0]), ptr(&b[0]), 200)
		p.did(step{Note: "pair", Call: wire.CallWrite, Dir: wire.DirWrite, FD: pair[0], Ret: n, Payload: b, Flags: flags})
		got := make([]byte, 300)
		n = syscall6(unix.SYS_READ, uintptr(pair[1]), ptr(&got[0]), 300)
		p.did(step{Note: "pair", Call: wire.CallRead, Dir: wire.DirRead, FD: pair[1], Ret: n, Payload: b, Flags: flags})
		if typ != unix.SOCK_STREAM { // a message without bytes, and one that is longer than its buffer
			n = syscall6(unix.SYS_SENDTO, uintptr(pair[1]), ptr(&b[0]), 0, 0, 0, 0)
			p.did(step{Note: "empty message", Call: wire.CallSendto, Dir: wire.DirWrite, FD: pair[1], Ret: n, Flags: flags})
			n = syscall6(unix.SYS_SENDTO, uintptr(pair[1]), ptr(&b[0]), 200, 0, 0, 0)
			p.did(step{Note: "message", Call: wire.CallSendto, Dir: wire.DirWrite, FD: pair[1], Ret: n, Payload: b, Flags: flags})
			n = syscall6(unix.SYS_RECVFROM, uintptr(pair[0]), ptr(&got[0]), 300, 0, 0, 0)
			p.did(step{Note: "empty message", Call: wire.CallRecvfrom, Dir: wire.DirRead, FD: pair[0], Ret: n, Flags: flags})
			n = syscall6(unix.SYS_RECVFROM, uintptr(pair[0]), ptr(&got[0]), 50, unix.MSG_TRUNC, 0, 0)
			p.did(step{Note: "cut message", Call: wire.CallRecvfrom, Dir: wire.DirRead, FD: pair[0], Ret: n, Payload: b, Flags: flags | wire.IOTrunc, Cut: 255})
		}
		check(unix.Close(pair[0]))
		check(unix.Close(pair[1]))
	}
	// A path where nobody listens.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	check(err)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: filepath.Join(dir, "none")}); err != unix.ENOENT {
		panic(err)
	}
	check(unix.Close(fd))
}

// udp is a UDP socket bound to a port of loopback; 0: any.
func (p *player) udp(port int) (fd, bound int) {
	fd, err := unix.Socket(p.family, unix.SOCK_DGRAM, 0)
	check(err)
	check(unix.Bind(fd, p.loopback(port)))
	return fd, portOf(fd)
}

// udpMessages are several datagrams for sendmmsg or recvmmsg, with room for the peer of each.
func udpMessages(peers []unix.RawSockaddrInet6, parts ...[]byte) ([]mmsghdr, [][]unix.Iovec) {
	msgs, keep := messages(parts...)
	for i := range msgs {
		msgs[i].hdr.Name = (*byte)(unsafe.Pointer(&peers[i]))
		msgs[i].hdr.Namelen = uint32(unsafe.Sizeof(peers[i]))
	}
	return msgs, keep
}

// playUDP sends datagrams between two sockets, connected and not. Each step's FD and Thread (the peer's port) are what must be recorded.
func playUDP(p *player) {
	server, serverPort := p.udp(0)
	client, clientPort := p.udp(0)
	b := pattern(700, 1)
	got := make([]byte, 2000)
	dgram := func(note string, call uint8, dir uint8, fd int, n int64, port int, payload []byte, flags uint16) {
		cut := uint8(wire.CutProtocol)
		if n == 0 {
			cut = wire.CutNone
		}
		p.did(step{Note: note, Call: call, Dir: dir, FD: fd, Ret: n, Thread: port, Payload: payload, Cut: cut, Flags: wire.IODgram | flags})
	}
	send := func(note string, fd, n, port int, to unix.Sockaddr) {
		check(unix.Sendto(fd, b[:n], 0, to))
		dgram(note, wire.CallSendto, wire.DirWrite, fd, int64(n), port, nil, 0)
	}
	receive := func(note string, fd, port int, flags int) {
		n, _, err := unix.Recvfrom(fd, got[:500], flags)
		check(err)
		var want uint16
		if flags&unix.MSG_TRUNC != 0 {
			want |= wire.IOTrunc
		}
		if flags&unix.MSG_PEEK != 0 {
			want |= wire.IOPeek
		}
		dgram(note, wire.CallRecvfrom, wire.DirRead, fd, int64(n), port, nil, want)
	}
	send("to an address", client, 100, serverPort, p.loopback(serverPort))
	receive("peek", server, clientPort, unix.MSG_PEEK)
	receive("from anyone", server, clientPort, 0)
	send("longer than the buffer", client, 700, serverPort, p.loopback(serverPort))
	receive("its true length", server, clientPort, unix.MSG_TRUNC)
	send("empty", client, 0, serverPort, p.loopback(serverPort))
	receive("empty", server, clientPort, 0)

	check(unix.Connect(client, p.loopback(serverPort)))
	n := syscall6(unix.SYS_WRITE, uintptr(client), ptr(&b[0]), 50)
	dgram("connected", wire.CallWrite, wire.DirWrite, client, n, serverPort, nil, 0)
	receive("from anyone", server, clientPort, 0)
	send("back", server, 60, clientPort, p.loopback(clientPort))
	n = syscall6(unix.SYS_READ, uintptr(client), ptr(&got[0]), 500)
	dgram("connected", wire.CallRead, wire.DirRead, client, n, serverPort, nil, 0)

	// Several at once, each with its own length.
	msgs, keep := messages(b[:10], b[:20], b[:30])
	if n = syscall6(unix.SYS_SENDMMSG, uintptr(client), ptr(&msgs[0]), 3, 0); n != 3 {
		panic(fmt.Sprintf("sendmmsg: %d", n))
	}
	for i, n := range []int64{10, 20, 30} {
		var flags uint16
		if i > 0 {
			flags = wire.IOSameCall
		}
		dgram("of three", wire.CallSendmmsg, wire.DirWrite, client, n, serverPort, nil, flags)
	}
	other, otherPort := p.udp(0)
	send("of another", other, 40, serverPort, p.loopback(serverPort))
	peers := make([]unix.RawSockaddrInet6, 5)
	msgs, keep2 := udpMessages(peers, got[:100], got[100:200], got[200:215], got[300:400], got[400:500])
	if n = syscall6(unix.SYS_RECVMMSG, uintptr(server), ptr(&msgs[0]), 5, unix.MSG_DONTWAIT, 0); n != 4 {
		panic(fmt.Sprintf("recvmmsg: %d", n))
	}
	for i, n := range []int64{10, 20, 15, 40} {
		flags, port := uint16(wire.IOSameCall), clientPort
		switch i {
		case 0:
			flags = 0
		case 2:
			flags |= wire.IOTrunc // 30 bytes into a buffer of 15
		case 3:
			port = otherPort
		}
		dgram("of four", wire.CallRecvmmsg, wire.DirRead, server, n, port, nil, flags)
	}
	runtime.KeepAlive(keep)
	runtime.KeepAlive(keep2)

	// DNS: the payload of port 53 on either side.
	dns, _ := p.udp(53)
	defer unix.Close(dns)
	query := append(binary.BigEndian.AppendUint16(nil, 0x1234), pattern(30, 9)...)
	check(unix.Sendto(other, query, 0, p.loopback(53)))
	p.did(step{Note: "query", Call: wire.CallSendto, Dir: wire.DirWrite, FD: other, Ret: 32, Thread: 53, Payload: query, Flags: wire.IODgram})
	in := make([]byte, 512)
	v := iovecs(in[:12:12], 5)
	v = append(v, iovecs(in[12:])...)
	msg := unix.Msghdr{Iov: &v[0], Name: (*byte)(unsafe.Pointer(&peers[0])), Namelen: uint32(unsafe.Sizeof(peers[0]))}
	msg.SetIovlen(len(v))
	n = syscall6(unix.SYS_RECVMSG, uintptr(dns), ptr(&msg), 0)
	p.did(step{Note: "query", Call: wire.CallRecvmsg, Dir: wire.DirRead, FD: dns, Ret: n, Thread: otherPort, Payload: query, Flags: wire.IODgram})
}

// playUrgent sends an urgent byte between ordinary ones, once read out of band and once not at all.
func playUrgent(p *player) {
	client, server := p.pair()
	for i := range 2 {
		b := pattern(20, i)
		p.send(wire.CallWrite, client, b)
		n := syscall6(unix.SYS_SENDTO, uintptr(client), ptr(&b[0]), 3, unix.MSG_OOB, 0, 0)
		p.did(step{Note: "urgent", Call: wire.CallSendto, Dir: wire.DirWrite, FD: client, Ret: n, Payload: b[:3], Flags: wire.IOOOB})
		p.send(wire.CallWrite, client, b)
		awaitInput(server, 22)
		got := make([]byte, 100)
		n = syscall6(unix.SYS_READ, uintptr(server), ptr(&got[0]), 100)
		p.did(step{Note: "up to the mark", Call: wire.CallRead, Dir: wire.DirRead, FD: server, Ret: n, Payload: append(b[:20:20], b[:2]...)})
		if i == 0 {
			n = syscall6(unix.SYS_RECVFROM, uintptr(server), ptr(&got[0]), 1, unix.MSG_OOB, 0, 0)
			p.did(step{Note: "out of band", Call: wire.CallRecvfrom, Dir: wire.DirRead, FD: server, Ret: n, Payload: b[2:3], Flags: wire.IOOOB | wire.IOPeek})
		}
		// TIOCINQ counts 0 at the mark: over loopback the bytes are there once they are sent.
		n = syscall6(unix.SYS_READ, uintptr(server), ptr(&got[0]), 100)
		p.did(step{Note: "behind the mark", Call: wire.CallRead, Dir: wire.DirRead, FD: server, Ret: n, Payload: b, Flags: wire.IOOOB})
	}
}

// playZerocopy sends by MSG_ZEROCOPY, and reads the completion from the error queue.
func playZerocopy(p *player) {
	client, server := p.pair()
	check(unix.SetsockoptInt(client, unix.SOL_SOCKET, unix.SO_ZEROCOPY, 1))
	b := pattern(3000, 7)
	n := syscall6(unix.SYS_SENDTO, uintptr(client), ptr(&b[0]), 3000, unix.MSG_ZEROCOPY, 0, 0)
	p.did(step{Note: "zerocopy", Call: wire.CallSendto, Dir: wire.DirWrite, FD: client, Ret: n, Payload: b, Flags: wire.IOZerocopy})
	p.receive(wire.CallRead, server, 3000)
	fds := []unix.PollFd{{Fd: int32(client)}}
	for fds[0].Revents&unix.POLLERR == 0 {
		_, err := unix.Poll(fds, 1000)
		if err != nil && err != unix.EINTR {
			panic(err)
		}
	}
	control := make([]byte, 200)
	if _, _, _, _, err := unix.Recvmsg(client, nil, control, unix.MSG_ERRQUEUE); err != nil {
		panic(err)
	}
	p.send(wire.CallWrite, client, b[:10])
	p.receive(wire.CallRead, server, 10)
}

// playCloses drops descriptors of sockets in every way, the last of each socket and others. A step is one descriptor: Ret says how
// many references the socket's file had.
func playCloses(p *player) {
	drop := func(note string, fd int, refs int64) { p.did(step{Note: note, FD: fd, Ret: refs}) }
	newPair := func() (int, int) {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		check(err)
		return pair[0], pair[1]
	}
	a, b := newPair()
	dup, err := unix.Dup(a)
	check(err)
	check(unix.Close(a))
	drop("close of one of two", a, 2)
	check(unix.Close(dup))
	drop("close of the last", dup, 1)

	c, d := newPair()
	check(unix.Dup3(c, b, 0))
	drop("dup3 onto the last", b, 1)
	if r := syscall6(unix.SYS_DUP3, 9999, uintptr(d), 0); r != -int64(unix.EBADF) {
		panic(r)
	}
	check(unix.Close(b)) // a copy of c
	drop("close of a copy", b, 2)
	copied, err := unix.FcntlInt(uintptr(c), unix.F_DUPFD_CLOEXEC, 100)
	check(err)
	e, f := newPair()
	check(unix.CloseRange(uint(min(c, d)), uint(max(e, f)), 0))
	ranged := []int{c, d, e, f}
	slices.Sort(ranged)
	for _, fd := range ranged {
		refs := int64(1)
		if fd == c {
			refs = 2
		}
		drop("close_range", fd, refs)
	}
	check(unix.CloseRange(uint(copied), uint(copied), unix.CLOSE_RANGE_CLOEXEC)) // closes nothing

	// Passed to another process, which is this one: a third reference while it is on its way.
	g, h := newPair()
	check(unix.Sendmsg(g, []byte("x"), unix.UnixRights(copied), nil, 0))
	check(unix.Close(copied))
	drop("close while on its way", copied, 2)
	oob := make([]byte, unix.CmsgSpace(4))
	buf := make([]byte, 1)
	_, _, _, _, err = unix.Recvmsg(h, buf, oob, 0)
	check(err)
	control, err := unix.ParseSocketControlMessage(oob)
	check(err)
	rights, err := unix.ParseUnixRights(&control[0])
	check(err)
	check(unix.Close(rights[0]))
	drop("close of what was passed", rights[0], 1)
	check(unix.Close(g))
	drop("close", g, 1)

	// A connection and a listener: the end of the process closes them.
	tcp, _ := p.pair()
	drop("exit", h, 1)
	drop("exit", tcp, 1)
	drop("exit", tcp+1, 1)
}
