//go:build linux && (amd64 || arm64)

package bpf

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// ShedLevel says what the programs leave out while the recorder is over its budget: enum shed_level of include/budget.h. Each
// level includes those below it.
type ShedLevel uint8

// The levels, in the order in which load is shed.
const (
	ShedNone   ShedLevel = 0
	ShedBodies ShedLevel = 1 // of each message the first 512 bytes are copied, 64 of each further call
	ShedHeads  ShedLevel = 2 // no bytes are copied; each call has its row, with its exact length
	ShedStacks ShedLevel = 3 // no stacks are taken
	ShedIO     ShedLevel = 4 // read- and write-like calls make no rows: Counters.ShedCalls and ShedBytes count them
)

// live are the variables that change while programs run, by SetSnaplen, SetShed and as hooks come into place: pages of the programs' data, mapped here.
// Objects that share a header have each their own.
type live struct {
	snaplen, shed  []*ebpf.Variable
	stacks, copies []*ebpf.Variable
	keep, ties     *ebpf.Variable
}

func (l *live) find(coll *ebpf.Collection) {
	if v := coll.Variables["snaplen"]; v != nil {
		l.snaplen = append(l.snaplen, v)
	}
	if v := coll.Variables["shed"]; v != nil {
		l.shed = append(l.shed, v)
	}
	if v := coll.Variables["copy_chunks"]; v != nil {
		l.copies = append(l.copies, v)
	}
	if v := coll.Variables["shed_stacks"]; v != nil {
		l.stacks = append(l.stacks, v)
	}
	if v := coll.Variables["kept_until_freed"]; v != nil {
		l.keep = v
	}
	// Of the objects that have it, the one that records system calls reads it.
	if v := coll.Variables["tie_modes"]; v != nil && coll.Programs["sys_exit"] != nil {
		l.ties = v
	}
}

// keepUntilFreed tells the programs that the end of sockets is seen (include/state.h).
func (l *live) keepUntilFreed() error {
	if err := l.keep.Set(uint8(1)); err != nil {
		return fmt.Errorf("keep sockets until they are freed: %w", err)
	}
	return nil
}

// SetSnaplen changes Options.Snaplen. It holds for calls that end from now on, also of messages that have begun.
func (o *Objects) SetSnaplen(bytes uint32) error {
	if err := setAll(o.live.snaplen, bytes); err != nil {
		return fmt.Errorf("set the bytes that are copied of a message: %w", err)
	}
	return nil
}

// SetShed changes what is left out, for calls that end from now on.
func (o *Objects) SetShed(level ShedLevel) error {
	if err := setAll(o.live.shed, uint32(level)); err != nil {
		return fmt.Errorf("set what is left out: %w", err)
	}
	for _, v := range o.live.stacks {
		if err := v.Set(uint32(boolByte(level >= ShedStacks))); err != nil {
			return fmt.Errorf("leave out stacks: %w", err)
		}
	}
	return nil
}

func setAll(variables []*ebpf.Variable, value uint32) error {
	for _, v := range variables {
		if err := v.Set(value); err != nil {
			return err
		}
	}
	return nil
}

// Ties says whose system calls are tied to the call of a TLS library that they are made in: include/tie.h.
type Ties uint32

// Those who may be inside such a call. Goroutines are looked up besides threads, at some cost to every recorded system call.
const (
	TieThreads    Ties = 1
	TieGoroutines Ties = 2
)

// SetTies changes what is looked up, for system calls that end from now on.
func (o *Objects) SetTies(t Ties) error {
	if err := o.live.ties.Set(uint32(t)); err != nil {
		return fmt.Errorf("set how plaintext is tied to sockets: %w", err)
	}
	return nil
}
