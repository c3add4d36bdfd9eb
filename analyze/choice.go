package analyze

import (
	"fmt"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/filter"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/sample"
	"github.com/ebpf-reel/reel/analyze/topology"
)

// choice is which exchanges somebody wants to see: those that the filter lets pass, the sampled ones, the slowest and the failed.
type choice struct {
	where   *filter.Filter
	sampler *sample.Sampler
	sink    SampleSink // nil: it takes no samples
	top     *sample.Top[topology.Group]
	sample  facts.Sample
	matched uint64
}

// newChoice also sees to it that exchanges come with what the filter and the rules look at and keep.
func newChoice(cfg *Config, sink Sink) choice {
	c := choice{where: cfg.Where, sampler: sample.New(cfg.Sample)}
	c.sink, _ = sink.(SampleSink)
	x := &cfg.Exchange
	x.Headers = x.Headers || cfg.Where.NeedsHeaders() || cfg.Sample.NeedsHeaders()
	x.Body = max(x.Body, cfg.Sample.Body())
	if cfg.Sample != nil {
		x.Calls = max(x.Calls, sample.MaxCalls)
	}
	if cfg.Top > 0 {
		c.top = sample.NewTop[topology.Group](cfg.Top)
	}
	return c
}

// take reports whether x goes to the sink. The error is one of an expression, or of the sink.
func (c *choice) take(group topology.Group, x *facts.Exchange) (bool, error) {
	if ok, err := c.where.Match(x); !ok {
		if err != nil {
			err = fmt.Errorf("filter: %w", err)
		}
		return false, err
	}
	c.matched++
	sampled, err := c.sampler.Sample(x, &c.sample)
	if err != nil {
		return false, err
	}
	if sampled && c.sink != nil {
		if err := c.sink.Sample(&c.sample); err != nil {
			return false, err
		}
	}
	if c.top != nil {
		c.top.Add(group, x)
	}
	return true, nil
}

// result completes res. Its edges are known.
func (c *choice) result(res *Result, tally *ledger.Tally) {
	res.Matched = c.matched
	tally.Add(ledger.SamplesLeft, c.sampler.Left(), ledger.Where{})
	if c.top != nil {
		res.Top = c.top.Lists(topology.Group.Edge)
		tally.Add(ledger.TopFolded, c.top.Left(), ledger.Where{})
	}
}
