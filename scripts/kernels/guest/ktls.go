//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Of include/uapi/linux/tls.h.
const (
	solTLS    = 282 // SOL_TLS
	tlsTX     = 1
	tlsRX     = 2
	tls12     = 0x0303
	aesGCM128 = 51
)

// loadTLS loads the modules that encrypt for sockets, if this kernel has them. Which needs which is found by trying.
func loadTLS() (bool, error) {
	modules, err := filepath.Glob("/lib/*.ko")
	if err != nil {
		return false, err
	}
	loaded := map[string]bool{}
	var last error
	for range modules {
		for _, path := range modules {
			if loaded[path] {
				continue
			}
			if err := loadModule(path); err != nil {
				last = err
				continue
			}
			loaded[path] = true
		}
	}
	for _, path := range modules {
		if filepath.Base(path) == "tls.ko" && !loaded[path] {
			return false, last
		}
	}
	return loaded["/lib/tls.ko"], nil
}

func loadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("load %s: %w", path, err)
	}
	return nil
}

// ktlsMessages and ktlsBytes are what speakKTLS moves.
const (
	ktlsMessages = 5
	ktlsBytes    = 700
)

// speakKTLS moves messages over a connection whose records the kernel makes and opens (Documentation/networking/tls.rst), after
// one in the clear. Keys are the same at both ends, and come from no handshake.
func speakKTLS([]string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		return err
	}
	defer server.Close()
	move := func(b []byte) error {
		if _, err := client.Write(b); err != nil {
			return err
		}
		got := make([]byte, len(b)+100)
		n, err := server.Read(got)
		if err != nil || !bytes.Equal(got[:n], b) {
			return fmt.Errorf("%d bytes of %d were read (%w)", n, len(b), err)
		}
		return nil
	}
	if err := move([]byte("in the clear")); err != nil {
		return err
	}
	if err := encrypt(client, tlsTX); err != nil {
		return err
	}
	if err := encrypt(server, tlsRX); err != nil {
		return err
	}
	for i := range ktlsMessages {
		if err := move(bytes.Repeat([]byte{byte('a' + i)}, ktlsBytes)); err != nil {
			return err
		}
	}
	return nil
}

// encrypt hands a direction of a connection to the kernel.
func encrypt(conn net.Conn, direction int) error {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	info := binary.NativeEndian.AppendUint16(nil, tls12) // struct tls12_crypto_info_aes_gcm_128
	info = binary.NativeEndian.AppendUint16(info, aesGCM128)
	info = append(info, make([]byte, 8)...)             // explicit part of the nonce
	info = append(info, bytes.Repeat([]byte{7}, 16)...) // key
	info = append(info, bytes.Repeat([]byte{9}, 4)...)  // salt
	info = append(info, make([]byte, 8)...)             // sequence number
	var failed error
	err = raw.Control(func(fd uintptr) {
		if failed = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_ULP, "tls"); failed != nil {
			return
		}
		if _, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, fd, solTLS, uintptr(direction), uintptr(unsafe.Pointer(&info[0])), uintptr(len(info)), 0); errno != 0 {
			failed = fmt.Errorf("keys of the kernel's TLS: %w", errno)
		}
	})
	return errors.Join(err, failed)
}
