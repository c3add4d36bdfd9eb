//go:build linux && (amd64 || arm64)

package bpf

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format/wire"
)

func init() {
	scenarios["uring"] = scenario{play: playURing}
	scenarios["mptcp"] = scenario{play: playMPTCP}
}

// Of include/uapi/linux/io_uring.h.
const (
	uringOpSend    = 26
	uringOpRecv    = 27
	uringGetEvents = 1
	uringSQOffset  = 0
	uringSQEOffset = 0x10000000
	uringEntries   = 8
)

type uringParams struct {
	sqEntries, cqEntries uint32
	_                    [8]uint32 // flags, features, descriptors
	sq                   struct {
		head, tail, ringMask, ringEntries, flags, dropped, array, _ uint32
		_                                                           uint64
	}
	cq struct {
		head, tail, ringMask, ringEntries, overflow, cqes, flags, _ uint32
		_                                                           uint64
	}
}

type uringSQE struct {
	opcode, flags uint8
	ioprio        uint16
	fd            int32
	offset, addr  uint64
	length        uint32
	opFlags       uint32
	userData      uint64
	_             [3]uint64
}

type uringCQE struct {
	userData uint64
	result   int32
	flags    uint32
}

// uring is a ring of io_uring_setup(2), of which one entry is used at a time.
type uring struct {
	fd     int
	params uringParams
	ring   []byte
	sqes   []byte
}

func newURing() *uring {
	r := &uring{}
	fd := syscall6(unix.SYS_IO_URING_SETUP, uringEntries, ptr(&r.params))
	if fd < 0 {
		panic(fmt.Sprintf("io_uring_setup: %v", unix.Errno(-fd)))
	}
	r.fd = int(fd)
	size := max(r.params.sq.array+4*r.params.sqEntries, r.params.cq.cqes+uint32(unsafe.Sizeof(uringCQE{}))*r.params.cqEntries)
	var err error
	r.ring, err = unix.Mmap(r.fd, uringSQOffset, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	check(err)
	r.sqes, err = unix.Mmap(r.fd, uringSQEOffset, int(r.params.sqEntries)*int(unsafe.Sizeof(uringSQE{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	check(err)
	return r
}

func (r *uring) word(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.ring[offset])) }

// do submits one operation and returns its result.
func (r *uring) do(opcode uint8, fd int, b []byte) int32 {
	*(*uringSQE)(unsafe.Pointer(&r.sqes[0])) = uringSQE{opcode: opcode, fd: int32(fd), addr: uint64(ptr(&b[0])), length: uint32(len(b))}
	tail := *r.word(r.params.sq.tail)
	*r.word(r.params.sq.array + 4*(tail&*r.word(r.params.sq.ringMask))) = 0
	atomic.StoreUint32(r.word(r.params.sq.tail), tail+1)
	if n := syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), 1, 1, uringGetEvents); n != 1 {
		panic(fmt.Sprintf("io_uring_enter: %d", n))
	}
	head := *r.word(r.params.cq.head)
	if atomic.LoadUint32(r.word(r.params.cq.tail)) == head {
		panic("no completion")
	}
	cqe := (*uringCQE)(unsafe.Pointer(&r.ring[r.params.cq.cqes+(head&*r.word(r.params.cq.ringMask))*uint32(unsafe.Sizeof(uringCQE{}))]))
	result := cqe.result
	atomic.StoreUint32(r.word(r.params.cq.head), head+1)
	return result
}

// playURing moves bytes over one connection by ordinary calls and by a ring, by turns.
func playURing(p *player) {
	ring := newURing()
	client, server := p.pair()
	for i := range 3 {
		p.send(wire.CallWrite, client, pattern(100, i))
		p.receive(wire.CallRead, server, 100)
		b := pattern(1000+i, 7)
		if n := ring.do(uringOpSend, client, b); int(n) != len(b) {
			panic(fmt.Sprintf("a ring sent %d of %d bytes", n, len(b)))
		}
		got := make([]byte, 2000)
		if n := ring.do(uringOpRecv, server, got); int(n) != len(b) || string(got[:n]) != string(b) {
			panic(fmt.Sprintf("a ring received %d of %d bytes", n, len(b)))
		}
	}
	p.send(wire.CallWrite, client, pattern(100, 9))
	p.receive(wire.CallRead, server, 100)
}

// playMPTCP makes a connection of IPPROTO_MPTCP: 4 calls that move bytes.
func playMPTCP(p *player) {
	const mptcp = 262 // IPPROTO_MPTCP
	l, err := unix.Socket(p.family, unix.SOCK_STREAM, mptcp)
	check(err)
	check(unix.Bind(l, p.loopback(0)))
	check(unix.Listen(l, 4))
	client, err := unix.Socket(p.family, unix.SOCK_STREAM, mptcp)
	check(err)
	check(unix.Connect(client, p.loopback(portOf(l))))
	server, _, err := unix.Accept(l)
	check(err)
	for range 2 {
		_, err = unix.Write(client, pattern(300, 1))
		check(err)
		n, err := unix.Read(server, make([]byte, 400))
		check(err)
		if n != 300 {
			panic(n)
		}
	}
	for _, fd := range []int{client, server, l} {
		check(unix.Close(fd))
	}
}
