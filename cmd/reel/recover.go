package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/mask"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report/quantity"
)

func newRecoverCommand() *cobra.Command {
	var dryRun, strict, asJSON bool
	var payload string
	cmd := &cobra.Command{
		Use:   "recover X.reel",
		Short: "Make a clean reel of one whose recorder was killed",
		Long: `recover ends a reel whose recorder could not: killed, the machine went down, the disk was full. It seals what lies in
journals up to where they are whole, masked as the recorder would have, removes what interrupted seals left, and records in the
reel what was cut. A manifest that is missing or damaged is rebuilt of the other files. It needs neither privileges nor the
machine that was recorded, changes nothing of what is sealed, and may be run again whenever it was interrupted.`,
		Example: `  reel recover checkout.reel
  reel recover checkout.reel --dry-run`,
		Args: oneArg("the reel to recover"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if payload != "" {
				if _, err := mask.ParsePolicy(payload); err != nil {
					return &usageError{err.Error()}
				}
			}
			got, err := format.Recover(args[0], format.RecoverOptions{
				Filter: func(m *format.Manifest) (format.Filter, error) { return recorderFilter(m, payload) },
				Opener: recorderOpener,
				DryRun: dryRun, Tool: "reel " + toolVersion(), Now: format.WallTime(time.Now().UnixNano()),
			})
			if err != nil {
				return recoverError(args[0], err)
			}
			out := cmd.OutOrStdout()
			if asJSON {
				enc := json.NewEncoder(out)
				enc.SetIndent("", "  ")
				err = enc.Encode(recoveryJSON{args[0], dryRun, got.Nothing, got.Recovered, got.Removed, got.Left})
			} else {
				err = printRecovery(out, args[0], dryRun, got)
			}
			if err != nil {
				return err
			}
			if lost := got.CutBytes - got.TornBytes; strict && lost > 0 {
				return withCode(exitLoss, fmt.Errorf("%s lost %s of records that had been written", args[0], quantity.Bytes(uint64(lost))))
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&dryRun, "dry-run", "n", false, "say what would be done, and change nothing")
	flags.BoolVar(&strict, "strict", false, "exit with 4 if more was cut than the torn end that a kill leaves")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	flags.StringVar(&payload, "payload", "", "what the recorder was told to keep of the bytes, if the manifest that said so is lost: none, heads, snap or full (default heads)")
	return cmd
}

// recorderFilter makes the filter that the recorder of a reel had. payload stands in for a policy that is lost.
func recorderFilter(m *format.Manifest, payload string) (format.Filter, error) {
	said := m.Capture.Payload
	if said == "" && m.Capture.Filter == "" {
		said = payload
	}
	opts, err := mask.Of(m.Capture.Filter, said)
	if err != nil {
		return nil, err
	}
	if m.Capture.Filter == (format.NoFilter{}).Version() && said == "" {
		return format.NoFilter{}, nil
	}
	return mask.New(opts), nil
}

// recorderOpener is what the recorder would have finished the reel with.
func recorderOpener(m *format.Manifest) format.Opener {
	if m.Capture.KeepKeys {
		return nil
	}
	return analyze.Opener{}
}

// recoverError says what to do where the library's sentence is for a recorder.
func recoverError(dir string, err error) error {
	var full *format.DiskFullError
	if errors.As(err, &full) {
		return withCode(exitEnvironment, fmt.Errorf("no space left to write %s: free some and run reel recover again, or copy %s to another disk and recover it there; nothing is lost", full.File, dir))
	}
	return err
}

type recoveryJSON struct {
	Path    string `json:"path"`
	DryRun  bool   `json:"dry_run"`
	Nothing bool   `json:"nothing_to_do"`
	format.Recovered
	Removed []string `json:"removed"`
	Left    []string `json:"left"`
}

func printRecovery(w io.Writer, path string, dryRun bool, r *format.Recovery) error {
	var b []byte
	line := func(label, f string, args ...any) {
		b = fmt.Appendf(b, "%-10s%s\n", label, sentence(fmt.Sprintf(f, args...)))
	}
	switch {
	case r.Nothing:
		line("clean", "%s: its recorder ended it, there is nothing to recover", path)
	case dryRun:
		line("would", "recover %s: %s with %s would be sealed", path, quantity.Of(uint64(r.Sealed), "journal"), quantity.Of(uint64(r.Records), "record"))
	default:
		line("recovered", "%s: %s with %s sealed", path, quantity.Of(uint64(r.Sealed), "journal"), quantity.Of(uint64(r.Records), "record"))
	}
	if r.Rebuilt {
		text := "it was missing or damaged, and is rebuilt of the other files"
		if len(r.Unknown) > 0 {
			text += "; host, kernel, command and targets are not known any more"
		}
		line("manifest", "%s", text)
	}
	for _, n := range r.Adopted {
		line("added", "segment %d, which no manifest named", n)
	}
	for _, c := range r.Cuts {
		line("cut", "%s at byte %d: %s%s", c.File, c.Offset, c.Why, around(c.After, c.Before))
	}
	for _, name := range r.Removed {
		line("removed", "%s", name)
	}
	for _, s := range r.Left {
		line("left", "%s", s)
	}
	if !r.Nothing {
		line("lost", "%s without a whole record; what the recorder had not written when it ended", quantity.Bytes(uint64(r.CutBytes)))
	}
	_, err := w.Write(b)
	return err
}

// around says between which times the records lay that were cut.
func around(after, before format.KTime) string {
	at := func(t format.KTime) string { return time.Duration(t).Round(time.Microsecond).String() }
	switch {
	case after != 0 && before != 0:
		return fmt.Sprintf(" (between %s and %s)", at(after), at(before))
	case after != 0:
		return fmt.Sprintf(" (after %s)", at(after))
	}
	return ""
}
