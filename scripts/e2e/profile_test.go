package e2e

import (
	"bufio"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/profile"
	"github.com/ebpf-reel/reel/format"
)

// splitProgram is a program that burns CPU in three functions, 70 : 20 : 10.
type splitProgram struct {
	name  string
	build []string // arguments; OUT is the program
	tool  string   // that is needed
	strip bool
	names [3]string // of the functions in a profile; "" none: stripped
	root  string    // a function that stacks begin in, by its name
}

var splitPrograms = []splitProgram{
	{name: "C with frame pointers", tool: "gcc", build: []string{"gcc", "-O2", "-fno-omit-frame-pointer", "-o", "OUT", "split.c"}, names: [3]string{"seventy", "twenty", "ten"}, root: "main"},
	{name: "C without", tool: "gcc", build: []string{"gcc", "-O2", "-fomit-frame-pointer", "-o", "OUT", "split.c"}, names: [3]string{"seventy", "twenty", "ten"}, root: "main"},
	{name: "C static", tool: "gcc", build: []string{"gcc", "-O2", "-static", "-o", "OUT", "split.c"}, names: [3]string{"seventy", "twenty", "ten"}, root: "main"},
	{name: "C++", tool: "g++", build: []string{"g++", "-x", "c++", "-O2", "-o", "OUT", "split.c"}, names: [3]string{"shop::Cart::seventy", "shop::Cart::twenty", "shop::Cart::ten"}, root: "main"},
	{name: "C++ stripped", tool: "g++", strip: true, build: []string{"g++", "-x", "c++", "-O2", "-o", "OUT", "split.c"}},
	{name: "Go", tool: "go", build: []string{"go", "build", "-o", "OUT", "split.go"}, names: [3]string{"main.seventy", "main.twenty", "main.ten"}, root: "main.main"},
	{name: "Go stripped", tool: "go", strip: true, build: []string{"go", "build", "-ldflags=-s -w", "-o", "OUT", "split.go"}, names: [3]string{"main.seventy", "main.twenty", "main.ten"}, root: "main.main"},
	{name: "Rust", tool: "rustc", build: []string{"rustc", "-O", "-o", "OUT", "split.rs"}, names: [3]string{"split::shop::seventy", "split::shop::twenty", "split::shop::ten"}, root: "split::main"},
}

// TestProfileSplit records programs whose answer is known, with perf beside: shares are within the binomial error, stacks are whole,
// and the names are in the reel: the program is gone when it is analyzed.
func TestProfileSplit(t *testing.T) {
	needRoot(t)
	for _, p := range splitPrograms {
		t.Run(p.name, func(t *testing.T) {
			need(t, p.tool, p.tool)
			perf := need(t, "perf", "linux-perf")
			dir := t.TempDir()
			program := filepath.Join(dir, "split")
			p.make(t, program)
			data := filepath.Join(dir, "perf.data")
			r := start(t, nil, reelBin, "capture", "--oncpu", "--cpu-hz", "997", "-w", filepath.Join(dir, "c.reel"), "--",
				perf, "record", "-q", "-e", "cpu-clock", "-F", "997", "-o", data, "--", program, strconv.Itoa(p.calibrate(t, program)))
			r.wait(t, 3*time.Minute, 0)
			oracle := perfShares(t, perf, data)
			if err := os.Remove(program); err != nil {
				t.Fatal(err)
			}
			prof := foldReel(t, filepath.Join(dir, "c.reel"), profile.OnCPU, profile.Scope{Comms: []string{"split"}})
			self, n := selfSamples(prof)
			checkSplit(t, &p, self, n)
			if !p.strip && p.names[0] != "" { // perf reads no .gopclntab
				for i, name := range p.names {
					checkShare(t, "perf and reel differ in "+name, oracle.share(p.names[i]), float64(self[name])/float64(n), n, oracle.samples)
				}
			}
			checkWhole(t, prof, p.root)
		})
	}
}

func (p *splitProgram) make(t *testing.T, program string) {
	t.Helper()
	args := append([]string(nil), p.build...)
	for i := range args {
		if args[i] == "OUT" {
			args[i] = program
		}
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "../../testdata/profile"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	if p.strip && p.tool != "go" {
		if out, err := exec.Command("strip", program).CombinedOutput(); err != nil {
			t.Fatalf("strip: %v\n%s", err, out)
		}
	}
}

// calibrate returns how many rounds take 0.6 s of CPU.
func (p *splitProgram) calibrate(t *testing.T, program string) int {
	t.Helper()
	const rounds = 30
	cmd := exec.Command(program, strconv.Itoa(rounds))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	took := cmd.ProcessState.UserTime()
	const want = 600 * time.Millisecond
	return max(rounds, int(float64(rounds)*float64(want)/float64(max(took, time.Millisecond))))
}

func foldReel(t *testing.T, dir string, kind profile.Kind, scope profile.Scope) *facts.Profile {
	t.Helper()
	r, err := format.Open(dir, format.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	res, err := analyze.Profile(t.Context(), r, analyze.ProfileConfig{Kind: kind, Scope: scope})
	if err != nil {
		t.Fatal(err)
	}
	return res.Profile
}

// selfSamples counts samples by the innermost user function, so that an interrupt counts for what it interrupted.
func selfSamples(p *facts.Profile) (self map[string]uint64, n uint64) {
	self = map[string]uint64{}
	for _, s := range p.Stacks {
		n += s.Count
		for i := len(s.Frames) - 1; i >= 0; i-- {
			if f := p.Functions[p.Locations[s.Frames[i]].Function]; f.Kind == format.FrameUser {
				self[f.Name] += s.Count
				break
			}
		}
	}
	return self, n
}

// checkSplit holds the shares of the three functions; of a stripped program those of the three busiest.
func checkSplit(t *testing.T, p *splitProgram, self map[string]uint64, n uint64) {
	t.Helper()
	if n < 300 {
		t.Fatalf("%d samples", n)
	}
	names := p.names
	if names[0] == "" {
		var counts []uint64
		for i := range names {
			for name, c := range self {
				if c > self[names[i]] && (i == 0 || name != names[0]) && (i < 2 || name != names[1]) {
					names[i] = name
				}
			}
			counts = append(counts, self[names[i]])
		}
		t.Logf("stripped: %v have %v", names, counts)
	}
	for i, want := range []float64{0.7, 0.2, 0.1} {
		checkShare(t, names[i], want, float64(self[names[i]])/float64(n), n, 0)
	}
}

// checkShare compares two shares of samples, each drawn, within four standard errors; m is 0 for one that is exact.
func checkShare(t *testing.T, what string, want, have float64, n, m uint64) {
	t.Helper()
	variance := want * (1 - want) / float64(n)
	if m > 0 {
		variance += want * (1 - want) / float64(m)
	}
	// What starts and ends the program takes some per cent too.
	if limit := 4*math.Sqrt(variance) + 0.02; math.Abs(want-have) > limit {
		t.Errorf("%s: %.3f, want %.3f ± %.3f", what, have, want, limit)
	}
}

// checkWhole holds that user stacks are whole, and begin where the program does.
func checkWhole(t *testing.T, p *facts.Profile, root string) {
	t.Helper()
	var whole, all, rooted uint64
	for _, s := range p.Stacks {
		if s.Verdict == format.StackNone {
			continue
		}
		all += s.Count
		if s.Verdict == format.StackComplete {
			whole += s.Count
		}
		for _, l := range s.Frames {
			if p.Functions[p.Locations[l].Function].Name == root {
				rooted += s.Count
				break
			}
		}
	}
	if whole*100 < all*95 {
		t.Errorf("%d of %d user stacks are whole: %+v", whole, all, p.Verdicts)
	}
	if root != "" && rooted*100 < all*90 {
		t.Errorf("%d of %d user stacks go through %s", rooted, all, root)
	}
}

// perfReport is what perf says of the same run.
type perfReport struct {
	shares  map[string]float64
	samples uint64
}

func (r *perfReport) share(name string) float64 {
	if s, ok := r.shares[name]; ok {
		return s
	}
	for full, s := range r.shares { // perf shows parameters
		if strings.HasPrefix(full, name+"(") {
			return s
		}
	}
	return 0
}

var perfLine = regexp.MustCompile(`^\s*([0-9.]+)%\s+\[\.\]\s+(.*?)\s*$`)

// perfShares reads the shares of user functions, of user samples.
func perfShares(t *testing.T, perf, data string) *perfReport {
	t.Helper()
	out, err := exec.Command(perf, "report", "-i", data, "--stdio", "-q", "-F", "overhead,sym", "--comm", "split").CombinedOutput()
	if err != nil {
		t.Fatalf("perf report: %v\n%s", err, out)
	}
	r := &perfReport{shares: map[string]float64{}}
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	total := 0.0
	for lines.Scan() {
		if m := perfLine.FindStringSubmatch(lines.Text()); m != nil {
			v, err := strconv.ParseFloat(m[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			r.shares[m[2]] += v
			total += v
		}
	}
	for name := range r.shares {
		r.shares[name] /= total
	}
	script, err := exec.Command(perf, "script", "-i", data, "-F", "comm", "--comm", "split").CombinedOutput()
	if err != nil {
		t.Fatalf("perf script: %v\n%s", err, script)
	}
	r.samples = uint64(strings.Count(string(script), "split"))
	if r.samples == 0 {
		t.Fatalf("perf has no samples:\n%s", out)
	}
	return r
}
