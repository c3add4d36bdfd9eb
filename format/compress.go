package format

import (
	"sync"

	"github.com/klauspost/compress/zstd"
	pqzstd "github.com/parquet-go/parquet-go/compress/zstd"
)

// compressionWindow is how far back zstd looks for repetition: a page of payload. An encoder holds twice that.
const compressionWindow = payloadPageBytes

// pageCodec compresses as parquet-go's codec does, with a window that fits our pages: its own takes 4 MiB a piece, and 8 of history.
type pageCodec struct{ pqzstd.Codec }

// compression is shared by all writers.
var compression pageCodec

// zstdEncoder serves all writers; EncodeAll may run in several goroutines, of which one encodes.
var zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(compressionWindow),
		zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(true), zstd.WithEncoderCRC(false))
	if err != nil {
		panic(err) // the options are constants
	}
	return e
})

// Encode compresses one page.
func (*pageCodec) Encode(dst, src []byte) ([]byte, error) {
	return zstdEncoder().EncodeAll(src, dst[:0]), nil
}
