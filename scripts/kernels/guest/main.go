//go:build linux

// Command guest turns a bare kernel into a test machine: as its first process it mounts what programs expect, runs the steps of
// one test (servers, clients, reel), and carries the results out over the second serial port.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// The parts that guest plays, by the name that it is started under: --comm tells them apart.
var parts = map[string]func(args []string) error{
	"init":         boot,
	"shop-poll":    servePolling,
	"shop-vec":     serveVectors,
	"shop-client":  shop,
	"shop-ktls":    speakKTLS,
	"enter":        enterNamespace,
	"load-objects": loadObjects,
}

func main() {
	part := parts[filepath.Base(os.Args[0])]
	if part == nil {
		fmt.Fprintln(os.Stderr, "guest: no part is called", os.Args[0])
		os.Exit(2)
	}
	if err := part(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
		os.Exit(1)
	}
}
