package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/analyze/names"
)

func namesFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "names", "", "name remote addresses by `FILE`: a hosts file, or what kubectl get pods,svc -A -o json prints")
}

// readNames reads the file of --names; nil without one.
func readNames(file string) (*names.Table, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, &usageError{err.Error()}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, names.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > names.MaxBytes {
		return nil, &usageError{fmt.Sprintf("%s is larger than %d bytes: --names takes a hosts file, or the pods and services of kubectl", file, names.MaxBytes)}
	}
	table, err := names.Parse(text)
	if err != nil {
		return nil, &usageError{fmt.Sprintf("--names %s: %v", file, err)}
	}
	return table, nil
}
