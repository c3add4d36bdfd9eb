package format

import (
	"fmt"
	"slices"
	"strings"
)

// Recovered says what a recovery made of a reel whose recorder had not ended it. It is a member of the manifest.
type Recovered struct {
	When    WallTime `json:"when"`              // of the last run
	Tool    string   `json:"tool"`              // that did it
	Sealed  int      `json:"sealed"`            // journals that were made segments
	Records int64    `json:"records"`           // whole frames in those
	MinTime KTime    `json:"min_time"`          // of their rows, both inclusive; 0 without rows
	MaxTime KTime    `json:"max_time"`          //
	Adopted []int    `json:"adopted,omitempty"` // segments that no manifest named

	Rebuilt bool     `json:"manifest_rebuilt,omitempty"` // the manifest was missing or damaged
	Unknown []string `json:"unknown,omitempty"`          // members of it that nothing tells any more

	CutBytes  int64        `json:"cut_bytes"`  // that held no readable record
	TornBytes int64        `json:"torn_bytes"` // of those: at the ends of journals, as a kill or a power cut leaves them
	Cuts      []RecoverCut `json:"cuts"`       // the first maxCuts
}

// RecoverCut is bytes of one file that a recovery left out.
type RecoverCut struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes"`
	Rows   int64  `json:"rows,omitempty"` // that the file claimed to have; 0 unknown
	After  KTime  `json:"after"`          // of the last whole record before it; 0 none
	Before KTime  `json:"before"`         // of the first one behind it; 0 none
	Torn   bool   `json:"torn,omitempty"` // the end of a journal
	Why    string `json:"why"`
}

// maxCuts bounds the places that a manifest lists; bytes are counted of all.
const maxCuts = 100

// count adds what a journal holds to what was recovered, and returns how many bytes of its end are cut.
func (r *recovery) count(ix *journalIndex) (torn int64) {
	r.out.Sealed++
	r.out.Records += ix.frames
	if n := len(ix.entries); n > 0 {
		first, last := ix.entries[0].time, ix.entries[n-1].time
		if r.out.MinTime == 0 && r.out.MaxTime == 0 {
			r.out.MinTime, r.out.MaxTime = first, last
		}
		r.out.MinTime, r.out.MaxTime = min(r.out.MinTime, first), max(r.out.MaxTime, last)
	}
	r.changed = true
	return r.cut(ix)
}

// cut notes what of a journal holds no frame.
func (r *recovery) cut(ix *journalIndex) (torn int64) {
	for i, p := range ix.damage {
		c := RecoverCut{File: ix.name, Offset: p.Offset, Bytes: p.Bytes, Torn: p.Offset+p.Bytes == ix.size, Why: p.Message}
		if i < maxCuts {
			c.After, c.Before = ix.around(p.Offset)
		}
		if c.Torn {
			torn += c.Bytes
		}
		r.addCut(c)
	}
	return torn
}

// addCut notes a cut once: an interrupted recovery may have met it already.
func (r *recovery) addCut(c RecoverCut) {
	if slices.ContainsFunc(r.out.Cuts, func(o RecoverCut) bool { return o.File == c.File && o.Offset == c.Offset }) {
		return
	}
	r.out.CutBytes += c.Bytes
	if c.Torn {
		r.out.TornBytes += c.Bytes
	}
	if len(r.out.Cuts) < maxCuts {
		r.out.Cuts = append(r.out.Cuts, c)
	}
	r.changed = true
}

// around returns the times of the rows whose frames lie next to an offset; 0 where there is none.
func (ix *journalIndex) around(off int64) (after, before KTime) {
	prev, next := int64(-1), int64(-1)
	for i := range ix.entries {
		e := &ix.entries[i]
		if e.off < off && e.off > prev {
			prev, after = e.off, e.time
		}
		if e.off > off && (next < 0 || e.off < next) {
			next, before = e.off, e.time
		}
	}
	return after, before
}

// sentence says what a recovery did.
func (r *Recovered) sentence() string {
	s := fmt.Sprintf("the recorder did not end this reel, reel recover did: it sealed %s with %s and cut %s without a whole record",
		count(int64(r.Sealed), "journal"), count(r.Records, "record"), count(r.CutBytes, "byte"))
	if r.Rebuilt {
		s += ", and rebuilt the manifest of the other files"
		if len(r.Unknown) > 0 {
			s += "; what it said of the " + strings.Join(r.Unknown, ", ") + " is not known any more"
		}
	}
	return s + "; what the recorder had not written when it ended is missing"
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
