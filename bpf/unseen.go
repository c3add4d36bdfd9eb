//go:build linux && (amd64 || arm64)

package bpf

import "fmt"

// UnseenKind is something that the programs see happen and cannot record: enum unseen_kind of include/unseen.h.
type UnseenKind uint32

// The kinds.
const (
	UnseenCompat UnseenKind = 1 // socket calls by the 32-bit ABI
	UnseenURing  UnseenKind = 2 // calls of io_uring_enter(2): what they move on sockets is not seen
	UnseenMPTCP  UnseenKind = 3 // io calls on MPTCP sockets
	UnseenQUIC   UnseenKind = 4 // QUIC packets with long headers: recorded as UDP datagrams, without their content
	UnseenKTLS   UnseenKind = 5 // io calls on sockets whose records the kernel encrypts: recorded, without their place in the stream
)

// Unseen counts one kind for one process, since Load.
type Unseen struct {
	PID   uint32 // 0: processes that found no room in the table
	Kind  UnseenKind
	Count uint64
}

// Unseen returns what was seen and not recorded, by process, in no order.
func (o *Objects) Unseen() ([]Unseen, error) {
	var key struct{ PID, Kind uint32 }
	var count uint64
	var all []Unseen
	entries := o.maps["unseen"].Iterate()
	for entries.Next(&key, &count) {
		all = append(all, Unseen{PID: key.PID, Kind: UnseenKind(key.Kind), Count: count})
	}
	if err := entries.Err(); err != nil {
		return all, fmt.Errorf("read what is not recorded: %w", err)
	}
	return all, nil
}
