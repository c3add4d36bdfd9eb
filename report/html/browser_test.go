//go:build linux

package html

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is one Chromium for all tests of the package; each test has its own tab.
var browser struct {
	once sync.Once
	ctx  context.Context
	stop func()
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if browser.stop != nil {
		browser.stop()
	}
	os.Exit(code)
}

func startBrowser() {
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		browser.err = fmt.Errorf("no Chromium in PATH; the report is tested in a real browser. Run: sudo apt-get install chromium")
		return
	}
	profile, err := os.MkdirTemp("", "reel-chromium-*")
	if err != nil {
		browser.err = err
		return
	}
	// The report's own promise is that it asks for nothing; these switches keep the browser itself from asking.
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(profile), chromedp.WindowSize(1440, 900),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND"))
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(alloc)
	browser.stop = func() {
		stop()
		stopAlloc()
		os.RemoveAll(profile)
	}
	browser.ctx = ctx
	browser.err = chromedp.Do(ctx)
}

type action = chromedp.Action[chromedp.Void]

// command is a command of the DevTools protocol as an action.
func command[P, R any](c cdp.Command[P, R], params P) action {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// tab is one page in the browser, and everything that it did which a report must not do.
type tab struct {
	t    *testing.T
	ctx  context.Context
	path string

	mu       sync.Mutex
	requests []string
	trouble  []string // console errors, exceptions, policy violations, dialogs
}

// open writes the page to a file and opens it as a user does.
func open(t *testing.T, content []byte, hash string, before ...action) *tab {
	t.Helper()
	browser.once.Do(startBrowser)
	if browser.err != nil {
		t.Fatal(browser.err)
	}
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	p := &tab{t: t, path: path}
	ctx, cancel := chromedp.NewContext(browser.ctx, chromedp.WithListener(p.listen))
	t.Cleanup(cancel)
	// The first action opens the tab, which lives as long as that action's context.
	if err := chromedp.Do(ctx, command(network.Enable, network.EnableParams{}), command(log.Enable, cdp.Empty{})); err != nil {
		t.Fatal(err)
	}
	p.ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(cancel)
	p.run(before...)
	p.run(chromedp.Navigate("file://" + path + hash))
	return p
}

func (p *tab) listen(ev any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	add := func(kind string, v any) { p.trouble = append(p.trouble, fmt.Sprintf("%s: %v", kind, v)) }
	switch e := ev.(type) {
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
	case *cdpruntime.EventConsoleAPICalled:
		for _, a := range e.Args {
			add("console."+string(e.Type), string(a.Value)+a.Description)
		}
	case *cdpruntime.EventExceptionThrown:
		add("exception", e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		add("log "+string(e.Entry.Level), e.Entry.Text)
	case *page.EventJavascriptDialogOpening:
		add("dialog", e.Message)
		go func() { // an open dialog would stop the page, and the test with it
			_, _ = chromedp.Call(p.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
		}()
	}
}

func (p *tab) run(actions ...action) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// eval returns the value of a JavaScript expression; it waits for promises.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for a JavaScript condition. (chromedp's own poll makes a function of a string, which the page's policy
// refuses.)
func (p *tab) until(condition string) {
	p.t.Helper()
	ok := eval[bool](p, `(async () => {
		for (const end = performance.now() + 20000; performance.now() < end; await new Promise(f => setTimeout(f, 10))) if (`+condition+`) return true;
		return false;
	})()`)
	if !ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.t.Fatalf("waited 20 s in vain for: %s\n%s", condition, strings.Join(p.trouble, "\n"))
	}
}

// click moves the mouse to the first element of a CSS selector and presses it.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.run(chromedp.Click(chromedp.CSS(selector)))
}

// clickText clicks the first element of a CSS selector whose text begins so.
func (p *tab) clickText(selector, text string) {
	p.t.Helper()
	if !eval[bool](p, fmt.Sprintf(`(e => (e?.click(), !!e))([...document.querySelectorAll(%q)].find(e => e.textContent.startsWith(%q)))`, selector, text)) {
		p.t.Fatalf("no %s begins with %q", selector, text)
	}
}

// search types a query into the search box of the view.
func (p *tab) search(view, query string) {
	p.t.Helper()
	box := "#" + view + " input"
	eval[string](p, fmt.Sprintf(`document.querySelector(%q).value = ''`, box))
	p.run(chromedp.SendKeys(chromedp.CSS(box), query+" "))
}

// quiet holds what every page must keep: it asked for nothing but its own file, and nothing went wrong.
func (p *tab) quiet() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, url := range p.requests {
		if name, _, _ := strings.Cut(url, "#"); name != "file://"+p.path {
			p.t.Errorf("the page asked for %s", url)
		}
	}
	if len(p.requests) == 0 {
		p.t.Error("no request was seen, not even for the file: the test does not see requests")
	}
	for _, s := range p.trouble {
		p.t.Error(s)
	}
}

func (p *tab) screenshot(name string) {
	p.t.Helper()
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.t.ArtifactDir(), name), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// press sends keys to the page. A printable key goes as one keyDown with its text, as from a keyboard: chromedp's own way,
// with the character as an event of its own, types it even if the page has taken the key.
func (p *tab) press(keys ...string) {
	p.t.Helper()
	for _, k := range keys {
		if r := []rune(k)[0]; r >= 0x20 && r < 0x7f {
			p.run(command(input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: k, Text: k}),
				command(input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp, Key: k}))
			continue
		}
		p.run(chromedp.KeyEvent(k))
	}
}

const (
	visibleRows = `[...document.querySelectorAll('section:not([hidden]) .grid-body .grid-row:not([hidden])')]`
	detailShown = `!document.getElementById('detail').hidden`
	counted     = `document.querySelector('section:not([hidden]) .count').textContent`
)
