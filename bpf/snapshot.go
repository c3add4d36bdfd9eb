//go:build linux && (amd64 || arm64)

package bpf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// Snapshot calls fn with an event for each socket that a target holds open: a listening socket as SOCK_LISTEN, then any
// other as SOCK_SNAPSHOT, once for each process and file descriptor. Their header.cpu is 0xffff and header.seq 0, since
// they did not pass through a ring. The bytes are valid only during the call.
func (o *Objects) Snapshot(fn func(ev []byte)) error {
	for _, name := range []string{"listening_sockets", "queued_connections", "open_sockets"} {
		if err := o.refused[name]; err != nil {
			return err
		}
		if err := o.iterate(name, fn); err != nil {
			return explain("list open sockets", err)
		}
	}
	return nil
}

func (o *Objects) iterate(program string, fn func(ev []byte)) error {
	return walk(o.programs[program], func(sockets *bufio.Reader) error {
		for {
			head, err := sockets.Peek(headerSize)
			if len(head) == 0 && errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("read a socket: %w", err)
			}
			size := int(binary.LittleEndian.Uint32(head[sizeOffset:]))
			event, err := sockets.Peek(size)
			if err != nil {
				return fmt.Errorf("read a socket: %w", err)
			}
			fn(event)
			if _, err := sockets.Discard(size); err != nil {
				return fmt.Errorf("read a socket: %w", err)
			}
		}
	})
}

// walk lets an iterator walk once, and hands out what it writes.
func walk(program *ebpf.Program, read func(*bufio.Reader) error) error {
	it, err := link.AttachIter(link.IterOptions{Program: program})
	if err != nil {
		return err
	}
	defer it.Close()
	r, err := it.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	return read(bufio.NewReaderSize(r, 64<<10))
}
