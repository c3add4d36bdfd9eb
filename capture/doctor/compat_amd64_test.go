//go:build linux

package doctor

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// executable32 is the least ELF file for i386: it waits for a signal.
func executable32() []byte {
	code := []byte{
		0xb8, 29, 0, 0, 0, // mov eax, 29 (pause)
		0xcd, 0x80, // int 0x80
		0xeb, 0xf7, // and again
	}
	const base, headers = 0x08048000, 52 + 32
	le := binary.LittleEndian
	b := append([]byte("\x7fELF\x01\x01\x01"), make([]byte, 9)...) // ELFCLASS32
	b = le.AppendUint16(b, 2)                                      // ET_EXEC
	b = le.AppendUint16(b, 3)                                      // EM_386
	for _, word := range []uint32{1, base + headers, 52, 0, 0} {   // version, entry, program headers, section headers, flags
		b = le.AppendUint32(b, word)
	}
	for _, half := range []uint16{52, 32, 1, 0, 0, 0} { // sizes and counts of headers
		b = le.AppendUint16(b, half)
	}
	size := uint32(headers + len(code))
	for _, word := range []uint32{1, 0, base, base, size, size, 5, 0x1000} { // PT_LOAD, read and execute
		b = le.AppendUint32(b, word)
	}
	return append(b, code...)
}

// A real 32-bit program, which runs.
func TestProcessOf32Bits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "small")
	if err := os.WriteFile(path, executable32(), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	var checks []format.Check
	for deadline := time.Now().Add(20 * time.Second); ; {
		var err error
		if checks, err = Process(format.PID(cmd.Process.Pid)); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(find(t, checks, "program").Found, path) || time.Now().After(deadline) {
			break // its exec is over
		}
		time.Sleep(time.Millisecond) // poll
	}
	if got := find(t, checks, "program"); got.State != format.CheckLimited || !strings.Contains(got.Found, "32-bit") || !strings.Contains(got.Lost, "counted") {
		t.Errorf("program: %+v", got)
	}
}
