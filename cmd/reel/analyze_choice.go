package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/filter"
	"github.com/ebpf-reel/reel/analyze/sample"
)

// choice reads what chooses exchanges: rules, in a file or in flags, and a filter.
func (o *analyzeOptions) choice() (*sample.Rules, *filter.Filter, error) {
	var rules *sample.Rules
	if o.top < 0 || o.top > sample.MaxTop {
		return nil, nil, &usageError{fmt.Sprintf("--top %d: a list has 0 to %d exchanges", o.top, sample.MaxTop)}
	}
	if o.rules != "" {
		data, err := readRules(o.rules)
		if err != nil {
			return nil, nil, err
		}
		if rules, err = sample.ParseFile(data); err != nil {
			return nil, nil, withCode(exitInput, fmt.Errorf("%s: %w", o.rules, err))
		}
	}
	for _, text := range o.samples {
		if rules == nil {
			rules = new(sample.Rules)
		}
		if err := rules.ParseFlag(text); err != nil {
			return nil, nil, &usageError{fmt.Sprintf("--sample %q: %v", text, err)}
		}
	}
	if o.where == "" {
		return rules, nil, nil
	}
	where, err := filter.Compile(o.where)
	if err != nil {
		return nil, nil, withCode(exitInput, fmt.Errorf("--where: %w", err))
	}
	return rules, where, nil
}

// readRules reads a file as far as rules may be long: a wrong name can be that of a file without end.
func readRules(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &usageError{err.Error()}
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, sample.MaxFile+1))
}

// Sample gives a sample to each sink that takes them.
func (s bothSinks) Sample(x *facts.Sample) error {
	var failed error
	for _, sink := range s {
		if sink, takes := sink.(analyze.SampleSink); takes {
			failed = errors.Join(failed, sink.Sample(x))
		}
	}
	return failed
}
