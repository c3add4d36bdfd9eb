//go:build linux && (amd64 || arm64)

package bpf

import "unsafe"

// cpuState mirrors the counters at the start of struct cpu_state (include/cpu.h); a test compares it with the objects' BTF.
type cpuState struct {
	Attempts      uint64
	Captured      uint64
	Lost          uint64
	LostBytes     uint64
	Unread        uint64
	Retries       uint64
	Compat        uint64
	Errqueue      uint64
	InflightFull  uint64
	SocketsFull   uint64
	ListenersFull uint64
	ShedCalls     uint64
	ShedBytes     uint64
	QueueCut      uint64
}

func bytesPointer(b []byte) unsafe.Pointer { return unsafe.Pointer(&b[0]) }
