package analyze

import (
	"context"
	"fmt"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/profile"
	"github.com/ebpf-reel/reel/format"
)

// ProfileConfig chooses what a profile is about. Times are since the start of the recording; an end of 0 is its end.
type ProfileConfig struct {
	Kind        profile.Kind
	Scope       profile.Scope // its times are set by From and To
	From, To    time.Duration
	Limits      profile.Limits
	Processes   int // programs that are named (256 Ki)
	Description string
}

// ProfileResult is a profile and what is not known of it.
type ProfileResult struct {
	Profile *facts.Profile
	Ledger  []facts.LedgerEntry // most severe first
}

// Profile folds the samples of src:
//
//	process ──► names of processes ─┐
//	stack, module, symbol ──► names ┼─► fold ─► profile
//	oncpu, offcpu ──────────────────┘
func Profile(ctx context.Context, src Source, cfg ProfileConfig) (*ProfileResult, error) {
	tally := ledger.NewTally()
	ground, err := survey(ctx, src, Config{Processes: cfg.Processes}, tally)
	if err != nil {
		return nil, err
	}
	if cfg.From > 0 {
		cfg.Scope.From = ground.first.Add(cfg.From)
	}
	if cfg.To > 0 {
		cfg.Scope.To = ground.first.Add(cfg.To)
	}
	fold := profile.New(cfg.Kind, cfg.Scope, cfg.Limits)
	if err := eachRow(ctx, src, profile.Tables, tally, func(row format.Row) { fold.Add(row) }); err != nil {
		return nil, err
	}
	err = eachRow(ctx, src, []format.TableID{cfg.Kind.Table()}, tally, func(row format.Row) {
		switch r := row.(type) {
		case *format.OnCPU:
			fold.Sample(r, ground.processes.At(r.PID, r.Time).Name())
		case *format.OffCPU:
			fold.Block(r, ground.processes.At(r.PID, r.Time).Name())
		}
	})
	if err != nil {
		return nil, err
	}
	p := fold.Result()
	p.Scope, p.Host = cfg.Description, src.Manifest().Capture.Host
	from, to := ground.first, ground.last
	if cfg.Scope.From != 0 {
		from = max(from, cfg.Scope.From)
	}
	if cfg.Scope.To != 0 {
		to = min(to, cfg.Scope.To)
	}
	if ground.any {
		p.Start, p.Duration = ground.wall(from), max(to.Sub(from), 0)
	}
	tally.Add(ledger.ProfileFolded, fold.TooMany(), ledger.Where{})
	tally.Add(ledger.StackMissing, fold.Missing(), ledger.Where{})
	stacksIncomplete(p, tally)
	return &ProfileResult{Profile: p, Ledger: tally.Entries()}, nil
}

// eachRow calls fn with the rows of tables, and counts those that could not be read.
func eachRow(ctx context.Context, src Source, tables []format.TableID, tally *ledger.Tally, fn func(format.Row)) error {
	var n uint64
	for row, err := range src.Rows(format.RowsOptions{Tables: tables}) {
		if err != nil {
			unread(tally, err)
			continue
		}
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		fn(row)
	}
	return nil
}

// stacksIncomplete tells of each process how many of its stacks are not whole, and why most of them are not.
func stacksIncomplete(p *facts.Profile, tally *ledger.Tally) {
	whole, all := map[string]uint64{}, map[string]uint64{}
	var order []string
	reasons := map[string]string{}
	for _, v := range p.Verdicts { // the most frequent first
		if v.Verdict == format.StackNone {
			continue
		}
		if all[v.Process] == 0 {
			order = append(order, v.Process)
		}
		all[v.Process] += v.Count
		if v.Verdict == format.StackComplete {
			whole[v.Process] += v.Count
		} else if reasons[v.Process] == "" {
			reasons[v.Process] = v.Verdict.String()
		}
	}
	for _, name := range order {
		if missing := all[name] - whole[name]; missing > 0 {
			tally.Add(ledger.StackIncomplete, missing, ledger.Where{Text: shareText(name, missing, all[name], reasons[name])})
		}
	}
}

func shareText(process string, part, all uint64, reason string) string {
	return fmt.Sprintf("%s: %d of %d, most of them %s", process, part, all, reason)
}
