package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/exchange"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report"
	"github.com/ebpf-reel/reel/report/html"
	"github.com/ebpf-reel/reel/report/quantity"
	"github.com/ebpf-reel/reel/report/text"
)

type reportFlags struct {
	output      string
	format      string
	title       string
	force       bool
	strict      bool
	keepSecrets bool
	keylog      string
	names       string
	maxBytes    sizeValue
}

func newReportCommand() *cobra.Command {
	f := &reportFlags{maxBytes: html.DefaultMaxBytes}
	cmd := &cobra.Command{
		Use:   "report X.reel [-o X.html]",
		Short: "Write one HTML file that shows what was recorded",
		Long: `report analyzes a reel and writes one HTML file: it opens by double click, loads nothing, and sends nothing. First comes what was
recorded and whether it is whole, then the slowest and the failed exchanges, the edges between processes, and tables of all
exchanges and connections to search and sort. What does not fit into --max-bytes is left out, and the page says how much.`,
		Example: `  reel report checkout.reel
  reel report checkout.reel -o ticket-4711.html --title "Checkout is slow"
  reel report checkout.reel --format text`,
		Args: oneArg("the reel to report on"),
		RunE: func(cmd *cobra.Command, args []string) error { return runReport(cmd, args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.output, "output", "o", "", "write to `FILE`, or to standard output if it is -; by default next to the reel")
	flags.StringVar(&f.format, "format", "html", "html, or text for a summary (on standard output by default)")
	flags.StringVar(&f.title, "title", "", "of the page; by default the name of the reel")
	flags.Var(&f.maxBytes, "max-bytes", "size that the page must not exceed")
	flags.BoolVar(&f.force, "force", false, "overwrite FILE if it exists")
	flags.BoolVar(&f.strict, "strict", false, "exit with 4 if data was lost")
	keylogFlag(cmd, &f.keylog)
	namesFlag(cmd, &f.names)
	secretsFlag(cmd, &f.keepSecrets)
	return cmd
}

func runReport(cmd *cobra.Command, dir string, f *reportFlags) error {
	if f.format != "html" && f.format != "text" {
		return &usageError{fmt.Sprintf("--format %q is unknown: use html or text", f.format)}
	}
	output := f.output
	if output == "" && f.format == "html" {
		output = strings.TrimSuffix(filepath.Clean(dir), ".reel") + ".html"
	}
	toFile := output != "" && output != "-"
	if toFile && !f.force {
		// Better said now than after the analysis of a large reel.
		if _, err := os.Lstat(output); err == nil {
			return &existsError{output}
		}
	}
	data, err := reportData(cmd, dir, f)
	if err != nil {
		return err
	}

	var page bytes.Buffer
	if f.format == "html" {
		err = html.Render(&page, data, html.Options{MaxBytes: int64(f.maxBytes)})
	} else {
		err = text.Summary(&page, data)
	}
	if err != nil {
		return err
	}
	size := uint64(page.Len())
	if err := writeOutput(output, f.force, cmd.OutOrStdout(), func(w io.Writer) error {
		_, err := page.WriteTo(w)
		return err
	}); err != nil {
		return err
	}
	if toFile {
		fmt.Fprintf(cmd.OutOrStdout(), "%s  %s\n", output, quantity.Bytes(size))
	}
	if f.strict && data.Verdict().Level >= facts.DataLoss {
		return withCode(exitLoss, errors.New("data was lost: the ledger of the report says what"))
	}
	return nil
}

// reportData analyzes the reel and keeps what a report shows.
func reportData(cmd *cobra.Command, dir string, f *reportFlags) (*report.Data, error) {
	secrets, err := tlsConfig(f.keylog, f.keepSecrets)
	if err != nil {
		return nil, err
	}
	reel, err := openReel(dir, f.keepSecrets)
	if err != nil {
		return nil, err
	}
	defer reel.Close()
	collector := report.NewCollector(report.Limits{})
	// One byte more than is shown tells that there is more.
	config := analyze.Config{TLS: secrets, Exchange: exchange.Config{Headers: true, Body: report.DefaultLimits.Body + 1}}
	if config.Topology.Names, err = readNames(f.names); err != nil {
		return nil, err
	}
	result, err := analyze.Run(cmd.Context(), reel, config, collector)
	if err != nil {
		return nil, err
	}
	data := collector.Data(*reportFacts(result))
	data.Title = f.title
	data.Reel = filepath.Base(filepath.Clean(dir))
	data.Tool = "reel " + toolVersion()
	data.Privacy = privacy(reel.Manifest(), f.keepSecrets, secrets.Log != nil)
	return data, nil
}

func privacy(m *format.Manifest, keepSecrets, decrypts bool) report.Privacy {
	capture := &m.Capture
	p := report.Privacy{Payload: capture.Payload, Filter: capture.Filter, Secrets: keepsSecrets(capture.Filter)}
	// The flag shows credentials only where no seal has masked them: in a tail, and in what was decrypted.
	p.Secrets = p.Secrets || keepSecrets && (!m.Clean || decrypts)
	return p
}
