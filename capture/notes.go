//go:build linux && (amd64 || arm64)

package capture

import (
	"iter"
	"slices"

	"github.com/ebpf-reel/reel/format"
)

// NoteName is a registered name of what the recorder says about a recording. The ledger of an analysis has a severity and a
// remedy for each (analyze/ledger); a test of cmd/reel holds that none is missing there.
type NoteName string

// The notes.
const (
	NoteTargetExited       NoteName = "target_exited"
	NoteTargetLate         NoteName = "target_late"
	NoteSnapshotIncomplete NoteName = "snapshot_incomplete"
	NoteProcessUndescribed NoteName = "process_undescribed"
	NoteProcessHidden      NoteName = "process_hidden"
	NoteContainerUnnamed   NoteName = "container_unnamed"
	NoteContainerFile      NoteName = "container_file"
	NoteMapFull            NoteName = "map_full"
	NoteCompatCalls        NoteName = "compat_calls"
	NoteErrorQueue         NoteName = "error_queue"
	NoteIOUring            NoteName = "io_uring"
	NoteMPTCP              NoteName = "mptcp"
	NoteQUIC               NoteName = "quic"
	NoteKTLS               NoteName = "ktls"
	NoteShed               NoteName = "shed"
	NoteShedLess           NoteName = "shed_less"
	NoteShedCalls          NoteName = "shed_calls"
	NoteExitUnseen         NoteName = "exit_unseen"
	NoteProbeSkipped       NoteName = "probe_skipped"
	NoteSealerLost         NoteName = "sealer_lost"
	NoteRecorderBeside     NoteName = "recorder_beside"
	NotePIDNamespace       NoteName = "pid_namespace"
	NoteStopped            NoteName = "stopped"
	NoteTLSPlaintextCapped NoteName = "tls_plaintext_capped"
	NoteTriggerBlindTLS    NoteName = "trigger_blind_tls"
	NoteTriggerBlindHTTP2  NoteName = "trigger_blind_http2"
	NoteTriggerBlindBytes  NoteName = "trigger_blind_bytes"
	NoteTriggerUnpaired    NoteName = "trigger_unpaired"
	NoteTriggerDropped     NoteName = "trigger_dropped"
	NoteSamplesDropped     NoteName = "samples_dropped"
	NoteMappingsUnread     NoteName = "mappings_unread"
	NoteKernelUnnamed      NoteName = "kernel_unnamed"
	NoteMappingsLost       NoteName = "mappings_lost"
	NoteMappingsLate       NoteName = "mappings_late"
	NoteCarried            NoteName = format.NoteCarried
	NoteCarryEvicted       NoteName = format.NoteCarryEvicted
	NoteCarrySkipped       NoteName = format.NoteCarrySkipped
)

// notes has one sentence for each name: what the summary of a recording prints.
var notes = map[NoteName]string{
	NoteTargetExited:       "recorded processes ended during the capture",
	NoteTLSPlaintextCapped: "probes on the plaintext of connections from before the capture were taken out again, since the processes paid too much for them: --tls plaintext keeps them whatever they cost",
	NoteTargetLate:         "processes got the name of --comm, or came into a container or cgroup, after the capture had started: what they did before they were found, within about a second, is missing",
	NoteSnapshotIncomplete: "sockets or processes that were there already could not all be listed",
	NoteProcessUndescribed: "programs ended, or came too fast, before their path and cgroup could be read; name and arguments are there",
	NoteProcessHidden:      "processes did not let us read their path or namespaces: CAP_SYS_PTRACE is missing",
	NoteContainerUnnamed:   "containers are known by their id only: no file of a container runtime on this machine names them",
	NoteContainerFile:      "files of a container runtime could not be used: names of containers or pods are missing",
	NoteMapFull:            "a table of the probes was full: addresses, durations or state changes of some sockets and calls are missing",
	NoteCompatCalls:        "socket calls by 32-bit programs were not recorded",
	NoteIOUring:            "processes submitted operations to io_uring: what those moved on sockets was not recorded",
	NoteMPTCP:              "calls on MPTCP sockets were not recorded",
	NoteQUIC:               "QUIC (HTTP/3) was spoken: its datagrams have rows, their content was not recorded",
	NoteKTLS:               "the kernel encrypted what was written on sockets (kTLS): calls and bytes are there, without their place in the stream",
	NoteErrorQueue:         "reads of a socket's error queue were not recorded: they move no bytes of the stream",
	NoteShed:               "the recorder was over its budget and left out more: a smaller --snaplen, fewer targets (--port) or a larger budget (--max-cpu, --max-rate, --max-memory) avoid it",
	NoteShedLess:           "the recorder was within its budget again and left out less",
	NoteShedCalls:          "reads and writes were counted instead of recorded, to stay within the budget",
	NoteExitUnseen:         "the end of processes cannot be seen by a hook on this kernel: it was looked for once a second",
	NoteProbeSkipped:       "the kernel skipped runs of a probe that was interrupted by itself: calls may be missing",
	NoteSealerLost:         "the process that seals segments ended, or was ended, before its time: another took its place, and no row is missing for it",
	NoteRecorderBeside:     "other recorders were at work when the capture began: the calls of processes that both record take the time of both",
	NotePIDNamespace:       "reel ran in a pid namespace of its own: process ids in the reel are the kernel's, and process.ns_pid has those inside",
	NoteStopped:            "why the capture ended",
	NoteTriggerBlindTLS:    "connections were encrypted: triggers on HTTP did not see what they carry",
	NoteTriggerBlindHTTP2:  "connections speak HTTP/2: triggers on HTTP do not read it",
	NoteTriggerBlindBytes:  "messages began with bytes that were not copied: triggers on HTTP did not see whether they were HTTP",
	NoteTriggerUnpaired:    "requests were not counted by triggers on HTTP: their response was not seen before that of a later one, or too many connections were open",
	NoteTriggerDropped:     "events came faster than triggers could be judged: they are in the reel, and fired nothing",
	NoteSamplesDropped:     "samples of stacks came faster than they could be worked on: fewer (--cpu-hz) avoid it",
	NoteMappingsUnread:     "processes ended before their mappings could be read: their frames have no names",
	NoteKernelUnnamed:      "functions of the kernel have no names",
	NoteMappingsLost:       "the kernel made mappings faster than they could be read: frames in them may have no names",
	NoteMappingsLate:       "the kernel does not tell of mappings as they are made: processes that live for less than a moment have no names",
	NoteCarried:            "sockets and processes from before the window, as they were at its beginning",
	NoteCarryEvicted:       "more sockets or processes lived than a flight recorder remembers: some older than the window lack addresses and role",
	NoteCarrySkipped:       "bytes left the ring of the flight recorder before they could be read: some sockets older than the window lack addresses and role",
}

// Sentence returns what the note means.
func (n NoteName) Sentence() string { return notes[n] }

// NoteNames yields all registered names in alphabetical order.
func NoteNames() iter.Seq[NoteName] {
	names := make([]NoteName, 0, len(notes))
	for n := range notes {
		names = append(names, n)
	}
	slices.Sort(names)
	return slices.Values(names)
}

// note appends a note to the reel and remembers it for the summary. It may be called from any goroutine.
func (r *recording) note(name NoteName, count uint64, detail string) {
	if count == 0 {
		return
	}
	r.notedMu.Lock()
	defer r.notedMu.Unlock()
	r.append(&format.Note{Time: r.clock.Now(), Name: string(name), Count: count, Detail: detail})
	for i := range r.noted {
		if r.noted[i].Name == name {
			r.noted[i].Count += count
			return
		}
	}
	r.noted = append(r.noted, Noted{Name: name, Count: count, Detail: detail})
}
