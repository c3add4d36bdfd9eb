//go:build linux && (amd64 || arm64)

// Package plaintext turns a file with a TLS library in it into the plan of probes that record the library's plaintext.
//
// Which instructions the probes stand on is what they cost the program that is recorded: package site finds the cheapest.
package plaintext

import (
	"debug/elf"
	"errors"
	"fmt"
	"runtime"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/image"
	"github.com/ebpf-reel/reel/capture/site"
	"github.com/ebpf-reel/reel/capture/uprobe"
)

// Purpose of the probes.
const Purpose = "plaintext"

// Recipe is the recipe of plaintext probes.
type Recipe struct {
	// Asked makes the manager place the probes only where it is asked to.
	Asked bool
}

// Purpose implements uprobe.Recipe.
func (Recipe) Purpose() string { return Purpose }

// OnDemand implements uprobe.OnDemand.
func (r Recipe) OnDemand() bool { return r.Asked }

// function is a function of a library and the programs for it.
type function struct {
	name  string
	entry string // program at the entry
	exit  string // program at the exits; "" none
}

// library is a TLS library: it is there if the first of its functions is.
type library struct {
	name      string
	functions []function
}

// SSL_peek and its relatives are left alone: what they show is read again. SSL_read_early_data and SSL_write_early_data call
// SSL_read_ex and SSL_write_ex.
var libraries = []library{
	{"openssl", []function{
		{"SSL_read", "openssl_read", cReturn},
		{"SSL_write", "openssl_write", cReturn},
		{"SSL_read_ex", "openssl_read_ex", cReturn},
		{"SSL_write_ex", "openssl_write_ex", cReturn},
		{"SSL_sendfile", "openssl_sendfile", cReturn},
		{"SSL_free", "tls_free", ""},
	}},
	{"gnutls", []function{
		{"gnutls_record_recv", "gnutls_recv", cReturn},
		{"gnutls_record_send", "gnutls_send", cReturn},
		{"gnutls_deinit", "tls_free", ""},
	}},
}

const cReturn = "tls_return"

// Plan implements uprobe.Recipe.
func (Recipe) Plan(img *image.Image, path string) *uprobe.Plan {
	var names []string
	for _, l := range libraries {
		for _, f := range l.functions {
			names = append(names, f.name)
		}
	}
	found, err := img.Functions(names...)
	if err != nil || len(found) == 0 {
		return nil // what is wrong with a file whose symbols cannot be read is said elsewhere
	}
	for _, l := range libraries {
		if _, ok := found[l.functions[0].name]; !ok {
			continue
		}
		p := &uprobe.Plan{Library: l.name, How: "symbol", Static: img.Elf.Type == elf.ET_EXEC || img.Elf.Section(".interp") != nil}
		for _, f := range l.functions {
			if fn, ok := found[f.name]; ok && p.Err == nil {
				p.Err = add(p, img, f, fn)
			}
		}
		return p
	}
	return nil
}

// maxCode bounds what is read of a function without a size.
const maxCode = 1 << 16

// add adds the probes of one function.
func add(p *uprobe.Plan, img *image.Image, f function, fn image.Function) error {
	offset, ok := img.FileOffset(fn.Addr)
	if !ok {
		return fmt.Errorf("%s lies at no place that is loaded", f.name)
	}
	code, err := read(img, fn)
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	if f.exit == "" {
		p.Probes = append(p.Probes, bpf.Uprobe{Program: f.entry, Offset: offset + uint64(site.Entry(site.Arch(runtime.GOARCH), code).Offset)})
		return nil
	}
	places := site.C(site.Arch(runtime.GOARCH), code)
	entry := offset + uint64(places.Entry.Offset)
	p.Probes = append(p.Probes, bpf.Uprobe{Program: f.entry, Offset: entry})
	if places.ReturnProbe {
		p.Probes = append(p.Probes, bpf.Uprobe{Program: f.exit, Offset: entry, Return: true})
	}
	for _, e := range places.Exits {
		p.Probes = append(p.Probes, bpf.Uprobe{Program: f.exit, Offset: offset + uint64(e.Offset)})
	}
	return nil
}

var errNoCode = errors.New("its code cannot be read")

// read returns the code of a function; none where its size is not known.
func read(img *image.Image, fn image.Function) ([]byte, error) {
	if fn.Size == 0 || fn.Size > maxCode {
		return nil, nil
	}
	for _, p := range img.Elf.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && fn.Addr >= p.Vaddr && fn.Addr-p.Vaddr+fn.Size <= p.Filesz {
			code := make([]byte, fn.Size)
			if _, err := p.ReadAt(code, int64(fn.Addr-p.Vaddr)); err != nil {
				return nil, err
			}
			return code, nil
		}
	}
	return nil, errNoCode
}
