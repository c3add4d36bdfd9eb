//go:build linux

package html

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report"
	"github.com/ebpf-reel/reel/report/reporttest"
	"github.com/ebpf-reel/reel/report/visible"
)

func TestPageOpensOffline(t *testing.T) {
	p := open(t, render(t, shop(t, 4000, true), Options{}), "")
	p.until(`document.querySelector('.tabs a[aria-current]')?.dataset.view === 'overview'`)
	if got := eval[string](p, `document.querySelector('.verdict h2').innerText`); !strings.Contains(got, "Data was lost") {
		t.Errorf("verdict reads %q", got)
	}
	for _, view := range []string{"edges", "exchanges", "connections"} {
		p.click(`.tabs a[data-view="` + view + `"]`)
		p.until(fmt.Sprintf(`!document.getElementById(%q).hidden && document.getElementById(%q).querySelector('.grid-row, table')`, view, view))
	}
	p.quiet()
}

// TestPolicyHolds shows that the policy stops what it must, and that the test would see if it did not.
func TestPolicyHolds(t *testing.T) {
	content := render(t, shop(t, 100, false), Options{})
	const attack = `(async () => {
		const s = document.createElement('script');
		s.textContent = 'window.ran = true';
		document.body.append(s);
		const d = document.createElement('div');
		d.setAttribute('style', 'opacity: 0.5');
		document.body.append(d);
		let fetched = true;
		try { await fetch('data:text/plain,x') } catch { fetched = false }
		return [!!window.ran, getComputedStyle(d).opacity === '0.5', fetched];
	})()`
	run := func(content []byte) []bool {
		return eval[[]bool](open(t, content, ""), attack)
	}
	if got := run(content); !slices.Equal(got, []bool{false, false, false}) {
		t.Errorf("inline script ran, inline style applied, data fetched: %v; all must be refused", got)
	}
	open := bytes.Replace(content, []byte(`http-equiv="Content-Security-Policy"`), []byte(`name="none"`), 1)
	if got := run(open); !slices.Equal(got, []bool{true, true, true}) {
		t.Errorf("without the policy: %v; all must work, or this test shows nothing", got)
	}
}

func TestHostileBytesStayText(t *testing.T) {
	content := render(t, shop(t, 200, true), Options{})
	const census = `JSON.stringify([document.querySelectorAll('script').length, document.images.length,
		document.querySelectorAll('iframe, object, embed, base, form, meta[http-equiv]').length,
		[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length])`
	plain := open(t, render(t, shop(t, 200, false), Options{}), "#v=overview")
	plain.until(`document.querySelector('.tabs a[aria-current]')`)
	want := eval[string](plain, census)

	p := open(t, content, "#v=overview")
	p.until(`document.querySelector('.tabs a[aria-current]')`)
	if got := eval[string](p, census); got != want {
		t.Errorf("scripts, images, active elements, handlers: %s; the same page without hostile bytes has %s", got, want)
	}
	p.click(`.tabs a[data-view="exchanges"]`)
	for i, target := range reporttest.HostileTargets {
		id := 2*i + 2 // the client's side of the i-th call
		eval[string](p, fmt.Sprintf(`location.hash = '#v=exchanges&sel=%d'`, id))
		p.until(detailShown + fmt.Sprintf(` && document.querySelector('#detail .line').textContent.includes('exchange #%d,')`, id))
		shown := eval[string](p, `document.getElementById('detail').textContent`)
		for what, text := range map[string]string{
			"target": visible.Text(target), "header name": "X-<b>Evil</b>", "header": "X-Evil" + visible.Text(target)[:min(8000, len(visible.Text(target)))],
		} {
			if !strings.Contains(shown, text) {
				t.Errorf("exchange %d: the %s %.80q is not shown as it is", id, what, text)
			}
		}
		if pre := eval[string](p, `document.querySelector('#detail pre').textContent`); !strings.Contains(pre, "3c 73 63 72 69 70 74 3e") {
			t.Errorf("exchange %d: a body that is not UTF-8 should be shown as bytes, got %.60q", id, pre)
		}
		p.click(`#detail .body button`)
		body := eval[string](p, `document.querySelector('#detail pre').textContent`)
		for _, text := range []string{`<script>alert('body')</script></script><img src=x onerror=alert(5)>`, "⟨NUL⟩⟨ESC⟩[2J⟨U+202E⟩drawkcab", "{{.}}${7*7}"} {
			if !strings.Contains(body, text) {
				t.Errorf("exchange %d: body lacks %q: %q", id, text, body)
			}
		}
		if got := eval[string](p, `JSON.stringify([document.querySelectorAll('#detail script, #detail img, #detail b, #exchanges script, #exchanges img, #exchanges b').length, document.images.length])`); got != "[0,0]" {
			t.Errorf("exchange %d: captured bytes became elements: %s", id, got)
		}
	}
	if long := eval[int](p, `[...document.querySelectorAll('#detail dd')].map(d => d.textContent.length).reduce((a, b) => Math.max(a, b))`); long < 8000 {
		t.Errorf("the longest text of the last exchange has %d characters; its target has 10,000", long)
	}
	p.quiet()
}

func TestSearch(t *testing.T) {
	d := shop(t, 4000, false)
	p := open(t, render(t, d, Options{}), "#v=exchanges")
	p.until(visibleRows + `.length > 10`)
	count := func(keep func(i int) bool) (n int) {
		for i := range d.Exchanges {
			if keep(i) {
				n++
			}
		}
		return n
	}
	x := d.Exchanges
	for query, want := range map[string]int{
		"":                       len(x),
		"status>=500":            count(func(i int) bool { return x[i].Status >= 500 }),
		"status=4xx":             count(func(i int) bool { return x[i].Status/100 == 4 }),
		"dur>100ms":              count(func(i int) bool { return x[i].Duration > 100*time.Millisecond }),
		"dur<=250us role=client": count(func(i int) bool { return x[i].Duration >= 0 && x[i].Duration <= 250*time.Microsecond && x[i].Role == 1 }),
		"checkout":               count(func(i int) bool { return strings.Contains(x[i].Target, "checkout") }),
		"-checkout method=POST":  count(func(i int) bool { return !strings.Contains(x[i].Target, "checkout") && x[i].Method == "POST" }),
		"process=nginx edge=1":   count(func(i int) bool { return x[i].Process == "nginx" && x[i].Edge == 1 }),
		"is:complete":            count(func(i int) bool { return report.State(&x[i].Exchange) == "complete" }),
		"is:inferred":            count(func(i int) bool { return x[i].Pairing == facts.Inferred }),
		"CART.local":             count(func(i int) bool { return x[i].Host == "cart.local" }),
		x[7].Trace.TraceID:       2,
		`path:"no such"`:         0,
	} {
		p.search("exchanges", query)
		p.until(fmt.Sprintf(`%s.startsWith('%s of ')`, counted, comma(want)))
	}
	if want := count(func(i int) bool { return x[i].Edge == 1 }); want == 0 {
		t.Error("no exchange was tied to edge 1: the search for it shows nothing")
	}
	for query, problem := range map[string]string{"dur>fast": "is no time", "is:wrong": "is none of", "host>3": "host is text"} {
		p.search("exchanges", query)
		p.until(fmt.Sprintf(`document.querySelector('#exchanges .problem').textContent.includes(%q)`, problem))
	}
	p.quiet()
}

func comma(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

func TestSortSelectAndKeys(t *testing.T) {
	d := shop(t, 4000, false)
	p := open(t, render(t, d, Options{}), "")
	p.until(`document.querySelector('.tabs a[aria-current]')`)
	p.press("3")
	p.until(visibleRows + `.length > 10`)
	first := func() string {
		return eval[string](p, visibleRows+`.find(r => r.dataset.at === '0').children[0].textContent`)
	}

	p.clickText("#exchanges .grid-head button", "duration")
	p.until(`location.hash.includes('s=-duration')`)
	slowest := d.Exchanges[0]
	for _, e := range d.Exchanges {
		if e.Duration > slowest.Duration {
			slowest = e
		}
	}
	if got := first(); got != fmt.Sprint(slowest.ID) {
		t.Errorf("sorted by duration the first row is #%s, want #%d", got, slowest.ID)
	}
	if got := eval[string](p, `document.querySelector('#exchanges [aria-sort="descending"]').textContent`); !strings.HasPrefix(got, "duration") {
		t.Errorf("aria-sort is on %q", got)
	}

	p.press("j", "j", "k")
	p.until(detailShown + fmt.Sprintf(` && location.hash.includes('sel=%d')`, slowest.ID))
	if got := eval[int](p, `document.querySelectorAll('#exchanges .grid-row[aria-selected="true"]').length`); got != 1 {
		t.Errorf("%d rows are selected", got)
	}
	p.press(kb.End)
	p.until(visibleRows + fmt.Sprintf(`.some(r => r.dataset.at === '%d' && r.getAttribute('aria-selected') === 'true')`, len(d.Exchanges)-1))
	p.press(kb.Escape)
	p.until(`document.getElementById('detail').hidden && !location.hash.includes('sel=')`)

	p.press("/")
	p.until(`document.activeElement === document.querySelector('#exchanges input')`)
	p.press("s", "t", "a", "t", "u", "s", "=", "5", "x", "x")
	p.until(`location.hash.includes('q=status%3D5xx')`)
	p.press(kb.Escape)
	p.until(`document.querySelector('#exchanges input').value === '' && !location.hash.includes('q=')`)

	p.press("?")
	p.until(`document.getElementById('help').open`)
	p.press(kb.Escape)
	p.until(`!document.getElementById('help').open`)
	p.press("4")
	p.until(`!document.getElementById('connections').hidden && ` + visibleRows + `.length > 10`)
	p.press("2")
	p.until(`!document.getElementById('edges').hidden`)

	// An edge of the drawing leads to its exchanges, and Back to the drawing.
	p.click(`.topology a[data-edge="2"] text`)
	p.until(`!document.getElementById('exchanges').hidden && document.querySelector('#exchanges input').value === 'edge=2'`)
	p.run(chromedp.NavigateBack())
	p.until(`!document.getElementById('edges').hidden`)
	p.quiet()
}

// TestAddressIsTheState opens a copied link in a fresh tab.
func TestAddressIsTheState(t *testing.T) {
	d := shop(t, 4000, false)
	p := open(t, render(t, d, Options{}), "#v=exchanges&q=role%3Dserver&s=-duration&sel=1001&future=1")
	p.until(detailShown + ` && document.querySelector('#exchanges input').value === 'role=server'`)
	if got := eval[string](p, `document.querySelector('#detail .line').textContent`); !strings.Contains(got, "exchange #1001") {
		t.Errorf("the detail shows %q", got)
	}
	// From one side of an exchange to the other, and to its connection.
	p.clickText("aside a", "#1002")
	p.until(`document.querySelector('#detail .line')?.textContent.includes('exchange #1002,')`)
	p.clickText("aside h3 a", "Connection #")
	p.until(`!document.getElementById('connections').hidden && ` + detailShown)
	p.quiet()
}

func TestHundredThousandExchanges(t *testing.T) {
	d := shop(t, 100_000, false)
	if len(d.Exchanges) != 100_000 {
		t.Fatalf("%d exchanges kept", len(d.Exchanges))
	}
	content := render(t, d, Options{})
	began := time.Now()
	p := open(t, content, "")
	p.until(`document.querySelector('.tabs a[aria-current]')`)
	overview := time.Since(began)
	paint := eval[float64](p, `performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1`)
	if paint < 0 {
		t.Error("the browser reports no first paint")
	}
	began = time.Now()
	p.press("3")
	p.until(visibleRows + `.length > 10`)
	t.Logf("%.1f MB file; first paint after %.0f ms, ready after %v; table of 100,000 rows after %v", float64(len(content))/1e6, paint, overview.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))

	p.press(kb.End)
	p.until(visibleRows + `.some(r => r.dataset.at === '99999')`)
	if n := eval[int](p, `document.querySelectorAll('#exchanges .grid-row').length`); n > 200 {
		t.Errorf("%d row elements exist: the table is not virtual", n)
	}
	// Scroll through the whole table and keep the longest time that one frame took.
	const scroll = `(async () => {
		const g = document.querySelector('#exchanges .grid');
		const frame = () => new Promise(requestAnimationFrame);
		let work = 0, blank = 0;
		for (let i = 0; i < 120; i++) {
			g.scrollTop = g.scrollHeight * i / 120;
			const t = performance.now();
			await frame();
			await frame();
			work = Math.max(work, performance.now() - t);
			const top = g.getBoundingClientRect();
			const hit = document.elementFromPoint(top.left + 200, top.top + 200)?.closest('.grid-row');
			if (!hit || hit.children[0].textContent === '') blank++;
		}
		return [work, blank];
	})()`
	got := eval[[]float64](p, scroll)
	t.Logf("longest two frames while scrolling: %.0f ms", got[0])
	if got[1] != 0 {
		t.Errorf("%.0f of 120 positions showed no row", got[1])
	}
	p.search("exchanges", "status>=500 checkout")
	want := 0
	for i := range d.Exchanges {
		if d.Exchanges[i].Status >= 500 && strings.Contains(d.Exchanges[i].Target, "checkout") {
			want++
		}
	}
	p.until(fmt.Sprintf(`%s.startsWith('%d of ')`, counted, want))
	p.quiet()
}

func TestWithoutScripts(t *testing.T) {
	p := open(t, render(t, shop(t, 400, true), Options{}), "", command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	text, err := chromedp.Run(p.ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Scripts are off", "Data was lost", "ring_lost", "Slowest exchanges", "python3", "10.0.1.30", "8083"} {
		if !strings.Contains(text, want) {
			t.Errorf("without scripts the page lacks %q", want)
		}
	}
	p.quiet()
}

func TestPrint(t *testing.T) {
	p := open(t, render(t, shop(t, 400, true), Options{}), "#v=exchanges", command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"}))
	p.until(`document.querySelector('.tabs a[aria-current]')`)
	got := eval[string](p, `['overview', 'edges', 'exchanges', 'detail'].map(id => getComputedStyle(document.getElementById(id)).display).join(' ')`)
	if got != "grid grid none none" {
		t.Errorf("overview, edges, exchanges, detail on paper: %s", got)
	}
}

// TestScreenshots leaves pictures for a person to look at: go test -run Screenshots -artifacts -outputdir DIR.
func TestScreenshots(t *testing.T) {
	content := render(t, shop(t, 20_000, true), Options{})
	for name, shot := range map[string]struct {
		hash          string
		width, height int64
	}{
		"overview":    {"", 1440, 1300},
		"edges":       {"#v=edges", 1440, 600},
		"exchanges":   {"#v=exchanges&q=role%3Dclient", 1440, 900},
		"detail":      {"#v=exchanges&q=dur%3E100ms&sel=1002", 1600, 1000},
		"connections": {"#v=connections&s=-lost&sel=7", 1600, 900},
		"narrow":      {"", 420, 1400},
		"narrowrows":  {"#v=exchanges&sel=18", 420, 900},
	} {
		for _, scheme := range []string{"light", "dark"} {
			p := open(t, content, shot.hash, chromedp.EmulateViewport(shot.width, shot.height),
				command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}))
			p.until(`document.querySelector('.tabs a[aria-current]')`)
			if strings.Contains(shot.hash, "exchanges") || strings.Contains(shot.hash, "connections") {
				p.until(visibleRows + `.length > 3`)
			}
			if strings.Contains(shot.hash, "sel=") {
				p.until(detailShown)
			}
			if wide := eval[bool](p, `document.documentElement.scrollWidth > innerWidth + 1`); wide {
				t.Errorf("%s %s: the page is wider than the window", name, scheme)
			}
			p.screenshot(name + "-" + scheme + ".png")
			p.quiet()
		}
	}
}

// Bodies are made visible by the page, all other strings by package visible: both must write the same.
func TestPageWritesHiddenCharactersLikeGo(t *testing.T) {
	var all strings.Builder
	for r := rune(0x20); r < 0x10000; r++ {
		if r < 0xd800 || r > 0xdfff {
			all.WriteRune(r)
		}
	}
	all.WriteString("\x00\x1f\x7f\U000e0041\U000f0000🎬")
	d := shop(t, 2, false)
	d.Exchanges[1].Response.Body = []byte(all.String())
	d.Exchanges[1].Response.BodyBytes = uint64(all.Len())
	p := open(t, render(t, d, Options{}), fmt.Sprintf("#v=exchanges&sel=%d", d.Exchanges[1].ID))
	p.until(detailShown)
	got, want := []rune(eval[string](p, `document.querySelector('#detail section:nth-last-of-type(2) pre').textContent`)), []rune(visible.Text(all.String()))
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("from character %d on the page has %.60q, Go %.60q", i, string(got[i:]), string(want[i:]))
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d characters in the page, %d in Go", len(got), len(want))
	}
}
