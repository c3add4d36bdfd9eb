package format

import (
	"encoding/binary"
	"errors"
)

// Decoders of the encodings that reel's Parquet files use (Parquet's Encodings.md). Each knows from the page how many
// values to expect, so that what a hostile page says of itself allocates nothing.

var (
	errPage      = errors.New("a page's values are not whole")
	errTooMany   = errors.New("a page has more values than it says")
	errBadLength = errors.New("a page has a value of an impossible length")
)

// unpack reads len(dst) values of width bits each, least significant bit first. src must hold them.
func unpack[T uint8 | uint32 | int64](dst []T, src []byte, width uint) {
	mask := uint64(1)<<width - 1
	if width == 64 {
		mask = ^uint64(0)
	}
	bit := uint(0)
	i := 0
	for ; i < len(dst) && int(bit>>3)+8 <= len(src); i++ {
		word := binary.LittleEndian.Uint64(src[bit>>3:])
		v := word >> (bit & 7)
		if over := bit&7 + width; over > 64 {
			if int(bit>>3)+8 >= len(src) {
				break
			}
			v |= uint64(src[bit>>3+8]) << (64 - bit&7)
		}
		dst[i] = T(v & mask)
		bit += width
	}
	for ; i < len(dst); i++ {
		var word [9]byte
		copy(word[:], src[min(int(bit>>3), len(src)):])
		v := binary.LittleEndian.Uint64(word[:])>>(bit&7) | uint64(word[8])<<(64-bit&7)
		dst[i] = T(v & mask)
		bit += width
	}
}

// decodeRLE reads len(dst) values of the hybrid of run lengths and bit packing.
func decodeRLE[T uint8 | uint32](dst []T, src []byte, width uint) error {
	if width > 32 {
		return errPage
	}
	for len(dst) > 0 {
		head, n := binary.Uvarint(src)
		if n <= 0 {
			return errPage
		}
		src = src[n:]
		if head&1 == 0 { // a run
			count := head >> 1
			size := int(width+7) / 8
			if count > uint64(len(dst)) {
				return errTooMany
			}
			if len(src) < size {
				return errPage
			}
			var word [4]byte
			copy(word[:], src[:size])
			src = src[size:]
			v := T(binary.LittleEndian.Uint32(word[:]))
			for i := range dst[:count] {
				dst[i] = v
			}
			dst = dst[count:]
			continue
		}
		groups := head >> 1 // of eight values
		if groups > uint64(len(dst)/8+1) {
			return errTooMany
		}
		size := int(groups) * int(width)
		if size > len(src) {
			return errPage
		}
		count := min(int(groups)*8, len(dst))
		unpack(dst[:count], src[:size], width)
		src = src[size:]
		dst = dst[count:]
	}
	return nil
}

// decodeDelta reads len(dst) values of DELTA_BINARY_PACKED and returns what follows them.
func decodeDelta(dst []int64, src []byte) (rest []byte, err error) {
	var head [3]uint64 // values in a block, miniblocks in a block, values in all
	for i := range head {
		var n int
		if head[i], n = binary.Uvarint(src); n <= 0 {
			return nil, errPage
		}
		src = src[n:]
	}
	last, n := binary.Varint(src)
	if n <= 0 {
		return nil, errPage
	}
	src = src[n:]
	block, minis, total := head[0], head[1], head[2]
	if total != uint64(len(dst)) {
		return nil, errTooMany
	}
	if minis == 0 || minis > 512 || block == 0 || block > 1<<16 || block%minis != 0 || block/minis%32 != 0 {
		return nil, errPage
	}
	if total == 0 {
		return src, nil
	}
	dst[0] = last
	dst = dst[1:]
	mini := int(block / minis)
	for len(dst) > 0 {
		least, n := binary.Varint(src)
		if n <= 0 || len(src)-n < int(minis) {
			return nil, errPage
		}
		widths := src[n : n+int(minis)]
		src = src[n+int(minis):]
		for _, width := range widths {
			if len(dst) == 0 {
				break // a last block has widths for miniblocks that it has not
			}
			count := min(mini, len(dst))
			if width > 64 {
				return nil, errPage
			}
			size := mini * int(width) / 8
			if size > len(src) {
				return nil, errPage
			}
			if width == 0 {
				for i := range dst[:count] {
					last += least
					dst[i] = last
				}
			} else {
				unpack(dst[:count], src[:size], uint(width))
				for i, d := range dst[:count] {
					last += least + d
					dst[i] = last
				}
			}
			src = src[size:]
			dst = dst[count:]
		}
	}
	return src, nil
}

// decodeLengths reads n byte arrays of DELTA_LENGTH_BYTE_ARRAY: where each ends in what follows, which is returned too.
func decodeLengths(ends []int64, src []byte) (data []byte, err error) {
	data, err = decodeDelta(ends, src)
	if err != nil {
		return nil, err
	}
	end := int64(0)
	for i, n := range ends {
		if n < 0 || n > int64(len(data))-end {
			return nil, errBadLength
		}
		end += n
		ends[i] = end
	}
	return data, nil
}

// decodePlainBytes calls each for n byte arrays of PLAIN.
func decodePlainBytes(n int, src []byte, each func(i int, b []byte) error) error {
	for i := range n {
		if len(src) < 4 {
			return errPage
		}
		size := binary.LittleEndian.Uint32(src)
		src = src[4:]
		if uint64(size) > uint64(len(src)) {
			return errBadLength
		}
		if err := each(i, src[:size:size]); err != nil {
			return err
		}
		src = src[size:]
	}
	return nil
}

// decodePlain reads len(dst) fixed-size numbers of PLAIN: 32 bits signed, or 64.
func decodePlain(dst []int64, src []byte, size int, unsigned bool) error {
	if len(src) < len(dst)*size {
		return errPage
	}
	switch {
	case size == 8:
		for i := range dst {
			dst[i] = int64(binary.LittleEndian.Uint64(src[8*i:]))
		}
	case unsigned:
		for i := range dst {
			dst[i] = int64(binary.LittleEndian.Uint32(src[4*i:]))
		}
	default:
		for i := range dst {
			dst[i] = int64(int32(binary.LittleEndian.Uint32(src[4*i:])))
		}
	}
	return nil
}

// decodeBits reads len(dst) booleans of PLAIN.
func decodeBits(dst []int64, src []byte) error {
	if len(src) < (len(dst)+7)/8 {
		return errPage
	}
	unpack(dst, src, 1)
	return nil
}
