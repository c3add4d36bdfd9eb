package format

import (
	"bytes"
	"encoding/hex"

	"github.com/ebpf-reel/reel/format/wire"
)

// TLSKey is a secret of a TLS connection, as a library derived it or wrote it into a key log. A reel that ended cleanly holds none,
// unless it was asked to keep them (DESIGN D18).
type TLSKey struct {
	Time    KTime
	CPU     uint16
	PID     PID
	TID     TID
	Label   TLSLabel
	Source  TLSSource
	Random  []byte // of the ClientHello; empty: the library did not say
	Context []byte // of TLS 1.3: the transcript hash that the secret was derived with; empty: the library did not say
	Secret  []byte // empty: it could not be read
}

// Table returns TableTLSKey.
func (*TLSKey) Table() TableID { return TableTLSKey }

// At returns the time of the row.
func (r *TLSKey) At() KTime { return r.Time }

// clone returns a copy that shares no bytes with r.
func (r *TLSKey) clone() TLSKey {
	c := *r
	c.Random, c.Context, c.Secret = bytes.Clone(r.Random), bytes.Clone(r.Context), bytes.Clone(r.Secret)
	return c
}

// TLSLabel says which secret of a connection it is.
type TLSLabel uint8

// The labels. See enum tls_label in event.h.
const (
	TLSClientEarly     TLSLabel = 1
	TLSClientHandshake TLSLabel = 2
	TLSServerHandshake TLSLabel = 3
	TLSClientTraffic   TLSLabel = 4
	TLSServerTraffic   TLSLabel = 5
	TLSAnyTraffic      TLSLabel = 6 // a traffic secret of TLS 1.3; which one is not known
	TLSKeyBlock        TLSLabel = 7 // of TLS 1.2
	TLSMaster          TLSLabel = 8 // of TLS 1.2; never in a reel
)

// TLSSource says where a secret was seen.
type TLSSource uint8

// The sources. See enum tls_source in event.h.
const (
	TLSSourceKDF    TLSSource = 1
	TLSSourcePKey   TLSSource = 2
	TLSSourceGo     TLSSource = 3
	TLSSourceKeyLog TLSSource = 4
)

var tlsLabelNames = []string{"", "client_early", "client_handshake", "server_handshake", "client_traffic", "server_traffic", "traffic", "key_block", "master"}

var tlsSourceNames = []string{"", "kdf", "pkey", "go", "key_log"}

// String returns "client_handshake", "key_block", ...
func (l TLSLabel) String() string { return nameOf(tlsLabelNames, "TLS_LABEL", uint8(l)) }

// ParseTLSLabel is the inverse of TLSLabel.String.
func ParseTLSLabel(s string) (TLSLabel, error) {
	n, err := parseName(tlsLabelNames, "TLS_LABEL", s)
	return TLSLabel(n), err
}

// String returns "kdf", "go", ...
func (s TLSSource) String() string { return nameOf(tlsSourceNames, "TLS_SOURCE", uint8(s)) }

// ParseTLSSource is the inverse of TLSSource.String.
func ParseTLSSource(s string) (TLSSource, error) {
	n, err := parseName(tlsSourceNames, "TLS_SOURCE", s)
	return TLSSource(n), err
}

// hexBytes is a column of short bytes as hex digits. What is none reads as no bytes.
func hexBytes[R any](name, doc string, field func(*R) *[]byte) column[R] {
	c := text(name, doc, (func(*R) *string)(nil))
	c.getString = func(r *R) string { return hex.EncodeToString(*field(r)) }
	c.setString = func(r *R, s string) {
		b, err := hex.DecodeString(s)
		if err != nil {
			b = nil
		}
		*field(r) = b
	}
	return c
}

var tlsKeyTable = table[TLSKey]{
	id:   TableTLSKey,
	time: func(r *TLSKey) KTime { return r.Time },
	cpu:  func(r *TLSKey) uint16 { return r.CPU },
	cols: []column[TLSKey]{
		number("time_ns", "when it was derived", delta, func(r *TLSKey) *KTime { return &r.Time }),
		number("cpu", "that it ran on", dict, func(r *TLSKey) *uint16 { return &r.CPU }),
		number("pid", "process", dict, func(r *TLSKey) *PID { return &r.PID }),
		number("tid", "thread", dict, func(r *TLSKey) *TID { return &r.TID }),
		enum("label", "which secret", func(r *TLSKey) *TLSLabel { return &r.Label }, TLSLabel.String, ParseTLSLabel),
		enum("source", "where it was seen", func(r *TLSKey) *TLSSource { return &r.Source }, TLSSource.String, ParseTLSSource),
		hexBytes("client_random", "of the ClientHello, hex; empty: not known", func(r *TLSKey) *[]byte { return &r.Random }),
		hexBytes("context", "transcript hash that a TLS 1.3 secret was derived with, hex; empty: not known", func(r *TLSKey) *[]byte { return &r.Context }),
		hexBytes("secret", "hex; empty: it could not be read", func(r *TLSKey) *[]byte { return &r.Secret }),
	},
}

// tlsKey fills the row; its bytes alias those of the event.
func (d *Decoded) tlsKey(e *wire.TLSKeyEvent) {
	d.TLSKey = TLSKey{
		Time:    KTime(e.H.TimeNS),
		CPU:     e.H.CPU,
		PID:     PID(e.H.PID),
		TID:     TID(e.H.TID),
		Label:   TLSLabel(e.Label),
		Source:  TLSSource(e.Source),
		Random:  e.Random[:min(int(e.RandomLen), len(e.Random))],
		Context: e.Context[:min(int(e.ContextLen), len(e.Context))],
		Secret:  e.Secret[:min(int(e.SecretLen), len(e.Secret))],
	}
}
