package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report/quantity"
)

func newVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify X.reel",
		Short: "Check that a reel is whole",
		Long: `verify reads every byte of a reel and checks it: the checksum of each file, the number and the times of its rows,
and that each payload belongs to a row. It prints what is wrong, and exits with 2 when something is damaged or missing.
A reel whose recorder was killed is not damaged: verify says that it is unclean, and exits with 0.`,
		Example: "  reel verify checkout.reel",
		Args:    oneArg("the reel to verify"),
		RunE: func(cmd *cobra.Command, args []string) error {
			reel, err := format.Open(args[0], format.OpenOptions{Filter: format.NoFilter{}})
			if err != nil {
				return err
			}
			defer reel.Close()
			problems := reel.Verify(cmd.Context())
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			for _, p := range problems {
				fmt.Fprintln(out, p)
			}
			m := reel.Manifest()
			damaged := slices.ContainsFunc(problems, isDamage)
			fmt.Fprintf(out, "%s: %s, %s, %s\n", args[0], verdict(m, damaged), quantity.Of(uint64(len(m.Segments)), "segment"), quantity.Of(sealedRows(m), "sealed row"))
			if damaged {
				return fmt.Errorf("%s is damaged: what is whole can still be read", args[0])
			}
			return nil
		},
	}
}

func verdict(m *format.Manifest, damaged bool) string {
	switch {
	case damaged:
		return "damaged"
	case !m.Clean:
		return "whole, but not ended cleanly"
	}
	return "whole"
}

// isDamage reports whether a problem means that the reel is not what its recorder left. A torn frame at the end of a reel that was
// not ended is what a kill leaves.
func isDamage(p format.Problem) bool {
	switch p.Kind {
	case format.ProblemMissing, format.ProblemCorrupt, format.ProblemGarbage:
		return true
	}
	return false
}

func sealedRows(m *format.Manifest) uint64 {
	var n uint64
	for _, s := range m.Segments {
		for _, f := range s.Files {
			if f.Table != format.TablePayload.String() {
				n += uint64(f.Rows) // not negative: the manifest was checked
			}
		}
	}
	return n
}
