package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/format/text"
)

func newAssembleCommand() *cobra.Command {
	var output string
	var force bool
	cmd := &cobra.Command{
		Use:   "assemble FILE -o X.reel",
		Short: "Make a reel of text",
		Long: `assemble reads the text form of a reel, as reel dump writes it or as a person does, and makes a sealed reel of it.
Rows are stored as they are: nothing is masked. FILE is - for standard input.`,
		Example: `  reel assemble checkout.txt -o checkout.reel
  grep -v ^heartbeat checkout.txt | reel assemble - -o quiet.reel`,
		Args: oneArg("the text to read, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output == "" {
				return &usageError{"reel assemble needs the reel to make: reel assemble " + args[0] + " -o X.reel"}
			}
			in, name := cmd.InOrStdin(), "standard input"
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				in, name = f, args[0]
			}
			return replaceReel(output, force, func(dir string) error { return assemble(in, name, dir) })
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "the `REEL` to make")
	cmd.Flags().BoolVar(&force, "force", false, "replace REEL if it is a reel that exists")
	return cmd
}

// replaceReel lets build make a reel beside path and moves it to path when it is whole. What is there already is only
// replaced with force, and only if it is a reel.
func replaceReel(path string, force bool, build func(dir string) error) error {
	_, err := os.Lstat(path)
	exists := err == nil
	switch {
	case exists && !force:
		return &existsError{path}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if exists {
		if _, err := format.Open(path, format.OpenOptions{}); errors.Is(err, format.ErrNotReel) {
			return fmt.Errorf("%s is not a reel and will not be replaced: choose another name", path)
		}
	}
	path = filepath.Clean(path)
	beside, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(beside)
	made := filepath.Join(beside, "reel")
	if err := build(made); err != nil {
		return err
	}
	if exists {
		if err := os.Rename(path, filepath.Join(beside, "old")); err != nil {
			return err
		}
	}
	return os.Rename(made, path)
}

// assemble makes a reel at dir of the text in.
func assemble(in io.Reader, name, dir string) error {
	m, rows, err := text.Parse(in)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	w, err := format.Create(dir, m.Capture, format.WriterConfig{UUID: m.UUID, Filter: format.NoFilter{}, Of: m})
	if err != nil {
		return err
	}
	for row, err := range rows {
		if err == nil {
			err = w.AppendRow(row)
		}
		if err != nil {
			_ = w.Close() // the first error is the one to tell
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return w.Close()
}
