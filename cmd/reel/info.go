package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebpf-reel/reel/format"
)

func newInfoCommand() *cobra.Command {
	var asJSON, checks bool
	cmd := &cobra.Command{
		Use:   "info X.reel",
		Short: "Say what a reel is: where, when, what was seen, what was not",
		Long: `info prints what a reel says about itself: host, kernel, command, when and how long, what its tables hold, which hooks
were attached or refused, what was lost, what the recording cost, and what is wrong with the reel.`,
		Example: `  reel info checkout.reel
  reel info checkout.reel --json | jq .overhead`,
		Args: oneArg("the reel to describe"),
		RunE: func(cmd *cobra.Command, args []string) error {
			reel, err := openReel(args[0], false)
			if err != nil {
				return err
			}
			defer reel.Close()
			info, err := collectInfo(args[0], reel)
			if err != nil {
				return err
			}
			if !asJSON {
				text := info.appendText(nil)
				if checks {
					text = appendChecks(append(text, '\n'), info.Capture.Checks)
				}
				_, err := cmd.OutOrStdout().Write(text)
				return err
			}
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(info)
		},
	}
	cmd.Flags().BoolVar(&checks, "doctor", false, "print also what reel doctor said on the node when the capture began (JSON has it always)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON; its names do not change between versions")
	return cmd
}

// reelInfo is what info prints. Sizes are bytes, durations nanoseconds, times RFC 3339.
type reelInfo struct {
	Path          string             `json:"path"`
	UUID          string             `json:"uuid"`
	SchemaVersion int                `json:"schema_version"`
	Clean         bool               `json:"clean"`
	Capture       format.CaptureInfo `json:"capture"`
	Flight        *format.Flight     `json:"flight,omitempty"`    // it is the ring of a flight recorder
	Snap          *format.Snap       `json:"snap,omitempty"`      // it was made of one
	Recovered     *format.Recovered  `json:"recovered,omitempty"` // reel recover ended it
	Start         *time.Time         `json:"start"`               // null: no clock row tells
	End           *time.Time         `json:"end"`
	Duration      time.Duration      `json:"duration_ns"` // between the first and the last row
	Segments      int                `json:"segments"`
	DiskBytes     int64              `json:"disk_bytes"` // of sealed segments
	Tables        []tableInfo        `json:"tables"`
	Hooks         []hookInfo         `json:"hooks"`
	Loss          lossInfo           `json:"loss"`
	Overhead      *overheadInfo      `json:"overhead"` // null: no heartbeat
	Notes         []noteInfo         `json:"notes"`
	Triggers      []triggerInfo      `json:"triggers"`
	Problems      []problemInfo      `json:"problems"`
}

type tableInfo struct {
	Name  string `json:"name"`
	Rows  int64  `json:"rows"` // sealed or not
	Bytes int64  `json:"disk_bytes"`
}

type hookInfo struct {
	Name     string `json:"name"`
	Purpose  string `json:"purpose"`
	Attached bool   `json:"attached"`
	Error    string `json:"error,omitempty"`
	Hits     uint64 `json:"hits"`
}

type lossInfo struct {
	Counted   bool      `json:"counted"`  // false: no ring row tells; then a heartbeat may
	Captured  uint64    `json:"captured"` // records
	Lost      uint64    `json:"lost"`     // records
	LostBytes uint64    `json:"lost_bytes"`
	CPUs      []cpuLoss `json:"cpus"` // that lost records
}

type cpuLoss struct {
	CPU  uint16 `json:"cpu"`
	Lost uint64 `json:"lost"`
}

type overheadInfo struct {
	RecorderCPU time.Duration `json:"recorder_cpu_ns"`
	LoadCPU     time.Duration `json:"load_cpu_ns"` // of it, before the recording began
	MaxRSS      uint64        `json:"max_rss"`
	Journal     uint64        `json:"journal_bytes"`
	Sealed      uint64        `json:"sealed_bytes"`
	Events      uint64        `json:"events"`
	ProgramTime time.Duration `json:"program_time_ns"`      // -1: not measured
	Measured    time.Duration `json:"programs_measured_ns"` // of the capture, in which ProgramTime was measured; 0: not known
	MaxShed     uint8         `json:"max_shed_level"`
	ShedCalls   uint64        `json:"shed_calls"` // reads and writes that were counted instead of recorded
	ShedBytes   uint64        `json:"shed_bytes"`
	FreeMemory  uint64        `json:"least_free_memory"` // 0: not known
	FreeDisk    uint64        `json:"least_free_disk"`   // 0: not known
}

type noteInfo struct {
	Name   string       `json:"name"`
	Time   format.KTime `json:"time_ns"`
	Count  uint64       `json:"count"`
	Detail string       `json:"detail"`
}

// triggerInfo is one step in the life of a trigger rule: a row of the table trigger. Values are in thousandths of the unit.
type triggerInfo struct {
	Time   format.KTime `json:"time_ns"`
	Op     string       `json:"op"`
	Firing uint32       `json:"firing,omitempty"`
	Name   string       `json:"name"`
	Rule   string       `json:"rule"`
	Unit   string       `json:"unit,omitempty"`
	Value  int64        `json:"value_milli,omitempty"`
	PID    format.PID   `json:"pid,omitempty"`
	Comm   string       `json:"comm,omitempty"`
	Action string       `json:"action,omitempty"`
	Detail string       `json:"detail,omitempty"`
	Count  uint64       `json:"count,omitempty"`
}

type problemInfo struct {
	Kind    format.ProblemKind `json:"kind"`
	File    string             `json:"file,omitempty"`
	Loss    bool               `json:"loss"`
	Message string             `json:"message"`
}

// smallTables are those that info reads whole; of the others a clean reel's manifest tells the size.
var smallTables = []format.TableID{format.TableClock, format.TableHeartbeat, format.TableRing, format.TableHook, format.TableNote, format.TableTrigger, format.TableContainer}

func collectInfo(path string, reel *format.Reel) (*reelInfo, error) {
	m := reel.Manifest()
	info := &reelInfo{Path: path, UUID: m.UUID, SchemaVersion: m.SchemaVersion, Clean: m.Clean, Capture: m.Capture,
		Flight: m.Flight, Snap: m.Snap, Recovered: m.Recovered,
		Segments: len(m.Segments)}
	c := &infoCollector{info: info, base: m.Baseline(), rows: map[format.TableID]int64{}, rings: map[uint16]*format.Ring{}, hooks: map[string]int{}}
	opts := format.RowsOptions{Tables: smallTables}
	if !m.Clean {
		opts.Tables = nil // only reading tells what the tail holds
	}
	for row, err := range reel.Rows(opts) {
		if errors.Is(err, format.ErrCorrupt) {
			continue // reel.Problems tells it, and the rest is there
		}
		if err != nil {
			return nil, err
		}
		c.add(row)
	}
	c.finish(m)
	for _, p := range reel.Problems() {
		info.Problems = append(info.Problems, problemInfo{p.Kind, p.File, p.Loss, p.Message})
	}
	return info, nil
}

// infoCollector folds rows into a reelInfo.
type infoCollector struct {
	info        *reelInfo
	rows        map[format.TableID]int64
	base        *format.Baseline
	rings       map[uint16]*format.Ring
	hooks       map[string]int // index in info.Hooks
	clock       *format.Clock  // the last
	first, last format.KTime
	any         bool
}

func (c *infoCollector) add(row format.Row) {
	c.rows[row.Table()]++
	if c.base.Within(row.At()) {
		c.span(row.At(), row.At())
	}
	switch r := row.(type) {
	case *format.Clock:
		clock := *r
		c.clock = &clock
	case *format.Ring:
		if ring, ok := c.base.Ring(r); ok {
			c.rings[r.CPU] = &ring
		}
	case *format.Heartbeat:
		if beat, ok := c.base.Heartbeat(r); ok {
			c.heartbeat(&beat)
		}
	case *format.Hook:
		// The row at the end, with its hits, replaces the one at the start.
		h := hookInfo{r.Name, r.Purpose, r.Attached, r.Error, r.Hits}
		if i, ok := c.hooks[r.Name]; ok {
			c.info.Hooks[i] = h
			return
		}
		c.hooks[r.Name] = len(c.info.Hooks)
		c.info.Hooks = append(c.info.Hooks, h)
	case *format.Trigger:
		c.info.Triggers = append(c.info.Triggers, triggerInfo{r.Time, r.Op.String(), r.Firing, r.Name, r.Rule, r.Unit, r.Value, r.PID, r.Comm, r.Action, r.Detail, r.Count})
	case *format.Note:
		c.info.Notes = append(c.info.Notes, noteInfo{r.Name, r.Time, r.Count, r.Detail})
	}
}

func (c *infoCollector) span(first, last format.KTime) {
	if !c.any {
		c.first, c.last, c.any = first, last, true
		return
	}
	c.first, c.last = min(c.first, first), max(c.last, last)
}

func (c *infoCollector) heartbeat(r *format.Heartbeat) {
	o := c.info.Overhead
	if o == nil {
		o = &overheadInfo{LoadCPU: r.RecorderCPU}
		c.info.Overhead = o
	}
	// Counters are totals: the last row has them all.
	o.RecorderCPU, o.Journal, o.Sealed, o.Events, o.ProgramTime = r.RecorderCPU, r.JournalBytes, r.SealedBytes, r.Events, r.ProgramTime
	o.MaxRSS, o.MaxShed = max(o.MaxRSS, r.RSS), max(o.MaxShed, r.ShedLevel)
	o.Measured, o.ShedCalls, o.ShedBytes = r.ProgramsMeasured, r.ShedCalls, r.ShedBytes
	o.FreeMemory, o.FreeDisk = least(o.FreeMemory, r.FreeMemory), least(o.FreeDisk, r.FreeDisk)
	c.info.Loss.Captured, c.info.Loss.Lost = r.Events, r.LostEvents
}

// least is the smaller of two readings, of which 0 is none.
func least(a, b uint64) uint64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

func (c *infoCollector) finish(m *format.Manifest) {
	if first, last, ok := m.TimeRange(); ok {
		if m.Snap != nil {
			first = max(first, m.Snap.From) // the state before it has a clock row of its own
		}
		c.span(first, last)
	}
	c.info.Duration = c.last.Sub(c.first)
	if c.clock != nil {
		wall := func(t format.KTime) *time.Time {
			w := c.clock.Realtime.Time().Add(t.Sub(c.clock.Time))
			return &w
		}
		c.info.Start, c.info.End = wall(c.first), wall(c.last)
	}
	c.tables(m)
	c.loss()
}

func (c *infoCollector) tables(m *format.Manifest) {
	for id := range format.TableIDs() {
		t := tableInfo{Name: id.String(), Rows: max(m.Rows(id), c.rows[id])}
		for _, s := range m.Segments {
			for _, f := range s.Files {
				if f.Table == t.Name {
					t.Bytes += f.Bytes
				}
			}
		}
		c.info.DiskBytes += t.Bytes
		if t.Rows > 0 {
			c.info.Tables = append(c.info.Tables, t)
		}
	}
}

// loss sums up the rings. Their rows come with each change, so they know of more than the last heartbeat.
func (c *infoCollector) loss() {
	if len(c.rings) == 0 {
		return
	}
	c.info.Loss.Counted = true
	var captured, lost uint64
	for _, r := range c.rings {
		captured += r.Captured
		lost += r.Lost
		c.info.Loss.LostBytes += r.LostBytes
		if r.Lost > 0 {
			c.info.Loss.CPUs = append(c.info.Loss.CPUs, cpuLoss{r.CPU, r.Lost})
		}
	}
	c.info.Loss.Captured = max(c.info.Loss.Captured, captured)
	c.info.Loss.Lost = max(c.info.Loss.Lost, lost)
	slices.SortFunc(c.info.Loss.CPUs, func(a, b cpuLoss) int { return cmp.Compare(a.CPU, b.CPU) })
}
