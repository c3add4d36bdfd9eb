package tls_test

import (
	"bytes"
	stdtls "crypto/tls"
	"fmt"
	"slices"
	"testing"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/tls"
	"github.com/ebpf-reel/reel/format"
)

// TestDeriverTakesAnyOrder: hellos and a master secret come from the rings of several CPUs, so that each may be the first.
func TestDeriverTakesAnyOrder(t *testing.T) {
	config := &stdtls.Config{MinVersion: stdtls.VersionTLS12, MaxVersion: stdtls.VersionTLS12}
	tap, _, _ := talk(t, config, config, []int{10})
	var hellos [2]*format.HeadCall // of the client, of the server: both as the client calls
	for _, f := range tap.flights {
		if hellos[f.d] == nil {
			dir := format.Read
			if f.d == conn.Out {
				dir = format.Write
			}
			hellos[f.d] = &format.HeadCall{PID: 7, Socket: 3, Dir: dir, Bytes: f.b, Moved: int64(len(f.b))}
		}
	}
	events := []func(d *tls.Deriver) []format.TLSKey{
		func(d *tls.Deriver) []format.TLSKey { return d.Handshake(hellos[0]) },
		func(d *tls.Deriver) []format.TLSKey { return d.Handshake(hellos[1]) },
		func(d *tls.Deriver) []format.TLSKey {
			return d.Master(&format.TLSKey{PID: 7, Label: format.TLSMaster, Secret: bytes.Repeat([]byte{9}, 48)})
		},
	}
	var first *format.TLSKey
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		d := tls.NewDeriver()
		var keys []format.TLSKey
		for round := range 2 { // another handshake on the same socket is another pair
			keys = nil
			for _, i := range order {
				keys = append(keys, events[i](d)...)
			}
			if round == 0 && len(keys) != 1 {
				t.Fatalf("order %v: %d keys", order, len(keys))
			}
		}
		if first == nil {
			first = &keys[0]
		}
		for _, k := range keys {
			if k.Label != format.TLSKeyBlock || !slices.Equal(k.Secret, first.Secret) || !slices.Equal(k.Random, first.Random) || len(k.Random) != 32 {
				t.Errorf("order %v: %s", order, fmt.Sprint(k))
			}
		}
		if len(keys) == 0 {
			t.Errorf("order %v: the second handshake has no keys", order)
		}
	}
}
