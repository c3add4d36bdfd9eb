package main

import (
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/format/text"
)

func newDumpCommand() *cobra.Command {
	var output string
	var tables []string
	var force, keepSecrets bool
	cmd := &cobra.Command{
		Use:   "dump X.reel",
		Short: "Write a reel as text, one line a row",
		Long: `dump writes every row of a reel as text, in the order of time: what is in it, to read and to grep.
reel assemble makes a reel of such a text again.`,
		Example: `  reel dump checkout.reel | grep ' < .*"GET '
  reel dump checkout.reel --table process,hook
  reel dump checkout.reel -o checkout.txt`,
		Args: oneArg("the reel to dump"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := tableIDs(tables)
			if err != nil {
				return err
			}
			reel, err := openReel(args[0], keepSecrets)
			if err != nil {
				return err
			}
			defer reel.Close()
			err = writeOutput(output, force, cmd.OutOrStdout(), func(w io.Writer) error {
				rows := reel.Rows(format.RowsOptions{Tables: ids})
				if !keepSecrets {
					rows = withoutSecrets(rows)
				}
				return text.Write(w, reel.Manifest(), rows)
			})
			warnProblems(cmd.ErrOrStderr(), reel.Problems()) // reading may have found more of them
			return err
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to `FILE` instead of standard output")
	cmd.Flags().StringSliceVar(&tables, "table", nil, "only these `TABLES`: "+strings.Join(text.Tables(), ","))
	cmd.Flags().BoolVar(&force, "force", false, "overwrite FILE if it exists")
	secretsFlag(cmd, &keepSecrets)
	return cmd
}

// withoutSecrets leaves the secrets of TLS connections out: a reel that was not finished has them in what is sealed too.
func withoutSecrets(rows iter.Seq2[format.Row, error]) iter.Seq2[format.Row, error] {
	return func(yield func(format.Row, error) bool) {
		for row, err := range rows {
			if key, ok := row.(*format.TLSKey); ok && err == nil {
				hidden := *key
				hidden.Secret = nil
				row = &hidden
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

func tableIDs(names []string) ([]format.TableID, error) {
	var ids []format.TableID
	for _, name := range names {
		id, ok := text.TableByName(name)
		if !ok {
			return nil, &usageError{fmt.Sprintf("there is no table %q: choose from %s", name, strings.Join(text.Tables(), ", "))}
		}
		ids = append(ids, id)
	}
	return ids, nil
}
