//go:build linux && (amd64 || arm64)

// Package doctor turns a node into a list of checks: what a capture there will see, what it will not, and what to do about it. It
// records nothing.
package doctor

import (
	"strings"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/format"
)

// Options say what kind of capture is asked about.
type Options struct {
	Dir       string // the reel that would be made
	RingBytes int    // of each CPU
	CPUs      int    // rings
}

// Node looks at everything but the hooks. It only reads files, so a capture does it too.
func Node(o Options) []format.Check {
	n := node{root: "/"}
	checks := []format.Check{n.kernel(), n.btf(), n.pidNamespace(), n.lockdown(), n.unprivileged(), n.seccomp()}
	checks = append(checks, n.capabilities()...)
	return append(checks, n.memlock(), n.tracefs(), n.runTimes(), n.cgroups(), n.ringMemory(o), n.disk(o.Dir))
}

// Hooks turns what bpf.Objects.Attach said into checks.
func Hooks(results []bpf.HookResult) []format.Check {
	checks := make([]format.Check, len(results))
	for i, r := range results {
		c := &checks[i]
		c.Name, c.State, c.Found = "hook "+r.Name, format.CheckOK, "attaches"
		if r.Err == nil {
			continue
		}
		c.State, c.Found, c.Lost = format.CheckLimited, "refused: "+r.Err.Error(), r.Purpose
		if r.Required {
			c.State = format.CheckBlocked
		}
	}
	return checks
}

// TryHooks loads all programs and attaches them for an instant, to no target: nothing is recorded.
func TryHooks(ringBytes int) []format.Check {
	objects, err := bpf.Load(bpf.Options{RingBytes: ringBytes})
	if err != nil {
		return []format.Check{{
			Name: "hooks", State: format.CheckBlocked, Found: err.Error(), Lost: "everything",
			Remedy: "mend what is blocked above; if nothing is, report this with the output of uname -r",
		}}
	}
	results := objects.Attach()
	// Iterators are not attached but run.
	if err := objects.Snapshot(func([]byte) {}); err != nil {
		for i := range results {
			if r := &results[i]; strings.HasPrefix(r.Name, "iter/") && r.Err == nil {
				r.Err = err
			}
		}
	}
	checks := Hooks(results)
	if err := objects.Close(); err != nil {
		checks = append(checks, format.Check{Name: "hooks", State: format.CheckLimited, Found: "were not taken away cleanly: " + err.Error()})
	}
	return checks
}

// Worst is the state of the whole: blocked if a check is, else limited if one is.
func Worst(checks []format.Check) format.CheckState {
	worst := format.CheckOK
	for _, c := range checks {
		switch c.State {
		case format.CheckOK:
		case format.CheckBlocked:
			return format.CheckBlocked
		default:
			worst = format.CheckLimited
		}
	}
	return worst
}
