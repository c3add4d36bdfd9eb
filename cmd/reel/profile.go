package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/profile"
	"github.com/ebpf-reel/reel/format"
)

// profileFlags choose samples.
type profileFlags struct {
	pids  []uint
	tids  []uint
	comms []string
	from  time.Duration
	to    time.Duration
	off   bool
}

func (f *profileFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.UintSliceVarP(&f.pids, "pid", "p", nil, "only of these processes: `PID[,PID]`")
	flags.UintSliceVar(&f.tids, "tid", nil, "only of these threads: `TID[,TID]`")
	flags.StringSliceVar(&f.comms, "comm", nil, "only of processes or threads called `NAME[,NAME]`")
	flags.BoolVar(&f.off, "off-cpu", false, "what threads waited for instead of what ran (capture --offcpu)")
	flags.DurationVar(&f.from, "from", 0, "only from this time on, since the start of the recording")
	flags.DurationVar(&f.to, "to", 0, "only until this time")
}

func (f *profileFlags) config() (analyze.ProfileConfig, error) {
	if f.from < 0 || f.to < 0 || f.to != 0 && f.to <= f.from {
		return analyze.ProfileConfig{}, &usageError{fmt.Sprintf("from %v to %v is no time: --to comes after --from, both count from the start of the recording", f.from, f.to)}
	}
	cfg := analyze.ProfileConfig{From: f.from, To: f.to, Scope: profile.Scope{Comms: f.comms}}
	if f.off {
		cfg.Kind = profile.OffCPU
	}
	var said []string
	for _, pid := range f.pids {
		cfg.Scope.PIDs = append(cfg.Scope.PIDs, format.PID(pid))
		said = append(said, fmt.Sprintf("pid %d", pid))
	}
	for _, tid := range f.tids {
		cfg.Scope.TIDs = append(cfg.Scope.TIDs, format.TID(tid))
		said = append(said, fmt.Sprintf("tid %d", tid))
	}
	said = append(said, f.comms...)
	if f.from != 0 || f.to != 0 {
		end := "the end"
		if f.to != 0 {
			end = f.to.String()
		}
		said = append(said, fmt.Sprintf("%v to %s", f.from, end))
	}
	cfg.Description = strings.Join(said, ", ")
	return cfg, nil
}

// foldProfile makes the profile of a reel. A reel without samples is an error: an empty graph would say that nothing ran.
func foldProfile(cmd *cobra.Command, dir string, f *profileFlags) (*facts.Profile, error) {
	cfg, err := f.config()
	if err != nil {
		return nil, err
	}
	reel, err := openReel(dir, false)
	if err != nil {
		return nil, err
	}
	defer reel.Close()
	if cfg.Description == "" {
		cfg.Description = reelName(dir)
	}
	result, err := analyze.Profile(cmd.Context(), reel, cfg)
	if err != nil {
		return nil, err
	}
	if result.Profile.Counts == 0 {
		if cfg.Scope.Chooses() || cfg.From != 0 || cfg.To != 0 {
			return nil, withCode(exitInconclusive, fmt.Errorf("%s has no samples of what was asked for (%s): leave out --pid, --tid, --comm, --from or --to", dir, cfg.Description))
		}
		what, flag := "samples of what ran", "--oncpu"
		if f.off {
			what, flag = "waits", "--offcpu"
		}
		return nil, withCode(exitInconclusive, fmt.Errorf("%s has no %s: record with reel capture %s", dir, what, flag))
	}
	for _, e := range result.Ledger {
		if e.Severity >= facts.DataLoss || e.Name == "stack_incomplete" {
			fmt.Fprintf(cmd.ErrOrStderr(), "reel: %s ×%d: %s %s\n", e.Name, e.Count, sentence(e.Sentence), sentence(e.Example))
		}
	}
	return result.Profile, nil
}
