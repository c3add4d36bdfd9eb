package report_test

import (
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report"
)

func TestVerdict(t *testing.T) {
	receipt := facts.Overhead{Events: 95}
	whole := facts.Summary{Clean: true, Exchanges: 10, Complete: 10, Overhead: receipt}
	for name, c := range map[string]struct {
		data     report.Data
		level    facts.Severity
		headline string
		point    string // a part of one of the points
	}{
		"whole":     {report.Data{Summary: whole}, facts.Info, "The recording is complete", "10 exchanges, all complete"},
		"remarks":   {report.Data{Summary: whole, Ledger: []facts.LedgerEntry{{Severity: facts.Notice}}}, facts.Notice, "The recording is whole, with remarks", "all complete"},
		"cut":       {report.Data{Summary: facts.Summary{Clean: true, Exchanges: 10, Complete: 7, Overhead: receipt}, Cut: 3}, facts.Info, "The recording is complete", "left out on purpose in 3"},
		"lacking":   {report.Data{Summary: facts.Summary{Clean: true, Exchanges: 10, Complete: 7, Overhead: receipt}, Cut: 2}, facts.Notice, "The recording is whole, with remarks", "9 of 10 exchanges complete (90.0 %)"},
		"uncounted": {report.Data{Summary: facts.Summary{Clean: true, Exchanges: 10, Complete: 7, Overhead: receipt}}, facts.Notice, "The recording is whole, with remarks", "7 of 10 exchanges complete"},
		"lost": {report.Data{Summary: facts.Summary{Clean: true, Exchanges: 10, Complete: 10, LostEvents: 5, Overhead: receipt}}, facts.DataLoss,
			"Data was lost, and is marked where it is missing", "5 (5.00 % of all)"},
		"unclean":      {report.Data{Summary: facts.Summary{Exchanges: 10, Complete: 10}}, facts.DataLoss, "Data was lost, and is marked where it is missing", "did not end cleanly"},
		"damaged":      {report.Data{Summary: whole, Ledger: []facts.LedgerEntry{{Severity: facts.Error}}}, facts.Error, "Parts of the recording could not be used", "all complete"},
		"no heartbeat": {report.Data{Summary: facts.Summary{Clean: true, Exchanges: 10, Complete: 10}}, facts.Notice, "The recording is whole, with remarks", "not known: the reel holds no heartbeat"},
		"nothing":      {report.Data{Summary: facts.Summary{Clean: true, Connections: 3}}, facts.Notice, "No exchanges were found", "none found in 3 connections"},
	} {
		v := c.data.Verdict()
		var points []string
		for _, p := range v.Points {
			points = append(points, p.Text)
		}
		if v.Level != c.level || v.Headline != c.headline || !strings.Contains(strings.Join(points, "\n"), c.point) {
			t.Errorf("%s: %v %q\n%s", name, v.Level, v.Headline, strings.Join(points, "\n"))
		}
	}
}

func TestStateAndLacks(t *testing.T) {
	for _, c := range []struct {
		missing facts.Completeness
		pairing facts.Certainty
		state   string
		lacks   int
	}{
		{0, facts.Exact, "complete", 0},
		{facts.ResponseCut | facts.RequestCut, facts.Exact, "body cut", 2},
		{0, facts.Inferred, "inferred", 1},
		{facts.ResponseCut, facts.Inferred, "inferred", 2},
		{facts.ResponseGap, facts.Inferred, "incomplete", 2},
		{facts.NoResponse | facts.EndUnknown, facts.Unknown, "incomplete", 2},
	} {
		e := &facts.Exchange{Missing: c.missing, Pairing: c.pairing}
		if s, l := report.State(e), report.Lacks(e); s != c.state || len(l) != c.lacks {
			t.Errorf("missing %b, pairing %v: %q, %q", c.missing, c.pairing, s, l)
		}
	}
	// A bit without words would be shown as nothing missing.
	for bit := facts.Completeness(1); bit <= facts.LengthUnknown; bit <<= 1 {
		if len(report.Lacks(&facts.Exchange{Missing: bit, Pairing: facts.Exact})) != 1 {
			t.Errorf("completeness bit %b has no words", bit)
		}
	}
}
