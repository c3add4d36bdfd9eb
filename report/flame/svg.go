package flame

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report/visible"
)

// The picture, in its own units.
const (
	svgWidth  = 1200.0
	svgMargin = 10.0
	svgRow    = 17.0
	svgHead   = 46.0
	svgChar   = 6.6 // width of a character
	svgLeast  = 0.1 // width of a box that is drawn: what is narrower cannot be seen
)

var svgFills = [...]string{
	kindGroup: "#dde1e6", kindUser: "#f5a96b", kindLibrary: "#f3d47a", kindKernel: "#9ec5e3", kindJIT: "#8fcfa6", kindUnnamed: "#c5c9ce", kindNote: "#f2b8be",
}

// SVG writes a picture of the profile, without scripts: names are in the titles of its boxes.
func SVG(w io.Writer, p *facts.Profile, opts Options) error {
	t := build(p, opts.By)
	counts, times := t.totals()
	all := float64(times[0])
	deepest := int32(0)
	x := make([]float64, len(t.nodes))      // of the left edge, as a share of all
	cursor := make([]float64, len(t.nodes)) // where the next child begins
	visit := func(fn func(i int32, n *node, share float64)) {
		t.walk(func(i int32, n *node) {
			share := 0.0
			if all > 0 {
				share = float64(times[i]) / all
			}
			fn(i, n, share)
		})
	}
	visit(func(i int32, n *node, share float64) {
		if n.parent >= 0 {
			x[i] = cursor[n.parent]
			cursor[n.parent] += share
		}
		cursor[i] = x[i]
		if share*svgWidth >= svgLeast {
			deepest = max(deepest, n.depth)
		}
	})
	height := svgHead + svgRow*float64(deepest+1) + svgMargin
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"11\">\n", svgWidth, height, svgWidth, height)
	fmt.Fprintf(out, "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<text x=\"%.0f\" y=\"18\" font-size=\"14\" font-weight=\"bold\">%s</text>\n", svgMargin, escape(titleOf(p, opts)))
	fmt.Fprintf(out, "<text x=\"%.0f\" y=\"34\" fill=\"#5a6473\">%s</text>\n", svgMargin, escape(subtitle(p)))
	visit(func(i int32, n *node, share float64) {
		width := share * (svgWidth - 2*svgMargin)
		if width < svgLeast {
			return
		}
		left := svgMargin + x[i]*(svgWidth-2*svgMargin)
		top := height - svgMargin - svgRow*float64(n.depth+1)
		nm := &t.names[n.name]
		fmt.Fprintf(out, "<g><title>%s: %s, %.2f %%</title><rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" fill=\"%s\" rx=\"1\"/>",
			escape(nm.text), amount(p, counts[i], times[i]), 100*share, left, top, max(width-0.5, svgLeast), svgRow-1, svgFills[nm.kind])
		if room := int((width - 6) / svgChar); room > 2 {
			fmt.Fprintf(out, "<text x=\"%.2f\" y=\"%.1f\">%s</text>", left+3, top+svgRow-5, escape(shorten(nm.text, room)))
		}
		_, _ = out.WriteString("</g>\n") // Flush returns the error
	})
	_, _ = out.WriteString("</svg>\n")
	return out.Flush()
}

func subtitle(p *facts.Profile) string {
	parts := []string{p.Host}
	if p.Start != 0 {
		parts = append(parts, p.Start.Time().Format(time.RFC3339))
	}
	parts = append(parts, p.Duration.Round(time.Millisecond).String(), amount(p, p.Counts, uint64(p.Time)))
	return strings.Join(parts, " · ")
}

func amount(p *facts.Profile, count, ns uint64) string {
	word := "blocks"
	if p.Period > 0 {
		word = "samples"
	}
	return fmt.Sprintf("%d %s, %v", count, word, time.Duration(ns).Round(time.Microsecond))
}

func shorten(s string, room int) string {
	runes := []rune(s)
	if len(runes) <= room {
		return s
	}
	return string(runes[:room-1]) + "…"
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(visible.Text(s))) // a builder does not fail
	return b.String()
}
