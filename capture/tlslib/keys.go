//go:build linux && (amd64 || arm64)

// Package tlslib turns a file that a process maps into the places in its TLS library where keys come by.
package tlslib

import (
	"bytes"
	"errors"
	"fmt"
	"go/version"
	"runtime"
	"strings"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/image"
	"github.com/ebpf-reel/reel/capture/site"
	"github.com/ebpf-reel/reel/capture/uprobe"
)

// Keys is the recipe of probes that see the secrets of connections: a few calls for each connection, none for each message.
type Keys struct{}

// PurposeKeys is the purpose of Keys.
const PurposeKeys = "keys"

// Purpose returns PurposeKeys.
func (Keys) Purpose() string { return PurposeKeys }

// Plan finds the library in a file.
func (Keys) Plan(file *image.Image, path string) *uprobe.Plan {
	if v := file.GoVersion(); v != "" {
		return goKeys(file, v)
	}
	if p := openssl(file); p != nil {
		return p
	}
	return keyLogger(file)
}

// openssl finds OpenSSL by its public functions: libcrypto, or a program that it is part of (Node.js).
func openssl(file *image.Image) *uprobe.Plan {
	const kdf, pkey = "EVP_KDF_derive", "EVP_PKEY_derive"
	found, err := file.Functions(kdf, pkey)
	if err != nil || len(found) == 0 {
		return nil
	}
	p := &uprobe.Plan{Library: "openssl", Version: opensslVersion(file), How: "symbol", Static: !file.Shared()}
	if f, ok := found[kdf]; ok {
		p.Probes, p.Err = atEntryAndReturn(file, f, "openssl_kdf")
		return p
	}
	if !strings.HasPrefix(p.Version, "1.1.") {
		return nil // BoringSSL and LibreSSL have the function, and derive no TLS secrets by it
	}
	p.Probes, p.Err = atEntryAndReturn(file, found[pkey], "openssl_pkey")
	return p
}

// atEntryAndReturn places a program at the entry of a C function, and its companion at its return.
func atEntryAndReturn(file *image.Image, f image.Function, program string) ([]bpf.Uprobe, error) {
	at, ok := file.FileOffset(f.Addr)
	if !ok {
		return nil, fmt.Errorf("the address %#x lies in no code of the file", f.Addr)
	}
	return []bpf.Uprobe{{Program: program, Offset: at}, {Program: program + "_return", Offset: at, Return: true}}, nil
}

// opensslVersion reads the version that the library names itself by, "3.0.19"; "" if there is none.
func opensslVersion(file *image.Image) string {
	text := file.Text("OpenSSL ", 24, func(b []byte) bool {
		return len(b) > 8 && b[8] >= '0' && b[8] <= '9' && bytes.IndexByte(b[8:], ' ') > 3
	})
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return ""
	}
	return fields[1]
}

// keyLabels are those of a key log, of which a library that can write one names at least four: clients of TLS 1.2 alone are not
// looked for.
var keyLabels = []string{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0",
	"SERVER_TRAFFIC_SECRET_0", "EXPORTER_SECRET", "CLIENT_RANDOM"}

const leastLabels = 5

// KeyLogProgram is the program on functions that write key logs: of TLS 1.2 they give the master secret.
const KeyLogProgram = "key_log"

// keyLogger finds the function that a library without symbols writes key logs by. It is called whether or not one is written.
func keyLogger(file *image.Image) *uprobe.Plan {
	if file.Needs("libcrypto.so.3", "libcrypto.so.1.1", "libnss3.so") {
		return nil // libssl: libcrypto has the probes. NSS passes a handle instead of the secret.
	}
	f, err := file.CalledWith(leastLabels, keyLabels...)
	if errors.Is(err, image.ErrNotHere) {
		return nil
	}
	p := &uprobe.Plan{Library: "unknown", How: "labels", Static: !file.Shared()}
	switch {
	case file.Text("BoringSSL", 9, nil) != "":
		p.Library = "boringssl"
	case strings.HasPrefix(file.Soname(), "libgnutls.so"):
		p.Library = "gnutls"
	}
	if err != nil {
		p.Err = err
		return p
	}
	at, ok := file.FileOffset(f.Addr)
	if !ok {
		p.Err = fmt.Errorf("the address %#x lies in no code of the file", f.Addr)
		return p
	}
	p.Probes = []bpf.Uprobe{{Program: KeyLogProgram, Offset: at}}
	return p
}

// Functions of crypto/tls that every version since Go 1.12 has.
const (
	goKeyLog   = "crypto/tls.(*Config).writeKeyLog"
	goKeyBlock = "crypto/tls.keysFromMasterSecret"
)

// oldestGo passes arguments in registers.
var oldestGo = map[string]string{"amd64": "go1.17", "arm64": "go1.18"}[runtime.GOARCH]

func goKeys(file *image.Image, goVersion string) *uprobe.Plan {
	p := &uprobe.Plan{Library: "go", Version: goVersion, How: "symbol", Static: true}
	found, err := file.Functions(goKeyLog, goKeyBlock)
	if err == nil && len(found) == 0 {
		p.How = "gopclntab"
		found, err = file.GoFunctions(goKeyLog, goKeyBlock)
	}
	switch {
	case err != nil:
		p.Err = err
		return p
	case len(found) == 0:
		return nil // a program without TLS
	case version.Compare(language(goVersion), oldestGo) < 0:
		p.Err = fmt.Errorf("%s passes arguments on the stack: probes know %s and later", goVersion, oldestGo)
		return p
	}
	if f, ok := found[goKeyLog]; ok {
		if at, ok := file.FileOffset(f.Addr); ok {
			p.Probes = append(p.Probes, bpf.Uprobe{Program: "go_key_log", Offset: at})
		}
	}
	if f, ok := found[goKeyBlock]; ok {
		block, err := goKeyBlockProbes(file, f)
		if err != nil {
			p.Err = fmt.Errorf("%s: %w", goKeyBlock, err)
			return p
		}
		p.Probes = append(p.Probes, block...)
	}
	return p
}

// language is the part of a version that version.Compare knows: toolchains of distributions and of development add to it.
func language(goVersion string) string {
	v, _, _ := strings.Cut(goVersion, " ")
	v, _, _ = strings.Cut(v, "-")
	if !version.IsValid(v) {
		return "go1.99" // "devel …": newer than any release that is too old
	}
	return v
}

func goKeyBlockProbes(file *image.Image, f image.Function) ([]bpf.Uprobe, error) {
	at, code, err := file.Code(f)
	if err != nil {
		return nil, err
	}
	plan, err := site.Go(site.Arch(runtime.GOARCH), code)
	if err != nil {
		return nil, err
	}
	probes := []bpf.Uprobe{{Program: "go_key_block", Offset: at + uint64(plan.Entry.Offset)}}
	for _, exit := range plan.Exits {
		probes = append(probes, bpf.Uprobe{Program: "go_key_block_return", Offset: at + uint64(exit.Offset)})
	}
	return probes, nil
}
