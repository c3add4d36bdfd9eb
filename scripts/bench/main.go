// Command bench turns this machine into numbers for docs/benchmarks.md: what recording costs a server, how many events the
// recorder takes, and how fast a reel is read, each beside its peer (tcpdump, tshark) in the same run.
//
// Only ratios within one run are worth comparing: the machine may be shared. Pairs (without, with) are interleaved, their
// order alternates, ratios are taken inside a pair, and the median over the pairs is what is printed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ebpf-reel/reel/scripts/bench/probes"
)

// bench is one run: its settings and where it puts things.
type bench struct {
	reel    string // the binary
	dir     string // scratch, removed at the end
	rounds  int
	load    time.Duration // of one measurement
	again   int           // how often a pair that others disturbed is measured anew
	million int           // exchanges to analyze
}

// children are the jobs for which bench starts itself anew. What needs memory is one of them: a process that is forked inherits
// its parent's peak RSS (getrusage(2)), so bench has to stay small for what it measures.
var children = map[string]func(args []string) error{
	"ask":    ask,
	"hammer": hammer,
	"count":  count,
	"probe":  probes.Run,
}

func main() {
	if len(os.Args) > 1 {
		if own := children[os.Args[1]]; own != nil {
			if err := own(os.Args[2:]); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
				os.Exit(1)
			}
			return
		}
	}
	b := &bench{}
	out := flag.String("o", "docs/benchmarks.md", "`file` to write the page to")
	parts := flag.String("parts", "cost,latency,tls,events,reading", "what to measure; other parts of the page stay as they are")
	flag.StringVar(&b.reel, "reel", "bin/reel", "the `binary` to measure")
	flag.IntVar(&b.rounds, "rounds", 3, "interleaved pairs of each recorder")
	flag.IntVar(&b.again, "again", 2, "how often a pair is measured anew during which others took much of the machine")
	flag.DurationVar(&b.load, "load", 4*time.Second, "load of one measurement")
	flag.IntVar(&b.million, "exchanges", 1_000_000, "exchanges of the reel that is analyzed")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx, *out, strings.Split(*parts, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context, out string, parts []string) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("recording needs root; run: sudo make bench")
	}
	if b.reel, err = filepath.Abs(b.reel); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "reel-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)

	web, err := startNginx(ctx, filepath.Join(b.dir, "nginx"))
	if err != nil {
		return err
	}
	defer web.stop()

	page, err := openPage(out)
	if err != nil {
		return err
	}
	steps := []struct {
		name string
		run  func(context.Context, *nginx, *document) error
	}{
		{"cost", b.recorderCost},
		{"latency", b.latency},
		{"tls", b.tlsCost},
		{"events", b.eventRate},
		{"reading", b.reading},
	}
	for _, s := range steps {
		if !slices.Contains(parts, s.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, "==", s.name)
		part := &document{start: time.Now(), machine: machine()}
		if err := s.run(ctx, web, part); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		text := part.markdown()
		fmt.Print(text)
		if err := errors.Join(page.replace(s.name, text), page.store(out)); err != nil {
			return err
		}
	}
	return nil
}
