//go:build linux && (amd64 || arm64)

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/capture"
	"github.com/ebpf-reel/reel/capture/doctor"
	"github.com/ebpf-reel/reel/format"
)

func newDoctorCommand() *cobra.Command {
	var asJSON bool
	var pid uint32
	var dir string
	var rings sizeValue
	cmd := &cobra.Command{
		Use:   "doctor [-p PID]",
		Short: "Say what a capture on this node would see, and what it would not",
		Long: `doctor looks at the kernel, at what this user may do, at memory and disk, and loads and attaches each hook for an instant, to no
process. Nothing is recorded. It prints a line for each, and for what is missing what a capture would lack and what to do about it. With
-p, it also says what would be seen of one process. Exit code 5 means that no capture is possible.`,
		Example: `  reel doctor
  reel doctor -p 4711
  reel doctor --json | jq '.checks[] | select(.state != "ok")'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg := capture.Config{Dir: dir, RingBytes: int(rings)}
			options := cfg.DoctorOptions()
			d := diagnosis{Checks: append(doctor.Node(options), doctor.TryHooks(options.RingBytes)...)}
			if pid != 0 {
				of, err := doctor.Process(format.PID(pid))
				if errors.Is(err, fs.ErrNotExist) {
					return withCode(exitInput, fmt.Errorf("process %d does not exist: ps -e lists those that do", pid))
				}
				if err != nil {
					return err
				}
				d.Process = of
			}
			d.State = doctor.Worst(d.Checks)
			if err := d.print(cmd.OutOrStdout(), asJSON); err != nil {
				return err
			}
			if d.State == format.CheckBlocked {
				return withCode(exitEnvironment, errors.New("no capture is possible here: see what is blocked"))
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&asJSON, "json", false, "print JSON; its names do not change between versions")
	flags.Uint32VarP(&pid, "pid", "p", 0, "say also what would be seen of this process: `PID`")
	flags.StringVarP(&dir, "write", "w", "x.reel", "the reel that would be made: `DIR`")
	flags.Var(&rings, "ring-bytes", "`SIZE` of the ring of each CPU (default 8MiB)")
	return cmd
}

// diagnosis is what doctor prints as JSON.
type diagnosis struct {
	State   format.CheckState `json:"state"` // of the node
	Checks  []format.Check    `json:"checks"`
	Process []format.Check    `json:"process,omitempty"`
}

func (d *diagnosis) print(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(d)
	}
	text := appendChecks(nil, d.Checks)
	if d.Process != nil {
		text = append(text, '\n')
		text = appendChecks(text, d.Process)
	}
	text = append(text, '\n')
	text = append(text, verdicts[d.State]+"\n"...)
	_, err := w.Write(text)
	return err
}

var verdicts = map[format.CheckState]string{
	format.CheckOK:      "A capture here sees all that this version of reel can record.",
	format.CheckLimited: "A capture is possible here. It lacks what is said under \"limited\".",
	format.CheckBlocked: "No capture is possible here.",
}
