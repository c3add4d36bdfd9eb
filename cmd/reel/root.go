package main

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/analyze/filter"
)

// run executes one command line and returns its exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) exitCode {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err != nil {
		fmt.Fprintln(stderr, "reel:", sentence(err.Error()))
		var wrong *filter.Error
		if errors.As(err, &wrong) && wrong.Line > 0 {
			for line := range strings.SplitSeq(wrong.Pointer(), "\n") {
				fmt.Fprintln(stderr, "  "+printable(line))
			}
		}
	}
	return codeOf(err)
}

// sentence makes a message one line that a terminal prints as it is: names in it may come from a hostile reel.
func sentence(s string) string {
	return printable(strings.Join(strings.Fields(s), " "))
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "reel",
		Short: "Record what processes do on the network, and look at it anywhere else",
		Long: `reel records what chosen processes do, without changing them, into a reel: a directory that describes itself.
Analysis and reports need neither privileges nor the machine that was recorded.`,
		Version:       toolVersion(),
		SilenceErrors: true, // run prints one sentence
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2 // edits
	root.SetVersionTemplate("reel {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Sprintf("%v: see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(
		newCaptureCommand(),
		newDoctorCommand(),
		newSnapCommand(),
		newDumpCommand(),
		newAssembleCommand(),
		newVerifyCommand(),
		newRecoverCommand(),
		newAnalyzeCommand(),
		newInfoCommand(),
		newReportCommand(),
		newFlameCommand(),
		newExportCommand(),
	)
	return root
}

// noArgs refuses arguments of a command that only has subcommands.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf(", do you mean %s?", near[0])
	}
	return &usageError{fmt.Sprintf("there is no command %q%s: see reel --help", args[0], hint)}
}

// oneArg demands exactly one argument, described as what.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 1:
			return nil
		case 0:
			return &usageError{fmt.Sprintf("%s needs %s: %s", cmd.CommandPath(), what, cmd.UseLine())}
		}
		return &usageError{fmt.Sprintf("%s takes one argument, %s, and was given %d: %s", cmd.CommandPath(), what, len(args), cmd.UseLine())}
	}
}

// toolVersion is the version of this binary: that of its module, or the commit that it was built from.
func toolVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	var commit, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if commit == "" {
		return "devel"
	}
	return "devel-" + commit + dirty
}
