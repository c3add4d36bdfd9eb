// Package keylog turns a key log file into the secrets of TLS connections. The format is that of NSS, which browsers, curl,
// OpenSSL's tools, Node (--tls-keylog), Go (Config.KeyLogWriter) and Envoy (key_log) write:
// https://www.ietf.org/archive/id/draft-ietf-tls-keylogfile-05.html.
package keylog

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// Label says which secret of a connection a line has.
type Label uint8

// The labels. Others (exporter secrets, ECH) decrypt no record and are passed over.
const (
	Master      Label = iota + 1 // TLS 1.2 and before: the master secret
	ClientEarly                  // TLS 1.3 traffic secrets
	ClientHandshake
	ServerHandshake
	ClientTraffic
	ServerTraffic
	KeyBlock // TLS 1.2: the key block (RFC 5246 §6.3); key logs have none, recorders do
	numLabels
)

var labels = map[string]Label{
	"CLIENT_RANDOM":                   Master,
	"CLIENT_EARLY_TRAFFIC_SECRET":     ClientEarly,
	"CLIENT_HANDSHAKE_TRAFFIC_SECRET": ClientHandshake,
	"SERVER_HANDSHAKE_TRAFFIC_SECRET": ServerHandshake,
	"CLIENT_TRAFFIC_SECRET_0":         ClientTraffic,
	"SERVER_TRAFFIC_SECRET_0":         ServerTraffic,
}

// Random is the random of a ClientHello: what names a connection in a key log.
type Random [32]byte

// Secrets are those of one connection, by label; nil where the log has none.
type Secrets [numLabels][]byte

// Log is a key log.
type Log struct {
	byRandom map[Random]*Secrets
	skipped  int
}

// Limits. A secret has the length of a hash; master secrets have 48 bytes.
const (
	maxLine   = 4096
	maxSecret = 64
	maxConns  = 1 << 20
)

// ErrTooLong is returned for a log that names more connections than are kept.
var ErrTooLong = fmt.Errorf("the key log names more than %d connections: give the part of it that belongs to the capture", maxConns)

// Read reads a key log. Lines that are no secret of a known label are counted, not refused: logs are written by several programs at
// once, and their last line may be torn. The error is the reader's, or ErrTooLong.
func Read(r io.Reader) (*Log, error) {
	l := &Log{byRandom: make(map[Random]*Secrets)}
	lines := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = lines.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' {
			if long || !l.add(line) {
				l.skipped++
			}
		}
		if len(l.byRandom) > maxConns {
			return nil, ErrTooLong
		}
		if errors.Is(err, io.EOF) {
			return l, nil
		}
	}
}

// add takes one line: label, client random, secret. It reports whether the line is one.
func (l *Log) add(line []byte) bool {
	f := bytes.Fields(line)
	if len(f) != 3 || len(f[1]) != 2*len(Random{}) || len(f[2]) == 0 || len(f[2]) > 2*maxSecret {
		return false
	}
	var random Random
	if _, err := hex.Decode(random[:], f[1]); err != nil {
		return false
	}
	secret := make([]byte, hex.DecodedLen(len(f[2])))
	if _, err := hex.Decode(secret, f[2]); err != nil {
		return false
	}
	label, ok := labels[string(f[0])]
	if !ok {
		return true // of no use here, and no fault of the log
	}
	s := l.byRandom[random]
	if s == nil {
		s = new(Secrets)
		l.byRandom[random] = s
	}
	s[label] = secret
	return true
}

// Find returns the secrets of the connection whose ClientHello has the random; nil if the log has none. A nil Log has none.
func (l *Log) Find(random *Random) *Secrets {
	if l == nil {
		return nil
	}
	return l.byRandom[*random]
}

// Connections returns how many connections the log names.
func (l *Log) Connections() int { return len(l.byRandom) }

// Skipped returns how many lines were no secret.
func (l *Log) Skipped() int { return l.skipped }
