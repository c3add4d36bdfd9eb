package budget

import "fmt"

// breaker says whether the node is too short of something for a capture.
func (l Limits) breaker(r Reading) *Stop {
	free := r.FreeDisk - min(r.FreeDisk, r.Reserve)
	switch {
	case l.MinFreeDisk > 0 && free < l.MinFreeDisk:
		return &Stop{CauseFreeDisk, fmt.Sprintf("%v of disk are free, %v are to stay free (--min-free-disk)", r.FreeDisk, l.MinFreeDisk)}
	case l.MinFreeMemory > 0 && r.FreeMemory < l.MinFreeMemory:
		return &Stop{CauseFreeMemory, fmt.Sprintf("%v of memory are free, %v are to stay free (--min-free-memory)", r.FreeMemory, l.MinFreeMemory)}
	case l.Load > 0 && r.Load > l.Load:
		return &Stop{CauseLoad, fmt.Sprintf("the load is %.1f per core, %.1f are allowed (--max-load)", r.Load, l.Load)}
	}
	return nil
}

// stop says whether a reading ends the capture. growth is what the reel grew by since the last.
func (g *Governor) stop(r Reading, growth Bytes) *Stop {
	l := &g.limits
	// The next second's growth counts: at the next reading it would be too late.
	if l.Disk > 0 && r.Reel+r.Reserve+growth >= l.Disk {
		return &Stop{CauseDisk, fmt.Sprintf("the reel takes %v, %v are allowed (--max-disk)", r.Reel, l.Disk)}
	}
	s := l.breaker(r)
	if s != nil && s.Cause == CauseFreeMemory {
		// A process that ends gives back at once what it took: two readings, unless it is very little.
		if g.fewFree++; g.fewFree < 2 && r.FreeMemory >= l.MinFreeMemory/2 {
			return nil
		}
		return s
	}
	g.fewFree = 0
	if s != nil {
		return s
	}
	if l.Memory == 0 || r.Memory <= l.Memory || g.at < len(steps)-1 {
		g.overLast = 0
		return nil
	}
	// Nothing is left to shed.
	if g.overLast == 0 {
		g.overLast = r.Time
	}
	if r.Time.Sub(g.overLast) >= Settle {
		return &Stop{CauseMemory, fmt.Sprintf("the recorder takes %v of memory, %v are allowed (--max-memory)", r.Memory, l.Memory)}
	}
	return nil
}
