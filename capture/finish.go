//go:build linux && (amd64 || arm64)

package capture

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/format"
)

// last records the state at the end, while everything still runs: what sockets moved until now is in the rings or was lost,
// and their sequence numbers tell which.
func (r *recording) last() error {
	if err := r.snapshot(); err != nil {
		return err
	}
	if err := r.blocksAtEnd(); err != nil {
		return err
	}
	r.heart.programs.tick(r.clock.Now(), r.drain.total(), true)
	return r.heart.clocks()
}

// finish takes what is left in the rings, gives everything back to the kernel, and seals the reel. err is why the capture
// ended early, nil if it did not.
func (r *recording) finish(err error) (*Summary, error) {
	if r.command != nil {
		r.command.abandon()
	}
	if err != nil {
		r.summary.Reason = ReasonBroken
	}
	highest, noteErr := r.keeper.end()
	r.summary.Shed, err = highest, firstOf(err, noteErr)
	err = firstOf(err, r.trigger.end())
	r.notesAtEnd()
	if err == nil {
		err = r.heart.beat(true)
		r.summary.RunningCPU = r.heart.last.RecorderCPU - r.cpuBefore
		r.summary.ProgramTime, r.summary.Measured = r.heart.last.ProgramTime, r.heart.last.ProgramsMeasured
		r.summary.ShedCalls = r.heart.last.ShedCalls
	}
	r.account()
	closed := r.kernel.Close() // before sealing, which takes a while: the node is free of us
	r.summary.Snaps = r.flight.wait()
	r.control.close()
	err = firstOf(err, closed, r.seal())
	return r.result(err)
}

// leftBehind is what a reel says that was not sealed to its end on request.
const leftBehind = "the recorder was told by a second signal not to wait for it"

// seal closes the reel; quickly when it is told so, before or meanwhile.
func (r *recording) seal() error {
	closed := make(chan struct{})
	defer close(closed)
	select {
	case <-r.cfg.Leave:
		r.sink.Abandon(leftBehind)
	default:
		go func() {
			select {
			case <-r.cfg.Leave:
				r.sink.Abandon(leftBehind)
			case <-closed:
			}
		}()
	}
	return r.sink.Close()
}

// drainRest empties the rings. No hook records any more, but one may still be at it on another CPU.
func (r *recording) drainRest() error {
	for {
		if err := r.kernel.Wait(0); err != nil {
			return err
		}
		n, err := r.drain.turn()
		if err != nil || n == 0 {
			return err
		}
	}
}

// notesAtEnd says what the recording could not see, as far as it knows.
func (r *recording) notesAtEnd() {
	stopped := string(r.summary.Reason)
	if stop := r.summary.Stop; stop != nil {
		stopped += ": " + stop.Why
	}
	r.note(NoteStopped, 1, stopped+r.trigger.stopper())
	r.note(NoteTargetExited, r.drain.exits.Load(), "")
	r.note(NoteProcessUndescribed, r.procs.missed.Load(), "")
	r.note(NoteProcessHidden, r.procs.hidden.Load(), "")
	r.procs.containers.notes(r.note)
	r.trigger.notes(r.note)
	r.notesOfProfile()
	if r.exitUnseen() {
		r.note(NoteExitUnseen, 1, "")
	}
	c, err := r.kernel.Counters()
	if err != nil {
		return
	}
	r.note(NoteMapFull, c.InflightFull, "calls that blocked: their rows have no duration")
	r.note(NoteMapFull, c.SocketsFull, "sockets: their state changes are missing")
	r.note(NoteMapFull, c.ListenersFull, "listening ports: connections there are seen from accept on")
	r.note(NoteSnapshotIncomplete, c.QueueCut, "accept queues of more than 4,096 connections")
	r.notesUnseen()
	r.note(NoteErrorQueue, c.ErrQueue, "")
	r.note(NoteProbeSkipped, c.Missed, "")
}

// unseenNotes name what the probes count by process.
var unseenNotes = map[bpf.UnseenKind]NoteName{
	bpf.UnseenCompat: NoteCompatCalls, bpf.UnseenURing: NoteIOUring, bpf.UnseenMPTCP: NoteMPTCP,
	bpf.UnseenQUIC: NoteQUIC, bpf.UnseenKTLS: NoteKTLS,
}

// notesUnseen says which processes did what cannot be recorded, in the order of their numbers.
func (r *recording) notesUnseen() {
	all, err := r.kernel.Unseen()
	if err != nil {
		return
	}
	slices.SortFunc(all, func(a, b bpf.Unseen) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.PID, b.PID)) })
	for _, u := range all {
		who := "other processes"
		if u.PID != 0 {
			who = fmt.Sprintf("pid %d", u.PID)
			if comm, err := r.proc.Comm(format.PID(u.PID)); err == nil && comm != "" {
				who = fmt.Sprintf("%s (pid %d)", comm, u.PID)
			}
		}
		r.note(unseenNotes[u.Kind], u.Count, who)
	}
}

// append stores a row about the recording itself. An error is not lost: the sink returns it again at its close.
func (r *recording) append(row format.Row) { _ = r.sink.AppendRow(row) }

// account fills the summary while the kernel side can still be asked.
func (r *recording) account() {
	s := &r.summary
	s.Duration = r.clock.Now().Sub(r.begun)
	s.Events = map[format.EventKind]uint64{}
	for kind := range r.drain.events {
		if n := r.drain.events[kind].Load(); n > 0 {
			s.Events[format.EventKind(kind)] = n
		}
	}
	if loss, err := r.kernel.Loss(); err == nil {
		for _, l := range loss {
			s.Lost += l.Lost
			s.LostBytes += l.LostBytes
		}
	}
}

// result completes the summary after the reel was closed.
func (r *recording) result(err error) (*Summary, error) {
	s := &r.summary
	s.Clean = err == nil
	s.Notes = r.noted // sealing may have added some
	stats := r.sink.Stats()
	s.JournalBytes, s.ReelBytes = stats.JournalBytes, stats.SealedBytes
	s.MaxRSS = r.heart.maxRSS
	var self, helpers unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &self) == nil && unix.Getrusage(unix.RUSAGE_CHILDREN, &helpers) == nil {
		s.MaxRSS = max(s.MaxRSS, uint64(self.Maxrss)<<10) // getrusage(2): kilobytes
		s.RecorderCPU = rusageTime(&self) + rusageTime(&helpers) - r.command.cpu()
	}
	if r.command != nil {
		status, ended := r.command.ended()
		s.Command, s.CommandRuns = status, !ended
	}
	if err != nil && !r.ready {
		// Nothing was recorded: the reel is ours, and holds nothing that anyone waits for.
		return nil, firstOf(discard(r.cfg.Dir), err)
	}
	if errors.As(err, new(*format.UnsealedError)) {
		return s, err
	}
	if err != nil {
		return s, &BrokenError{Dir: s.Dir, Err: err}
	}
	if s.Reason == ReasonNode {
		return s, &NodeError{Dir: s.Dir, Why: s.Stop.Why}
	}
	return s, nil
}

func rusageTime(u *unix.Rusage) time.Duration { return time.Duration(u.Utime.Nano() + u.Stime.Nano()) }

// discard removes a reel that this recording made, and that holds nothing yet.
func discard(dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the reel of a capture that did not begin: %w", err)
	}
	return nil
}

func (k Hook) String() string {
	if k.Err == nil {
		return k.Name + " attached"
	}
	return fmt.Sprintf("%s refused (%v): %s", k.Name, k.Err, k.Purpose)
}
