//go:build linux && (amd64 || arm64)

package tlslib

import (
	"fmt"
	"go/version"
	"runtime"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/image"
	"github.com/ebpf-reel/reel/capture/site"
	"github.com/ebpf-reel/reel/capture/uprobe"
)

// Plaintext is the recipe of probes that record what the library's calls move: some for each message, which the program pays.
type Plaintext struct {
	Asked bool // they are placed only where the manager is asked to
}

// PurposePlaintext is the purpose of Plaintext.
const PurposePlaintext = "plaintext"

// Purpose returns PurposePlaintext.
func (Plaintext) Purpose() string { return PurposePlaintext }

// OnDemand implements uprobe.OnDemand.
func (r Plaintext) OnDemand() bool { return r.Asked }

// call is a function of a library, and the programs for its entry and its returns; "": none.
type call struct{ name, entry, exit string }

// plaintextCalls are those of C libraries, which are there if the first of their functions is. SSL_peek and its relatives are
// left alone: what they show is read again. SSL_read_early_data and SSL_write_early_data call SSL_read_ex and SSL_write_ex.
var plaintextCalls = map[string][]call{
	"openssl": {
		{"SSL_read", "openssl_read", "tls_return"},
		{"SSL_write", "openssl_write", "tls_return"},
		{"SSL_read_ex", "openssl_read_ex", "tls_return"},
		{"SSL_write_ex", "openssl_write_ex", "tls_return"},
		{"SSL_sendfile", "openssl_sendfile", "tls_return"},
		{"SSL_free", "tls_free", ""},
	},
	"gnutls": {
		{"gnutls_record_recv", "gnutls_recv", "tls_return"},
		{"gnutls_record_send", "gnutls_send", "tls_return"},
		{"gnutls_deinit", "tls_free", ""},
	},
}

// goPlaintextCalls are those of Go, whatever net.Conn lies under the connection.
var goPlaintextCalls = []call{
	{"crypto/tls.(*Conn).Read", "go_tls_read", "go_tls_return"},
	{"crypto/tls.(*Conn).Write", "go_tls_write", "go_tls_return"},
	{"crypto/tls.(*Conn).Close", "go_tls_close", ""},
}

// Plan finds the library in a file.
func (Plaintext) Plan(file *image.Image, path string) *uprobe.Plan {
	if v := file.GoVersion(); v != "" {
		return goPlaintext(file, v)
	}
	for name, calls := range plaintextCalls {
		found, err := file.Functions(names(calls)...)
		if _, there := found[calls[0].name]; err != nil || !there {
			continue
		}
		p := &uprobe.Plan{Library: name, How: "symbol", Static: !file.Shared()}
		if name == "openssl" {
			p.Version = opensslVersion(file)
		}
		p.Probes, p.Err = plaintextProbes(file, calls, found, func(code []byte) (site.Plan, error) { return site.C(arch, code), nil })
		return p
	}
	return nil
}

const arch = site.Arch(runtime.GOARCH)

func names(calls []call) (list []string) {
	for _, c := range calls {
		list = append(list, c.name)
	}
	return list
}

func goPlaintext(file *image.Image, goVersion string) *uprobe.Plan {
	p := &uprobe.Plan{Library: "go", Version: goVersion, How: "symbol", Static: true}
	list := names(goPlaintextCalls)
	found, err := file.Functions(list...)
	if err == nil && len(found) == 0 {
		p.How = "gopclntab"
		found, err = file.GoFunctions(list...)
	}
	switch {
	case err != nil:
		p.Err = err
	case len(found) == 0:
		return nil // a program without TLS
	case version.Compare(language(goVersion), oldestGo) < 0:
		p.Err = fmt.Errorf("%s passes arguments on the stack: probes know %s and later", goVersion, oldestGo)
	default:
		p.Probes, p.Err = plaintextProbes(file, goPlaintextCalls, found, func(code []byte) (site.Plan, error) { return site.Go(arch, code) })
	}
	return p
}

// plaintextProbes places the programs of calls on the functions that there are.
func plaintextProbes(file *image.Image, calls []call, found map[string]image.Function, plan func(code []byte) (site.Plan, error)) (probes []bpf.Uprobe, err error) {
	for _, c := range calls {
		f, ok := found[c.name]
		if !ok {
			continue
		}
		at, code, err := file.Code(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		places, err := plan(code)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		entry := at + uint64(places.Entry.Offset)
		probes = append(probes, bpf.Uprobe{Program: c.entry, Offset: entry})
		if c.exit == "" {
			continue
		}
		if places.ReturnProbe {
			probes = append(probes, bpf.Uprobe{Program: c.exit, Offset: entry, Return: true})
		}
		for _, e := range places.Exits {
			probes = append(probes, bpf.Uprobe{Program: c.exit, Offset: at + uint64(e.Offset)})
		}
	}
	return probes, nil
}
