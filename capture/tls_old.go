//go:build linux && (amd64 || arm64)

package capture

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/tlslib"
	"github.com/ebpf-reel/reel/format"
)

// DefaultTLSShare is how much of one processor plaintext probes may take from a process before they are taken out again, with
// TLSAuto: there nobody has asked for them.
const DefaultTLSShare = 0.05

// openSocket is the identity of a socket.
type openSocket struct {
	id    format.SocketID
	inode format.Inode
}

// elders keeps plaintext probes on processes that hold connections from before the capture: their keys are gone by, and only
// what the library's calls move shows what they say. The zero value keeps none.
type elders struct {
	kernel Kernel
	want   func(pid format.PID, on bool)
	note   func(name NoteName, count uint64, detail string)
	share  float64       // of one processor that probes may take from a process
	trap   time.Duration // that a hit takes besides what programs do
	any    atomic.Bool   // some process has probes: sockets that close are of interest

	mu      sync.Mutex
	holders map[openSocket]format.PID
	held    map[format.PID]*elder
}

// elder is a process with connections from before the capture.
type elder struct {
	open int               // of its connections
	cost bpf.PlaintextCost // so far
	at   format.KTime
}

// found takes a socket of the snapshot at the beginning.
func (e *elders) found(r *format.Socket) {
	if r.Op != format.SockSnapshot || r.NewState != format.TCPEstablished || r.Inode == 0 || r.PID == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s := openSocket{r.Socket, r.Inode}
	if _, twice := e.holders[s]; twice {
		return
	}
	if e.holders == nil {
		e.holders, e.held = map[openSocket]format.PID{}, map[format.PID]*elder{}
	}
	e.holders[s] = r.PID
	p := e.held[r.PID]
	if p == nil {
		p = &elder{}
		e.held[r.PID] = p
	}
	p.open++
}

// begin asks for the probes.
func (e *elders) begin(now format.KTime) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.held) == 0 {
		return
	}
	e.trap = costlyTrap
	if trap, err := hitCost(e.kernel); err == nil {
		e.trap = trap
	}
	for pid, p := range e.held {
		p.at = now
		if e.kernel.WatchCost(uint32(pid), true) != nil {
			delete(e.held, pid)
			continue
		}
		e.want(pid, true)
	}
	e.any.Store(len(e.held) > 0)
}

// closed takes a socket event of the rings.
func (e *elders) closed(r *format.Socket) {
	last := r.Op == format.SockClose && r.FileRefs <= 1 || r.Op == format.SockState && r.NewState == format.TCPClose
	if !last {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s := openSocket{r.Socket, r.Inode}
	pid, ok := e.holders[s]
	if !ok {
		return
	}
	delete(e.holders, s)
	if p := e.held[pid]; p != nil {
		if p.open--; p.open == 0 {
			e.drop(pid)
		}
	}
}

// ended forgets a process.
func (e *elders) ended(pid format.PID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.held[pid] != nil {
		e.drop(pid)
	}
	if e.held != nil {
		_ = e.kernel.ForgetCost(uint32(pid)) // there may be none
	}
}

// drop takes the probes of a process out.
func (e *elders) drop(pid format.PID) {
	delete(e.held, pid)
	e.any.Store(len(e.held) > 0)
	_ = e.kernel.WatchCost(uint32(pid), false) // it was watched, so there is room
	e.want(pid, false)
}

// tick looks, once a second, at what the probes cost.
func (e *elders) tick(now format.KTime) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for pid, p := range e.held {
		cost, err := e.kernel.Cost(uint32(pid))
		span := now.Sub(p.at)
		if err != nil || span <= 0 {
			continue
		}
		hits := cost.Hits - p.cost.Hits
		share := float64(time.Duration(hits)*e.trap+cost.Time-p.cost.Time) / float64(span)
		p.cost, p.at = cost, now
		if share > e.share {
			e.drop(pid)
			e.note(NoteTLSPlaintextCapped, 1, fmt.Sprintf("process %d: %.0f hits a second took %.1f %% of a processor, more than %.1f %%",
				pid, float64(hits)/span.Seconds(), 100*share, 100*e.share))
		}
	}
}

// costlyTrap is what a trap takes where it could not be measured: that of a machine in a machine.
const costlyTrap = 20 * time.Microsecond

// wantPlaintext is elders.want of a probing.
func (p *probing) wantPlaintext(pid format.PID, on bool) {
	p.manager.Want(pid, tlslib.PurposePlaintext, on)
}
