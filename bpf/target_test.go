//go:build linux && (amd64 || arm64)

package bpf

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A step is one call that a scenario made, and what must be recorded of it.
type step struct {
	Note    string
	Call    uint8 // wire.Call*
	Dir     uint8
	FD      int
	Ret     int64
	Payload []byte // the bytes moved, as the process knows them
	Cut     uint8  // wire.Cut*; with CutBudget and others Payload may be longer than what is recorded
	Flags   uint16 // that must be set
	Thread  int    // tid
}

// A player makes the calls of a scenario in a process of its own.
type player struct {
	family int
	steps  []step
	in     *bufio.Reader
}

type scenario struct {
	prepare func(*player) // before the first pause
	play    func(*player) // after it
}

var scenarios = map[string]scenario{}

// playScenario is the main function of the recorded process.
func playScenario(name, family string) (code int) {
	runtime.LockOSThread()
	p := &player{family: unix.AF_INET, in: bufio.NewReader(os.Stdin)}
	if family == "v6" {
		p.family = unix.AF_INET6
	}
	s, ok := scenarios[name]
	if !ok {
		fmt.Fprintln(os.Stderr, "no scenario", name)
		return 2
	}
	defer func() {
		if err := recover(); err != nil {
			fmt.Fprintf(os.Stderr, "scenario %s: %v\n", name, err)
			code = 1
		}
	}()
	if s.prepare != nil {
		s.prepare(p)
	}
	p.pause("ready")
	s.play(p)
	out, err := json.Marshal(p.steps)
	check(err)
	fmt.Println(string(out))
	return 0
}

// pause says something to the test and waits for its word.
func (p *player) pause(word string) {
	fmt.Println(word)
	_, err := p.in.ReadString('\n')
	check(err)
}

func check(err error) {
	if err != nil {
		_, file, line, _ := runtime.Caller(1)
		panic(fmt.Sprintf("%s:%d: %v", file[strings.LastIndex(file, "/")+1:], line, err))
	}
}

func (p *player) did(s step) { p.steps = append(p.steps, s) }

func (p *player) loopback(port int) unix.Sockaddr {
	if p.family == unix.AF_INET6 {
		return &unix.SockaddrInet6{Port: port, Addr: [16]byte{15: 1}}
	}
	return &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
}

func (p *player) listen() (fd, port int) {
	fd, err := unix.Socket(p.family, unix.SOCK_STREAM, 0)
	check(err)
	check(unix.Bind(fd, p.loopback(0)))
	check(unix.Listen(fd, 16))
	return fd, portOf(fd)
}

func portOf(fd int) int {
	addr, err := unix.Getsockname(fd)
	check(err)
	switch a := addr.(type) {
	case *unix.SockaddrInet4:
		return a.Port
	case *unix.SockaddrInet6:
		return a.Port
	}
	panic("no port")
}

// pair is a TCP connection with both ends in this process.
func (p *player) pair() (client, server int) {
	l, port := p.listen()
	client, err := unix.Socket(p.family, unix.SOCK_STREAM, 0)
	check(err)
	check(unix.Connect(client, p.loopback(port)))
	server, _, err = unix.Accept(l)
	check(err)
	check(unix.Close(l))
	check(unix.SetsockoptInt(client, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	check(unix.SetsockoptInt(server, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	return client, server
}

// pattern returns n bytes of which no two runs are alike.
func pattern(n, seed int) []byte {
	b := make([]byte, n)
	x := uint32(seed)*2654435761 + 12345
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

// iovecs cuts b into elements of the given sizes; the rest is one more.
func iovecs(b []byte, sizes ...int) []unix.Iovec {
	var v []unix.Iovec
	add := func(part []byte) {
		iov := unix.Iovec{Base: (*byte)(unsafe.Pointer(unsafe.SliceData(part)))}
		iov.SetLen(len(part))
		v = append(v, iov)
	}
	for _, n := range sizes {
		n = min(n, len(b))
		add(b[:n:n])
		b = b[n:]
	}
	if len(b) > 0 {
		add(b)
	}
	return v
}

// syscall6 makes a call by its number, so that the test decides which of the family it is.
func syscall6(nr uintptr, args ...uintptr) int64 {
	var a [6]uintptr
	copy(a[:], args)
	r, _, errno := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return -int64(errno)
	}
	return int64(r)
}

func ptr[T any](v *T) uintptr { return uintptr(unsafe.Pointer(v)) }
