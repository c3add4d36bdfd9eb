package budget

import "github.com/ebpf-reel/reel/format"

// window adds up what a total grew by within the last Window.
type window struct {
	parts []part // oldest first
	sum   float64
}

type part struct {
	at     format.KTime
	amount float64
}

func (w *window) add(now format.KTime, amount float64) {
	w.parts = append(w.parts, part{now, amount})
	w.sum += amount
	n := 0
	for n < len(w.parts) && now.Sub(w.parts[n].at) >= Window {
		w.sum -= w.parts[n].amount
		n++
	}
	w.parts = append(w.parts[:0], w.parts[n:]...)
}

// mean is by second, over the whole Window even where it has begun later: what came before counts as nothing, so that a
// short peak is not taken for a rate.
func (w *window) mean() float64 { return max(w.sum, 0) / Window.Seconds() }

func (w *window) clear() { w.parts, w.sum = w.parts[:0], 0 }
