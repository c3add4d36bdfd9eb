package tls_test

import (
	stdtls "crypto/tls"
	"testing"

	"github.com/ebpf-reel/reel/analyze/conn"
)

// FuzzStage cuts and loses a true conversation as the input says, and puts its bytes into it: nothing panics, and no plaintext comes
// out but what was said.
func FuzzStage(f *testing.F) {
	short := []int{40, 300, 5, 2000}
	tap13, log13, _ := talk(f, &stdtls.Config{}, &stdtls.Config{}, short)
	only := &stdtls.Config{MaxVersion: stdtls.VersionTLS12, CipherSuites: []uint16{stdtls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}
	tap12, log12, _ := talk(f, only, only, short)
	f.Add(true, []byte{})
	f.Add(false, []byte{255, 0, 10, 1, 3, 7})
	f.Add(true, []byte{5, 2, 250, 0, 40, 1, 30, 3, 22, 3, 1, 0, 5, 1, 0, 0, 1, 0})
	f.Fuzz(func(t *testing.T, v13 bool, script []byte) {
		tap, log := tap12, log12
		if v13 {
			tap, log = tap13, log13
		}
		next := func() int {
			if len(script) == 0 {
				return 255
			}
			b := script[0]
			script = script[1:]
			return int(b)
		}
		var pieces []piece
		var junk [2]bool // in that direction: nothing is missing behind it, for of a record that is not whole nothing proves that no junk lies in it
		for i, fl := range tap.flights {
			for b := fl.b; len(b) > 0; {
				n := min(1+8*next(), len(b))
				p := piece{d: fl.d, b: b[:n]}
				b = b[n:]
				if i < 2 {
					pieces = append(pieces, p) // hellos
					continue
				}
				switch op := next(); {
				case op < 8 && !junk[fl.d]:
					p.gone = true
				case op < 24 && !junk[fl.d]:
					p.cut, p.b = len(p.b)/2, p.b[:len(p.b)-len(p.b)/2]
				case 24 <= op && op < 32:
					k := min(next(), len(script))
					junk[op&1] = junk[op&1] || k > 0
					pieces = append(pieces, piece{d: conn.Dir(op & 1), b: script[:k]})
					script = script[k:]
				}
				pieces = append(pieces, p)
			}
		}
		play(t, log, pieces, short)
	})
}
