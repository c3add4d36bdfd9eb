package table

// The rows of the tables of metrics. Histograms are two lists: bin_from and bin_counts; a bin ends where the next one in
// existence would begin, within the error of the row. To merge histograms, sum the counts by bin_from.

type edgeMetricRow struct {
	Client    string   `parquet:"client,dict" json:"client" doc:"id in nodes"`
	Server    string   `parquet:"server,dict" json:"server" doc:"id in nodes"`
	Port      uint16   `parquet:"port" json:"port" doc:"of the server"`
	Protocol  string   `parquet:"protocol,dict" json:"protocol" doc:"as in connections"`
	Side      string   `parquet:"side,dict" json:"side" doc:"who saw it: client or server"`
	Metric    string   `parquet:"metric,dict" json:"metric" doc:"write, read, write_rtt, connect, close, retransmit, drop: see below"`
	Count     uint64   `parquet:"count" json:"count" doc:"calls; of retransmit and drop: segments"`
	Bytes     uint64   `parquet:"bytes" json:"bytes" doc:"bytes that the calls moved"`
	Execution uint64   `parquet:"execution_ns" json:"execution_ns" doc:"ns, sum of the times of the calls (of write_rtt: of the round trip times)"`
	Min       uint64   `parquet:"min_ns" json:"min_ns" doc:"ns"`
	P50       uint64   `parquet:"p50_ns" json:"p50_ns" doc:"ns, within error"`
	P75       uint64   `parquet:"p75_ns" json:"p75_ns" doc:"ns, within error"`
	P90       uint64   `parquet:"p90_ns" json:"p90_ns" doc:"ns, within error"`
	P95       uint64   `parquet:"p95_ns" json:"p95_ns" doc:"ns, within error"`
	P99       uint64   `parquet:"p99_ns" json:"p99_ns" doc:"ns, within error"`
	Max       uint64   `parquet:"max_ns" json:"max_ns" doc:"ns, exact"`
	Error     float64  `parquet:"error" json:"error" doc:"bound of the relative error of the percentiles: 0.0078 is 0.78 %"`
	BinFrom   []uint64 `parquet:"bin_from_ns,list" json:"bin_from_ns" doc:"ns, lower bounds of the bins that are not empty"`
	BinCounts []uint64 `parquet:"bin_counts,list" json:"bin_counts" doc:"calls in each of them"`
	Rover     []uint64 `parquet:"rover_buckets,list" json:"rover_buckets" doc:"calls in SkyWalking Rover's 34 buckets, whose lower bounds are below; a bound is exact within error"`
}

type connectionMetricRow struct {
	Connection uint64   `parquet:"connection_id,delta" json:"connection_id" doc:"id in connections"`
	Metric     string   `parquet:"metric,dict" json:"metric" doc:"write, read, write_rtt, connect, close"`
	Count      uint64   `parquet:"count" json:"count" doc:"calls that moved bytes"`
	Bytes      uint64   `parquet:"bytes" json:"bytes" doc:"bytes that they moved"`
	Execution  uint64   `parquet:"execution_ns" json:"execution_ns" doc:"ns, sum of the times of the calls (of write_rtt: of the round trip times)"`
	Min        uint64   `parquet:"min_ns" json:"min_ns" doc:"ns"`
	P50        uint64   `parquet:"p50_ns" json:"p50_ns" doc:"ns, within error"`
	P90        uint64   `parquet:"p90_ns" json:"p90_ns" doc:"ns, within error"`
	P99        uint64   `parquet:"p99_ns" json:"p99_ns" doc:"ns, within error"`
	Max        uint64   `parquet:"max_ns" json:"max_ns" doc:"ns, exact"`
	Error      float64  `parquet:"error" json:"error" doc:"bound of the relative error of the percentiles"`
	BinFrom    []uint64 `parquet:"bin_from_ns,list" json:"bin_from_ns" doc:"ns, lower bounds of the bins that are not empty"`
	BinCounts  []uint64 `parquet:"bin_counts,list" json:"bin_counts" doc:"calls in each of them"`
}

type endpointRow struct {
	Client        string    `parquet:"client,dict" json:"client" doc:"id in nodes"`
	Server        string    `parquet:"server,dict" json:"server" doc:"id in nodes"`
	Port          uint16    `parquet:"port" json:"port" doc:"of the server"`
	Protocol      string    `parquet:"protocol,dict" json:"protocol" doc:"as in connections"`
	Side          string    `parquet:"side,dict" json:"side" doc:"whose durations they are: client or server"`
	Method        string    `parquet:"method,dict" json:"method" doc:"OTHER: one that is not registered; empty: unknown"`
	Route         string    `parquet:"route,dict" json:"route" doc:"template of the path: /users/{id}; {other}: beyond the limit; empty: unknown"`
	Start         *int64    `parquet:"interval_start_ns,optional" json:"interval_start_ns" doc:"ns, CLOCK_MONOTONIC: of the interval in which its exchanges began"`
	StartWall     *Wall     `parquet:"interval_start_time,optional,timestamp(nanosecond)" json:"interval_start_time" doc:"the same, UTC"`
	Width         int64     `parquet:"interval_ns" json:"interval_ns" doc:"ns that the row covers: the width of the interval; in endpoints, the whole recording"`
	Requests      uint64    `parquet:"requests" json:"requests" doc:"exchanges"`
	PerMinute     float64   `parquet:"requests_per_minute" json:"requests_per_minute" doc:"requests a minute (CPM) over interval_ns"`
	Incomplete    uint64    `parquet:"incomplete_exchanges" json:"incomplete_exchanges" doc:"exchanges that lack more than body bytes that were cut on purpose"`
	Statuses      []uint16  `parquet:"statuses,list" json:"statuses" doc:"statuses of the responses; 0: not known"`
	StatusCounts  []uint64  `parquet:"status_counts,list" json:"status_counts" doc:"exchanges with each of them"`
	StatusPerMin  []float64 `parquet:"status_per_minute,list" json:"status_per_minute" doc:"responses a minute (CPM) with each of them"`
	RequestSum    uint64    `parquet:"request_bytes" json:"request_bytes" doc:"bytes of requests as sent: heads, framing and bodies"`
	RequestP50    uint64    `parquet:"request_p50_bytes" json:"request_p50_bytes" doc:"bytes of one request, within size_error"`
	RequestP99    uint64    `parquet:"request_p99_bytes" json:"request_p99_bytes" doc:"bytes, within size_error"`
	RequestMax    uint64    `parquet:"request_max_bytes" json:"request_max_bytes" doc:"bytes, exact"`
	RequestFrom   []uint64  `parquet:"request_bin_from_bytes,list" json:"request_bin_from_bytes" doc:"bytes, lower bounds of the bins of request sizes"`
	RequestCounts []uint64  `parquet:"request_bin_counts,list" json:"request_bin_counts" doc:"requests in each of them"`
	ResponseSum   uint64    `parquet:"response_bytes" json:"response_bytes" doc:"bytes of responses as sent"`
	ResponseP50   uint64    `parquet:"response_p50_bytes" json:"response_p50_bytes" doc:"bytes of one response, within size_error"`
	ResponseP99   uint64    `parquet:"response_p99_bytes" json:"response_p99_bytes" doc:"bytes, within size_error"`
	ResponseMax   uint64    `parquet:"response_max_bytes" json:"response_max_bytes" doc:"bytes, exact"`
	ResponseFrom  []uint64  `parquet:"response_bin_from_bytes,list" json:"response_bin_from_bytes" doc:"bytes, lower bounds of the bins of response sizes"`
	ResponseCount []uint64  `parquet:"response_bin_counts,list" json:"response_bin_counts" doc:"responses in each of them"`
	SizeError     float64   `parquet:"size_error" json:"size_error" doc:"bound of the relative error of the sizes' percentiles"`
	Timed         uint64    `parquet:"durations" json:"durations" doc:"exchanges whose duration is known"`
	DurationSum   uint64    `parquet:"duration_sum_ns" json:"duration_sum_ns" doc:"ns, of them"`
	DurationMin   uint64    `parquet:"duration_min_ns" json:"duration_min_ns" doc:"ns, exact"`
	DurationP50   uint64    `parquet:"duration_p50_ns" json:"duration_p50_ns" doc:"ns, within duration_error"`
	DurationP75   uint64    `parquet:"duration_p75_ns" json:"duration_p75_ns" doc:"ns, within duration_error"`
	DurationP90   uint64    `parquet:"duration_p90_ns" json:"duration_p90_ns" doc:"ns, within duration_error"`
	DurationP95   uint64    `parquet:"duration_p95_ns" json:"duration_p95_ns" doc:"ns, within duration_error"`
	DurationP99   uint64    `parquet:"duration_p99_ns" json:"duration_p99_ns" doc:"ns, within duration_error"`
	DurationMax   uint64    `parquet:"duration_max_ns" json:"duration_max_ns" doc:"ns, exact"`
	DurationError float64   `parquet:"duration_error" json:"duration_error" doc:"bound of the relative error of the durations' percentiles"`
	DurationFrom  []uint64  `parquet:"duration_bin_from_ns,list" json:"duration_bin_from_ns" doc:"ns, lower bounds of the bins of durations"`
	DurationCount []uint64  `parquet:"duration_bin_counts,list" json:"duration_bin_counts" doc:"exchanges in each of them"`
	DurationRover []uint64  `parquet:"duration_rover_buckets,list" json:"duration_rover_buckets" doc:"exchanges in SkyWalking Rover's 45 buckets of HTTP durations, see below"`
}
