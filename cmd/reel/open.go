package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/analyze/mask"
	"github.com/ebpf-reel/reel/format"
)

// secretsFlag is --keep-secrets of commands that read a reel.
func secretsFlag(cmd *cobra.Command, keep *bool) {
	cmd.Flags().BoolVar(keep, "keep-secrets", false, "show credentials, as far as the reel has them: in a tail that was not sealed, and in what --keylog decrypts")
}

// openReel opens the reel at dir. What was not sealed comes as a seal would have left it (DESIGN D15): under the
// recorder's payload policy, with credentials masked unless it was told to keep them, or keepSecrets says so.
func openReel(dir string, keepSecrets bool) (*format.Reel, error) {
	tail := &tailFilter{mask.New(mask.Options{KeepSecrets: keepSecrets})}
	reel, err := format.Open(dir, format.OpenOptions{Filter: tail})
	if err != nil {
		return nil, err
	}
	capture := &reel.Manifest().Capture
	recorded := mask.Options{KeepSecrets: keepSecrets || keepsSecrets(capture.Filter)}
	if recorded.Payload, err = mask.ParsePolicy(capture.Payload); err != nil {
		recorded.Payload = mask.Snap // a policy of a newer reel, or none: nothing is left out by it
	}
	tail.Filter = mask.New(recorded)
	return reel, nil
}

// tailFilter is a filter that can be made when the manifest is known. Open itself filters nothing yet.
type tailFilter struct{ format.Filter }

// keepsSecrets reports whether a recorder with the filter of that version kept credentials.
func keepsSecrets(version string) bool {
	name, _, _ := strings.Cut(version, " ")
	return name == "keep-secrets" || version == format.NoFilter{}.Version()
}

// warnProblems says what is wrong with a reel that can be read all the same.
func warnProblems(w io.Writer, problems []format.Problem) {
	for _, p := range problems {
		fmt.Fprintln(w, "reel: warning:", sentence(p.String()))
	}
}
