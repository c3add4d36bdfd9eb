package histogram

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/quick"

	"github.com/DataDog/sketches-go/ddsketch"
)

// Every value lies in its bin, and bins follow each other without a gap.
func TestIndexAndLowerAreInverse(t *testing.T) {
	for i := uint(0); i < 58<<subBits+63; i++ {
		from, to := lower(i), lower(i+1)
		if from >= to || indexOf(from) != uint16(i) || indexOf(to-1) != uint16(i) {
			t.Fatalf("bin %d from %d to %d", i, from, to)
		}
	}
	f := func(v uint64) bool {
		i := uint(indexOf(v))
		return lower(i) <= v && v <= lower(i+1)-1
	}
	if err := quick.Check(f, &quick.Config{MaxCount: 100_000}); err != nil {
		t.Error(err)
	}
	if i := indexOf(math.MaxUint64); lower(uint(i)) > math.MaxUint64-1 {
		t.Errorf("the greatest value is in bin %d", i)
	}
}

// values draws what latencies look like: log-normal, with ties.
func values(seed uint64, n int) []uint64 {
	rnd := rand.New(rand.NewPCG(seed, 1))
	out := make([]uint64, n)
	for i := range out {
		out[i] = uint64(math.Exp(rnd.NormFloat64()*2 + 12))
	}
	return out
}

// The quantiles are within their bound of the true ones and of those of DataDog's sketch, however coarse the histogram had
// to become.
func TestQuantilesAgainstSortedAndDDSketch(t *testing.T) {
	for _, most := range []int{0, 256, 64, 16, 4} {
		all := values(uint64(most), 20_000)
		var h Histogram
		sketch, err := ddsketch.NewDefaultDDSketch(0.001)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range all {
			h.Add(v, most)
			if err := sketch.Add(float64(v)); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(all)
		if h.Count() != uint64(len(all)) || h.Min() != all[0] || h.Max() != all[len(all)-1] || most > 0 && h.Len() > most {
			t.Errorf("%d bins: %d values from %d to %d in %d", most, h.Count(), h.Min(), h.Max(), h.Len())
		}
		if most == 0 && h.Error() > Error {
			t.Errorf("error %v without joining", h.Error())
		}
		for _, q := range []float64{0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
			got, off := h.Quantile(q)
			want := all[max(int(math.Ceil(q*float64(len(all))))-1, 0)]
			if d := math.Abs(float64(got) - float64(want)); d > off*float64(want)+1 || off > h.Error() {
				t.Errorf("%d bins, quantile %v is %d ± %v, want %d", most, q, got, off, want)
			}
			other, err := sketch.GetValueAtQuantile(q)
			if err != nil {
				t.Fatal(err)
			}
			// Their rank is one of ours or its neighbour's: in the middle of the distribution that does not matter.
			if q > 0 && q < 1 && math.Abs(float64(got)-other) > (off+0.02)*other {
				t.Errorf("%d bins, quantile %v is %d ± %v, ddsketch says %v", most, q, got, off, other)
			}
		}
	}
}

// However values are spread over histograms of whatever coarseness, their merge holds the same as one of all.
func TestMergeIsAssociative(t *testing.T) {
	all := values(3, 5000)
	var whole Histogram
	for _, v := range all {
		whole.Add(v, 128)
	}
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		parts := make([]Histogram, 7)
		for _, v := range all {
			parts[rnd.IntN(len(parts))].Add(v, 128)
		}
		rnd.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		var sum Histogram
		for i := range parts {
			sum.Merge(&parts[i], 128)
		}
		if !slices.Equal(sum.bins, whole.bins) || sum.level != whole.level || sum.sum != whole.sum || sum.min != whole.min || sum.max != whole.max ||
			sum.count != whole.count {
			t.Fatalf("seed %d: %d bins of level %d, want %d of %d", seed, sum.Len(), sum.level, whole.Len(), whole.level)
		}
	}
}

func TestBucketsHoldEveryValue(t *testing.T) {
	var h Histogram
	for _, v := range []uint64{0, 5_000, 9_999, 10_000, 60_000, 499_000_000, 4_000_000_000, math.MaxUint64} {
		h.Add(v, 0)
	}
	got := h.Buckets(RoverTimes)
	var sum uint64
	for _, n := range got {
		sum += n
	}
	if len(got) != 34 || sum != h.Count() {
		t.Errorf("%d buckets hold %d values of %d", len(got), sum, h.Count())
	}
	// Rover's kernel side puts what lies between 3 s and 5 s into the last bucket; here it is where it belongs.
	if got[0] < 2 || got[32] != 1 || got[33] != 1 {
		t.Errorf("buckets %v", got)
	}
	if len(RoverDurations) != 45 || len(RoverSizes) != 25 || !slices.IsSorted(RoverTimes) || !slices.IsSorted(RoverDurations) || !slices.IsSorted(RoverSizes) {
		t.Error("the bounds are not Rover's")
	}
}

func TestAddAllocatesNothingOnceItHasItsBins(t *testing.T) {
	var h Histogram
	all := values(9, 1000)
	for _, v := range all {
		h.Add(v, 64)
	}
	if n := testing.AllocsPerRun(10, func() {
		for _, v := range all {
			h.Add(v, 64)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	all := values(9, 4096)
	var h Histogram
	for i := 0; b.Loop(); i++ {
		h.Add(all[i%len(all)], 0)
	}
}
