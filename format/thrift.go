package format

import (
	"encoding/binary"
	"errors"
)

// Parquet's metadata is Thrift's compact protocol. The library that decodes it allocates what a length says, before it
// looks whether so many bytes follow: a few bytes of a hostile file would ask for terabytes. So a struct is walked first.

var errThrift = errors.New("the metadata is not whole")

// maxThriftDepth is above what Parquet nests.
const maxThriftDepth = 12

// Types of the compact protocol.
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// thriftLength returns the length of the struct that b begins with. No length in it exceeds what follows it.
func thriftLength(b []byte) (int, error) {
	rest, err := skipThriftStruct(b, 0)
	return len(b) - len(rest), err
}

func skipThriftStruct(b []byte, depth int) ([]byte, error) {
	if depth > maxThriftDepth {
		return nil, errThrift
	}
	for {
		if len(b) == 0 {
			return nil, errThrift
		}
		head := b[0]
		b = b[1:]
		if head == thriftStop {
			return b, nil
		}
		var err error
		if head>>4 == 0 { // the field's number follows
			if b, err = skipVarint(b); err != nil {
				return nil, err
			}
		}
		typ := head & 15
		if typ == thriftTrue || typ == thriftFalse { // the value is in the type
			continue
		}
		if b, err = skipThrift(b, typ, depth); err != nil {
			return nil, err
		}
	}
}

func skipVarint(b []byte) ([]byte, error) {
	_, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, errThrift
	}
	return b[n:], nil
}

// thriftCount reads a number of bytes or elements, each of which takes at least one byte.
func thriftCount(b []byte) (int, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > uint64(len(b)-n) {
		return 0, nil, errThrift
	}
	return int(v), b[n:], nil
}

func skipThrift(b []byte, typ byte, depth int) ([]byte, error) {
	switch typ {
	case thriftTrue, thriftFalse, thriftByte:
		if len(b) < 1 {
			return nil, errThrift
		}
		return b[1:], nil
	case thriftI16, thriftI32, thriftI64:
		return skipVarint(b)
	case thriftDouble:
		if len(b) < 8 {
			return nil, errThrift
		}
		return b[8:], nil
	case thriftBinary:
		n, b, err := thriftCount(b)
		if err != nil {
			return nil, err
		}
		return b[n:], nil
	case thriftList, thriftSet:
		if len(b) < 1 {
			return nil, errThrift
		}
		elem, n := b[0]&15, int(b[0]>>4)
		b = b[1:]
		if n == 15 {
			var err error
			if n, b, err = thriftCount(b); err != nil {
				return nil, err
			}
		}
		return skipThriftElements(b, n, depth, elem)
	case thriftMap:
		n, b, err := thriftCount(b)
		if err != nil || n == 0 {
			return b, err
		}
		return skipThriftElements(b[1:], n, depth, b[0]>>4, b[0]&15)
	case thriftStruct:
		return skipThriftStruct(b, depth+1)
	}
	return nil, errThrift
}

// skipThriftElements skips n elements, each of the given types one after the other.
func skipThriftElements(b []byte, n, depth int, types ...byte) ([]byte, error) {
	if depth > maxThriftDepth {
		return nil, errThrift
	}
	for range n {
		for _, t := range types {
			var err error
			if b, err = skipThrift(b, t, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}
