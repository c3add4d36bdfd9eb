//go:build linux && (amd64 || arm64)

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/headwatch"
	"github.com/ebpf-reel/reel/analyze/mask"
	"github.com/ebpf-reel/reel/analyze/tls"
	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture"
	"github.com/ebpf-reel/reel/format"
)

// captureFlags is the command line of reel capture.
type captureFlags struct {
	pids          []uint
	comms         []string
	cgroups       []string
	containers    []string
	duration      time.Duration
	output        string
	snaplen       snaplenValue
	ports         []uint
	payload       string
	keepSecrets   bool
	only          []string
	tls           string
	tlsMaxCPU     float64
	keepKeys      bool
	freeze        bool
	ringBytes     sizeValue
	segmentBytes  sizeValue
	segmentTime   time.Duration
	flushInterval time.Duration
	budget        budgetFlags
	triggers      triggerFlags
	ring          time.Duration
	ringSize      sizeValue
	oncpu         bool
	cpuHz         int
	offcpu        bool
	minBlock      time.Duration
}

func newCaptureCommand() *cobra.Command {
	f := captureFlags{snaplen: capture.DefaultSnaplen}
	cmd := &cobra.Command{
		Use:   "capture {-p PID | --comm NAME | --container NAME | --cgroup PATH | -- CMD ARGS} [-w X.reel]",
		Short: "Record what processes do on the network",
		Long: `capture records the socket calls of chosen processes and of all their descendants, with the first bytes of each message,
into a reel. It ends after --duration, at the first Ctrl-C, or when nothing is left to record; a second Ctrl-C does not
wait until it is sealed. It needs root, or CAP_BPF and CAP_PERFMON.

With --ring or --ring-size it is a flight recorder: it keeps the last of what happened on bounded disk, forever, and seals
nothing but what is asked for: by reel snap, or by SIGUSR2, which keeps all that the ring holds.`,
		Example: `  reel capture --comm nginx -d 60s -w checkout.reel
  reel capture -p 4711,4712 --port 8080
  reel capture --container shop/web-7d9f8 -d 60s
  reel capture -w test.reel -- go test ./...
  reel capture --comm nginx --ring 5m --ring-size 2GiB -w nginx.flight`,
		Args: cobra.ArbitraryArgs, // config says what is wrong with them
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := f.config(cmd, args)
			if err != nil {
				return err
			}
			return runCapture(cmd.ErrOrStderr(), cfg)
		},
	}
	flags := cmd.Flags()
	flags.UintSliceVarP(&f.pids, "pid", "p", nil, "record these processes: `PID[,PID]`")
	flags.StringArrayVar(&f.comms, "comm", nil, "record the processes called `NAME`, those that are started meanwhile too (may be repeated)")
	flags.StringArrayVar(&f.containers, "container", nil, "record the containers that `NAME` stands for: the beginning of an id, a name, a pod, NAMESPACE/POD; those that are started meanwhile too (may be repeated)")
	flags.StringArrayVar(&f.cgroups, "cgroup", nil, "record the processes of the cgroup at `PATH` and below, those that enter meanwhile too (may be repeated)")
	flags.DurationVarP(&f.duration, "duration", "d", 0, "end after this time, as 60s or 5m; 0: at Ctrl-C, or when nothing is left to record")
	flags.StringVarP(&f.output, "write", "w", "", "write the reel to `DIR` (default: the name of what is recorded, and the time)")
	flags.VarP(&f.snaplen, "snaplen", "s", "copy at most this many `BYTES` of each message, or full")
	flags.UintSliceVar(&f.ports, "port", nil, "record only sockets with one of these local or remote ports: `N[,N]`")
	flags.StringVar(&f.payload, "payload", "snap", "what the reel keeps of the bytes: none, heads (of HTTP), snap (what --snaplen copied), full (every byte)")
	flags.BoolVar(&f.keepSecrets, "keep-secrets", false, "keep credentials instead of masking them")
	flags.StringSliceVar(&f.only, "only", nil, "record only these `PARTS`: net is what there is")
	flags.BoolVar(&f.oncpu, "oncpu", false, "record what runs on the CPUs, with its stacks (reel flame shows it)")
	flags.IntVar(&f.cpuHz, "cpu-hz", defaultCPUHz, "with --oncpu: samples a second of each CPU")
	flags.StringVar(&f.tls, "tls", "auto", "how TLS connections are opened: `auto`, keys (probes that see the secrets of new connections), plaintext (probes on each message) or off")
	flags.Float64Var(&f.tlsMaxCPU, "tls-max-cpu", 100*capture.DefaultTLSShare, "with --tls auto: take probes on plaintext out of a process that pays more than this `PERCENT` of a CPU for them")
	flags.BoolVar(&f.keepKeys, "keep-keys", false, "keep the secrets of TLS connections in the reel, and their bytes as they were sent: who has it can read all")
	flags.BoolVar(&f.offcpu, "offcpu", false, "record what threads wait for, with their stacks (reel flame --off-cpu shows it)")
	flags.DurationVar(&f.minBlock, "min-block", time.Millisecond, "with --offcpu: record waits as long as this `TIME`, count shorter ones")
	flags.BoolVar(&f.freeze, "freeze", false, "give up all privileges once everything is attached: processes that come later are described less")
	flags.Var(&f.ringBytes, "ring-bytes", "`SIZE` of the ring of each CPU, a power of two (default 8MiB)")
	flags.Var(&f.segmentBytes, "segment-bytes", "seal a segment after this `SIZE` of journal (default 32MiB)")
	flags.DurationVar(&f.segmentTime, "segment-time", 0, "seal a segment after this time at the latest (default 10s)")
	flags.DurationVar(&f.ring, "ring", 0, "flight recorder: keep only the last `TIME`, as 5m, as far as --ring-size allows")
	flags.Var(&f.ringSize, "ring-size", "flight recorder: keep what fits into this `SIZE` of disk (default 512MiB)")
	flags.DurationVar(&f.flushInterval, "flush-interval", 0, "what a crash of the machine may lose (default 1s)")
	f.budget.register(flags)
	f.triggers.register(flags)
	return cmd
}

var tlsModes = map[string]capture.TLSMode{"auto": capture.TLSAuto, "keys": capture.TLSKeys, "plaintext": capture.TLSPlaintext, "off": capture.TLSOff}

// config checks the command line as a whole.
func (f *captureFlags) config(cmd *cobra.Command, args []string) (capture.Config, error) {
	cfg := capture.Config{
		Dir: f.output, Comms: f.comms, Cgroups: f.cgroups, Containers: f.containers, Duration: f.duration, Snaplen: uint32(f.snaplen), Payload: f.payload,
		Tool: "reel " + toolVersion(), CommandLine: mask.Args(slices.Clone(os.Args)),
		RingBytes: int(f.ringBytes), SegmentBytes: int64(f.segmentBytes), SegmentTime: f.segmentTime, FlushInterval: f.flushInterval,
	}
	if err := f.profileConfig(&cfg, cmd.Flags().Changed); err != nil {
		return cfg, err
	}
	limits, err := f.budget.limits()
	if err != nil {
		return cfg, err
	}
	cfg.Limits = limits
	cfg.Privileges = capture.PrivilegesReduced
	if f.freeze {
		cfg.Privileges = capture.PrivilegesFrozen
	}
	if changed := cmd.Flags().Changed; changed("ring") || changed("ring-size") {
		if f.ring < 0 || changed("ring") && f.ring == 0 {
			return cfg, &usageError{"--ring needs a time that is kept: --ring 5m"}
		}
		cfg.Flight = &capture.FlightConfig{Time: f.ring, Bytes: int64(f.ringSize)}
	}
	dash := cmd.ArgsLenAtDash()
	if dash < 0 {
		dash = len(args)
	}
	if dash > 0 {
		return cfg, &usageError{fmt.Sprintf("%q is not an option: a command to record stands after --, as in reel capture -- %s", args[0], strings.Join(args[:dash], " "))}
	}
	if cmd.ArgsLenAtDash() == 0 {
		if len(args) == 0 {
			return cfg, &usageError{"there is no command after --: reel capture -- CMD ARGS"}
		}
		cfg.Command, cfg.Reexec = args, []string{heldWord}
	}
	for _, part := range f.only {
		if part != "net" {
			return cfg, &usageError{fmt.Sprintf("--only %s is not possible: this version records net (socket calls and their bytes)", part)}
		}
	}
	mode, ok := tlsModes[f.tls]
	if !ok {
		return cfg, &usageError{fmt.Sprintf("--tls %s is not possible: it takes auto, keys, plaintext or off", f.tls)}
	}
	if !(f.tlsMaxCPU > 0 && f.tlsMaxCPU <= 100) {
		return cfg, &usageError{fmt.Sprintf("--tls-max-cpu %v is not possible: it is more than 0, and at most 100", f.tlsMaxCPU)}
	}
	cfg.TLS, cfg.TLSShare = mode, f.tlsMaxCPU/100
	cfg.KeepKeys, cfg.Opener = f.keepKeys, analyze.Opener{}
	cfg.Deriver = func() format.KeyDeriver { return tls.NewDeriver() }
	for _, pid := range f.pids {
		if pid > 1<<22 { // PID_MAX_LIMIT of include/linux/threads.h
			return cfg, &usageError{fmt.Sprintf("%d is no process id: the largest is %d", pid, 1<<22)}
		}
		cfg.PIDs = append(cfg.PIDs, format.PID(pid))
	}
	for _, port := range f.ports {
		if port < 1 || port > 65535 {
			return cfg, &usageError{fmt.Sprintf("%d is no port: --port takes 1 to 65535", port)}
		}
		cfg.Ports = append(cfg.Ports, uint16(port))
	}
	if cfg.Triggers, err = f.triggers.rules(); err != nil {
		return cfg, err
	}
	cfg.Heads = func(scopes []format.HeadScope) format.HeadWatcher { return headwatch.New(scopes) }
	if err := f.payloadConfig(&cfg, cmd.Flags().Changed("snaplen")); err != nil {
		return cfg, err
	}
	if cfg.Dir == "" {
		if cmd.Flags().Changed("write") {
			return cfg, &usageError{"-w needs a name: -w checkout.reel"}
		}
		cfg.Dir = capture.DefaultDir(&cfg, time.Now())
	}
	return cfg, nil
}

// payloadConfig fits what the kernel copies to what the reel keeps.
func (f *captureFlags) payloadConfig(cfg *capture.Config, snaplenGiven bool) error {
	policy, err := mask.ParsePolicy(f.payload)
	if err != nil {
		return &usageError{err.Error()}
	}
	switch {
	case policy == mask.Full && !snaplenGiven:
		cfg.Snaplen = bpf.SnapFull
	case policy == mask.Full && cfg.Snaplen != bpf.SnapFull:
		return &usageError{"--payload full keeps every byte, --snaplen copies only some: leave one out"}
	case policy == mask.None && snaplenGiven && cfg.Snaplen != 0:
		return &usageError{"--payload none keeps no byte that --snaplen copies: leave one out"}
	case policy == mask.None:
		cfg.Snaplen = 0
	}
	if policy == mask.None || policy == mask.Heads {
		if err := refuseSnaplenAction(cfg.Triggers, policy); err != nil {
			return err
		}
	}
	cfg.Filter = mask.New(mask.Options{KeepSecrets: f.keepSecrets, Payload: policy})
	cfg.SealReexec = sealCommand(f.payload, f.keepSecrets)
	return nil
}

// captureError gives an error of capture its exit code.
func captureError(err error) error {
	var usage *capture.UsageError
	var target *capture.TargetError
	var refused *capture.RefusedError
	var node *capture.NodeError
	var broken *capture.BrokenError
	switch {
	case errors.As(err, &usage), errors.As(err, &target):
		return withCode(exitInput, err)
	case errors.As(err, &refused), errors.As(err, &node), errors.As(err, &broken):
		return withCode(exitEnvironment, err)
	}
	return err
}

// commandError says how the command ended, and hands its exit code on as shells do; nil when it was 0.
func commandError(name string, s *capture.Summary) error {
	switch {
	case s.CommandRuns:
		return nil
	case s.Command.Signaled():
		return withCode(exitCode(128+s.Command.Signal()), fmt.Errorf("the command %s was ended by signal %d (%v)", name, s.Command.Signal(), s.Command.Signal()))
	case s.Command.ExitStatus() != 0:
		return withCode(exitCode(s.Command.ExitStatus()), fmt.Errorf("the command %s ended with exit code %d", name, s.Command.ExitStatus()))
	}
	return nil
}

// endSignals end a capture: Ctrl-C, a manager of services, a terminal that goes away.
var endSignals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
