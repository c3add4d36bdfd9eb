//go:build linux && (amd64 || arm64)

package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ebpf-reel/reel/capture/image"
	"github.com/ebpf-reel/reel/capture/tlslib"
	"github.com/ebpf-reel/reel/format"
)

// unprobed are libraries that speak TLS and have no call that keys could be taken from, by the start of the file's name.
var unprobed = []struct{ prefix, name, why string }{
	{"libjvm.so", "Java (JSSE)", "it is compiled while it runs"},
	{"libnss3.so", "NSS", "it hands on handles instead of secrets"},
	{"libcoreclr.so", ".NET", "it is not probed"},
	{"libmbedtls.so", "Mbed TLS", "it is not probed"},
	{"libwolfssl.so", "wolfSSL", "it is not probed"},
	{"libs2n.so", "s2n-tls", "it is not probed"},
}

// maxFiles bounds the files of a process that are looked into.
const maxFiles = 1024

// libraries says whether the keys of TLS connections can be taken from what the process maps: how and from what, or why not.
func (p process) libraries() []format.Check {
	const name = "TLS"
	files, err := p.code()
	if err != nil {
		return []format.Check{limited(name, "libraries cannot be listed: "+reason(err), "not known", "run reel as root, or give it CAP_SYS_PTRACE")}
	}
	var keys, without []string
	for _, path := range files {
		for _, l := range unprobed {
			if strings.HasPrefix(filepath.Base(path), l.prefix) {
				without = append(without, l.name+": "+l.why)
			}
		}
		can, cannot := p.keys(path)
		if can != "" {
			keys = append(keys, can)
		}
		if cannot != "" {
			without = append(without, cannot)
		}
	}
	slices.Sort(keys)
	slices.Sort(without)
	switch {
	case len(keys) > 0:
		return []format.Check{ok(name, "keys of new connections: "+strings.Join(slices.Compact(keys), ", "))}
	case len(without) > 0:
		return []format.Check{limited(name, strings.Join(slices.Compact(without), ", "), "plaintext of TLS connections: ciphertext is recorded, and no keys",
			"let the program write a key log (SSLKEYLOGFILE), and give it to the analysis: reel analyze --keylog FILE")}
	}
	return []format.Check{ok(name, "no library that is known is mapped")}
}

// keys says how keys are taken from a file that the process maps, or why they are not. Both are "" for a file without TLS.
func (p process) keys(path string) (can, cannot string) {
	file, err := os.Open(filepath.Join(p.dir, "root", path))
	if errors.Is(err, fs.ErrPermission) {
		file, err = os.Open(path) // as it is here: most processes see the same files
	}
	if err != nil {
		return "", ""
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return "", ""
	}
	img, err := image.New(file, info.Size())
	if err != nil {
		return "", ""
	}
	plan := tlslib.Keys{}.Plan(img, path)
	switch {
	case plan == nil && img.Text("/rustls-0.", 24, func(b []byte) bool { return bytes.Contains(b, []byte("/src/")) }) != "": // where its panics come from
		return "", "rustls (" + filepath.Base(path) + "): it writes no key log"
	case plan == nil:
		return "", ""
	}
	what := strings.TrimSpace(plan.Library+" "+plan.Version) + " (" + filepath.Base(path) + ")"
	if plan.Err != nil {
		return "", what + ": " + plan.Err.Error()
	}
	return what + fmt.Sprintf(" by %s", plan.How), ""
}

// code lists the files whose code the process maps.
func (p process) code() ([]string, error) {
	maps, err := os.ReadFile(p.dir + "/maps")
	if err != nil {
		return nil, err
	}
	var files []string
	for line := range bytes.Lines(maps) {
		// address perms offset dev inode path (proc_pid_maps(5)); the path may hold spaces.
		fields := bytes.SplitN(bytes.TrimSpace(line), []byte(" "), 6)
		if len(fields) < 6 || len(fields[1]) < 3 || fields[1][2] != 'x' {
			continue
		}
		path := string(bytes.TrimSpace(fields[5]))
		if strings.HasPrefix(path, "/") && !slices.Contains(files, path) && len(files) < maxFiles {
			files = append(files, path)
		}
	}
	return files, nil
}
