//go:build linux && (amd64 || arm64)

package bpf

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

var pageSize = os.Getpagesize()

// Objects are the programs and maps in the kernel. Drain, Wait and Close must not run at the same time as each other; all
// other methods may be called from any goroutine.
type Objects struct {
	maps     map[string]*ebpf.Map
	programs map[string]*ebpf.Program
	refused  map[string]error // by program
	links    []link.Link
	events   []int // perf events
	sampleHz uint32
	targets  *targetMap
	rings    *ringSet
	live     live
}

// A part is one object file. Its programs stand or fall together.
type part struct {
	name string
	load func() (*ebpf.CollectionSpec, error)
}

var parts = []part{
	{"syscalls", loadSyscalls},
	{"state", loadState},
	{"process", loadProcess},
	{"tcp", loadTcp},
	{"tlskeys", loadTlskeys},
	{"plaintext", loadPlaintext},
	{"snapshot", loadSnapshot},
	{"profile", loadProfile},
	{"offcpu", loadOffcpu},
}

// Load puts the programs and maps into the kernel; nothing is recorded before Attach and AddTarget. A part that the kernel
// refuses is reported by Attach, unless it is one without which a capture makes no sense: then Load fails, by an
// *UnsupportedError where the cause is known.
func Load(opts Options) (_ *Objects, err error) {
	ringBytes, err := opts.ringBytes()
	if err != nil {
		return nil, err
	}
	if err := mayLoad(); err != nil {
		return nil, err
	}
	o := &Objects{maps: map[string]*ebpf.Map{}, programs: map[string]*ebpf.Program{}, refused: map[string]error{}, sampleHz: opts.SampleHz}
	defer func() {
		if err != nil {
			_ = o.Close()
		}
	}()
	for _, p := range parts {
		if p.name == "profile" && opts.SampleHz == 0 || p.name == "offcpu" && opts.MinBlock == 0 {
			continue
		}
		if err := o.loadPart(p, opts, ringBytes); err != nil {
			return nil, err
		}
	}
	if o.targets, err = openTargets(o.maps["targets"]); err != nil {
		return nil, err
	}
	if o.rings, err = openRings(o.maps["rings"], ringBytes); err != nil {
		return nil, err
	}
	return o, nil
}

// mayLoad makes room for maps, and finds out whether the kernel describes its types.
func mayLoad() error {
	if err := rlimit.RemoveMemlock(); err != nil {
		return &UnsupportedError{"lock memory for BPF maps", err.Error(),
			"raise the limit (ulimit -l unlimited), or run with CAP_SYS_RESOURCE", err}
	}
	if _, err := os.Stat(btfPath); err != nil {
		return noBTF("load BPF programs", err)
	}
	return nil
}

func (o *Objects) loadPart(p part, opts Options, ringBytes uint32) error {
	spec, err := p.load()
	if err != nil {
		return fmt.Errorf("read the object %s: %w", p.name, err)
	}
	if err := configure(spec, opts, ringBytes); err != nil {
		return err
	}
	refused, err := fitTCP(spec)
	if err != nil {
		return err
	}
	maps.Copy(o.refused, refused)
	if err := chooseResume(spec); err != nil {
		return err
	}
	if err := o.leaveOut(spec); err != nil {
		return err
	}
	chooseUprobes(spec)
	shared := map[string]*ebpf.Map{}
	for name := range spec.Maps {
		if m := o.maps[name]; m != nil {
			shared[name] = m
		}
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: shared})
	if err != nil {
		err = explain("load the programs of "+p.name, err)
		if hooks.required(spec) {
			return err
		}
		for name := range spec.Programs {
			o.refused[name] = err
		}
		return nil
	}
	for name, m := range coll.Maps {
		if o.maps[name] != nil || strings.HasPrefix(name, ".") { // ours already; or data that the programs hold on to
			_ = m.Close()
			continue
		}
		o.maps[name] = m
	}
	o.live.find(coll)
	for name, prog := range coll.Programs {
		o.programs[name] = prog
	}
	return nil
}

// resize changes the room of maps. Tests use it, to fill them.
var resize map[string]uint32

// leaveOut takes programs out of a part whose tracepoint this kernel does not have: the others of the part are not refused for it.
func (o *Objects) leaveOut(spec *ebpf.CollectionSpec) error {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return explain("read the types of the kernel", err)
	}
	for name, p := range spec.Programs {
		if p.AttachType != ebpf.AttachTraceRawTp {
			continue
		}
		var hook *btf.Typedef
		if err := kernel.TypeByName("btf_trace_"+p.AttachTo, &hook); errors.Is(err, btf.ErrNotFound) {
			o.refused[name] = fmt.Errorf("this kernel has no tracepoint %s: %w", p.AttachTo, ebpf.ErrNotSupported)
			delete(spec.Programs, name)
		}
	}
	return nil
}

// configure sets what is fixed at load time, and what begins as the options say.
func configure(spec *ebpf.CollectionSpec, opts Options, ringBytes uint32) error {
	consts := map[string]any{
		"snaplen":        opts.Snaplen,
		"wake_bytes":     ringBytes / wakeShare,
		"salt":           opts.Salt,
		"transfer_limit": opts.Transfer,
		"filter_ports":   boolByte(len(opts.Ports) > 0),
		"port_bits":      opts.portBits(),
		"watch_cgroups":  boolByte(opts.WatchCgroups),
		"own_pid_ns":     opts.OwnPIDNamespace,
		"min_block_ns":   uint64(opts.MinBlock),
	}
	for name, value := range consts {
		v := spec.Variables[name]
		if v == nil {
			continue
		}
		if err := v.Set(value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return err
	}
	blocks, err := targetBlocks()
	if err != nil {
		return err
	}
	scratch := uint32(cpus)
	if haveLoop() {
		scratch = 1 // it is not used
	}
	for name, n := range map[string]uint32{"cpus": uint32(cpus), "rings": uint32(cpus), "scratch": scratch, "targets": blocks,
		"process_records": uint32(cpus) + 1, "samples": uint32(cpus), "blocks": uint32(cpus)} {
		if m := spec.Maps[name]; m != nil {
			m.MaxEntries = n
		}
	}
	for name, n := range resize {
		if m := spec.Maps[name]; m != nil {
			m.MaxEntries = n
		}
	}
	if m := spec.Maps["rings"]; m != nil {
		m.InnerMap.MaxEntries = ringBytes
	}
	chooseExit(spec)
	return nil
}

// haveLoop reports whether the kernel has bpf_loop (Linux 5.17), which is there for all types of programs or for none. (For
// tracing programs nobody can ask: they must name what they attach to.) Tests turn it off.
var haveLoop = func() bool {
	return features.HaveProgramHelper(ebpf.RawTracepoint, asm.FnLoop) == nil
}

// chooseExit keeps the one of the two sys_exit programs that this kernel can run, under the name sys_exit.
func chooseExit(spec *ebpf.CollectionSpec) {
	bounded := spec.Programs["sys_exit_bounded"]
	if bounded == nil {
		return
	}
	delete(spec.Programs, "sys_exit_bounded")
	if !haveLoop() {
		spec.Programs["sys_exit"] = bounded
	}
}

func boolByte(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// Close detaches and frees everything. What is still in the rings is lost: Drain first.
func (o *Objects) Close() error {
	var errs []error
	for _, l := range o.links {
		errs = append(errs, l.Close())
	}
	for _, fd := range o.events {
		errs = append(errs, unix.Close(fd))
	}
	if o.rings != nil {
		errs = append(errs, o.rings.close())
	}
	if o.targets != nil {
		errs = append(errs, o.targets.close())
	}
	for _, p := range o.programs {
		errs = append(errs, p.Close())
	}
	for _, m := range o.maps {
		errs = append(errs, m.Close())
	}
	o.links, o.events, o.rings, o.targets = nil, nil, nil, nil
	clear(o.programs)
	clear(o.maps)
	return errors.Join(errs...)
}

// onlineCPUs reads a CPU list of the kernel: "0-3,8".
func onlineCPUs() ([]int, error) {
	const path = "/sys/devices/system/cpu/online"
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var cpus []int
	for _, span := range strings.Split(strings.TrimSpace(string(text)), ",") {
		first, last, isRange := strings.Cut(span, "-")
		if !isRange {
			last = first
		}
		a, errA := strconv.Atoi(first)
		b, errB := strconv.Atoi(last)
		if errA != nil || errB != nil || b < a || b > 1<<16 {
			return nil, fmt.Errorf("%s: %q is no list of CPUs", path, text)
		}
		for c := a; c <= b; c++ {
			cpus = append(cpus, c)
		}
	}
	return cpus, nil
}
