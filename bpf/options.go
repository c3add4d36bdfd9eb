//go:build linux && (amd64 || arm64)

package bpf

import (
	"fmt"
	"math/bits"
	"time"
)

// SnapFull as Options.Snaplen copies all bytes of every message.
const SnapFull = ^uint32(0)

// DefaultRingBytes is the size of each CPU's ring when Options.RingBytes is 0.
const DefaultRingBytes = 8 << 20

// Options fix what the programs do before they are loaded.
type Options struct {
	Snaplen   uint32   // bytes copied of a message, counted from each change of direction on a socket; 0: lengths only; SnapFull: all
	RingBytes int      // of each CPU's ring: a power of two and a multiple of the page size; 0: DefaultRingBytes
	Ports     []uint16 // only sockets whose local or remote port is listed; empty: all
	Transfer  uint64   // tell when a message of a TCP connection grows beyond this many bytes; 0: never
	Salt      uint64   // secret that turns kernel addresses into socket ids; it must not be stored
	// WatchCgroups makes targets of processes that enter the cgroups that WatchCgroup names, or cgroups below them.
	WatchCgroups    bool
	MinBlock        time.Duration // off-CPU blocks as long as this are recorded, shorter ones counted; 0: none are
	SampleHz        uint32        // samples a second on each CPU of what targets run; 0: none
	OwnPIDNamespace uint32        // inode number of the pid namespace that user space sees, if it is not the initial one; 0: it is
}

// wakeShare is the part of a ring after which its reader is woken.
const wakeShare = 8

func (o *Options) ringBytes() (uint32, error) {
	n := o.RingBytes
	if n == 0 {
		n = DefaultRingBytes
	}
	if n < pageSize || n > 1<<30 || bits.OnesCount(uint(n)) != 1 {
		return 0, fmt.Errorf("ring of %d bytes: the size must be a power of two from %d to %d", n, pageSize, 1<<30)
	}
	return uint32(n), nil
}

// portBits is the set of Ports as the programs look it up: one bit a port.
func (o *Options) portBits() (set [1024]uint64) {
	for _, p := range o.Ports {
		set[p>>6] |= 1 << (p & 63)
	}
	return set
}
