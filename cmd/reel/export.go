package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report/folded"
	"github.com/ebpf-reel/reel/report/pprof"
)

// An export writes something that is in a reel in a form that other tools read. Each has a flag of its own, of which one is given.
type export struct {
	flag  string
	usage string
	run   func(cmd *cobra.Command, dir string, w io.Writer) error
}

type exportFlags struct {
	output string
	force  bool
}

func newExportCommand() *cobra.Command {
	f := &exportFlags{}
	scope := &profileFlags{}
	exports := []export{
		{flag: "pprof", usage: "a profile for Google's pprof, of what ran (capture --oncpu)", run: profileExport(scope, pprof.Write)},
		{flag: "folded", usage: "folded stacks of what ran, for flame graph tools", run: profileExport(scope, folded.Write)},
		{flag: "keylog", usage: "the secrets of TLS 1.3 connections for Wireshark and others, as an SSLKEYLOGFILE (capture --keep-keys)", run: exportKeylog},
	}
	chosen := make([]bool, len(exports))
	cmd := &cobra.Command{
		Use:   "export X.reel {--pprof | --folded | --keylog} [-o FILE]",
		Short: "Write what is in a reel in a form that other tools read",
		Example: `  reel export checkout.reel --pprof -o checkout.pb.gz && go tool pprof -http : checkout.pb.gz
  reel export checkout.reel --folded --comm nginx | flamegraph.pl > nginx.svg
  reel export checkout.reel --keylog -o keys.log && tshark -r wire.pcap -o tls.keylog_file:keys.log -Y http`,
		Args: oneArg("the reel to export from"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for i, on := range chosen {
				if on {
					return writeOutput(f.output, f.force, cmd.OutOrStdout(), func(w io.Writer) error { return exports[i].run(cmd, args[0], w) })
				}
			}
			return errors.New("nothing is chosen") // MarkFlagsOneRequired refuses that
		},
	}
	var names []string
	for i := range exports {
		cmd.Flags().BoolVar(&chosen[i], exports[i].flag, false, exports[i].usage)
		names = append(names, exports[i].flag)
	}
	cmd.MarkFlagsMutuallyExclusive(names...)
	cmd.MarkFlagsOneRequired(names...)
	scope.register(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "write to `FILE` instead of standard output")
	cmd.Flags().BoolVar(&f.force, "force", false, "overwrite FILE if it exists")
	return cmd
}

func profileExport(scope *profileFlags, write func(io.Writer, *facts.Profile) error) func(*cobra.Command, string, io.Writer) error {
	return func(cmd *cobra.Command, dir string, w io.Writer) error {
		p, err := foldProfile(cmd, dir, scope)
		if err != nil {
			return err
		}
		return write(w, p)
	}
}
