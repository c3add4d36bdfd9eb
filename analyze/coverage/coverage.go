// Package coverage turns connections and probes into the TLS coverage ledger: for each process, how much of its TLS was read, and why not all.
package coverage

import (
	"cmp"
	"path"
	"slices"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/process"
	"github.com/ebpf-reel/reel/format"
)

// DefaultLimit bounds the processes that have a row of their own.
const DefaultLimit = 4096

// Fold adds connections and probes up. The zero value is ready.
type Fold struct {
	rows   map[key]*facts.TLSCoverage
	order  []*facts.TLSCoverage
	others *facts.TLSCoverage // of processes beyond the limit
}

// key names a program that a process ran; what it ran before and after is another.
type key struct {
	pid  format.PID
	from format.KTime
}

// Gone takes a connection that is over.
func (f *Fold) Gone(c *conn.Conn) {
	if c.TLS == nil && c.Proto != conn.TLS {
		return
	}
	r := f.row(c.PID, c.Image)
	r.Connections++
	bytes := c.Bytes[conn.In] + c.Bytes[conn.Out]
	x := c.TLS
	if x == nil {
		r.Ciphertext += bytes
		unread(r, facts.UnreadNoHandshake, bytes)
		return
	}
	if x.Clear[conn.In]+x.Clear[conn.Out] > 0 {
		if x.Clear[conn.In]+x.Clear[conn.Out] > 0 {
			r.Handshakes++
		}
	}
	encrypted := bytes - min(x.Clear[conn.In]+x.Clear[conn.Out], bytes)
	opened := min(x.Opened[conn.In]+x.Opened[conn.Out], encrypted)
	r.Ciphertext += encrypted
	r.Opened += opened
	r.Plaintext += x.Plain[conn.In] + x.Plain[conn.Out]
	if x.Probed && x.Tie == facts.Inferred {
		r.Inferred += x.Plain[conn.In] + x.Plain[conn.Out]
	}
	if x.Probed && x.Tie == facts.Inferred {
		r.Inferred += x.Plain[conn.In] + x.Plain[conn.Out]
	}
	if opened > 0 {
		r.Decrypted++
	}
	if x.Alert != "" && x.Records == 0 {
		r.Failed++
		r.Alert = cmp.Or(r.Alert, x.Alert)
	}
	if rest := encrypted - opened; rest > 0 {
		unread(r, cmp.Or(x.Unread, facts.UnreadGap), rest)
	}
}

// maxLibraries bounds the libraries that a row names.
const maxLibraries = 16

// Probes takes what a recorder found in files that processes map; at says what a process was at a time.
func (f *Fold) Probes(rows []format.Probe, at func(format.PID, format.KTime) *process.Image) {
	for i := range rows {
		f.probe(&rows[i], at(rows[i].PID, rows[i].Time))
	}
}

func (f *Fold) probe(p *format.Probe, image *process.Image) {
	r := f.row(p.PID, image)
	if r == f.others {
		return
	}
	l := facts.TLSLibrary{Name: p.Library, Version: p.Version, Path: p.Path, Static: p.Static, Purpose: p.Purpose, How: p.How, Probes: p.Probes, Error: p.Error}
	same := func(x facts.TLSLibrary) bool { return x.Path == l.Path && x.Purpose == l.Purpose && x.Name == l.Name }
	if i := slices.IndexFunc(r.Libraries, same); i >= 0 {
		r.Libraries[i] = l
		return
	}
	if len(r.Libraries) < maxLibraries {
		r.Libraries = append(r.Libraries, l)
	}
}

// Untied takes plaintext whose socket is not known.
func (f *Fold) Untied(p *format.TLS, image *process.Image) {
	r := f.row(p.PID, image)
	n := uint64(max(p.Ret, 0))
	r.Plaintext += n
	r.Untied += n
}

func unread(r *facts.TLSCoverage, why facts.Unread, bytes uint64) {
	r.Unread[why].Connections++
	r.Unread[why].Bytes += bytes
}

// row returns the row of a process.
func (f *Fold) row(pid format.PID, image *process.Image) *facts.TLSCoverage {
	k := key{pid: pid}
	if image != nil {
		k.from = image.From
	}
	if r := f.rows[k]; r != nil {
		return r
	}
	if len(f.rows) >= DefaultLimit {
		if f.others == nil {
			f.others = new(facts.TLSCoverage)
		}
		return f.others
	}
	if f.rows == nil {
		f.rows = make(map[key]*facts.TLSCoverage)
	}
	r := &facts.TLSCoverage{PID: pid}
	if image != nil {
		r.Process, r.Exe = image.Name(), image.Exe
	}
	f.rows[k] = r
	f.order = append(f.order, r)
	return r
}

// Result returns the rows: those of which most is not read come first.
func (f *Fold) Result() []facts.TLSCoverage {
	rows := make([]facts.TLSCoverage, 0, len(f.rows)+1)
	for _, r := range f.order {
		if len(r.Libraries) == 0 {
			r.Libraries = foreign(r.Exe)
		}
		rows = append(rows, *r)
	}
	slices.SortStableFunc(rows, func(a, b facts.TLSCoverage) int {
		return cmp.Or(cmp.Compare(b.Ciphertext-b.Opened, a.Ciphertext-a.Opened), cmp.Compare(b.Ciphertext, a.Ciphertext))
	})
	if f.others != nil {
		rows = append(rows, *f.others)
	}
	return rows
}

// foreign tells by a program's name that its TLS is none that a recorder gets at, whatever was recorded of it.
func foreign(exe string) []facts.TLSLibrary {
	switch path.Base(exe) {
	case "java":
		return []facts.TLSLibrary{{Name: "java", Path: exe, Static: true, Error: "Java's own TLS (JSSE) is compiled while it runs: there is no call to probe"}}
	case "dotnet":
		return []facts.TLSLibrary{{Name: "dotnet", Path: exe, Static: true, Error: ".NET's TLS is not probed"}}
	}
	return nil
}
