package keylog

import (
	"bufio"
	"fmt"
	"io"
)

// Connection is the secrets of one connection.
type Connection struct {
	Random  Random
	Secrets *Secrets
}

// written are the labels that a key log gets, in the order in which libraries write them. Master secrets are no part of it: who has one
// can resume the session.
var written = [...]struct {
	label Label
	name  string
}{
	{ClientEarly, "CLIENT_EARLY_TRAFFIC_SECRET"},
	{ClientHandshake, "CLIENT_HANDSHAKE_TRAFFIC_SECRET"},
	{ServerHandshake, "SERVER_HANDSHAKE_TRAFFIC_SECRET"},
	{ClientTraffic, "CLIENT_TRAFFIC_SECRET_0"},
	{ServerTraffic, "SERVER_TRAFFIC_SECRET_0"},
}

// Write writes the secrets of TLS 1.3 connections as a key log. It returns how many connections it has, and how many have secrets
// that a key log has no label for: key blocks of TLS 1.2.
func Write(w io.Writer, connections []Connection) (n, left int, err error) {
	out := bufio.NewWriter(w)
	for i := range connections {
		c := &connections[i]
		any := false
		for _, l := range written {
			if secret := c.Secrets[l.label]; len(secret) > 0 {
				fmt.Fprintf(out, "%s %x %x\n", l.name, c.Random, secret) // an error comes again at Flush
				any = true
			}
		}
		switch {
		case any:
			n++
		case len(c.Secrets[KeyBlock]) > 0:
			left++
		}
	}
	return n, left, out.Flush()
}
