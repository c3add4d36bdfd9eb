package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/keylog"
)

// exportKeylog writes the secrets that a reel keeps, of connections that the analysis proved them of, as a key log.
func exportKeylog(cmd *cobra.Command, dir string, w io.Writer) error {
	reel, err := openReel(dir, false)
	if err != nil {
		return err
	}
	defer reel.Close()
	limitMemory()
	res, err := analyze.Run(cmd.Context(), reel, analyze.Config{}, nothing{})
	if err != nil {
		return err
	}
	n, left, err := keylog.Write(w, res.Keys.Resolved())
	if err != nil {
		return err
	}
	if left > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "reel: %d connections of TLS 1.2 are left out: a key log holds their master secrets, which no reel keeps\n", left)
	}
	if n == 0 {
		return withCode(exitInconclusive, fmt.Errorf("%s holds no secret of a TLS 1.3 connection: record with reel capture --tls keys --keep-keys", dir))
	}
	return nil
}

// nothing is a sink for those who want what is known at the end.
type nothing struct{}

func (nothing) Connection(*facts.Connection) error { return nil }
func (nothing) Exchange(*facts.Exchange) error     { return nil }
func (nothing) Lookup(*facts.Lookup) error         { return nil }
