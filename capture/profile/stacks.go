//go:build linux && (amd64 || arm64)

package profile

import (
	"github.com/ebpf-reel/reel/format"
)

// stacks interns frames: a frame with all that called it has one id.
type stacks struct {
	ids  map[frame]format.StackID
	next format.StackID
}

// frame is a row of the table stack.
type frame struct {
	parent  format.StackID
	module  format.ModuleID
	kind    format.FrameKind
	address uint64
}

// maxStacks bounds what is interned: 64 MiB or so. Beyond, all is forgotten and begins anew.
const maxStacks = 1 << 20

func newStacks() *stacks { return &stacks{ids: map[frame]format.StackID{}} }

// intern returns the id of a frame; fresh: it has no row yet.
func (s *stacks) intern(f frame) (id format.StackID, fresh bool) {
	if id, ok := s.ids[f]; ok {
		return id, false
	}
	s.next++
	s.ids[f] = s.next
	return s.next, true
}

func (s *stacks) full() bool { return len(s.ids) >= maxStacks }

func (s *stacks) forget() { clear(s.ids) }
