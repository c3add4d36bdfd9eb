package html

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report"
	"github.com/ebpf-reel/reel/report/reporttest"
)

// Trigger rules stand on the first view, and firings in the block that the chart reads. Both are hostile text.
func TestTriggers(t *testing.T) {
	d, err := reporttest.Shop{Exchanges: 100, Seed: 1}.Data(report.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	at := d.Exchanges[0].Start + 1_000_000
	d.Summary.Triggers = []facts.Trigger{{Name: "<b>busy", Rule: "<b>busy: cpu > 80% => snap", Unit: "%", Fired: 1, Firings: []facts.Firing{
		{At: at, Value: 93_500, PID: 100, Comm: "<script>alert(1)</script>", Outcomes: []facts.Outcome{{Action: "snap", Detail: "no <i>room</i>", Failed: true}}}}}}
	var page bytes.Buffer
	if err := Render(&page, d, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"&lt;b&gt;busy: cpu &gt; 80% =&gt; snap", "fired 1 time", "93.5%, process 100 (&lt;script&gt;alert(1)&lt;/script&gt;)", "failed: no &lt;i&gt;room&lt;/i&gt;"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not have %q", want)
		}
	}
	if e := newEncoder(d); !strings.Contains(string(e.meta()), `"firings":[{"at":`) {
		t.Errorf("the chart is not told of the firing: %s", e.meta())
	}
}
