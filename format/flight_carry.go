package format

import (
	"fmt"
	"maps"
	"slices"
)

// rows returns the state as rows of a time, in the order of tables and ids: a snapshot, as a capture makes one when it begins.
func (s *liveState) rows(at KTime) (rows []Row) {
	for _, id := range slices.Sorted(maps.Keys(s.sockets)) {
		sock := s.sockets[id]
		if !sock.named {
			continue // its io says as much
		}
		row := sock.row
		row.Time = at
		row.SndSeq, row.RcvSeq, row.RcvNxt, row.SndUna = 0, 0, 0, 0
		if in, out := sock.next[0], sock.next[1]; in.known && out.known {
			row.RcvSeq, row.RcvNxt, row.SndSeq, row.SndUna = in.seq, in.seq, out.seq, out.seq
			switch row.NewState { // as the kernel counts: a FIN is one more (analyze/conn)
			case TCPCloseWait:
				row.RcvNxt++
			case TCPFinWait1, TCPFinWait2:
				row.SndSeq++
			case TCPLastAck, TCPClosing, TCPTimeWait:
				row.RcvNxt++
				row.SndSeq++
			}
		}
		rows = append(rows, &row)
	}
	for _, pid := range slices.Sorted(maps.Keys(s.procs)) {
		row := *s.procs[pid]
		row.Time = at
		rows = append(rows, &row)
	}
	for _, key := range slices.Sorted(maps.Keys(s.boxes)) {
		row := s.boxes[key]
		row.Time = at
		rows = append(rows, &row)
	}
	if s.clock != nil {
		rows = append(rows, s.clock)
	}
	if s.beat != nil {
		row := *s.beat
		row.Time = at
		rows = append(rows, &row)
	}
	for _, cpu := range slices.Sorted(maps.Keys(s.rings)) {
		row := s.rings[cpu]
		row.Time = at
		rows = append(rows, &row)
	}
	for _, name := range slices.Sorted(maps.Keys(s.hooks)) {
		row := s.hooks[name]
		row.Time = at
		rows = append(rows, &row)
	}
	for _, name := range slices.Sorted(maps.Keys(s.rules)) {
		row := s.rules[name]
		row.Time = at
		rows = append(rows, &row)
	}
	for _, name := range slices.Sorted(maps.Keys(s.notes)) {
		row := s.notes[name]
		row.Time = at
		rows = append(rows, &row)
	}
	return rows
}

// notesOf says what the rows of a state are: carried sockets and processes, and left more that were beyond a limit.
func (s *liveState) notesOf(at KTime, carried [2]int, left uint64) (rows []Row) {
	note := func(name string, count uint64, detail string) {
		if count > 0 {
			rows = append(rows, &Note{Time: at, Name: name, Count: count, Detail: detail})
		}
	}
	note(NoteCarried, uint64(carried[0]+carried[1]), fmt.Sprintf("sockets %d, processes %d", carried[0], carried[1]))
	note(NoteCarryEvicted, s.evicted+left, "")
	note(NoteCarrySkipped, s.skipped, "bytes")
	return rows
}

// Names of the notes that a flight recorder leaves with the state from before its ring.
const (
	NoteCarried      = "state_carried"
	NoteCarryEvicted = "state_evicted"
	NoteCarrySkipped = "state_skipped"
)
