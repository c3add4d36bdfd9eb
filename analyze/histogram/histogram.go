// Package histogram turns whole numbers (nanoseconds, bytes) into mergeable histograms of bounded size, whose quantiles come
// with the bound of their error.
//
// Bins are log-linear: each power of two is cut into 64 of the same width, so that a value differs from the middle of its bin
// by less than 1/128 of itself (0.8 %), and values below 128 are exact. All arithmetic is on integers: the same values give the
// same bins on every machine, which logarithms of floating point do not. Two histograms are merged by adding the counts of
// equal bins.
//
// A histogram that would have more bins than it may joins neighbours, two and two, which doubles its error (uniform collapse:
// Epicoco et al., UDDSketch, IEEE Access 2020). The bounds of the coarser bins are bounds of finer ones, so histograms of
// different coarseness still merge.
package histogram

import (
	"math"
	"math/bits"
	"slices"
)

// Error is the relative error of a histogram whose bins were never joined.
const Error = 1.0 / 128

// DefaultBins is as many as there are: none is ever joined.
const DefaultBins = 59 << subBits

// Bin is the number of values from From up to, not including, To.
type Bin struct {
	From, To uint64
	Count    uint64
}

// Histogram counts values. The zero value is empty and ready.
type Histogram struct {
	bins     []bin // ascending
	sum      uint64
	count    uint64
	min, max uint64
	level    uint8 // bins have been joined so often
}

// bin is the count of one index. A count stays at its greatest value rather than to turn over.
type bin struct {
	index uint16
	count uint32
}

// subBits is the binary logarithm of the bins in a power of two.
const subBits = 6

// indexOf returns the bin of a value as long as none were joined.
func indexOf(v uint64) uint16 {
	e := max(bits.Len64(v)-subBits-1, 0)
	return uint16(e<<subBits) + uint16(v>>e)
}

// lower is the least value of a bin that was not joined: the inverse of indexOf.
func lower(index uint) uint64 {
	if index < 2<<subBits {
		return uint64(index)
	}
	e := index>>subBits - 1
	if e > 63-subBits {
		return math.MaxUint64 // behind the last
	}
	return uint64(index-e<<subBits) << e
}

// Add counts v in at most so many bins; 0 is DefaultBins. It allocates only to grow.
func (h *Histogram) Add(v uint64, most int) {
	h.note(v, v, v, 1)
	h.add(indexOf(v)>>h.level, 1, bound(most))
}

func bound(most int) int {
	if most <= 0 {
		return DefaultBins
	}
	return max(most, 2)
}

func (h *Histogram) note(least, most, sum, count uint64) {
	if h.count == 0 || least < h.min {
		h.min = least
	}
	h.max = max(h.max, most)
	h.count += count
	if h.sum += sum; h.sum < sum {
		h.sum = math.MaxUint64
	}
}

// add counts n values of a bin of h's level.
func (h *Histogram) add(index uint16, n uint32, most int) {
	for {
		lo, hi := 0, len(h.bins)
		for lo < hi {
			mid := int(uint(lo+hi) >> 1)
			if h.bins[mid].index < index {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		if lo < len(h.bins) && h.bins[lo].index == index {
			b := &h.bins[lo]
			b.count = uint32(min(uint64(b.count)+uint64(n), math.MaxUint32))
			return
		}
		if len(h.bins) < most {
			h.bins = slices.Insert(h.bins, lo, bin{index, n})
			return
		}
		h.coarsen()
		index >>= 1
	}
}

// coarsen joins neighbours.
func (h *Histogram) coarsen() {
	h.level++
	kept := h.bins[:0]
	for _, b := range h.bins {
		b.index >>= 1
		if last := len(kept) - 1; last >= 0 && kept[last].index == b.index {
			kept[last].count = uint32(min(uint64(kept[last].count)+uint64(b.count), math.MaxUint32))
			continue
		}
		kept = append(kept, b)
	}
	h.bins = kept
}

// Merge adds what o counted to h, in at most so many bins; 0 is DefaultBins. The order of merges does not matter.
func (h *Histogram) Merge(o *Histogram, most int) {
	if o.count == 0 {
		return
	}
	h.note(o.min, o.max, o.sum, o.count)
	most = bound(most)
	for h.level < o.level {
		h.coarsen()
	}
	for _, b := range o.bins {
		h.add(b.index>>(h.level-o.level), b.count, most)
	}
}

// Reset empties h and keeps its memory.
func (h *Histogram) Reset() { *h = Histogram{bins: h.bins[:0]} }

// Count returns how many values there are.
func (h *Histogram) Count() uint64 { return h.count }

// Sum returns the sum of all values, exactly unless it is beyond the greatest number.
func (h *Histogram) Sum() uint64 { return h.sum }

// Min returns the least value, exactly; 0 without values.
func (h *Histogram) Min() uint64 { return h.min }

// Max returns the greatest value, exactly; 0 without values.
func (h *Histogram) Max() uint64 { return h.max }

// Len returns the number of bins.
func (h *Histogram) Len() int { return len(h.bins) }

// Bins calls f for each bin that is not empty, in order.
func (h *Histogram) Bins(f func(Bin)) {
	for _, b := range h.bins {
		f(h.bin(b))
	}
}

func (h *Histogram) bin(b bin) Bin {
	return Bin{lower(uint(b.index) << h.level), lower((uint(b.index) + 1) << h.level), uint64(b.count)}
}

// middle returns the value that stands for all of a bin, and how far the others may be from it in relation to themselves.
func (h *Histogram) middle(b bin) (v uint64, off float64) {
	x := h.bin(b)
	from, to := max(x.From, h.min), min(x.To-1, h.max)
	v = from + (to-from)/2
	if from == to {
		return v, 0
	}
	return v, float64(max(v-from, to-v)) / float64(max(from, 1))
}

// Quantile returns the value that the share q of all values does not exceed (nearest rank), and the bound of its relative
// error. Both are 0 without values.
func (h *Histogram) Quantile(q float64) (v uint64, off float64) {
	if h.count == 0 {
		return 0, 0
	}
	rank := uint64(math.Ceil(min(max(q, 0), 1) * float64(h.count)))
	switch {
	case rank <= 1:
		return h.min, 0
	case rank >= h.count:
		return h.max, 0
	}
	var below uint64
	for _, b := range h.bins {
		if below += uint64(b.count); below >= rank {
			return h.middle(b)
		}
	}
	return h.max, 0
}

// Error returns the bound of the relative error of every quantile.
func (h *Histogram) Error() float64 {
	var worst float64
	for _, b := range h.bins {
		_, off := h.middle(b)
		worst = max(worst, off)
	}
	return worst
}

// Buckets counts the values in buckets with the given lower bounds, ascending: what lies below the first is in the first.
// A bin that reaches over a bound is counted where its middle is, so a bound is exact within Error.
func (h *Histogram) Buckets(lower []uint64) []uint64 {
	out := make([]uint64, len(lower))
	for _, b := range h.bins {
		v, _ := h.middle(b)
		i, found := slices.BinarySearch(lower, v)
		if !found {
			i--
		}
		out[max(i, 0)] += uint64(b.count)
	}
	return out
}
