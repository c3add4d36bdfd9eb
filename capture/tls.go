//go:build linux && (amd64 || arm64)

package capture

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/tlslib"
	"github.com/ebpf-reel/reel/capture/uprobe"
	"github.com/ebpf-reel/reel/format"
)

// TLSMode says how the plaintext of TLS connections is had.
type TLSMode uint8

// The modes.
const (
	TLSOff       TLSMode = iota // it is not
	TLSAuto                     // by the cheapest way that there is
	TLSKeys                     // by probes that see the secrets of connections whose handshake comes during the capture
	TLSPlaintext                // by probes on the calls that move plaintext, which the programs pay for each message
)

// probing keeps probes on the TLS libraries of targets. Its methods may be called on a nil probing, which has none.
type probing struct {
	manager *uprobe.Manager
	kernel  Kernel
	sink    Sink
	clock   Clock

	// Of the goroutine that drains.
	deriver format.KeyDeriver // nil: none
	decoded format.Decoded
	call    format.HeadCall
	masters atomic.Bool // a library gives master secrets, so that handshakes are looked at

	elders *elders // nil: connections from before the capture are not looked at

	mu      sync.Mutex
	ties    bpf.Ties       // that plaintext probes need so far
	refused map[string]int // placements that failed, by reason
	placed  map[string]int // files with probes, by library
}

// newProbing returns what cfg asks for; nil: no probes.
func newProbing(cfg *Config, kernel Kernel, sink Sink, clock Clock, note func(NoteName, uint64, string)) *probing {
	if cfg.TLS == TLSOff || cfg.Payload == payloadNone {
		return nil
	}
	p := &probing{kernel: kernel, sink: sink, clock: clock, refused: map[string]int{}, placed: map[string]int{}}
	if cfg.Deriver != nil {
		p.deriver = cfg.Deriver()
	}
	p.manager = uprobe.New(kernel, cfg.TLS.recipes(), p.tell)
	if cfg.TLS == TLSAuto {
		p.elders = &elders{kernel: kernel, share: cmp.Or(cfg.TLSShare, DefaultTLSShare), want: p.wantPlaintext, note: note}
	}
	return p
}

func (m TLSMode) recipes() []uprobe.Recipe {
	switch m {
	case TLSPlaintext:
		return []uprobe.Recipe{tlslib.Plaintext{}}
	case TLSAuto:
		return []uprobe.Recipe{tlslib.Keys{}, tlslib.Plaintext{Asked: true}}
	}
	return []uprobe.Recipe{tlslib.Keys{}}
}

// payloadNone is the policy of reels that hold no byte that was transferred: keys are of no use there.
const payloadNone = "none"

// tell records how it went with a file of a process.
func (p *probing) tell(is uprobe.Placement) {
	row := format.Probe{Time: p.clock.Now(), PID: is.PID, Purpose: is.Purpose, Library: is.Plan.Library, Version: is.Plan.Version,
		Path: is.Path, BuildID: is.BuildID, Static: is.Plan.Static, How: is.Plan.How}
	p.mu.Lock()
	defer p.mu.Unlock()
	name := row.Library + " " + row.Version
	if is.Err != nil {
		row.Error = is.Err.Error()
		p.refused[name+": "+row.Error]++
	} else {
		for _, probe := range is.Plan.Probes {
			if probe.Program == tlslib.KeyLogProgram {
				p.masters.Store(true)
			}
		}
		row.Probes = uint32(len(is.Plan.Probes))
		p.placed[name]++
		p.tie(is.Plan.Library, is.Purpose)
	}
	_ = p.sink.AppendRow(&row) // the sink returns the error again at its close
}

// tie makes the kernel look, at socket calls, for the call of the library that they are made in.
func (p *probing) tie(library, purpose string) {
	ties := p.ties
	switch {
	case purpose != tlslib.PurposePlaintext:
	case library == "go":
		ties |= bpf.TieGoroutines
	default:
		ties |= bpf.TieThreads
	}
	if ties != p.ties && p.kernel.SetTies(ties) == nil {
		p.ties = ties
	}
}

// beginProbing places probes before the command, if there is one, runs.
func (r *recording) beginProbing(command string) error {
	if r.probing == nil {
		return nil
	}
	pids, err := r.kernel.Targets()
	if err != nil {
		return err
	}
	var targets []format.PID
	for _, pid := range pids {
		targets = append(targets, format.PID(pid))
	}
	var held format.PID
	if r.command != nil {
		held = r.command.pid
	}
	r.probing.begin(targets, held, command)
	return nil
}

// libraries are where a command's TLS library probably is: it gets probes before the command runs.
var libraries = []string{"/usr/lib/*-linux-gnu/lib%s.so.*", "/usr/lib64/lib%s.so.*", "/usr/lib/lib%s.so.*"}

// begin places probes on what the targets map. held, if not 0, is a process that is going to execute command.
func (p *probing) begin(targets []format.PID, held format.PID, command string) {
	if p == nil {
		return
	}
	if held != 0 {
		for _, pattern := range libraries {
			for _, library := range []string{"gnutls", "crypto", "ssl"} {
				p.foresee(fmt.Sprintf(pattern, library))
			}
		}
		p.manager.Foresee(command)
		p.manager.Settle()
		p.manager.Forked(0, held)
	}
	for _, pid := range targets {
		p.manager.Mapped(pid)
	}
	p.manager.Settle()
}

func (p *probing) foresee(pattern string) {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return
	}
	seen := map[string]bool{}
	for _, path := range paths {
		if real, err := filepath.EvalSymlinks(path); err == nil && !seen[real] {
			seen[real] = true
			p.manager.Foresee(real)
		}
	}
}

// mapped says that a target may map something new.
func (p *probing) mapped(pid format.PID) {
	if p != nil {
		p.manager.Mapped(pid)
	}
}

// saw follows the life of a target.
func (p *probing) saw(row *format.Process) {
	if p == nil {
		return
	}
	switch row.Op {
	case format.ProcFork:
		p.manager.Forked(row.PPID, row.PID)
	case format.ProcExec:
		p.manager.Executed(row.PID)
	case format.ProcSnapshot:
		p.manager.Mapped(row.PID)
	case format.ProcExit:
		p.manager.Ended(row.PID)
		if p.elders != nil {
			p.elders.ended(row.PID)
		}
	}
}

// key stores the record of a secret; of a master secret what the deriver makes of it. It is called by the goroutine that drains.
func (p *probing) key(ev []byte) error {
	if p == nil || format.DecodeEvent(ev, &p.decoded) != nil {
		return nil //nolint:nilerr // nobody asked for it; or it is no record of a key, and what it holds may be a secret: it reaches no disk
	}
	row := &p.decoded.TLSKey
	switch {
	case row.Label != format.TLSMaster:
		return p.sink.AppendEvent(ev)
	case p.deriver != nil:
		return p.store(p.deriver.Master(row))
	}
	return nil
}

// handshake shows the deriver a call that begins with a handshake record. It is called by the goroutine that drains.
func (p *probing) handshake(ev []byte) error {
	if p == nil || p.deriver == nil || !p.masters.Load() {
		return nil
	}
	if !format.BeginsHandshake(ev) && !p.deriver.Waits() || !format.ReadHeadCall(ev, &p.call) {
		return nil
	}
	return p.store(p.deriver.Handshake(&p.call))
}

func (p *probing) store(keys []format.TLSKey) error {
	for i := range keys {
		if err := p.sink.AppendRow(&keys[i]); err != nil {
			return err
		}
	}
	return nil
}

// beginElders asks for probes on processes with connections from before the capture.
func (p *probing) beginElders() {
	if p != nil && p.elders != nil {
		p.elders.begin(p.clock.Now())
		p.manager.Settle()
	}
}

// tick is what is done each second.
func (p *probing) tick() {
	if p != nil && p.elders != nil {
		p.elders.tick(p.clock.Now())
	}
}

// socket follows the connections from before the capture. It is called by the goroutine that drains, of every record of a socket.
func (p *probing) socket(ev []byte) {
	if p == nil || p.elders == nil || !p.elders.any.Load() || format.DecodeEvent(ev, &p.decoded) != nil {
		return
	}
	p.elders.closed(&p.decoded.Socket)
}

// snapshot looks, before the rings are read for it, at a socket that was open already.
func (p *probing) snapshot(ev []byte, decoded *format.Decoded) {
	if p != nil && p.elders != nil && format.DecodeEvent(ev, decoded) == nil && decoded.Kind == format.EventSock {
		p.elders.found(&decoded.Socket)
	}
}

// end takes the probes out.
func (p *probing) end() error {
	if p == nil {
		return nil
	}
	return p.manager.Close()
}

const pidOffset = 20 // of event_header.pid in event.h

// eventPID is the process of a record.
func eventPID(ev []byte) format.PID {
	if len(ev) < pidOffset+4 {
		return 0
	}
	return format.PID(binary.LittleEndian.Uint32(ev[pidOffset:]))
}
