package text

import (
	"bytes"
	"io"
	"testing"

	"github.com/ebpf-reel/reel/format"
)

func benchRow() *format.IO {
	return &format.IO{Time: 12_000_345_678, Duration: 12500, PID: 10, TID: 10, FD: 5, Socket: 0x1f2e3d4c5b6a7988, Inode: 77,
		Call: format.CallRecvfrom, Dir: format.Read, Family: familyInet, Flags: format.IOMsgStart | format.IOOffsetValid,
		Ret: 27, Seq: 1000, Captured: 27, LPort: 80, RPort: 40001, Payload: []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")}
}

func BenchmarkAppendRow(b *testing.B) {
	row, line := benchRow(), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		line, _ = AppendRow(line[:0], row)
	}
	b.SetBytes(int64(len(line)))
}

func BenchmarkParse(b *testing.B) {
	line, err := AppendRow(nil, benchRow())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	_, rows, err := Parse(io.MultiReader(bytes.NewReader([]byte("reel-text 1\n")), &repeated{line: line, n: b.N, begun: true}))
	if err != nil {
		b.Fatal(err)
	}
	for _, err := range rows {
		if err != nil {
			b.Fatal(err)
		}
	}
}
