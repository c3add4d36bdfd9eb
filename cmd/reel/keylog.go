package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/analyze/keylog"
	"github.com/ebpf-reel/reel/analyze/tls"
)

// keylogFlag is --keylog of commands that analyze a reel.
func keylogFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "keylog", "", "decrypt TLS connections by the secrets in `FILE` (SSLKEYLOGFILE format)")
}

// tlsConfig reads the key log in file, if one is given.
func tlsConfig(file string, keepSecrets bool) (cfg tls.Config, err error) {
	cfg.KeepSecrets = keepSecrets
	if file == "" {
		return cfg, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return cfg, &usageError{fmt.Sprintf("the key log cannot be read: %v", err)}
	}
	defer f.Close()
	cfg.Log, err = keylog.Read(f)
	switch {
	case errors.Is(err, keylog.ErrTooLong):
		return cfg, &usageError{err.Error()}
	case err != nil:
		return cfg, err
	case cfg.Log.Connections() == 0:
		return cfg, &usageError{file + " is no key log: no line of it is a label, a client random and a secret"}
	}
	return cfg, nil
}
