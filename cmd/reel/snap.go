//go:build linux && (amd64 || arm64)

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/capture"
	"github.com/ebpf-reel/reel/report/quantity"
)

func newSnapCommand() *cobra.Command {
	var output, reason string
	var last, after time.Duration
	var noWait bool
	cmd := &cobra.Command{
		Use:   "snap RING [-o OUT.reel]",
		Short: "Keep what a flight recorder holds",
		Long: `snap asks the flight recorder (reel capture --ring) whose ring is the directory RING to keep what it holds, and a time after it, in
a new reel, while it goes on recording. Connections and processes that are older come with their addresses, role and owner. It
prints the name of the reel when that is sealed. The recorder's user and root may ask.`,
		Example: `  reel snap nginx.flight
  reel snap nginx.flight --last 1m --after 5s -o checkout.reel`,
		Args: oneArg("the ring of a flight recorder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("output") && output == "" {
				return &usageError{"-o needs a name: -o checkout.reel"}
			}
			p := newCapturePrinter(cmd.ErrOrStderr(), false)
			s, err := capture.AskSnap(args[0], capture.SnapRequest{Dir: output, Before: last, After: after, Reason: reason, OnBegin: p.snapBegun}, !noWait)
			if err != nil {
				return snapError(err)
			}
			if !noWait {
				p.say(fmt.Sprintf("%s is sealed, %s", shellQuote(s.Dir), quantity.Duration(s.Window)))
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), s.Dir)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&output, "output", "o", "", "the `REEL` to make (default: beside the ring, with the time)")
	flags.DurationVar(&last, "last", 0, "keep only the last `TIME` (default: all that the ring holds)")
	flags.DurationVar(&after, "after", 0, "and what happens in this `TIME` from now on")
	flags.StringVar(&reason, "reason", "reel snap", "`TEXT` that the reel keeps: why it was made")
	flags.BoolVar(&noWait, "no-wait", false, "return as soon as nothing can be lost any more, before the reel is sealed")
	return cmd
}

// snapError gives an error of a snap its exit code.
func snapError(err error) error {
	var refused *capture.SnapError
	if errors.As(err, &refused) {
		return withCode(exitInput, err)
	}
	var failed *capture.SnapFailedError
	var broken *capture.SnapBrokenError
	if errors.As(err, &failed) || errors.As(err, &broken) {
		return withCode(exitEnvironment, err)
	}
	return err
}
