//go:build linux && (amd64 || arm64)

package capture

import (
	"time"

	"github.com/ebpf-reel/reel/capture/profile"
	"github.com/ebpf-reel/reel/format"
)

// restate is how often names and frames are stored again in a ring, which loses its beginning.
const restate = 10 * time.Second

func (c *Config) profileConfig(clock Clock) profile.Config {
	cfg := profile.Config{Hz: max(c.SampleHz, 1), Now: clock.Now}
	if c.Flight != nil {
		cfg.Forget = restate
	}
	return cfg
}

// on says for the manifest what is recorded.
func (c *Config) on() []string {
	on := []string{"net"}
	if c.TLS != TLSOff {
		on = append(on, "tls")
	}
	if c.SampleHz > 0 {
		on = append(on, "oncpu")
	}
	if c.MinBlock > 0 {
		on = append(on, "offcpu")
	}
	return on
}

// runProfile works on samples until endProfile.
func (r *recording) runProfile() error {
	if r.profile == nil {
		<-r.noProfile
		return nil
	}
	return r.profile.Run()
}

func (r *recording) endProfile() {
	if r.profile == nil {
		close(r.noProfile)
		return
	}
	r.profile.End()
}

// profileProcess has the mappings of a process read that is there already.
func (r *recording) profileProcess(pid format.PID) {
	if r.profile != nil {
		r.profile.Begin(pid)
	}
}

// blocksAtEnd stores the totals of all blocks, and the threads that still wait.
func (r *recording) blocksAtEnd() error {
	if r.profile == nil {
		return nil
	}
	now := r.clock.Now()
	totals, err := r.kernel.BlockTotals()
	if err != nil {
		return err
	}
	for _, t := range totals {
		row := format.OffCPUTotal{
			Time: now, PID: format.PID(t.PID), TID: format.TID(t.TID), Comm: t.Comm, State: format.BlockState(t.State), Count: t.Count, Duration: t.Time, RunDelay: t.Delay,
		}
		if err := r.sink.AppendRow(&row); err != nil {
			return err
		}
	}
	waiting, err := r.kernel.Away()
	if err != nil {
		return err
	}
	for _, w := range waiting {
		since := format.KTime(w.Since)
		if now.Sub(since) < r.cfg.MinBlock {
			continue
		}
		comm, err := r.proc.Comm(format.PID(w.TID))
		if err != nil {
			continue // it has ended
		}
		row := format.OffCPU{
			Time: now, Duration: now.Sub(since), PID: format.PID(w.PID), TID: format.TID(w.TID), Comm: comm, State: format.BlockState(w.State), Syscall: w.Syscall,
			RunDelay: -1, Verdict: format.StackNotRead, Unfinished: true,
		}
		if err := r.sink.AppendRow(&row); err != nil {
			return err
		}
	}
	return nil
}

func (r *recording) notesOfProfile() {
	if r.profile == nil {
		return
	}
	a := r.profile.Account()
	r.note(NoteSamplesDropped, a.Dropped, "")
	why := ""
	if a.Unread != nil {
		why = a.Unread.Error()
	}
	r.note(NoteMappingsUnread, a.Unmapped, why)
	r.note(NoteMappingsLost, a.Lost, "")
	if a.NoStream != nil {
		r.note(NoteMappingsLate, 1, a.NoStream.Error())
	}
	if a.NoKernel != nil {
		r.note(NoteKernelUnnamed, 1, a.NoKernel.Error())
	}
}
