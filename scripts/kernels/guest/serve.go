//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Where the servers listen, and what they answer to: GET and POST /<bytes of the answer>.
const (
	pollPort = 8080
	vecPort  = 8081
)

// servePolling answers with Go's own server: non-blocking sockets, epoll.
func servePolling([]string) error {
	return http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", pollPort), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		n, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil {
			http.Error(w, "no size", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(n))
		_, _ = w.Write(bytes.Repeat([]byte{'p'}, n))
	}))
}

// answerElements is how many elements the vector of an answer has: more than the probes read at once.
const answerElements = 20

// serveVectors answers as an old C server does: a thread for each connection, blocking reads, and writev.
func serveVectors([]string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: vecPort, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := unix.Listen(fd, 64); err != nil {
		return err
	}
	for {
		conn, _, err := unix.Accept(fd)
		if err != nil {
			return err
		}
		go func() {
			if err := answerVectors(conn); err != nil {
				fmt.Fprintln(os.Stderr, "shop-vec:", err)
			}
		}()
	}
}

// blocking reads a descriptor by blocking calls: an os.File would make epoll wait instead.
type blocking int

func (fd blocking) Read(p []byte) (int, error) {
	n, err := unix.Read(int(fd), p)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return max(n, 0), err
}

func answerVectors(conn int) error {
	defer func() { _ = unix.Close(conn) }()
	in := bufio.NewReader(blocking(conn))
	for {
		r, err := http.ReadRequest(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return err
		}
		n, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil {
			return err
		}
		answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", n, bytes.Repeat([]byte{'v'}, n))
		for len(answer) > 0 {
			sent, err := unix.Writev(conn, split(answer, answerElements))
			if err != nil {
				return err
			}
			answer = answer[sent:]
		}
	}
}

// split cuts b into n parts at most.
func split(b []byte, n int) (parts [][]byte) {
	size := max(1, (len(b)+n-1)/n)
	for len(b) > 0 {
		k := min(size, len(b))
		parts, b = append(parts, b[:k]), b[k:]
	}
	return parts
}
