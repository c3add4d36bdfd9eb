package table

import (
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/histogram"
	"github.com/ebpf-reel/reel/format"
)

// metricNames are the metrics of calls, with what each is.
var metricNames = [...]struct{ name, doc string }{
	{"write", "calls that wrote bytes, from entry to return, waiting included"},
	{"read", "calls that read bytes, from entry to return, waiting included"},
	{"write_rtt", "the kernel's smoothed round trip time (TCP), as it stood at each write"},
	{"connect", "client: the handshake; server: from the end of the handshake until accept(2) took the connection"},
	{"close", "close(2) of the last descriptor of a connection"},
	{"retransmit", "segments that were sent again"},
	{"drop", "segments that the kernel threw away"},
}

// noNumbers is a list that is empty rather than null.
var noNumbers = []uint64{}

// bins prints a histogram as two lists.
func bins(h *histogram.Histogram) (from, counts []uint64) {
	from, counts = make([]uint64, 0, h.Len()), make([]uint64, 0, h.Len())
	h.Bins(func(b histogram.Bin) {
		from = append(from, b.From)
		counts = append(counts, b.Count)
	})
	return from, counts
}

// at returns a quantile without its error.
func at(h *histogram.Histogram, q float64) uint64 {
	v, _ := h.Quantile(q)
	return v
}

func edgeMetricRows(e *facts.Edge) []edgeMetricRow {
	var rows []edgeMetricRow
	for _, side := range sides(e) {
		if side.Side == nil {
			continue
		}
		base := edgeMetricRow{Client: valid(e.Client), Server: valid(e.Server), Port: e.Port, Protocol: e.Protocol, Side: side.name, BinFrom: noNumbers, BinCounts: noNumbers, Rover: noNumbers}
		l4 := &side.L4
		for i, m := range [...]*facts.Metric{&l4.Write, &l4.Read, &l4.WriteRTT, &l4.Connect, &l4.Close} {
			h := &m.Times
			if h.Count() == 0 {
				continue
			}
			r := base
			r.Metric, r.Count, r.Bytes, r.Execution = metricNames[i].name, h.Count(), m.Bytes, h.Sum()
			r.Min, r.P50, r.P75, r.P90, r.P95, r.P99, r.Max, r.Error = h.Min(), at(h, 0.5), at(h, 0.75), at(h, 0.9), at(h, 0.95), at(h, 0.99), h.Max(), h.Error()
			r.BinFrom, r.BinCounts = bins(h)
			r.Rover = h.Buckets(histogram.RoverTimes)
			rows = append(rows, r)
		}
		for i, n := range [...]uint64{side.Retrans, side.Dropped} {
			if n > 0 {
				r := base
				r.Metric, r.Count = metricNames[5+i].name, n
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// connectionMetrics adds the rows of a connection.
func (w *Writer) connectionMetrics(c *facts.Connection) error {
	b := w.connMetrics.batch
	add := func(name string, m *facts.Metric) {
		h := &m.Times
		if h.Count() == 0 {
			return
		}
		r := connectionMetricRow{Connection: uint64(c.ID), Metric: name, Count: h.Count(), Bytes: m.Bytes, Execution: h.Sum(), Min: h.Min(), P50: at(h, 0.5),
			P90: at(h, 0.9), P99: at(h, 0.99), Max: h.Max(), Error: h.Error()}
		n := len(b.ids)
		h.Bins(func(x histogram.Bin) { b.ids = append(b.ids, x.From) })
		mid := len(b.ids)
		h.Bins(func(x histogram.Bin) { b.ids = append(b.ids, x.Count) })
		r.BinFrom, r.BinCounts = b.ids[n:mid:mid], b.ids[mid:len(b.ids):len(b.ids)]
		b.rows = append(b.rows, r)
	}
	if c.Metrics != nil {
		for i, m := range [...]*facts.Metric{&c.Metrics.Write, &c.Metrics.Read, &c.Metrics.WriteRTT} {
			add(metricNames[i].name, m)
		}
	}
	established := c.Connect
	if c.Role == format.RoleServer {
		established = c.TCP.AcceptWait
	}
	for i, d := range [...]time.Duration{established, c.CloseCall} {
		if d >= 0 {
			w.single.Times.Reset()
			w.single.Times.Add(uint64(d), 0)
			add(metricNames[3+i].name, &w.single)
		}
	}
	return w.connMetrics.added()
}

func perMinute(n uint64, width time.Duration) float64 {
	if width <= 0 {
		return 0
	}
	return float64(n) * float64(time.Minute) / float64(width)
}

// endpointRowOf prints an endpoint; whole is the duration of the recording.
func endpointRowOf(e *facts.Endpoint, whole time.Duration) endpointRow {
	h := &e.HTTP
	r := endpointRow{
		Client: valid(e.Client), Server: valid(e.Server), Port: e.Port, Protocol: e.Protocol, Side: e.Side.String(), Method: valid(e.Method), Route: valid(e.Route),
		Width: int64(whole), Requests: h.Requests, Incomplete: h.Incomplete,
		Statuses: []uint16{}, StatusCounts: []uint64{}, StatusPerMin: []float64{},
		RequestSum: h.RequestBytes.Sum(), RequestP50: at(&h.RequestBytes, 0.5), RequestP99: at(&h.RequestBytes, 0.99), RequestMax: h.RequestBytes.Max(),
		ResponseSum: h.ResponseBytes.Sum(), ResponseP50: at(&h.ResponseBytes, 0.5), ResponseP99: at(&h.ResponseBytes, 0.99), ResponseMax: h.ResponseBytes.Max(),
		SizeError: max(h.RequestBytes.Error(), h.ResponseBytes.Error()),
		Timed:     h.Durations.Count(), DurationSum: h.Durations.Sum(), DurationMin: h.Durations.Min(), DurationP50: at(&h.Durations, 0.5),
		DurationP75: at(&h.Durations, 0.75), DurationP90: at(&h.Durations, 0.9), DurationP95: at(&h.Durations, 0.95), DurationP99: at(&h.Durations, 0.99),
		DurationMax: h.Durations.Max(), DurationError: h.Durations.Error(), DurationRover: h.Durations.Buckets(histogram.RoverDurations),
	}
	if e.Width > 0 {
		r.Width = int64(e.Width)
		r.Start = (*int64)(&e.Start)
		if e.StartWall != 0 {
			r.StartWall = (*Wall)(&e.StartWall)
		}
	}
	r.PerMinute = perMinute(h.Requests, time.Duration(r.Width))
	for _, s := range h.Statuses {
		r.Statuses = append(r.Statuses, s.Status)
		r.StatusCounts = append(r.StatusCounts, s.Count)
		r.StatusPerMin = append(r.StatusPerMin, perMinute(s.Count, time.Duration(r.Width)))
	}
	r.RequestFrom, r.RequestCounts = bins(&h.RequestBytes)
	r.ResponseFrom, r.ResponseCount = bins(&h.ResponseBytes)
	r.DurationFrom, r.DurationCount = bins(&h.Durations)
	return r
}
