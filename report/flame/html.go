// Package flame turns a profile into flame graphs: a page that opens by double click, in which one zooms, searches and sorts, and a
// picture.
package flame

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/report/visible"
)

// The page's own files.
var (
	//go:embed page/flame.js
	script []byte
	//go:embed page/flame.css
	style []byte
	//go:embed page/body.html
	body []byte
)

// Options say what a graph shows besides its profile.
type Options struct {
	Title string // "" the profile's kind and scope
	By    By
	Tool  string // that made it
}

// meta is what the page is told in JSON.
type meta struct {
	Title    string      `json:"title"`
	Kind     string      `json:"kind"`
	Scope    string      `json:"scope"`
	Host     string      `json:"host"`
	Start    string      `json:"start"`
	Duration float64     `json:"seconds"`
	Period   int64       `json:"period"`
	Tool     string      `json:"tool"`
	Names    []string    `json:"names"`
	Modules  []string    `json:"modules"`
	Of       []int       `json:"of"` // module of each name; -1 none
	Kinds    []int       `json:"kinds"`
	Notes    [][2]any    `json:"notes"` // of names: index, text
	Nodes    int         `json:"nodes"`
	Stacks   stackShares `json:"stacks"`
}

// stackShares says how many user stacks are whole.
type stackShares struct {
	Whole uint64 `json:"whole"`
	All   uint64 `json:"all"`
}

// HTML writes the page of a profile. It is a pure function: the same profile gives the same bytes.
func HTML(w io.Writer, p *facts.Profile, opts Options) error {
	data, err := pack(p, opts)
	if err != nil {
		return err
	}
	title := titleOf(p, opts)
	var page bytes.Buffer
	fmt.Fprintf(&page, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"%s\">\n", policy())
	fmt.Fprintf(&page, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>%s</title>\n<style>", html.EscapeString(visible.Text(title)))
	page.Write(style)
	page.WriteString("</style>\n</head>\n")
	page.Write(body)
	fmt.Fprintf(&page, "<script type=\"text/plain\" id=\"data\">%s</script>\n<script>", data)
	page.Write(script)
	page.WriteString("</script>\n</body>\n</html>\n")
	_, err = w.Write(page.Bytes())
	return err
}

func titleOf(p *facts.Profile, opts Options) string {
	if opts.Title != "" {
		return opts.Title
	}
	return p.Kind + ": " + p.Scope
}

// policy allows nothing but the one script and the one style that are in the file.
func policy() string {
	hash := func(content []byte) string {
		sum := sha256.Sum256(content)
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; script-src " + hash(script) + "; style-src " + hash(style) + "; base-uri 'none'; form-action 'none'"
}

// pack makes the page's data: JSON, its length first, and the nodes as varints, compressed, in base64. Of each node, parents first and
// children in order: its depth, its name, its own count, its own time.
func pack(p *facts.Profile, opts Options) (string, error) {
	t := build(p, opts.By)
	m := meta{
		Title: titleOf(p, opts), Kind: p.Kind, Scope: p.Scope, Host: p.Host, Duration: p.Duration.Seconds(), Period: int64(p.Period), Tool: opts.Tool,
		Names: []string{}, Modules: []string{}, Of: []int{}, Kinds: []int{}, Notes: [][2]any{}, Nodes: len(t.nodes),
	}
	if p.Start != 0 {
		m.Start = p.Start.Time().Format(time.RFC3339)
	}
	for _, v := range p.Verdicts {
		if v.Verdict != 0 {
			m.Stacks.All += v.Count
		}
		if v.Verdict == 1 {
			m.Stacks.Whole += v.Count
		}
	}
	modules := map[string]int{"": -1}
	for i, n := range t.names {
		m.Names = append(m.Names, visible.Text(n.text))
		if _, ok := modules[n.module]; !ok {
			modules[n.module] = len(m.Modules)
			m.Modules = append(m.Modules, visible.Text(n.module))
		}
		m.Of = append(m.Of, modules[n.module])
		m.Kinds = append(m.Kinds, int(n.kind))
		if n.note != "" {
			m.Notes = append(m.Notes, [2]any{i, n.note})
		}
	}
	head, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	data := binary.LittleEndian.AppendUint32(nil, uint32(len(head)))
	data = append(data, head...)
	t.walk(func(_ int32, n *node) {
		data = binary.AppendUvarint(data, uint64(n.depth))
		data = binary.AppendUvarint(data, uint64(n.name))
		data = binary.AppendUvarint(data, n.count)
		data = binary.AppendUvarint(data, n.time)
	})
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := z.Write(data); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(out.Bytes()), nil
}
