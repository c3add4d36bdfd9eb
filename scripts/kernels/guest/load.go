//go:build linux && (amd64 || arm64)

package main

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/ebpf-reel/reel/bpf"
)

// loadObjects puts the probes into the kernel and attaches them, and prints what the verifier says to those that it refuses: all
// of it, where reel says one sentence.
func loadObjects([]string) error {
	o, err := bpf.Load(bpf.Options{Snaplen: 4096})
	if err != nil {
		return explainRefusal("load", err)
	}
	defer o.Close()
	var errs []error
	for _, h := range o.Attach() {
		fmt.Printf("%-40s %v\n", h.Name, h.Err)
		if h.Err != nil {
			errs = append(errs, explainRefusal(h.Name, h.Err))
		}
	}
	return errors.Join(errs...)
}

func explainRefusal(what string, err error) error {
	var v *ebpf.VerifierError
	if errors.As(err, &v) {
		return fmt.Errorf("%s: %+v", what, v) //nolint:errorlint // %w would print the short form
	}
	return fmt.Errorf("%s: %w", what, err)
}
