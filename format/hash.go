package format

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"unsafe"
)

// hashWriter counts and hashes what passes on its way into a file.
type hashWriter struct {
	w     io.Writer
	sum   hash.Hash
	bytes int64
}

func newHashWriter(w io.Writer) *hashWriter { return &hashWriter{w: w, sum: sha256.New()} }

func (h *hashWriter) Write(p []byte) (int, error) {
	n, err := h.w.Write(p)
	h.sum.Write(p[:n])
	h.bytes += int64(n)
	return n, err
}

func (h *hashWriter) hex() string { return hex.EncodeToString(h.sum.Sum(nil)) }

// unsafeBytes views a string as bytes that nobody may change.
func unsafeBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
