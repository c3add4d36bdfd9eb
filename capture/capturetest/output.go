// Package capturetest turns what a running program prints into text that its test or benchmark may read meanwhile.
package capturetest

import (
	"bytes"
	"strings"
	"sync"
)

// Output keeps what a running command prints while others read it. The zero value is empty. Its methods may be called from several
// goroutines.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends p.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String returns all that was printed so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// LastLine returns the last line that is whole, without its end; "" where there is none.
func (o *Output) LastLine() string {
	text := o.String()
	end := strings.LastIndexByte(text, '\n')
	if end < 0 {
		return ""
	}
	return text[strings.LastIndexByte(text[:end], '\n')+1 : end]
}
