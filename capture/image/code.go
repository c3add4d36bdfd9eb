//go:build linux && (amd64 || arm64)

package image

import "fmt"

const maxFunction = 1 << 20

// Code returns where a function begins in the file, and its machine code.
func (m *Image) Code(f Function) (offset uint64, code []byte, err error) {
	offset, ok := m.FileOffset(f.Addr)
	if !ok || f.Size > maxFunction || offset > uint64(m.size) || f.Size > uint64(m.size)-offset {
		return 0, nil, fmt.Errorf("no code lies at %#x", f.Addr)
	}
	code = make([]byte, f.Size)
	if _, err := m.file.ReadAt(code, int64(offset)); err != nil {
		return 0, nil, err
	}
	return offset, code, nil
}
