//go:build linux

package bpf

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ebpf-reel/reel/format/wire"
)

// compatProgram reads from descriptor 0, closes descriptor 99 and exits, all by int 0x80: the numbers of these calls mean
// close, and nothing, in the 64-bit ABI.
var compatProgram = []byte{
	0xb8, 3, 0, 0, 0, // mov eax, 3 (read)
	0x31, 0xdb, 0x31, 0xc9, 0x31, 0xd2, // xor ebx, ebx; xor ecx, ecx; xor edx, edx
	0xcd, 0x80, // int 0x80
	0xb8, 6, 0, 0, 0, // mov eax, 6 (close)
	0xbb, 99, 0, 0, 0, // mov ebx, 99
	0xcd, 0x80,
	0xb8, 1, 0, 0, 0, // mov eax, 1 (exit)
	0x31, 0xdb,
	0xcd, 0x80,
}

// executable wraps code in the least ELF file.
func executable(code []byte) []byte {
	const base, headers = 0x400000, 64 + 56
	le := binary.LittleEndian
	b := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	b = le.AppendUint16(b, 2)            // ET_EXEC
	b = le.AppendUint16(b, 62)           // EM_X86_64
	b = le.AppendUint32(b, 1)            // version
	b = le.AppendUint64(b, base+headers) // entry
	b = le.AppendUint64(b, 64)           // program headers
	b = le.AppendUint64(b, 0)            // section headers
	b = le.AppendUint32(b, 0)            // flags
	b = append(b, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0)
	b = le.AppendUint32(b, 1) // PT_LOAD
	b = le.AppendUint32(b, 5) // read, execute
	b = le.AppendUint64(b, 0)
	b = le.AppendUint64(b, base)
	b = le.AppendUint64(b, base)
	b = le.AppendUint64(b, uint64(headers+len(code)))
	b = le.AppendUint64(b, uint64(headers+len(code)))
	b = le.AppendUint64(b, 0x1000)
	return append(b, code...)
}

// TestCompatCallsAreCountedAndNotMisread runs 32-bit calls in a child of this process.
func TestCompatCallsAreCountedAndNotMisread(t *testing.T) {
	path := filepath.Join(t.TempDir(), "compat")
	if err := os.WriteFile(path, executable(compatProgram), 0o700); err != nil {
		t.Fatal(err)
	}
	o := attached(t, Options{Snaplen: 4096})
	if err := o.AddTarget(uint32(os.Getpid())); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(path)
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
	if err := o.RemoveTarget(uint32(os.Getpid())); err != nil {
		t.Fatal(err)
	}
	c, err := o.Counters()
	if err != nil {
		t.Fatal(err)
	}
	if c.Compat != 2 {
		t.Errorf("%d calls of the 32-bit ABI counted, want 2", c.Compat)
	}
	unseen, err := o.Unseen()
	if err != nil {
		t.Fatal(err)
	}
	if len(unseen) != 1 || unseen[0].Kind != UnseenCompat || unseen[0].Count != 2 || unseen[0].PID != uint32(command.Process.Pid) {
		t.Errorf("counted by process: %+v, want 2 calls of process %d", unseen, command.Process.Pid)
	}
	for _, e := range collect(t, o) {
		if e.Kind != wire.EventProc {
			t.Errorf("recorded: %+v", e)
		}
	}
}
