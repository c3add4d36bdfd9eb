//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ebpf-reel/reel/capture"
	"github.com/ebpf-reel/reel/capture/budget"
	"github.com/ebpf-reel/reel/report/quantity"
)

// budgetFlags are the limits of reel capture.
type budgetFlags struct {
	cpu           shareValue
	rate          limitValue
	disk          limitValue
	minFreeDisk   limitValue
	memory        limitValue
	minFreeMemory limitValue
	load          float64
}

func (f *budgetFlags) register(flags *pflag.FlagSet) {
	flags.Var(&f.cpu, "max-cpu", "record less above this `SHARE` of one core, as 20%: of the recorder with its BPF programs")
	flags.Var(&f.rate, "max-rate", "record less above this `SIZE` of journal a second")
	flags.Var(&f.memory, "max-memory", "record less above this `SIZE` of the recorder's memory, or none (default 384MiB and twice the rings)")
	flags.Var(&f.disk, "max-disk", "end when the reel has this `SIZE`")
	flags.Var(&f.minFreeDisk, "min-free-disk", "end when less than this `SIZE` is free on the reel's disk, or none (default 1GiB, or 5% of a smaller disk)")
	flags.Var(&f.minFreeMemory, "min-free-memory", "end when less than this `SIZE` of memory is free on the node or in the recorder's cgroup, or none (default 2%, 32 to 256MiB)")
	flags.Float64Var(&f.load, "max-load", 0, "end when the load of the last minute is above this `NUMBER` per core (default: no matter what it is)")
}

func (f *budgetFlags) limits() (budget.Limits, error) {
	if f.load < 0 || math.IsNaN(f.load) || math.IsInf(f.load, 0) {
		return budget.Limits{}, &usageError{fmt.Sprintf("a load of %v is not possible: --max-load takes a number per core, as 2.5", f.load)}
	}
	return budget.Limits{
		CPU: budget.Share(f.cpu), Rate: budget.Bytes(f.rate), Disk: budget.Bytes(f.disk), MinFreeDisk: budget.Bytes(f.minFreeDisk),
		Memory: budget.Bytes(f.memory), MinFreeMemory: budget.Bytes(f.minFreeMemory), Load: f.load,
	}, nil
}

// limitValue is a number of bytes as a flag, or none. Zero is the default.
type limitValue budget.Bytes

// Set implements pflag.Value.
func (v *limitValue) Set(s string) error {
	if s == "none" {
		*v = limitValue(budget.Unlimited)
		return nil
	}
	n, err := parseSize(strings.TrimSuffix(s, "/s"))
	if err == nil && n == 0 {
		err = fmt.Errorf("0 bytes are not possible; none is no limit")
	}
	if err == nil {
		*v = limitValue(n)
	}
	return err
}

// Type implements pflag.Value.
func (*limitValue) Type() string { return "SIZE" }

func (v *limitValue) String() string {
	switch *v {
	case 0:
		return ""
	case limitValue(budget.Unlimited):
		return "none"
	}
	return strconv.FormatUint(uint64(*v), 10)
}

// shareValue is a share of one core as a flag: 20%, 150%.
type shareValue budget.Share

// Set implements pflag.Value.
func (v *shareValue) Set(s string) error {
	digits, percent := strings.CutSuffix(s, "%")
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if err != nil || !percent || !(n > 0 && n <= 100_000) {
		return fmt.Errorf("%q is no share of a core: write it in percent of one, as 20%%", s)
	}
	*v = shareValue(n / 100)
	return nil
}

// Type implements pflag.Value.
func (*shareValue) Type() string { return "SHARE" }

func (v *shareValue) String() string {
	if *v == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(*v)*100, 'g', -1, 64) + "%"
}

// costLines are the overhead receipt.
func costLines(s *capture.Summary) []string {
	programs, kernel := "BPF programs n/a", uint64(0)
	if s.ProgramTime >= 0 {
		kernel = uint64(s.ProgramTime)
		programs = "BPF programs " + quantity.Share(kernel, uint64(s.Duration))
		if sampled := quantity.Sampled(s.Measured, s.Duration); sampled != "" {
			programs += " (" + sampled + ")"
		}
	}
	running := uint64(max(s.RunningCPU, 0))
	lines := []string{
		fmt.Sprintf("  cost       %s of one core while recording: recorder %s, %s",
			quantity.Share(running+kernel, uint64(s.Duration)), quantity.Share(running, uint64(s.Duration)), programs),
		fmt.Sprintf("             %s of CPU with loading and sealing, at most %s of memory, %s of journal, %s on disk",
			quantity.Duration(s.RecorderCPU), quantity.Bytes(s.MaxRSS), quantity.Bytes(uint64(s.JournalBytes)), quantity.Bytes(uint64(s.ReelBytes))),
	}
	if s.Shed > budget.None {
		text := fmt.Sprintf("  shed       up to level %d: %v left out", s.Shed, s.Shed)
		if s.ShedCalls > 0 {
			text += "; " + quantity.Of(s.ShedCalls, "call") + " without a row"
		}
		lines = append(lines, text)
	}
	return lines
}
