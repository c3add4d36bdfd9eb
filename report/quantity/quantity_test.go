package quantity

import (
	"math"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-1:                                  "?",
		0:                                   "0 s",
		1:                                   "1 ns",
		999:                                 "999 ns",
		1000:                                "1.00 µs",
		9_994:                               "9.99 µs",
		9_996:                               "10.0 µs",
		999_499:                             "999 µs",
		999_500:                             "1.00 ms",
		1_853_000:                           "1.85 ms",
		412 * time.Millisecond:              "412 ms",
		12400 * time.Millisecond:            "12.4 s",
		119 * time.Second:                   "119 s",
		200 * time.Second:                   "3 min 20 s",
		2*time.Hour + 90*time.Second:        "2 h 1 min",
		time.Duration(math.MaxInt64):        "2562047 h 47 min",
		2*time.Hour - 600*time.Millisecond:  "119 min 59 s",
		119999 * time.Millisecond:           "2 min 0 s",
		999_499_999:                         "999 ms",
		999_500_000:                         "1.00 s",
		time.Hour + 59*time.Minute:          "119 min 0 s",
		48*time.Hour + 30*time.Minute + 500: "48 h 30 min",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 832: "832 B", 1023: "1023 B", 1024: "1.00 KiB", 4096: "4.00 KiB", 1_268_777: "1.21 MiB", 1<<20 - 1: "1.00 MiB",
		1 << 40: "1.00 TiB", math.MaxUint64: "16.0 EiB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 20_000: "20,000", 1_234_567: "1,234,567", math.MaxUint64: "18,446,744,073,709,551,615"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

// What is not all must not look like all, and what is not nothing not like nothing.
func TestShareNeverRoundsToTheEnds(t *testing.T) {
	for _, c := range []struct {
		part, whole uint64
		want        string
	}{
		{0, 0, "?"}, {0, 5, "0 %"}, {5, 5, "100 %"}, {6, 5, "100 %"}, {1, 1_000_000, "< 0.01 %"}, {999_999, 1_000_000, "> 99.99 %"},
		{9_999, 10_000, "99.99 %"}, {1, 3, "33.3 %"}, {1, 50, "2.00 %"}, {999, 1000, "99.90 %"},
	} {
		if got := Share(c.part, c.whole); got != c.want {
			t.Errorf("Share(%d, %d) = %q, want %q", c.part, c.whole, got, c.want)
		}
	}
}

func TestRate(t *testing.T) {
	for _, c := range []struct {
		n    uint64
		d    time.Duration
		want string
	}{
		{5, 0, "?"}, {5, 10 * time.Second, "0.50/s"}, {3444, 10 * time.Second, "344/s"}, {204_332, 6010 * time.Millisecond, "33,999/s"},
	} {
		if got := Rate(c.n, c.d); got != c.want {
			t.Errorf("Rate(%d, %v) = %q, want %q", c.n, c.d, got, c.want)
		}
	}
}

func TestSampled(t *testing.T) {
	for _, c := range []struct {
		measured, whole time.Duration
		want            string
	}{{time.Minute, time.Minute, ""}, {57 * time.Second, time.Minute, ""}, {2 * time.Second, time.Minute, "sampled 2.00 s of 60.0 s"}, {0, 0, ""}} {
		if got := Sampled(c.measured, c.whole); got != c.want {
			t.Errorf("%v of %v: %q, want %q", c.measured, c.whole, got, c.want)
		}
	}
}
