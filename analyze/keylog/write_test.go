package keylog_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ebpf-reel/reel/analyze/keylog"
)

// What Write writes Read reads, but for what a key log of ours never holds: master secrets and key blocks.
func TestWrite(t *testing.T) {
	secret := func(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }
	connections := []keylog.Connection{
		{Random: keylog.Random{1}, Secrets: &keylog.Secrets{keylog.ClientTraffic: secret(1, 32), keylog.ServerTraffic: secret(2, 32)}},
		{Random: keylog.Random{2}, Secrets: &keylog.Secrets{keylog.KeyBlock: secret(3, 40)}},
		{Random: keylog.Random{3}, Secrets: &keylog.Secrets{keylog.Master: secret(4, 48)}},
		{Random: keylog.Random{4}, Secrets: &keylog.Secrets{keylog.ClientEarly: secret(5, 48), keylog.ClientHandshake: secret(6, 48),
			keylog.ServerHandshake: secret(7, 48), keylog.ClientTraffic: secret(8, 48), keylog.ServerTraffic: secret(9, 48)}},
	}
	var out bytes.Buffer
	n, left, err := keylog.Write(&out, connections)
	if n != 2 || left != 1 || err != nil {
		t.Errorf("%d connections written, %d left out, error %v", n, left, err)
	}
	log, err := keylog.Read(&out)
	if err != nil || log.Skipped() != 0 || log.Connections() != 2 {
		t.Fatalf("read: %d connections, %d lines skipped, %v", log.Connections(), log.Skipped(), err)
	}
	for _, i := range []int{0, 3} {
		got := log.Find(&connections[i].Random)
		for label, want := range connections[i].Secrets {
			if got == nil || !bytes.Equal(got[label], want) {
				t.Errorf("connection %d, label %d: %x, want %x", i, label, got, want)
			}
		}
	}
	full := errors.New("the disk is full")
	if _, _, err := keylog.Write(fails{full}, connections); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
}

type fails struct{ err error }

func (f fails) Write([]byte) (int, error) { return 0, f.err }
