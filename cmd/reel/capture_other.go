//go:build !linux || !(amd64 || arm64)

package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// newCaptureCommand is here to say where one can record.
func newCaptureCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "capture",
		Short:              "Record what processes do on the network (on Linux)",
		DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return withCode(exitEnvironment, errors.New("recording needs Linux on amd64 or arm64: record there, copy the reel, and analyze it here"))
		},
	}
}

// newSnapCommand is here to say where there are flight recorders.
func newSnapCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "snap",
		Short:              "Keep what a flight recorder holds (on Linux)",
		DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return withCode(exitEnvironment, errors.New("a flight recorder runs on Linux on amd64 or arm64: ask there, copy the reel, and analyze it here"))
		},
	}
}

// newDoctorCommand is here to say where one can record.
func newDoctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "doctor",
		Short:              "Say what a capture on this node would see (on Linux)",
		DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return withCode(exitEnvironment, errors.New("recording needs Linux on amd64 or arm64: ask there"))
		},
	}
}

func reexeced([]string) (code int, ok bool) { return 0, false }
