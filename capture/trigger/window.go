package trigger

// window remembers in which of the last periods a condition held.
type window struct {
	slots []bool // ring: slot n%len is period n
	now   int64  // the newest period
	held  int    // slots that are true
}

func newWindow(periods int, now int64) *window {
	return &window{slots: make([]bool, periods), now: now}
}

// advance goes on to period now. Periods between, of which nothing is known, did not hold.
func (w *window) advance(now int64) {
	if now-w.now >= int64(len(w.slots)) {
		clear(w.slots)
		w.held, w.now = 0, now
		return
	}
	for w.now < now {
		w.now++
		w.set(w.now, false)
	}
}

// set says whether the condition held in a period that the window reaches back to.
func (w *window) set(period int64, holds bool) {
	slot := &w.slots[period%int64(len(w.slots))]
	if *slot != holds {
		*slot = holds
		if holds {
			w.held++
		} else {
			w.held--
		}
	}
}

// hold marks the last n periods as held.
func (w *window) hold(n int64) {
	for i := range min(n, int64(len(w.slots))) {
		w.set(w.now-i, true)
	}
}

func (w *window) clear() {
	clear(w.slots)
	w.held = 0
}
