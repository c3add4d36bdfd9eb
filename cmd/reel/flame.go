package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report/flame"
	"github.com/ebpf-reel/reel/report/folded"
	"github.com/ebpf-reel/reel/report/pprof"
	"github.com/ebpf-reel/reel/report/text"
)

type flameFlags struct {
	profileFlags
	output string
	title  string
	by     string
	force  bool
	top    int
}

var flameBy = map[string]flame.By{"process": flame.ByProcess, "thread": flame.ByThread, "none": flame.ByNone}

func newFlameCommand() *cobra.Command {
	f := &flameFlags{}
	cmd := &cobra.Command{
		Use:   "flame X.reel [-o X.html|X.svg|X.folded|X.pb.gz]",
		Short: "Draw a flame graph of what ran",
		Long: `flame folds the samples of a reel that was recorded with --oncpu and writes a flame graph: a page (.html) that opens by double click,
in which one zooms, searches, turns stacks around and sorts functions; a picture (.svg); folded stacks (.folded); or a profile
for Google's pprof (.pb.gz). Names are in the reel: the machine that was recorded is not needed.`,
		Example: `  reel flame checkout.reel
  reel flame checkout.reel --comm nginx --from 10s --to 20s -o peak.svg
  reel flame checkout.reel --top 20`,
		Args: oneArg("the reel to draw"),
		RunE: func(cmd *cobra.Command, args []string) error { return runFlame(cmd, args[0], f) },
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&f.output, "output", "o", "", "write to `FILE`, whose ending chooses the form; by default a page next to the reel")
	flags.StringVar(&f.title, "title", "", "of the graph")
	flags.StringVar(&f.by, "by", "process", "what stands below all stacks: process, thread or none")
	flags.IntVar(&f.top, "top", 0, "print the `N` functions with most time of their own instead of drawing")
	flags.BoolVar(&f.force, "force", false, "overwrite FILE if it exists")
	return cmd
}

// reelName is what a reel is called.
func reelName(dir string) string {
	return strings.TrimSuffix(filepath.Base(filepath.Clean(dir)), ".reel")
}

func runFlame(cmd *cobra.Command, dir string, f *flameFlags) error {
	by, ok := flameBy[f.by]
	if !ok {
		return &usageError{fmt.Sprintf("--by %q is unknown: use process, thread or none", f.by)}
	}
	if f.top < 0 {
		return &usageError{"--top needs a number of functions, 1 or more"}
	}
	output := f.output
	if output == "" && f.top == 0 {
		output = filepath.Join(filepath.Dir(filepath.Clean(dir)), reelName(dir)+".flame.html")
	}
	opts := flame.Options{Title: f.title, By: by, Tool: "reel " + toolVersion()}
	write, err := flameForm(output, f.top, opts)
	if err != nil {
		return err
	}
	if output != "" && output != "-" && !f.force {
		if _, err := os.Lstat(output); err == nil { // better said now than after the analysis of a large reel
			return &existsError{output}
		}
	}
	profile, err := foldProfile(cmd, dir, &f.profileFlags)
	if err != nil {
		return err
	}
	if err := writeOutput(output, f.force, cmd.OutOrStdout(), func(w io.Writer) error { return write(w, profile) }); err != nil {
		return err
	}
	if output != "" && output != "-" {
		fmt.Fprintln(cmd.OutOrStdout(), output)
	}
	return nil
}

// flameForm chooses what is written by the ending of the name.
func flameForm(output string, top int, opts flame.Options) (func(io.Writer, *facts.Profile) error, error) {
	switch {
	case top > 0:
		return func(w io.Writer, p *facts.Profile) error { return text.Top(w, p, top) }, nil
	case strings.HasSuffix(output, ".html"):
		return func(w io.Writer, p *facts.Profile) error { return flame.HTML(w, p, opts) }, nil
	case strings.HasSuffix(output, ".svg"):
		return func(w io.Writer, p *facts.Profile) error { return flame.SVG(w, p, opts) }, nil
	case strings.HasSuffix(output, ".folded"):
		return folded.Write, nil
	case strings.HasSuffix(output, ".pb.gz"), strings.HasSuffix(output, ".pprof"):
		return pprof.Write, nil
	}
	return nil, &usageError{fmt.Sprintf("-o %s: the ending chooses the form, .html, .svg, .folded or .pb.gz", output)}
}
