//go:build linux && (amd64 || arm64)

package capture

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/budget"
	"github.com/ebpf-reel/reel/capture/doctor"
	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/capture/profile"
	"github.com/ebpf-reel/reel/capture/sealer"
	"github.com/ebpf-reel/reel/format"
)

// Record records until ctx is done, the duration is over, or nothing is left to record, and seals the reel. What is refused
// before the capture begins leaves nothing behind: *UsageError, *TargetError, *RefusedError, *format.ExistsError. A capture that
// ends early returns a *BrokenError together with its summary, one that its node ended a *NodeError, one that was not sealed to its
// end (Config.Leave) a *format.UnsealedError.
func Record(ctx context.Context, cfg Config) (*Summary, error) {
	return record(ctx, cfg, realPorts())
}

func record(ctx context.Context, cfg Config, p ports) (*Summary, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if err := preflight(); err != nil {
		return nil, err
	}
	proc, done, err := translated(p.proc)
	if err != nil {
		return nil, err
	}
	defer done()
	p.proc = proc
	self, err := self(proc)
	if err != nil {
		return nil, err
	}
	known := newContainers(cfg.hostRoots())
	defer known.close()
	chosen, err := choose(p.proc, &cfg, self, known)
	if err != nil {
		return nil, err
	}
	command := ""
	if len(cfg.Command) > 0 {
		if command, err = findCommand(cfg.Command); err != nil {
			return nil, err
		}
	}
	// Names are checked before the kernel is loaded with work for nothing; Create checks again.
	if _, err := os.Lstat(cfg.Dir); err == nil {
		return nil, &format.ExistsError{Dir: cfg.Dir}
	}
	rings := uint64(cfg.ringBytes(p.proc.CPUs()) * p.proc.CPUs())
	limits, reading, err := completeLimits(cfg.Limits, p.gauges, filepath.Dir(cfg.Dir), rings)
	if err != nil {
		return nil, err
	}
	cfg.Limits = limits
	defer limitMemory(uint64(limits.Memory), rings)()
	r, err := open(&cfg, p, self, known)
	if err != nil {
		return nil, err
	}
	// Loading took memory that is of no use any more: the kernel's types.
	debug.FreeOSMemory()
	r.budget = limits.Describe(reading)
	return r.run(ctx, chosen, command)
}

// limitMemory makes the collector work harder near the limit, which counts what is mapped of the rings too.
func limitMemory(limit, rings uint64) (undo func()) {
	if limit == 0 {
		return func() {}
	}
	before := debug.SetMemoryLimit(int64(max(limit-min(limit, rings), leastHeap)))
	return func() { debug.SetMemoryLimit(before) }
}

const leastHeap = 64 << 20

// recording is one capture.
type recording struct {
	cfg    *Config
	kernel Kernel
	sink   Sink
	clock  Clock
	proc   Proc
	self   format.PID

	targets   *targets
	watch     *watch
	procs     *describer
	drain     *drainer
	keeper    *keeper
	heart     *heart
	budget    string            // the limits, in one line
	probing   *probing          // nil: no probes on libraries
	trigger   *triggers         // nil: no rules
	profile   *profile.Profiler // nil: no samples
	noProfile chan struct{}     // closed at the end of a recording without samples
	flight    *flight           // nil: all is kept
	control   *control          // of the flight recorder, once it is ready
	command   *heldCommand      // nil: none
	ready     bool              // the capture has begun: from here on what happened is worth keeping

	begun     format.KTime
	cpuBefore time.Duration // that the recorder had used when the capture had begun
	ticks     uint64
	summary   Summary
	notedMu   sync.Mutex
	noted     []Noted
	snapshots sync.Mutex // held while sockets are listed
}

// open loads and attaches the hooks and makes the reel. If that fails, nothing is left behind.
func open(cfg *Config, p ports, self format.PID, known *containers) (_ *recording, err error) {
	options := cfg.bpfOptions(newSalt(), p.proc.CPUs())
	options.OwnPIDNamespace = ownNamespace(p.proc)
	kernel, err := p.load(options)
	if err != nil {
		return nil, explainLoad(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, kernel.Close())
		}
	}()
	hooks := kernel.Attach()
	if err := firstOf(requireHooks(hooks), cfg.triggerHooks(hooks)); err != nil {
		return nil, err
	}
	loss, err := kernel.Loss()
	if err != nil {
		return nil, err
	}
	info, err := captureInfo(cfg, p.clock, len(loss))
	if err != nil {
		return nil, err
	}
	info.Checks = append(doctor.Node(cfg.DoctorOptions()), doctor.Hooks(hooks)...)
	r := &recording{cfg: cfg, kernel: kernel, clock: p.clock, proc: p.proc, self: self, noProfile: make(chan struct{})}
	writer := cfg.writerConfig()
	if len(cfg.SealReexec) > 0 && cfg.Flight == nil {
		writer.Worker = r.newSealer(cfg.Dir)
	}
	sink, ring, err := createSink(cfg, p, info, writer)
	if err != nil {
		if exists := (*format.ExistsError)(nil); errors.As(err, &exists) {
			return nil, err
		}
		return nil, errors.Join(explainCreate(err), discard(cfg.Dir)) // what it had made of it is ours
	}
	r.sink, r.begun = sink, p.clock.Now()
	r.summary.Dir, r.summary.ProgramTime = cfg.Dir, -1
	r.targets = newTargets(kernel, p.proc, self)
	r.watch = newWatch(p.proc, self, cfg, known)
	r.procs = newDescriber(p.proc, p.clock, sink, known)
	r.drain = newDrainer(kernel, sink, p.clock, r.procs)
	if cfg.SampleHz > 0 || cfg.MinBlock > 0 {
		r.profile = profile.New(cfg.profileConfig(p.clock), sink)
		r.drain.profile = r.profile
	}
	r.probing = newProbing(cfg, kernel, sink, p.clock, r.note)
	r.drain.probing = r.probing
	r.keeper = newKeeper(kernel, p.clock, cfg.Limits, r.note)
	r.heart = &heart{kernel: kernel, sink: sink, clock: p.clock, gauges: p.gauges, events: r.drain.total, keeper: r.keeper, programs: newProgramTimer(kernel),
		dir: cfg.Dir, segment: cfg.segment(), ring: uint64(cfg.ringBytes(p.proc.CPUs())), load: cfg.Limits.Load > 0, rings: map[int]bpf.CPULoss{}}
	if r.trigger, err = newTriggers(cfg, kernel, sink, p.clock); err != nil {
		return nil, err
	}
	if r.trigger != nil {
		r.drain.observer = r.trigger.observer
	}
	r.summary.Flight = cfg.Flight != nil
	if ring != nil {
		if r.flight, err = newFlight(ring, p.clock, cfg.Dir, r.endOfWindow); err != nil {
			return nil, errors.Join(err, sink.Close(), discard(cfg.Dir))
		}
		r.heart.flight = r.flight
		if len(cfg.SealReexec) > 0 {
			r.flight.worker = r.newSealer
		}
		if r.trigger != nil {
			r.trigger.snap = r.flight
		}
	}
	for _, h := range hooks {
		r.summary.Hooks = append(r.summary.Hooks, Hook{Name: h.Name, Purpose: h.Purpose, Err: h.Err})
	}
	return r, nil
}

// newSealer makes what seals a reel in a process of its own.
func (r *recording) newSealer(dir string) format.SealWorker {
	return sealer.New(sealer.Config{Dir: dir, Reexec: r.cfg.SealReexec, OnTrouble: func(t sealer.Trouble) { r.note(NoteSealerLost, 1, t.String()) }})
}

// explainCreate says what to do where a reel cannot be made.
func explainCreate(err error) error {
	if errors.Is(err, unix.EROFS) || errors.Is(err, fs.ErrPermission) {
		return &RefusedError{Why: fmt.Sprintf("the reel cannot be written (%v)", err), Do: "choose a place that can be written to with -w", Err: err}
	}
	return err
}

// createSink makes the reel, or the ring of a flight recorder.
func createSink(cfg *Config, p ports, info format.CaptureInfo, writer format.WriterConfig) (Sink, *format.FlightRecorder, error) {
	if cfg.Flight == nil {
		sink, err := p.create(cfg.Dir, info, writer)
		return sink, nil, err
	}
	ring, err := p.ring(cfg.Dir, info, cfg.flightConfig())
	if err != nil {
		return nil, nil, err
	}
	return ring, ring, nil
}

// newSalt makes socket ids that do not tell kernel addresses. It is kept nowhere.
func newSalt() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return binary.LittleEndian.Uint64(b[:])
}

func captureInfo(cfg *Config, clock Clock, cpus int) (info format.CaptureInfo, err error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return info, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return info, err
	}
	now, err := clock.Read()
	if err != nil {
		return info, err
	}
	return format.CaptureInfo{
		Tool: cfg.Tool, Host: unix.ByteSliceToString(u.Nodename[:]), Kernel: unix.ByteSliceToString(u.Release[:]), Arch: runtime.GOARCH,
		BootID: strings.TrimSpace(string(boot)), CPUs: cpus, Command: cfg.CommandLine, Targets: cfg.targetNames(), On: cfg.on(),
		Snaplen: cfg.Snaplen, Ports: cfg.Ports, Payload: cfg.Payload, KeepKeys: cfg.KeepKeys, StartWall: now.Realtime,
	}, nil
}

// run is the capture: begin, wait for its end, finish. The rings are drained all the time beside.
func (r *recording) run(ctx context.Context, chosen []procfs.Stat, command string) (*Summary, error) {
	stopDrain := make(chan struct{})
	draining := start(func() error { return r.drain.run(stopDrain) })
	describing := start(r.procs.run)
	profiling := start(r.runProfile)
	stopWatch := make(chan struct{})
	watching := start(func() error { return r.keeper.watchRings(stopWatch) })

	err := r.begin(chosen, command)
	if err == nil {
		r.summary.Reason, err = r.wait(ctx, draining, describing, watching, profiling)
	}
	err = firstOf(err, r.trigger.rest())
	r.flight.end() // windows that are open end here, while the rings are drained
	if err == nil {
		err = r.last()
	}
	err = firstOf(err, r.targets.release(), r.probing.end())
	close(stopDrain)
	close(stopWatch)
	err = firstOf(err, draining.result(), watching.result())
	if err == nil {
		err = r.drainRest()
	}
	close(r.procs.queue)
	r.endProfile()
	err = firstOf(err, describing.result(), profiling.result())
	return r.finish(err)
}

// task is work in the background.
type task struct {
	done chan struct{}
	err  error // once done is closed
}

func start(work func() error) *task {
	t := &task{done: make(chan struct{})}
	go func() {
		t.err = work()
		close(t.done)
	}()
	return t
}

// result waits for the task's end.
func (t *task) result() error {
	<-t.done
	return t.err
}

// firstOf returns the first error that is one.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// begin makes targets of what was chosen and records what was there before.
func (r *recording) begin(chosen []procfs.Stat, command string) error {
	if err := r.heart.clocks(); err != nil {
		return err
	}
	for _, h := range r.summary.Hooks {
		row := format.Hook{Time: r.clock.Now(), Name: h.Name, Purpose: h.Purpose, Attached: h.Err == nil}
		if h.Err != nil {
			row.Error = h.Err.Error()
		}
		if err := r.sink.AppendRow(&row); err != nil {
			return err
		}
	}
	if command != "" {
		var err error
		if r.command, err = hold(r.cfg.Reexec, command, r.cfg.Command); err != nil {
			return err
		}
		if r.command.pid, err = r.proc.Named(format.PID(r.command.cmd.Process.Pid)); err != nil {
			return err
		}
		held, err := r.proc.Stat(r.command.pid)
		if err != nil {
			return err
		}
		if r.profile != nil {
			r.profile.Hold(held.PID)
		}
		chosen = append(chosen, held)
	}
	r.watchCgroups(chosen) // first: what enters from now on is seen, what is there already is in the process table
	if err := r.adopt(chosen); err != nil {
		return err
	}
	if err := r.beginProbing(command); err != nil {
		return err
	}
	if err := r.snapshot(); err != nil {
		return err
	}
	if err := r.trigger.begin(r.proc, r.procs); err != nil {
		return err
	}
	if err := r.heart.beat(true); err != nil {
		return err
	}
	if err := r.sink.Flush(); err != nil {
		return err
	}
	r.note(NoteRecorderBeside, uint64(r.kernel.Beside()), "")
	if ownNamespace(r.proc) != 0 {
		r.note(NotePIDNamespace, 1, "")
	}
	r.cpuBefore = r.heart.last.RecorderCPU
	r.heart.programs.begin(r.clock.Now())
	if r.flight != nil {
		var err error
		if r.control, err = startControl(r.flight); err != nil {
			return err
		}
	}
	r.announce()
	if r.command != nil {
		if err := r.command.release(); err != nil {
			return err
		}
	}
	if err := r.reduce(); err != nil {
		return err
	}
	r.ready = true
	if r.command != nil {
		return r.describeCommand()
	}
	return nil
}

func (r *recording) adopt(chosen []procfs.Stat) error {
	adopted, complete, err := r.targets.adopt(chosen)
	if err != nil {
		return err
	}
	if !complete {
		r.note(NoteSnapshotIncomplete, 1, "processes: targets forked faster than they could be listed")
	}
	if len(adopted) == 0 {
		return &TargetError{"what was to be recorded", "ended while the capture began", "choose processes that run longer, or start a command with the capture: reel capture -- CMD"}
	}
	for _, s := range adopted {
		r.profileProcess(s.PID)
	}
	r.summary.Targets = len(adopted)
	return nil
}

func (r *recording) announce() {
	if r.cfg.OnReady == nil {
		return
	}
	ready := Ready{Dir: r.cfg.Dir, Budget: r.budget}
	if r.flight != nil {
		ready.Snap = r.flight.snap
	}
	pids, _ := r.kernel.Targets()
	for _, pid := range pids {
		comm, _ := r.proc.Comm(format.PID(pid))
		if r.command != nil && format.PID(pid) == r.command.pid {
			comm = filepath.Base(r.command.name) // it may still be held
		}
		ready.Targets = append(ready.Targets, Target{PID: r.proc.Seen(format.PID(pid)), Comm: comm})
	}
	for _, h := range r.summary.Hooks {
		if h.Err != nil {
			ready.Refused = append(ready.Refused, h)
		}
	}
	r.cfg.OnReady(ready)
}

// wait returns when the capture is to end.
func (r *recording) wait(ctx context.Context, draining, describing, watching, profiling *task) (Reason, error) {
	ticks, stop := r.clock.Tick(beatInterval)
	defer stop()
	var over <-chan time.Time
	if r.cfg.Duration > 0 {
		timer := time.NewTimer(r.cfg.Duration)
		defer timer.Stop()
		over = timer.C
	}
	var commandEnded <-chan struct{}
	if r.command != nil {
		commandEnded = r.command.done
	}
	for {
		select {
		case <-draining.done:
			return ReasonBroken, draining.err
		case <-describing.done:
			return ReasonBroken, describing.err
		case <-watching.done:
			return ReasonBroken, watching.err
		case <-profiling.done:
			return ReasonBroken, profiling.err
		case <-ctx.Done():
			return ReasonStopped, nil
		case <-over:
			return ReasonDuration, nil
		case <-ticks:
			if err := r.tick(); err != nil {
				return ReasonBroken, err
			}
			if reason := r.overBudget(); reason != "" {
				return reason, nil
			}
		case <-r.drain.exited:
		case e := <-r.trigger.occurred():
			if err := r.trigger.occur(e); err != nil {
				return ReasonBroken, err
			}
		case s := <-r.trigger.snapDone():
			if err := r.trigger.snapEnded(s); err != nil {
				return ReasonBroken, err
			}
		case <-r.trigger.expired():
			if err := r.trigger.shorten(); err != nil {
				return ReasonBroken, err
			}
		case <-commandEnded:
			commandEnded = nil
		}
		if r.trigger.stopped() {
			return ReasonTrigger, nil
		}
		if reason, err := r.nothingLeft(); reason != "" || err != nil {
			return reason, err
		}
	}
}

// overBudget says that the budget ends the capture; "" while it does not.
func (r *recording) overBudget() Reason {
	r.summary.Stop = r.keeper.stopped()
	switch {
	case r.summary.Stop == nil:
		return ""
	case r.summary.Stop.Cause == budget.CauseDisk:
		return ReasonDisk
	}
	return ReasonNode
}

// nothingLeft says why there is nothing left to record; "" while there is.
func (r *recording) nothingLeft() (Reason, error) {
	if r.command != nil {
		if !r.commandEnded() {
			return "", nil
		}
		if len(r.cfg.PIDs) > 0 || r.watch.waits() {
			return ReasonCommand, nil
		}
	} else if r.watch.waits() {
		return "", nil // one may come
	}
	pids, err := r.kernel.Targets()
	if err != nil || len(pids) > 0 {
		return "", err
	}
	if r.command != nil {
		return ReasonCommand, nil
	}
	return ReasonTargets, nil
}

// sweepTicks is how often it is looked for targets whose end no hook told of: the kernel may skip the run of a program.
const sweepTicks = 10

func (r *recording) commandEnded() bool {
	if r.command == nil {
		return false
	}
	_, ended := r.command.ended()
	return ended
}

// tick is what is done each second.
func (r *recording) tick() error {
	r.ticks++
	if r.ticks%sweepTicks == 0 || r.exitUnseen() || r.commandEnded() {
		if err := r.targets.sweep(); err != nil {
			return err
		}
	}
	if err := r.adoptLate(); err != nil {
		return err
	}
	r.probing.tick()
	if err := r.heart.beat(false); err != nil {
		return err
	}
	if r.trigger != nil {
		targets, err := r.kernel.Targets()
		if err != nil {
			return err
		}
		if err := r.trigger.second(targets); err != nil {
			return err
		}
	}
	if r.cfg.OnProgress != nil {
		beat := &r.heart.last
		r.cfg.OnProgress(Progress{
			Elapsed: beat.Time.Sub(r.begun), Events: beat.Events, Lost: beat.LostEvents, Bytes: int64(beat.JournalBytes), Targets: int(beat.Targets), Shed: budget.Level(beat.ShedLevel),
		})
	}
	return nil
}

func (r *recording) exitUnseen() bool {
	for _, h := range r.summary.Hooks {
		if h.Err != nil && strings.HasSuffix(h.Name, "sched_process_exit") {
			return true
		}
	}
	return false
}

// adoptLate makes targets of processes that came to be wanted after the capture had begun.
func (r *recording) adoptLate() error {
	known, err := r.kernel.Targets()
	if err != nil {
		return err
	}
	found, err := r.watch.look(known)
	if err != nil || len(found) == 0 {
		return err
	}
	adopted, _, err := r.targets.adopt(found)
	if err != nil {
		return err
	}
	for _, s := range adopted {
		if _, err := r.describe(s.PID, true); err != nil {
			return err
		}
		r.profileProcess(s.PID)
		r.note(NoteTargetLate, 1, fmt.Sprintf("process %d (%s)", s.PID, s.Comm))
	}
	return nil
}
