package format

// Counters of heartbeats and rings are totals since the start of the capture. A snap of a flight recorder covers a part of that: the last
// values from before its window come with the state, and what counts is the difference.

// Baseline takes the last counters from before the window of a snap, and subtracts them from those that follow.
type Baseline struct {
	from  KTime
	snap  bool
	beat  Heartbeat
	rings map[uint16]Ring
}

// Baseline returns one for the reel; of a reel that is no snap it changes nothing.
func (m *Manifest) Baseline() *Baseline {
	b := &Baseline{rings: map[uint16]Ring{}}
	if m.Snap != nil {
		b.from, b.snap = m.Snap.From, true
	}
	return b
}

// Heartbeat returns the row with its counters since the window began; false: it is the state before.
func (b *Baseline) Heartbeat(r *Heartbeat) (Heartbeat, bool) {
	if !b.snap {
		return *r, true
	}
	if r.Time <= b.from {
		b.beat = *r
		return *r, false
	}
	d := *r
	d.RecorderCPU = max(0, d.RecorderCPU-b.beat.RecorderCPU)
	d.JournalBytes = since(d.JournalBytes, b.beat.JournalBytes)
	d.SealedBytes = since(d.SealedBytes, b.beat.SealedBytes)
	d.Events = since(d.Events, b.beat.Events)
	d.LostEvents = since(d.LostEvents, b.beat.LostEvents)
	d.ShedCalls = since(d.ShedCalls, b.beat.ShedCalls)
	d.ShedBytes = since(d.ShedBytes, b.beat.ShedBytes)
	if d.ProgramTime >= 0 && b.beat.ProgramTime > 0 {
		d.ProgramTime = max(0, d.ProgramTime-b.beat.ProgramTime)
		d.ProgramsMeasured = max(0, d.ProgramsMeasured-b.beat.ProgramsMeasured)
	}
	return d, true
}

// Ring returns the row with its counters since the window began; false: it is the state before.
func (b *Baseline) Ring(r *Ring) (Ring, bool) {
	if !b.snap {
		return *r, true
	}
	if r.Time <= b.from {
		b.rings[r.CPU] = *r
		return *r, false
	}
	d, base := *r, b.rings[r.CPU]
	d.Captured, d.Lost, d.LostBytes = since(d.Captured, base.Captured), since(d.Lost, base.Lost), since(d.LostBytes, base.LostBytes)
	return d, true
}

// since is the growth of a counter.
func since(now, before uint64) uint64 { return now - min(now, before) }

// Within reports whether a row lies in the window of the reel, and is not of the state before it.
func (b *Baseline) Within(at KTime) bool { return !b.snap || at >= b.from }
