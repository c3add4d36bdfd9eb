//go:build linux && (amd64 || arm64)

package bpf

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format/wire"
)

func init() {
	scenarios["lifecycle"] = scenario{play: playLifecycle}
	scenarios["blocked"] = scenario{play: playBlocked}
	scenarios["reuse"] = scenario{play: playReuse}
	scenarios["children"] = scenario{play: playChildren}
	scenarios["child"] = scenario{play: playChild}
	scenarios["open"] = scenario{prepare: prepareOpen, play: playOpen}
	scenarios["flood"] = scenario{play: playFlood}
	scenarios["hole"] = scenario{play: playHole}
}

// fixedPort finds a port that nothing listens on.
func (p *player) closedPort() int {
	fd, port := p.listen()
	check(unix.Close(fd))
	return port
}

func (p *player) socket() int {
	fd, err := unix.Socket(p.family, unix.SOCK_STREAM, 0)
	check(err)
	return fd
}

// playLifecycle connects, fails to connect, accepts, shuts down and closes. Note names the sock_event that must come of it.
func playLifecycle(p *player) {
	l, port := p.listen()
	p.did(step{Note: "listen", FD: -1, Ret: int64(port)})

	client := p.socket()
	check(unix.Connect(client, p.loopback(port)))
	p.did(step{Note: "connect", FD: client})
	server, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
	check(err)
	p.did(step{Note: "accept", FD: server, Ret: int64(server)})

	slow := p.socket()
	check(unix.SetNonblock(slow, true))
	if err := unix.Connect(slow, p.loopback(port)); err != unix.EINPROGRESS {
		check(errors.Join(errors.New("a non-blocking connect was not in progress"), err))
	}
	p.did(step{Note: "connect", FD: slow, Ret: -int64(unix.EINPROGRESS), Flags: wire.IONonblock})
	server2, _, err := unix.Accept(l)
	check(err)
	p.did(step{Note: "accept", FD: server2, Ret: int64(server2)})

	check(unix.SetNonblock(l, true))
	if _, _, err := unix.Accept(l); err != unix.EAGAIN { // not recorded
		check(errors.Join(errors.New("accept found something"), err))
	}

	refused := p.socket()
	if err := unix.Connect(refused, p.loopback(p.closedPort())); err != unix.ECONNREFUSED {
		check(errors.Join(errors.New("not refused"), err))
	}
	p.did(step{Note: "connect", FD: refused, Ret: -int64(unix.ECONNREFUSED)})

	check(unix.Shutdown(client, unix.SHUT_WR))
	p.did(step{Note: "shutdown", FD: client, Call: unix.SHUT_WR})
	for _, fd := range []int{client, server, slow, server2, refused, l} {
		check(unix.Close(fd))
		p.did(step{Note: "close", FD: fd})
	}
	unix.Close(9999) // no file
	var pipe [2]int
	check(unix.Pipe(pipe[:]))
	check(unix.Close(pipe[0])) // no socket
}

// onThread runs f on a thread of its own and returns its tid, and a channel that is closed when f has returned.
func onThread(f func()) (tid int, done chan struct{}) {
	done = make(chan struct{})
	started := make(chan int)
	go func() {
		runtime.LockOSThread()
		started <- unix.Gettid()
		f()
		close(done)
	}()
	return <-started, done
}

// awaitBlocked returns when a thread of this process sleeps inside the system call nr.
func awaitBlocked(tid int, nr int) {
	path := "/proc/self/task/" + strconv.Itoa(tid) + "/syscall"
	want := strconv.Itoa(nr) + " "
	for {
		b, err := os.ReadFile(path)
		check(err)
		if len(b) > len(want) && string(b[:len(want)]) == want {
			return
		}
		runtime.Gosched()
	}
}

// playBlocked lets calls wait: a read for data, an accept for a peer.
func playBlocked(p *player) {
	client, server := p.pair()
	b := pattern(50, 9)
	got := make([]byte, 100)
	tid, done := onThread(func() { syscall6(unix.SYS_READ, uintptr(server), ptr(&got[0]), 100) })
	awaitBlocked(tid, unix.SYS_READ)
	p.send(wire.CallWrite, client, b)
	<-done
	p.did(step{Note: "blocked read", Call: wire.CallRead, Dir: wire.DirRead, FD: server, Ret: 50, Payload: b, Flags: wire.IOBlocked, Thread: tid})

	// The same by a file descriptor that is no socket: nothing is recorded of it.
	var fds [2]int
	check(unix.Pipe(fds[:]))
	tid, done = onThread(func() { syscall6(unix.SYS_READ, uintptr(fds[0]), ptr(&got[0]), 100) })
	awaitBlocked(tid, unix.SYS_READ)
	_, _ = unix.Write(fds[1], b)
	<-done
}

// playReuse closes descriptors under blocked readers and gives their numbers to other files.
func playReuse(p *player) {
	client, server := p.pair()
	client2, server2 := p.pair()
	b := pattern(50, 9)
	got := make([]byte, 100)

	// A socket's number goes to another socket: the read is the first socket's.
	tid, done := onThread(func() { syscall6(unix.SYS_READ, uintptr(server), ptr(&got[0]), 100) })
	awaitBlocked(tid, unix.SYS_READ)
	check(unix.Dup3(server2, server, 0))
	p.send(wire.CallWrite, client, b)
	<-done
	p.did(step{Note: "fd reused while blocked", Call: wire.CallRead, Dir: wire.DirRead, FD: server, Ret: 50, Payload: b, Flags: wire.IOBlocked, Thread: tid})
	// What is read by that number now is the second socket's.
	c := pattern(70, 10)
	p.send(wire.CallWrite, client2, c)
	p.receive(wire.CallRead, server, 70)

	// A pipe's number goes to a socket: the read is no socket's.
	var fds [2]int
	check(unix.Pipe(fds[:]))
	tid, done = onThread(func() { syscall6(unix.SYS_READ, uintptr(fds[0]), ptr(&got[0]), 100) })
	awaitBlocked(tid, unix.SYS_READ)
	check(unix.Dup3(server2, fds[0], 0))
	_, _ = unix.Write(fds[1], b)
	<-done
}

// playChildren starts a process that talks to itself, and ends.
func playChildren(p *player) {
	family := "v4"
	if p.family == unix.AF_INET6 {
		family = "v6"
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$", "an argument", "")
	cmd.Env = append(os.Environ(), scenarioEnv+"=child", "REEL_BPF_FAMILY="+family)
	in, err := cmd.StdinPipe()
	check(err)
	check(cmd.Start())
	_, err = in.Write([]byte("go\n"))
	check(err)
	p.did(step{Note: "child", Ret: int64(cmd.Process.Pid)})
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		check(errors.Join(errors.New("the child did not exit with 7"), err))
	}
}

func playChild(p *player) {
	client, server := p.pair()
	p.send(wire.CallWrite, client, []byte("from the child"))
	p.receive(wire.CallRead, server, 14)
	os.Exit(7)
}

// prepareOpen opens, before the capture, a listening socket and a connection with unread bytes.
func prepareOpen(p *player) {
	l, port := p.listen()
	client := p.socket()
	check(unix.Connect(client, p.loopback(port)))
	server, _, err := unix.Accept(l)
	check(err)
	_, err = unix.Write(client, pattern(10, 1))
	check(err)
	awaitInput(server, 10)
	p.did(step{Note: "listener", FD: l, Ret: int64(port)})
	p.did(step{Note: "client", FD: client, Ret: int64(portOf(client))})
	p.did(step{Note: "server", FD: server})
}

func playOpen(p *player) {
	client, server := p.steps[1].FD, p.steps[2].FD
	p.receive(wire.CallRead, server, 10)
	p.send(wire.CallWrite, client, []byte("later"))
	p.receive(wire.CallRead, server, 5)
	check(unix.Close(client))
	check(unix.Close(server))
}

const floodCalls = 20_000

// playFlood makes more records than a small ring holds.
func playFlood(p *player) {
	client, server := p.pair()
	b, got := pattern(300, 1), make([]byte, 300)
	for range floodCalls {
		if n := syscall6(unix.SYS_WRITE, uintptr(client), ptr(&b[0]), 300); n != 300 {
			panic(n)
		}
		for have := int64(0); have < 300; {
			n := syscall6(unix.SYS_READ, uintptr(server), ptr(&got[0]), uintptr(300-have))
			if n <= 0 {
				panic(n)
			}
			have += n
		}
	}
}

// playHole writes from a buffer of which a page is gone when the call ends: the socket is full, the call waits, and what
// the kernel has taken already is given back to it.
func playHole(p *player) {
	for _, vector := range []bool{false, true} {
		client, server := p.pair()
		page, size := os.Getpagesize(), 8<<20
		mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		check(err)
		copy(mem, pattern(size, 4))
		kept := append([]byte(nil), mem[:2*page]...)
		v := iovecs(mem, 10)
		var n int64
		tid, done := onThread(func() {
			if vector {
				n = syscall6(unix.SYS_WRITEV, uintptr(client), ptr(&v[0]), uintptr(len(v)))
			} else {
				n = syscall6(unix.SYS_WRITE, uintptr(client), ptr(&mem[0]), uintptr(size))
			}
		})
		nr := unix.SYS_WRITE
		if vector {
			nr = unix.SYS_WRITEV
		}
		awaitBlocked(tid, nr)
		check(unix.Madvise(mem[2*page:3*page], unix.MADV_DONTNEED))
		sink := make([]byte, 1<<20)
		for left := size; left > 0; {
			r, err := unix.Read(server, sink)
			check(err)
			left -= r
		}
		<-done
		p.did(step{Ret: n, Payload: kept})
		check(unix.Munmap(mem))
	}
}
