//go:build linux && (amd64 || arm64)

package bpf

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/ebpf-reel/reel/format/wire"
)

// objects are the committed objects that hold the wire types.
var objects = []string{"syscalls_x86_bpfel.o", "syscalls_arm64_bpfel.o"}

func objectBTF(t *testing.T, object string) *btf.Spec {
	t.Helper()
	spec, err := btf.LoadSpec(object)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// TestMirrorsHaveTheLayoutOfTheObjects compares every Go mirror with the struct that the compiled programs fill.
func TestMirrorsHaveTheLayoutOfTheObjects(t *testing.T) {
	mirrors := map[string]any{
		"event_header": wire.EventHeader{}, "io_event": wire.IOEvent{}, "io_more_event": wire.IOMoreEvent{},
		"sock_event": wire.SockEvent{}, "proc_event": wire.ProcEvent{}, "tcp_event": wire.TCPEvent{},
		"unix_event": wire.UnixEvent{}, "tls_key_event": wire.TLSKeyEvent{}, "sample_event": wire.SampleEvent{}, "block_event": wire.BlockEvent{}, "tls_event": wire.TLSEvent{},
	}
	for _, object := range objects {
		spec := objectBTF(t, object)
		for name, mirror := range mirrors {
			var s *btf.Struct
			if err := spec.TypeByName(name, &s); err != nil {
				t.Fatalf("%s: %v", object, err)
			}
			compareLayout(t, object, s, reflect.TypeOf(mirror), len(s.Members))
		}
		var s *btf.Struct
		if err := spec.TypeByName("cpu_state", &s); err != nil {
			t.Fatal(err)
		}
		compareLayout(t, object, s, reflect.TypeFor[cpuState](), reflect.TypeFor[cpuState]().NumField())
	}
}

// compareLayout compares the first n members; all but cpu_state are mirrored whole.
func compareLayout(t *testing.T, object string, s *btf.Struct, mirror reflect.Type, n int) {
	t.Helper()
	if mirror.NumField() != n || n == len(s.Members) && uintptr(s.Size) != mirror.Size() {
		t.Errorf("%s: struct %s has %d members in %d bytes, %v %d in %d", object, s.Name, len(s.Members), s.Size, mirror, mirror.NumField(), mirror.Size())
		return
	}
	for i, m := range s.Members[:n] {
		f := mirror.Field(i)
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			t.Fatal(err)
		}
		if uintptr(m.Offset.Bytes()) != f.Offset || uintptr(size) != f.Type.Size() || !sameName(m.Name, f.Name) {
			t.Errorf("%s: %s.%s is %d bytes at %d, %v.%s %d at %d", object, s.Name, m.Name, size, m.Offset.Bytes(), mirror, f.Name, f.Type.Size(), f.Offset)
		}
		if number, ok := btf.UnderlyingType(m.Type).(*btf.Int); ok {
			signed := f.Type.Kind() >= reflect.Int && f.Type.Kind() <= reflect.Int64
			if (number.Encoding == btf.Signed) != signed {
				t.Errorf("%s: %s.%s and %v.%s differ in sign", object, s.Name, m.Name, mirror, f.Name)
			}
		}
	}
}

func sameName(c, g string) bool {
	return strings.EqualFold(strings.ReplaceAll(c, "_", ""), g)
}

// TestEnumsHaveTheValuesOfTheObjects compares the constants of package wire, as its source has them, with the objects'.
func TestEnumsHaveTheValuesOfTheObjects(t *testing.T) {
	source, err := os.ReadFile("../format/wire/types_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\s+(\w+)\s+= (\d+)$`).FindAllSubmatch(source, -1) {
		constants[strings.ToLower(string(m[1]))] = string(m[2])
	}
	for _, object := range objects {
		spec := objectBTF(t, object)
		n := 0
		for _, name := range []string{"event_kind", "io_call", "io_direction", "cut_reason", "io_flag", "sock_op", "sock_role", "proc_op", "proc_flag", "tcp_op", "tcp_cause", "block_state", "block_taken", "tls_label", "tls_source", "tls_call", "tls_library", "tls_flag"} {
			var e *btf.Enum
			if err := spec.TypeByName(name, &e); err != nil {
				t.Fatalf("%s: %v", object, err)
			}
			for _, v := range e.Values {
				n++
				if got := constants[strings.ToLower(strings.ReplaceAll(v.Name, "_", ""))]; got != strconv.FormatUint(v.Value, 10) {
					t.Errorf("%s: %s is %d, package wire says %q", object, v.Name, v.Value, got)
				}
			}
		}
		if n != len(constants) {
			t.Errorf("%s has %d values, package wire %d", object, n, len(constants))
		}
	}
}

// TestObjectsNameNoMachine holds that what is committed does not depend on where it was compiled.
func TestObjectsNameNoMachine(t *testing.T) {
	files, err := filepath.Glob("*_bpfel.o")
	if err != nil || len(files) != 20 {
		t.Fatalf("%d objects, want 20 (%v)", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/work", "/home", "/root", "/tmp", "/src", "/go/"} {
			if bytes.Contains(b, []byte(path)) {
				t.Errorf("%s names the path %s", file, path)
			}
		}
	}
}

// TestBlockMapsAreReadAsTheyAre compares what is read of the maps of blocks with the objects.
func TestBlockMapsAreReadAsTheyAre(t *testing.T) {
	for _, object := range []string{"offcpu_x86_bpfel.o", "offcpu_arm64_bpfel.o"} {
		spec := objectBTF(t, object)
		for name, mirror := range map[string]any{"block_key": blockKey{}, "block_total": blockTotal{}, "away": away{}} {
			var s *btf.Struct
			if err := spec.TypeByName(name, &s); err != nil {
				t.Fatalf("%s: %v", object, err)
			}
			compareLayout(t, object, s, reflect.TypeOf(mirror), len(s.Members))
		}
	}
}
