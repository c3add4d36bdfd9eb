package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/route"
	"github.com/ebpf-reel/reel/analyze/sample"
	"github.com/ebpf-reel/reel/report"
	"github.com/ebpf-reel/reel/report/table"
	"github.com/ebpf-reel/reel/report/text"
)

type analyzeOptions struct {
	output              string
	format              string
	keylog              string
	routes              []string
	names               string
	rules, where        string
	samples             []string
	top                 int
	strict, force, keep bool
}

func newAnalyzeCommand() *cobra.Command {
	var opts analyzeOptions
	cmd := &cobra.Command{
		Use:   "analyze X.reel",
		Short: "Rebuild connections and exchanges, print a summary, write tables",
		Long: `analyze rebuilds connections, HTTP exchanges and who calls whom from a reel, and prints a summary that begins with
what was lost. It needs neither privileges nor the machine that was recorded. With -o it also writes tables
(docs/tables.md): connections, exchanges, lookups, edges, their metrics, endpoints, top, samples, events, nodes, processes, tls_coverage,
ledger.`,
		Example: `  reel analyze checkout.reel
  reel analyze checkout.reel -o checkout.tables
  reel analyze checkout.reel -o checkout.tables --format csv --strict
  reel analyze checkout.reel --names /etc/hosts
  reel analyze checkout.reel --where 'status >= 500 && duration > 200ms && path matches "^/api"'
  reel analyze checkout.reel -o checkout.tables --rules rules.yaml
  reel analyze checkout.reel -o checkout.tables --route '/shops/{shop}/items/{item}'`,
		Args: oneArg("the reel to analyze"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runAnalyze(cmd.Context(), args[0], opts, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&opts.output, "output", "o", "", "write tables into the new directory `DIR`")
	flags.StringVar(&opts.format, "format", string(table.Parquet), "of the tables: parquet, arrow, csv, jsonl, or table (text)")
	flags.StringArrayVar(&opts.routes, "route", nil, "count requests whose path matches the `TEMPLATE` (/users/{id}) as one endpoint; may be repeated, the first that matches counts")
	namesFlag(cmd, &opts.names)
	flags.StringVar(&opts.rules, "rules", "", "sample exchanges by the rules in `FILE` (docs/sampling.md)")
	flags.StringArrayVar(&opts.samples, "sample", nil, "sample exchanges by a `RULE`: 'uri=^/checkout min-duration=200ms 5xx request response'; may be repeated, the first whose uri matches decides")
	flags.StringVar(&opts.where, "where", "", "only exchanges for which `EXPR` is true (docs/filter.md); edges and totals are of all")
	flags.IntVar(&opts.top, "top", sample.DefaultTop, "show `N` exchanges in each list of the slowest and the failed")
	flags.BoolVar(&opts.strict, "strict", false, "exit with 4 when data was lost")
	flags.BoolVar(&opts.force, "force", false, "write into DIR if it exists, over its tables")
	keylogFlag(cmd, &opts.keylog)
	secretsFlag(cmd, &opts.keep)
	return cmd
}

func parseRoutes(given []string) ([]route.Template, error) {
	var out []route.Template
	for _, s := range given {
		t, err := route.ParseTemplate(s)
		if err != nil {
			return nil, &usageError{err.Error()}
		}
		out = append(out, t)
	}
	return out, nil
}

// terminalLimits are what the summary on the terminal shows of exchanges: the collector keeps that and no more.
func terminalLimits(top int) report.Limits {
	return report.Limits{Exchanges: 8 * max(text.Rows, top), Details: 1, Connections: 1}
}

func runAnalyze(ctx context.Context, path string, opts analyzeOptions, stdout io.Writer) error {
	tableFormat, err := table.ParseFormat(opts.format)
	if err != nil {
		return &usageError{err.Error()}
	}
	routes, err := parseRoutes(opts.routes)
	if err != nil {
		return err
	}
	rules, where, err := opts.choice()
	if err != nil {
		return err
	}
	secrets, err := tlsConfig(opts.keylog, opts.keep)
	if err != nil {
		return err
	}
	reel, err := openReel(path, opts.keep)
	if err != nil {
		return err
	}
	defer reel.Close()

	limitMemory()
	collector := report.NewCollector(terminalLimits(opts.top))
	var sink analyze.Sink = collector
	finish := func(*analyze.Result) error { return nil }
	if opts.output != "" {
		out, err := newTableDir(opts.output, opts.force)
		if err != nil {
			return err
		}
		defer out.discard()
		w, err := table.New(tableFormat, table.Info{Reel: reel.Manifest().UUID, Tool: toolVersion()}, out.create)
		if err != nil {
			return err
		}
		defer w.Close()
		sink = bothSinks{collector, w}
		finish = func(res *analyze.Result) error {
			if err := w.Finish(reportFacts(res)); err != nil {
				return err
			}
			out.keep()
			return nil
		}
	}
	cfg := analyze.Config{TLS: secrets, Sample: rules, Where: where, Top: opts.top}
	cfg.Topology.Endpoints.Given = routes
	if cfg.Topology.Names, err = readNames(opts.names); err != nil {
		return err
	}
	res, err := analyze.Run(ctx, reel, cfg, sink)
	if err != nil {
		return err
	}
	if err := finish(res); err != nil {
		return err
	}
	data := collector.Data(*reportFacts(res))
	data.Reel = filepath.Base(filepath.Clean(path))
	if data.List = opts.top; opts.top == 0 {
		data.List = -1
	}
	if cfg.Where != nil {
		data.Where, data.Matched = cfg.Where.String(), res.Matched
	}
	if err := text.Summary(stdout, data); err != nil {
		return err
	}
	if opts.strict {
		return strictVerdict(res.Ledger)
	}
	return nil
}

// reportFacts hands an analysis to those who show it.
func reportFacts(res *analyze.Result) *report.Facts {
	return &report.Facts{Summary: res.Summary, Nodes: res.Nodes, Edges: res.Edges, Ledger: res.Ledger, Processes: res.Processes,
		Endpoints: res.Endpoints, Intervals: res.Intervals, Coverage: res.Coverage, Top: res.Top}
}

// limitMemory lets the garbage collector work harder before the analysis grows beyond its bound, unless GOMEMLIMIT says otherwise.
func limitMemory() {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(analyze.MemoryLimit)
	}
}

// strictVerdict is an error when data was lost. It names every loss, so that a log of CI is enough to know.
func strictVerdict(entries []facts.LedgerEntry) error {
	var names []string
	for _, l := range entries {
		if l.Severity >= facts.DataLoss {
			names = append(names, l.Name)
		}
	}
	if names == nil {
		return nil
	}
	return withCode(exitLoss, fmt.Errorf("data was lost (%s), and --strict was given: the ledger says where", strings.Join(names, ", ")))
}

// bothSinks gives everything to two sinks.
type bothSinks [2]analyze.Sink

func (s bothSinks) Connection(c *facts.Connection) error {
	return errors.Join(s[0].Connection(c), s[1].Connection(c))
}

func (s bothSinks) Lookup(l *facts.Lookup) error {
	for _, sink := range s {
		if sink, takes := sink.(analyze.LookupSink); takes {
			if err := sink.Lookup(l); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s bothSinks) Exchange(x *facts.Exchange) error {
	return errors.Join(s[0].Exchange(x), s[1].Exchange(x))
}

// tableDir is the directory of the tables. What an analysis that failed has written is removed again.
type tableDir struct {
	dir   string
	force bool
	made  bool // the directory is new
	files []string
	kept  bool
}

// newTableDir makes the directory, of mode 0700. An existing one is an *existsError, unless force.
func newTableDir(dir string, force bool) (*tableDir, error) {
	err := os.Mkdir(dir, 0o700)
	switch {
	case err == nil:
		return &tableDir{dir: dir, force: force, made: true}, nil
	case !errors.Is(err, os.ErrExist):
		return nil, err
	case !force:
		return nil, &existsError{dir}
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, &usageError{dir + " is a file: the tables go into a directory"}
	}
	if _, err := os.Stat(filepath.Join(dir, "manifest.json")); err == nil {
		return nil, &usageError{dir + " is a reel: choose another directory for the tables"}
	}
	return &tableDir{dir: dir, force: force}, nil
}

func (t *tableDir) create(name string) (io.WriteCloser, error) {
	path := filepath.Join(t.dir, name)
	f, err := createFile(path, t.force)
	if err != nil {
		return nil, err
	}
	t.files = append(t.files, path)
	return f, nil
}

func (t *tableDir) keep() { t.kept = true }

// discard removes what was written unless it is to be kept.
func (t *tableDir) discard() {
	if t.kept {
		return
	}
	for _, path := range t.files {
		os.Remove(path)
	}
	if t.made {
		os.Remove(t.dir)
	}
}
