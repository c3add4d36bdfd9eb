// Package html turns report data into one HTML file that opens by double click: no network, no worker, scripts and styles
// allowed by their hash alone. The first views are plain HTML and need no script; tables of exchanges and connections are
// compressed columns that the page decodes when they are asked for. Captured bytes are hostile (DESIGN D14): here they pass
// html/template or base64, in the page they are set as text only.
package html

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"slices"

	"github.com/ebpf-reel/reel/report"
	"github.com/ebpf-reel/reel/report/quantity"
)

// DefaultMaxBytes is the size that a report aims for: mail and tickets take it, a browser opens it at once.
const DefaultMaxBytes = 10 << 20

// The bundle of ui/, made by scripts/ui.sh.
var (
	//go:embed dist/app.js
	script []byte
	//go:embed dist/app.css
	style []byte
)

// TooSmallError says that the page does not fit even without a single exchange.
type TooSmallError struct {
	Max, Need int64 // bytes
}

func (e *TooSmallError) Error() string {
	return fmt.Sprintf("the report needs at least %s, and %s are allowed: raise the limit", quantity.Bytes(uint64(e.Need)), quantity.Bytes(uint64(e.Max)))
}

// Options bound the page.
type Options struct {
	MaxBytes int64 // of the whole file; 0 is DefaultMaxBytes
}

// Render writes the page of d. It is a pure function: the same data gives the same bytes. What does not fit is left out,
// details first, then rows, and counted on the page; if even the page without rows is too large the error is a
// *TooSmallError. Nothing is written before the whole page is made.
func Render(w io.Writer, d *report.Data, opts Options) error {
	limit := cmp.Or(opts.MaxBytes, DefaultMaxBytes)
	page, err := fit(d, limit)
	if err != nil {
		return err
	}
	_, err = w.Write(page)
	return err
}

// fit renders d, and smaller choices of it, until the page is within limit.
func fit(d *report.Data, limit int64) ([]byte, error) {
	keep := choice{exchanges: len(d.Exchanges), connections: len(d.Connections)}
	for i := range d.Exchanges {
		if d.Exchanges[i].Detailed {
			keep.details++
		}
	}
	view := *d
	for {
		page, size, err := assemble(&view)
		if err != nil {
			return nil, err
		}
		if int64(len(page)) <= limit {
			return page, nil
		}
		smaller := keep.shrink(size, limit)
		if smaller == keep {
			return nil, &TooSmallError{Max: limit, Need: int64(len(page))}
		}
		keep = smaller
		view = keep.of(d)
	}
}

// choice is how much of the data a page shows.
type choice struct{ exchanges, details, connections int }

// parts are the sizes of a page's parts, in bytes.
type parts struct{ exchanges, details, connections, rest int64 }

// shrink returns a choice that should fit into limit: fewer details if that is enough, else also fewer rows. Every step
// takes at least a tenth of what does not fit, so that the search ends soon.
func (c choice) shrink(p parts, limit int64) choice {
	scale := func(n int, size, room int64) int {
		if n == 0 || size == 0 {
			return n
		}
		share := 0.95 * float64(max(room, 0)) / float64(size)
		return int(float64(n) * min(share, 0.9))
	}
	if room := limit - p.rest - p.exchanges - p.connections; room > 0 && p.details > 0 {
		c.details = scale(c.details, p.details, room)
		return c
	}
	c.details = 0
	room := max(limit-p.rest, 0)
	rows := max(p.exchanges+p.connections, 1)
	c.exchanges = scale(c.exchanges, p.exchanges, room*p.exchanges/rows)
	c.connections = scale(c.connections, p.connections, room*p.connections/rows)
	return c
}

// of returns d cut to the choice; what matters most stays.
func (c choice) of(d *report.Data) report.Data {
	view := *d
	byRank := make([]*report.Exchange, len(d.Exchanges))
	for i := range d.Exchanges {
		byRank[i] = &d.Exchanges[i]
	}
	slices.SortStableFunc(byRank, func(a, b *report.Exchange) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Why, b.Why))
	})
	view.Exchanges = make([]report.Exchange, 0, c.exchanges)
	detailed := 0
	for _, e := range byRank[:c.exchanges] {
		x := *e
		if x.Detailed {
			if detailed < c.details {
				detailed++
			} else {
				x.Detailed = false
				view.Left.Details++
			}
		}
		view.Exchanges = append(view.Exchanges, x)
	}
	slices.SortFunc(view.Exchanges, func(a, b report.Exchange) int { return cmp.Compare(a.ID, b.ID) })
	for _, e := range byRank[c.exchanges:] {
		view.Left.Exchanges++
		if !e.Detailed {
			view.Left.Details-- // it has no row any more
		}
	}
	view.Connections = slices.Clone(d.Connections)
	slices.SortStableFunc(view.Connections, func(a, b report.Connection) int {
		return cmp.Or(cmp.Compare(b.Lost[0]+b.Lost[1], a.Lost[0]+a.Lost[1]), cmp.Compare(b.Exchanges, a.Exchanges))
	})
	view.Left.Connections += uint64(len(view.Connections) - c.connections)
	view.Connections = view.Connections[:c.connections]
	slices.SortFunc(view.Connections, func(a, b report.Connection) int { return cmp.Compare(a.ID, b.ID) })
	return view
}

// assemble makes the whole page of d, and says how large its parts are.
func assemble(d *report.Data) ([]byte, parts, error) {
	e := newEncoder(d)
	blocks := []block{pack("meta", e.meta()), pack("exchanges", e.exchanges()), pack("connections", e.connections())}
	size := parts{exchanges: int64(len(blocks[1].text)), connections: int64(len(blocks[2].text))}
	for i, json := range e.details() {
		b := pack(fmt.Sprint("details-", i), json)
		size.details += int64(len(b.text))
		blocks = append(blocks, b)
	}

	var page bytes.Buffer
	head := newHead(d)
	if err := templates.ExecuteTemplate(&page, "head.tmpl", head); err != nil {
		return nil, size, err
	}
	page.WriteString("<style>")
	page.Write(style)
	page.WriteString("</style>\n</head>\n")
	if err := templates.ExecuteTemplate(&page, "body.tmpl", newBody(d)); err != nil {
		return nil, size, err
	}
	for _, b := range blocks {
		fmt.Fprintf(&page, "<script type=\"text/plain\" data-block=%q>%s</script>\n", b.name, b.text)
	}
	page.WriteString("<script>")
	page.Write(script)
	page.WriteString("</script>\n</body>\n</html>\n")
	size.rest = int64(page.Len()) - size.exchanges - size.details - size.connections
	return page.Bytes(), size, nil
}

// hash returns the CSP source of an inline script or style.
func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// policy is the page's Content-Security-Policy: nothing is loaded, nothing is sent, and no script or style runs but the two
// that are in the file.
func policy() string {
	return "default-src 'none'; script-src " + hash(script) + "; style-src " + hash(style) +
		"; img-src data:; base-uri 'none'; form-action 'none'"
}
