package text

import (
	"bytes"
	"encoding/hex"
	"fmt"

	"github.com/ebpf-reel/reel/format"
)

var tlsKeyColumns = []column{
	required(word(named("label", "a secret: client_early, client_handshake, server_handshake, client_traffic, server_traffic, traffic or key_block", format.ParseTLSLabel,
		func(r *format.TLSKey) *format.TLSLabel { return &r.Label }), format.ParseTLSLabel)),
	named("source", "where it was seen: kdf, pkey, go or key_log", format.ParseTLSSource, func(r *format.TLSKey) *format.TLSSource { return &r.Source }),
	number("cpu", func(r *format.TLSKey) *uint16 { return &r.CPU }),
	number("pid", func(r *format.TLSKey) *format.PID { return &r.PID }),
	withDefault(number("tid", tlsKeyTID), tlsKeyTID, "pid", func(r *format.TLSKey) format.TID { return format.TID(r.PID) }),
	hexBytes("random", func(r *format.TLSKey) *[]byte { return &r.Random }),
	hexBytes("context", func(r *format.TLSKey) *[]byte { return &r.Context }),
	hexBytes("secret", func(r *format.TLSKey) *[]byte { return &r.Secret }),
}

func tlsKeyTID(r *format.TLSKey) *format.TID { return &r.TID }

// hexBytes is a column of bytes as hex digits.
func hexBytes[R any](key string, at func(*R) *[]byte) column {
	return column{
		key: key, form: "hex digits",
		omit:  func(row any) bool { return len(*at(row.(*R))) == 0 },
		write: func(dst []byte, row any) []byte { return hex.AppendEncode(appendKey(dst, key), *at(row.(*R))) },
		set: func(row any, v *token) error {
			b, err := hex.DecodeString(string(bytes.TrimSpace(v.text)))
			if v.kind == tokenList || err != nil {
				return fmt.Errorf("%s takes hex digits", key)
			}
			*at(row.(*R)) = b
			return nil
		},
	}
}

var probeColumns = []column{
	quoted("purpose", func(r *format.Probe) *string { return &r.Purpose }),
	number("pid", func(r *format.Probe) *format.PID { return &r.PID }),
	quoted("library", func(r *format.Probe) *string { return &r.Library }),
	quoted("version", func(r *format.Probe) *string { return &r.Version }),
	quoted("path", func(r *format.Probe) *string { return &r.Path }),
	quoted("build_id", func(r *format.Probe) *string { return &r.BuildID }),
	mark("static", func(r *format.Probe) *bool { return &r.Static }),
	quoted("how", func(r *format.Probe) *string { return &r.How }),
	number("probes", func(r *format.Probe) *uint32 { return &r.Probes }),
	quoted("error", func(r *format.Probe) *string { return &r.Error }),
}
