package format

// Probe says what probes were placed on a file that a process maps, for one purpose, or why none were.
type Probe struct {
	Time    KTime
	PID     PID
	Purpose string // "keys", "plaintext"
	Library string // "openssl", "boringssl", "go", ...
	Version string // "" unknown
	Path    string // as the process sees it
	BuildID string // hex; "" none
	Static  bool   // the library is part of a program
	How     string // how the places were found: "symbol", "gopclntab", "labels"
	Probes  uint32 // that are placed
	Error   string // why not; "" they are
}

// Table returns TableProbe.
func (*Probe) Table() TableID { return TableProbe }

// At returns the time of the row.
func (r *Probe) At() KTime { return r.Time }

var probeTable = table[Probe]{
	id:   TableProbe,
	time: func(r *Probe) KTime { return r.Time },
	cols: []column[Probe]{
		number("time_ns", "when they were placed", delta, func(r *Probe) *KTime { return &r.Time }),
		number("pid", "process", dict, func(r *Probe) *PID { return &r.PID }),
		text("purpose", "what they are for: keys, plaintext", func(r *Probe) *string { return &r.Purpose }),
		text("library", "that was found in the file", func(r *Probe) *string { return &r.Library }),
		text("version", "of the library; empty: unknown", func(r *Probe) *string { return &r.Version }),
		text("path", "of the file, as the process sees it", func(r *Probe) *string { return &r.Path }),
		text("build_id", "of the file, hex; empty: it has none", func(r *Probe) *string { return &r.BuildID }),
		boolean("static", "the library is part of a program", func(r *Probe) *bool { return &r.Static }),
		text("how", "how the places were found: symbol, gopclntab, labels", func(r *Probe) *string { return &r.How }),
		number("probes", "that are placed", dict, func(r *Probe) *uint32 { return &r.Probes }),
		text("error", "why there are none; empty: there are", func(r *Probe) *string { return &r.Error }),
	},
}
