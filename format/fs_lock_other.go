//go:build !unix || solaris || aix

package format

import (
	"errors"
	"io"
)

// Lock is not possible here: nothing records on this system.
func (OS) Lock(string) (io.Closer, error) { return nil, errors.ErrUnsupported }
