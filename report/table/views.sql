-- Which endpoints are slowest? As their servers measured it; where a server was not recorded, as its clients did.
CREATE OR REPLACE VIEW slowest_endpoints AS
SELECT server, port, method, route, side, requests, round(requests_per_minute, 1) AS per_minute,
       duration_p50_ns / 1e6 AS p50_ms, duration_p99_ns / 1e6 AS p99_ms, duration_max_ns / 1e6 AS max_ms, duration_error
FROM endpoints e
WHERE durations > 0
  AND (side = 'server' OR NOT EXISTS (SELECT 1 FROM endpoints s WHERE s.side = 'server' AND s.server = e.server AND s.port = e.port))
ORDER BY duration_p99_ns DESC;

-- Which endpoints fail, and with which status?
CREATE OR REPLACE VIEW failing_endpoints AS
SELECT server, port, method, route, side, status, n AS responses, requests, round(100.0 * n / requests, 2) AS percent
FROM (SELECT server, port, method, route, side, requests, unnest(statuses) AS status, unnest(status_counts) AS n FROM endpoints)
WHERE status >= 400
ORDER BY responses DESC;

-- On which edges did TCP send again or throw away?
CREATE OR REPLACE VIEW tcp_trouble_by_edge AS
SELECT client, server, port, side, connections, failed_connections, retransmitted_segments, dropped_segments, resets, zero_windows,
       accept_wait_max_ns / 1e6 AS accept_wait_max_ms
FROM edges
WHERE retransmitted_segments + dropped_segments + resets + failed_connections + zero_windows > 0
ORDER BY retransmitted_segments + dropped_segments DESC;

-- To which remote addresses were segments sent again, how often, and why?
CREATE OR REPLACE VIEW retransmits_by_peer AS
SELECT remote_address, count(*) AS connections, sum(retransmitted_segments) AS segments, sum(resent_fast) AS fast, sum(resent_timeout) AS timeout,
       sum(resent_probe) AS probe, sum(resent_syn) AS syn, max(rtt_mean_ns) / 1e6 AS worst_mean_rtt_ms
FROM connections
GROUP BY remote_address
HAVING sum(retransmitted_segments) > 0
ORDER BY segments DESC;

-- How did traffic and latency change over time? One line per interval and server.
CREATE OR REPLACE VIEW requests_over_time AS
SELECT server, port, interval_start_time, interval_start_ns, any_value(interval_ns) / 1e9 AS interval_s, sum(requests) AS requests,
       sum(requests_per_minute) AS per_minute, max(duration_p99_ns) / 1e6 AS worst_route_p99_ms,
       sum(duration_sum_ns) / nullif(sum(durations), 0) / 1e6 AS mean_ms
FROM endpoint_intervals
WHERE side = 'server'
GROUP BY server, port, interval_start_time, interval_start_ns
ORDER BY server, port, interval_start_ns;

-- What is the latency of a server over all its routes? Histograms merge by adding the counts of equal bins.
CREATE OR REPLACE VIEW server_latency AS
WITH bins AS (
  SELECT server, port, side, f AS from_ns, sum(n) AS n
  FROM (SELECT server, port, side, unnest(duration_bin_from_ns) AS f, unnest(duration_bin_counts) AS n FROM endpoints)
  GROUP BY ALL
), ranked AS (
  SELECT *, sum(n) OVER (PARTITION BY server, port, side ORDER BY from_ns) AS upto, sum(n) OVER (PARTITION BY server, port, side) AS total FROM bins
)
SELECT server, port, side, any_value(total) AS exchanges, min(from_ns) FILTER (upto >= 0.5 * total) / 1e6 AS p50_ms,
       min(from_ns) FILTER (upto >= 0.95 * total) / 1e6 AS p95_ms, min(from_ns) FILTER (upto >= 0.99 * total) / 1e6 AS p99_ms
FROM ranked
GROUP BY server, port, side
ORDER BY p99_ms DESC;

-- Where does the time between a client and its server go? Both ends of one exchange: what is left is the network and the queues.
CREATE OR REPLACE VIEW network_share AS
SELECT c.id AS client_exchange, s.id AS server_exchange, c.method, c.target, c.duration_ns / 1e6 AS client_ms, s.duration_ns / 1e6 AS server_ms,
       (c.duration_ns - s.duration_ns) / 1e6 AS between_ms
FROM exchanges c JOIN exchanges s ON (c.peer_id = s.id OR s.peer_id = c.id)
WHERE c.role = 'client' AND s.role = 'server' AND c.duration_ns IS NOT NULL AND s.duration_ns IS NOT NULL
ORDER BY between_ms DESC;

-- Which calls blocked longest? The kinds of calls of each side of an edge.
CREATE OR REPLACE VIEW slow_calls AS
SELECT client, server, port, side, metric, count, bytes, execution_ns / 1e6 AS total_ms, p99_ns / 1e6 AS p99_ms, max_ns / 1e6 AS max_ms, error
FROM edge_metrics
WHERE metric IN ('write', 'read', 'connect', 'close') AND count > 0
ORDER BY max_ns DESC;

-- Which requests were slow since what they called was slow, and which make many calls of one kind (1 + N)?
CREATE OR REPLACE VIEW slow_because_of_calls AS
SELECT p.id, p.method, p.host, p.target, p.duration_ns / 1e6 AS ms, p.critical_calls_ns / 1e6 AS in_calls_ms,
       round(100.0 * p.critical_calls_ns / nullif(p.duration_ns, 0), 1) AS percent, p.calls, p.same_calls,
       c.method || ' ' || c.host || c.target AS slowest_call, p.slowest_call_ns / 1e6 AS slowest_call_ms, c.parent_by, c.parent_certainty
FROM exchanges p LEFT JOIN exchanges c ON c.id = p.slowest_call_id
WHERE p.calls > 0
ORDER BY p.critical_calls_ns DESC;

-- Which connections moved most, and what did they speak?
CREATE OR REPLACE VIEW heaviest_connections AS
SELECT id, process, role, protocol, remote_address, remote_port, read_bytes, write_bytes, exchanges, tls_version,
       (end_ns - start_ns) / 1e9 AS seconds
FROM connections
ORDER BY read_bytes + write_bytes DESC;

-- How much of this can be relied on? What was lost, cut or guessed, and what of the exchanges is not whole.
CREATE OR REPLACE VIEW completeness AS
SELECT severity, name, count, bytes, sentence FROM ledger
UNION ALL
SELECT 'exchanges', CASE WHEN complete THEN 'complete' ELSE array_to_string(missing, ', ') END, count(*), 0, '' FROM exchanges GROUP BY ALL
ORDER BY 1, 3 DESC;
