package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// hammer is a process that does nothing but small writes to and reads from a TCP connection to itself, at a rate. It begins
// when it reads a line and prints the calls that it made. The calls are made on blocking descriptors, past Go's poller: the
// recorder is to be the bottleneck.
func hammer(args []string) error {
	flags := flag.NewFlagSet("hammer", flag.ContinueOnError)
	rate := flags.Int("rate", 0, "writes per second; 0 as many as there are")
	lasts := flags.Duration("d", 2*time.Second, "for how long")
	size := flags.Int("size", 64, "bytes of each write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	send, receive, err := selfConnected()
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}

	reads := make(chan int, 1)
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		n, err := readAll(receive)
		if err != nil {
			failed <- err
		}
		reads <- n
	}()
	runtime.LockOSThread()
	writes := 0
	buf := make([]byte, *size)
	start := time.Now()
	for elapsed := time.Duration(0); elapsed < *lasts; elapsed = time.Since(start) {
		due := writes + 1000
		if *rate > 0 {
			due = int(elapsed.Seconds() * float64(*rate))
		}
		for ; writes < due; writes++ {
			if _, err := unix.Write(send, buf); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
		if *rate > 0 {
			time.Sleep(500 * time.Microsecond)
		}
	}
	took := time.Since(start)
	if err := unix.Close(send); err != nil {
		return err
	}
	n := <-reads
	select {
	case err := <-failed:
		return err
	default:
	}
	fmt.Println(writes+n, took.Nanoseconds())
	return nil
}

func readAll(fd int) (calls int, err error) {
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return calls, fmt.Errorf("read: %w", err)
		case n == 0:
			return calls, nil
		}
		calls++
	}
}

// selfConnected returns the blocking descriptors of both ends of a connection.
func selfConnected() (client, server int, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return 0, 0, err
	}
	s, err := l.Accept()
	if err != nil {
		return 0, 0, err
	}
	if client, err = blocking(c); err != nil {
		return 0, 0, err
	}
	server, err = blocking(s)
	return client, server, err
}

// blocking takes the descriptor out of Go's hands.
func blocking(c net.Conn) (fd int, err error) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return 0, errors.New("not a TCP connection")
	}
	f, err := tcp.File() // a duplicate
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if fd, err = unix.Dup(int(f.Fd())); err != nil {
		return 0, err
	}
	return fd, errors.Join(c.Close(), unix.SetNonblock(fd, false))
}
