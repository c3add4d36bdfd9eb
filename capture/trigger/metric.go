package trigger

// Metric is what a condition looks at.
type Metric uint8

// The metrics.
const (
	CPU         Metric = iota + 1 // time on CPUs of one process in the period, in % of one CPU
	Threads                       // threads of one process
	Load                          // load average of the machine over one minute, as the kernel keeps it
	HTTP5xx                       // responses with a status of 500 to 599: share of all responses, or a second
	HTTPMean                      // mean time from the first byte of a request to the first byte of its response
	HTTPP99                       // 99th percentile of the same
	Retransmits                   // TCP segments that targets' connections sent again
	Transfer                      // bytes of one message: in one direction of a connection, until the other direction moves some
	Exit                          // a process was ended by a signal
)

// kind says how readings of a metric come, and what they cover.
type kind uint8

const (
	average kind = iota + 1 // over the time since the reading before
	level                   // of a moment
	event                   // nothing is read: the kernel tells when it happens
)

// Unit is what a value counts in thousandths of.
type Unit uint8

// The units. A duration is in milliseconds, so that its thousandths are microseconds.
const (
	Number Unit = iota
	Percent
	PerSecond
	Milliseconds
	Bytes
)

// String returns the unit as the reel shows it; "" for Number.
func (u Unit) String() string { return [...]string{"", "%", "/s", "ms", "B"}[min(int(u), 4)] }

type metric struct {
	name    string
	kind    kind
	units   []Unit
	process bool // each process of the targets is judged by itself
	http    bool // it is read from the heads of HTTP messages
	example string
}

var metrics = [...]metric{
	CPU:         {name: "cpu", kind: average, units: []Unit{Percent}, process: true, example: "80%"},
	Threads:     {name: "threads", kind: level, units: []Unit{Number}, process: true, example: "200"},
	Load:        {name: "load", kind: level, units: []Unit{Number}, example: "8"},
	HTTP5xx:     {name: "http_5xx", kind: average, units: []Unit{Percent, PerSecond}, http: true, example: "5% or 10/s"},
	HTTPMean:    {name: "http_mean", kind: average, units: []Unit{Milliseconds}, http: true, example: "200ms"},
	HTTPP99:     {name: "http_p99", kind: average, units: []Unit{Milliseconds}, http: true, example: "500ms"},
	Retransmits: {name: "retransmits", kind: average, units: []Unit{PerSecond}, example: "10/s"},
	Transfer:    {name: "transfer", kind: event, units: []Unit{Bytes}, example: "1MiB"},
	Exit:        {name: "exit", kind: event},
}

// String returns the metric's name as rules write it.
func (m Metric) String() string {
	if int(m) < len(metrics) {
		return metrics[m].name
	}
	return ""
}

// HTTP reports whether the metric is read from the heads of HTTP messages.
func (m Metric) HTTP() bool { return metrics[m].http }

func metricByName(name string) (Metric, bool) {
	for m := CPU; int(m) < len(metrics); m++ {
		if metrics[m].name == name {
			return m, true
		}
	}
	return 0, false
}
