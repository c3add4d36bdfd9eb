// Package pprof turns a profile into the format of Google's pprof, which its tool and most viewers read.
package pprof

import (
	"io"
	"strconv"

	"github.com/google/pprof/profile"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// Write writes the profile, gzipped. Each stack of each thread is a sample with the labels process, pid, thread and tid.
func Write(w io.Writer, p *facts.Profile) error {
	out, err := Convert(p)
	if err != nil {
		return err
	}
	return out.Write(w)
}

// Convert makes pprof's own form of a profile.
func Convert(p *facts.Profile) (*profile.Profile, error) {
	out := &profile.Profile{
		TimeNanos: int64(p.Start), DurationNanos: int64(p.Duration), Period: int64(p.Period),
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"},
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}, DefaultSampleType: "cpu",
	}
	if p.Period == 0 {
		out.PeriodType = nil
		out.SampleType = []*profile.ValueType{{Type: "switches", Unit: "count"}, {Type: "offcpu", Unit: "nanoseconds"}}
		out.DefaultSampleType = "offcpu"
	}
	for i := range p.Modules {
		m := &p.Modules[i]
		out.Mapping = append(out.Mapping, &profile.Mapping{
			ID: uint64(i) + 1, Start: m.Start, Limit: m.End, Offset: m.Start, File: m.Path, BuildID: buildID(m), HasFunctions: true,
		})
	}
	for i := range p.Functions {
		f := &p.Functions[i]
		fn := &profile.Function{ID: uint64(i) + 1, Name: f.Name, SystemName: f.Raw}
		if f.Module >= 0 {
			fn.Filename = p.Modules[f.Module].Path
		}
		if fn.SystemName == "" {
			fn.SystemName = f.Name
		}
		out.Function = append(out.Function, fn)
	}
	for i := range p.Locations {
		l := &p.Locations[i]
		loc := &profile.Location{ID: uint64(i) + 1, Address: l.Address, Line: []profile.Line{{Function: out.Function[l.Function]}}}
		if l.Module >= 0 {
			loc.Mapping = out.Mapping[l.Module]
		}
		out.Location = append(out.Location, loc)
	}
	for i := range p.Stacks {
		s := &p.Stacks[i]
		sample := &profile.Sample{
			Value: []int64{int64(s.Count), int64(s.Time)},
			Label: map[string][]string{
				"process": {s.Process}, "pid": {strconv.FormatUint(uint64(s.PID), 10)},
				"thread": {s.Thread}, "tid": {strconv.FormatUint(uint64(s.TID), 10)},
			},
		}
		for j := len(s.Frames) - 1; j >= 0; j-- {
			sample.Location = append(sample.Location, out.Location[s.Frames[j]])
		}
		out.Sample = append(out.Sample, sample)
	}
	return out, out.CheckValid()
}

// buildID is that by which other tools find the module: a hash of ours would be none.
func buildID(m *facts.ProfileModule) string {
	if m.BuildIDKind == format.BuildIDGNU {
		return m.BuildID
	}
	return ""
}
