package budget

import (
	"strings"
	"testing"
)

func TestDefaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		given Limits
		node  Node
		want  Limits
	}{
		{"a large node", Limits{}, Node{Disk: 1 << 40, Memory: 256 << 30, Rings: 128 << 20},
			Limits{MinFreeDisk: 1 << 30, MinFreeMemory: 256 << 20, Memory: 512 << 20}},
		{"a small one", Limits{}, Node{Disk: 2 << 30, Memory: 4 << 30, Rings: 16 << 20},
			Limits{MinFreeDisk: 2 << 30 / 20, MinFreeMemory: 4 << 30 / 50, Memory: 400 << 20}},
		{"a container", Limits{}, Node{Disk: 10 << 30, Memory: 512 << 20, Rings: 16 << 20},
			Limits{MinFreeDisk: 512 << 20, MinFreeMemory: 32 << 20, Memory: 400 << 20}},
		{"all given", Limits{CPU: 0.5, Rate: 1, Memory: 2, Disk: 3, MinFreeDisk: 4, MinFreeMemory: 5, Load: 6}, Node{1, 1, 1},
			Limits{CPU: 0.5, Rate: 1, Memory: 2, Disk: 3, MinFreeDisk: 4, MinFreeMemory: 5, Load: 6}},
		{"none wanted", Limits{Memory: Unlimited, MinFreeDisk: Unlimited, MinFreeMemory: Unlimited, Disk: Unlimited, Rate: Unlimited}, Node{1 << 40, 1 << 40, 1}, Limits{}},
	} {
		if got := c.given.Complete(c.node); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	r := Reading{FreeDisk: 70 << 30, FreeMemory: 23 << 30, Load: 0.25}
	got := Limits{MinFreeDisk: 1 << 30, MinFreeMemory: 256 << 20, Memory: 416 << 20}.Describe(r)
	want := "records less above 416.0 MiB of memory; ends below 1.0 GiB of free disk (now 70.0 GiB) or below 256.0 MiB of free memory (now 23.0 GiB); no --max-cpu, --max-rate, --max-disk, --max-load"
	if got != want {
		t.Errorf("it says\n%s, want\n%s", got, want)
	}
	got = Limits{CPU: 0.2, Rate: 1 << 20, Disk: 1 << 30, Load: 1.5}.Describe(r)
	want = "records less above 20 % of one core or 1.0 MiB/s; ends at 1.0 GiB of disk or above a load of 1.5 per core (now 0.2); no --max-memory, --min-free-disk, --min-free-memory"
	if got != want {
		t.Errorf("it says\n%s, want\n%s", got, want)
	}
	if got := (Limits{}).Describe(r); strings.Contains(got, ";") || !strings.HasPrefix(got, "no --max-cpu") {
		t.Errorf("without limits it says %q", got)
	}
}

func TestUnits(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Bytes(1023).String(), "1023 B"}, {Bytes(1536).String(), "1.5 KiB"}, {Bytes(1 << 62).String(), "4.0 EiB"},
		{Share(0.2).String(), "20 %"}, {Share(0.0043).String(), "0.4 %"}, {Share(2).String(), "200 %"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
