//go:build linux && (amd64 || arm64)

package profile

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"github.com/ebpf-reel/reel/capture/unwind"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/format/wire"
)

// waitKey is where a thread waits: with the same registers in the same thread, the stack below is the same too.
type waitKey struct {
	tid        format.TID
	pc, sp, fp uint64
}

// waitStack is the user part of a block's stack, as it was unwound once.
type waitStack struct {
	frames  []met
	verdict format.StackVerdict
	unwound format.Unwinding
}

// maxWaits bounds the user stacks that are remembered; beyond, all are forgotten.
const maxWaits = 1 << 14

// block stores one block.
func (p *Profiler) block(ev []byte) error {
	if err := wire.Decode(ev, &p.event); err != nil || p.event.Kind != wire.EventBlock {
		return fmt.Errorf("a block cannot be read: %w", err)
	}
	e := &p.event.Block
	parts, ok := splitTail(e.KernelBytes, e.UserBytes, e.RegsBytes, e.StackBytes, p.event.Payload)
	if !ok {
		return fmt.Errorf("a block of %d bytes says that it has others", len(ev))
	}
	at := format.KTime(e.H.TimeNS)
	s := p.space(format.PID(e.H.PID))
	p.copied = copied{addr: e.StackAddr, fault: e.StackFault != 0}
	taken := format.BlockTaken(e.Taken)
	verdict, unwound := p.waiting(s, parts, format.TID(e.H.TID), &taken)
	p.kernelPart(parts.kernel)
	id, err := p.store(at)
	if err != nil {
		return err
	}
	p.samples.Add(1)
	comm, _, _ := bytes.Cut(e.Comm[:], []byte{0})
	waker, _, _ := bytes.Cut(e.WakerComm[:], []byte{0})
	row := format.OffCPU{
		Time: at, Duration: max(at.Sub(format.KTime(e.SinceNS)), 0), CPU: e.H.CPU, PID: format.PID(e.H.PID), TID: format.TID(e.H.TID), Comm: string(comm),
		State: format.BlockState(e.State), Syscall: e.Syscall, RunDelay: -1, WakerPID: format.PID(e.WakerPID), WakerTID: format.TID(e.WakerTID), WakerComm: string(waker),
		Stack: id, Verdict: verdict, Unwound: unwound, Taken: taken,
	}
	if e.DelayNS <= math.MaxInt64 {
		row.RunDelay = time.Duration(e.DelayNS)
	}
	return p.append(&row)
}

// waiting puts the user part of a block into p.path, the outermost first. Where the stack was not copied, it is that of an earlier block
// of the thread with the same registers, if there was one.
func (p *Profiler) waiting(s *space, parts sampleParts, tid format.TID, taken *format.BlockTaken) (format.StackVerdict, format.Unwinding) {
	p.path = p.path[:0]
	if *taken == format.TakenLater { // not that of the block
		return format.StackNotRead, format.UnwoundNot
	}
	regs, ok := unwind.ReadRegisters(parts.regs)
	key := waitKey{tid: tid}
	key.pc, key.sp, key.fp = regs.Place()
	if ok && len(parts.stack) == 0 {
		if w := p.waits[key]; w != nil {
			*taken = format.TakenSame
			p.path = append(p.path, w.frames...)
			return w.verdict, w.unwound
		}
	}
	verdict, unwound := p.userPart(s, parts)
	if ok && len(parts.stack) > 0 {
		if len(p.waits) >= maxWaits {
			clear(p.waits)
		}
		p.waits[key] = &waitStack{append([]met(nil), p.path...), verdict, unwound}
	}
	return verdict, unwound
}
