//go:build linux && (amd64 || arm64)

package uprobe

import (
	"io"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/image"
	"github.com/ebpf-reel/reel/format"
)

// Recipe knows which places of a file are of interest for one purpose.
type Recipe interface {
	// Purpose names what the probes are for: "keys", "plaintext". It is the recipe's identity.
	Purpose() string
	// Plan looks at a file; nil: there is nothing in it. It is asked once for each file, of any number of processes at once.
	Plan(file *image.Image, path string) *Plan
}

// Plan is what a recipe makes of a file.
type Plan struct {
	Library string // "openssl", "boringssl", "go", …
	Version string // "" unknown
	Static  bool   // the library is part of a program
	How     string // how the places were found: "symbol", "gopclntab", "labels"
	Probes  []bpf.Uprobe
	Err     error // why there are none, though the library is there
}

// Kernel places probes: *bpf.Objects.
type Kernel interface {
	AttachUprobes(path string, pid uint32, probes []bpf.Uprobe) (io.Closer, error)
}

// Placement says how it went with one file of one process, for one purpose.
type Placement struct {
	PID     format.PID
	Path    string // as the process sees it
	BuildID string // hex; "" none
	Purpose string
	Plan    *Plan
	Err     error // why the probes are not placed; nil: they are
}
