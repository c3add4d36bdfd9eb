package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ebpf-reel/reel/scripts/bench/probes"
)

// Names of the recorders of TLS that the bars are about.
const (
	tlsKeys      = "reel capture --only net --tls keys"
	tlsPlaintext = "reel capture --only net --tls plaintext"
	tlsBare      = "bare probes at emulated sites"
)

// tlsRecorders are what records, or only probes, a server of TLS.
func (b *bench) tlsRecorders() ([]recorder, error) {
	says := func(words string) func(printed, out string, _ time.Duration) bool {
		return func(printed, _ string, _ time.Duration) bool { return strings.Contains(printed, words) }
	}
	mode := func(name, tls string) recorder {
		return recorder{
			name: name,
			args: func(n *nginx, out string) []string {
				return []string{b.reel, "capture", "-p", strconv.Itoa(n.worker), "--only", "net", "--tls", tls, "-w", out}
			},
			ready: says("recording"), result: readReel,
		}
	}
	library, err := mappedLibrary("nginx", "libssl.so")
	if err != nil {
		return nil, err
	}
	script := filepath.Join(b.dir, "probes.bt")
	text := ""
	for _, f := range probes.Functions {
		text += fmt.Sprintf("uprobe:%[1]s:%[2]s { @calls = 1; }\nuretprobe:%[1]s:%[2]s { @returns = 1; }\n", library, f)
	}
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	uncounted := func(context.Context, string, string) (exchanges, lost int, err error) { return 0, 0, nil }
	return []recorder{
		mode(tlsKeys, "keys"),
		mode(tlsPlaintext, "plaintext"),
		mode("reel capture --only net --tls off (ciphertext)", "off"),
		{
			name: peer + " (ciphertext)",
			args: func(n *nginx, out string) []string {
				_, port, _ := strings.Cut(n.addr, ":")
				return []string{"tcpdump", "-i", "lo", "-s", "0", "-B", "65536", "-Z", "root", "-w", out, "tcp", "port", port}
			},
			ready: says("listening on"), result: readPcap,
		},
		{
			name: tlsBare,
			args: func(n *nginx, out string) []string {
				return []string{self, "probe", library, strconv.Itoa(n.worker), out}
			},
			ready: says("recording"), result: uncounted,
		},
		{
			name: "bpftrace probing the same functions, printing nothing", slow: true,
			args: func(n *nginx, out string) []string {
				return []string{"bpftrace", "-B", "none", "-o", out, "-p", strconv.Itoa(n.worker), script}
			},
			ready:  func(_, _ string, since time.Duration) bool { return since > 6*time.Second }, // with -p, BEGIN is late
			result: uncounted,
		},
	}, nil
}

// mappedLibrary returns the path of a shared library of a program.
func mappedLibrary(program, name string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", err
	}
	out, err := exec.Command("ldd", path).Output()
	if err != nil {
		return "", fmt.Errorf("ldd %s: %w", program, err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 2 && strings.HasPrefix(f[0], name) {
			return filepath.EvalSymlinks(f[2])
		}
	}
	return "", fmt.Errorf("%s is not linked with %s", program, name)
}

// tlsCost measures pairs as recorderCost does, on TLS: requests over connections that stay open, and a handshake for each request. What
// reel costs without TLS is measured beside them: the bars are relative to it.
func (b *bench) tlsCost(ctx context.Context, web *nginx, p *document) error {
	recorders, err := b.tlsRecorders()
	if err != nil {
		return err
	}
	secure := *web
	secure.scheme, secure.addr = "https", web.secure
	shaking := secure
	shaking.each = true
	for _, n := range []*nginx{web, &secure, &shaking} { // warm
		if _, _, err := n.load(ctx, time.Second); err != nil {
			return err
		}
	}
	s := section{
		title: "What recording costs a server of TLS",
		about: fmt.Sprintf("The same server and load as above, over TLS 1.3; %d pairs of %s each, medians. \"Handshakes\" is a new connection with a full handshake for each request. "+
			"The ratio on plain HTTP is that of the recorder above on the same server in the same run.", b.rounds, b.load),
		head: []string{"recorder", "requests/s without", "throughput, of without", "nginx CPU per request, of without", "exchanges held, of served", "records lost", "others, %", "handshakes/s without", "handshakes, of without"},
	}
	measure := func(n *nginx, r *recorder) (c cost, err error) {
		for round := range b.roundsOf(*r) {
			without, with, err := b.pair(ctx, n, r, round)
			if err != nil {
				return c, err
			}
			c.add(without, with)
			fmt.Fprintf(os.Stderr, "   %s, %s: %.0f/s of %.0f/s, %d lost, others %.0f %%\n", r.name, n.scheme, with.rate(), without.rate(), with.lost, c.foreign[round])
		}
		return c, nil
	}
	f := func(format string, v []float64) string { return fmt.Sprintf(format, median(v)) }
	ratios, foreign := map[string]float64{}, []float64{}
	clear, err := b.recorder(onlyNet)
	if err != nil {
		return err
	}
	plainHTTP, err := measure(web, clear)
	if err != nil {
		return err
	}
	s.rows = append(s.rows, []string{onlyNet + ", on plain HTTP", f("%.0f", plainHTTP.rate), f("%.3f", plainHTTP.ratio), f("%.3f", plainHTTP.server),
		f("%.4f", plainHTTP.held), f("%.0f", plainHTTP.lost), f("%.0f", plainHTTP.foreign), "", ""})
	for i := range recorders {
		r := &recorders[i]
		if s.lacks(*r) {
			continue
		}
		kept, err := measure(&secure, r)
		var shaken cost
		if err == nil {
			shaken, err = measure(&shaking, r)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.rows = append(s.rows, []string{r.name, "cannot run here: " + strings.Join(strings.Fields(err.Error()), " ")})
			continue
		}
		ratios[r.name] = median(kept.ratio)
		foreign = append(foreign, median(kept.foreign))
		held, lost := f("%.4f", kept.held), f("%.0f", kept.lost)
		if !strings.HasPrefix(r.name, "reel") {
			held, lost = "", ""
		}
		s.rows = append(s.rows, []string{r.name, f("%.0f", kept.rate), f("%.3f", kept.ratio), f("%.3f", kept.server), held, lost, f("%.0f", kept.foreign),
			f("%.0f", shaken.rate), f("%.3f", shaken.ratio)})
	}
	p.add(s)
	busy := median(foreign) > 100*mostForeign
	var bars []bar
	plain := median(plainHTTP.ratio)
	if keys, ok := ratios[tlsKeys]; ok {
		bars = append(bars, bar{what: "throughput by keys, of none (must: what it keeps on plain HTTP, less 0.05)", busy: busy, must: plain - 0.05, stretch: 0.85, least: true, value: keys, format: "%.3f"})
	}
	if text, ok := ratios[tlsPlaintext]; ok && ratios[tlsBare] > 0 {
		limit := ratios[tlsBare] * plain
		bars = append(bars, bar{what: "throughput by plaintext probes, of none (must: bare probes at emulated sites × what it keeps on plain HTTP, less 0.05)", busy: busy,
			must: limit - 0.05, stretch: limit, least: true, value: text, format: "%.3f"})
	}
	if len(bars) > 0 {
		p.add(barSection("Against the bars, TLS", "", bars))
	}
	return nil
}
