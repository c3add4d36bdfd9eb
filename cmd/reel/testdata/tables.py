"""tables.py DIR...: reads the tables of one analysis in every format by other people's readers; prints what each says, as JSON.

The first directory has Parquet, with views.sql to ask; the others what their files are. Checks of the numbers are here, where
SQL and NumPy can do them from the rows of exchanges: no code of reel computes what is expected.
"""

import csv
import json
import pathlib
import sys

import duckdb
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

parquet, others = pathlib.Path(sys.argv[1]), [pathlib.Path(d) for d in sys.argv[2:]]
csv.field_size_limit(1 << 30)
names = sorted(p.stem for p in parquet.glob("*.parquet"))
out = {"tables": names, "views": {}, "problems": []}


def problem(text):
    out["problems"].append(text)


def plain(v):
    return v.isoformat() if hasattr(v, "isoformat") else v


def cell(v):
    """What a CSV cell must hold."""
    if v is None:
        return ""
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, list):
        return json.dumps(v)
    return str(v)


def same(a, b):
    if isinstance(a, float):
        return abs(float(b) - a) <= 1e-9 * max(1, abs(a))
    return a == b


# Every format holds the rows of Parquet.
for name in names:
    want = pq.read_table(parquet / f"{name}.parquet")
    times = [f.name for f in want.schema if pa.types.is_timestamp(f.type)]
    stable = [f.name for f in want.schema if f.name not in times]
    rows = want.select(stable).to_pylist()
    for d in others:
        if (f := d / f"{name}.arrow").exists():
            with pa.memory_map(str(f)) as source:
                got = pa.ipc.open_file(source).read_all()
            got.validate(full=True)
            if got.column_names != want.column_names or got.select(stable).to_pylist() != rows:
                problem(f"{f}: rows differ")
            for t in times:
                if got[t].cast(pa.int64()).to_pylist() != want[t].cast(pa.int64()).to_pylist():
                    problem(f"{f}: {t} differs")
        elif (f := d / f"{name}.jsonl").exists():
            got = [json.loads(line) for line in f.open()]
            if [[r[c] for c in stable] for r in got] != [[r[c] for c in stable] for r in rows]:
                problem(f"{f}: rows differ")
        elif (f := d / f"{name}.csv").exists():
            with f.open(newline="") as source:
                got = list(csv.DictReader(source))
            if len(got) != len(rows):
                problem(f"{f}: {len(got)} rows of {len(rows)}")
            for g, w in zip(got, rows):
                for c in stable:
                    if isinstance(w[c], list):
                        ok = len(json.loads(g[c])) == len(w[c]) and all(map(same, w[c], json.loads(g[c])))
                    else:
                        ok = same(w[c], g[c]) if isinstance(w[c], float) else g[c] == cell(w[c])
                    if not ok:
                        problem(f"{f}: {c} is {g[c]!r}, want {w[c]!r}")
                        break
        elif (f := d / f"{name}.txt").exists():
            if len(f.read_text().splitlines()) != len(rows) + 1:
                problem(f"{f}: not a line a row")
        else:
            problem(f"{d}: no {name}")

db = duckdb.connect()
for name in names:
    db.execute(f"CREATE VIEW {name} AS SELECT * FROM '{parquet}/{name}.parquet'")
db.execute((pathlib.Path(__file__).parents[3] / "report" / "table" / "views.sql").read_text())
for (view,) in db.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall():
    if view not in names:
        out["views"][view] = db.execute(f"SELECT count(*) FROM {view}").fetchone()[0]

# Endpoints are the sums of exchanges: counts and bytes exactly, quantiles within their error.
def one(sql):
    return db.execute(sql).fetchone()


total = one("SELECT count(*), sum(request_wire_bytes), sum(response_wire_bytes), max(duration_ns) FROM exchanges")
for table in ("endpoints", "endpoint_intervals"):
    got = one(f"SELECT sum(requests), sum(request_bytes), sum(response_bytes), max(duration_max_ns) FROM {table}")
    if got[0] != total[0] or got[3] != total[3] or got[1] > total[1] or got[2] > total[2]:
        problem(f"{table}: {got}, exchanges {total}")
for role, q, low, high in db.execute("""
    SELECT role, q, p * (1 - 0.0079) - 1, p * (1 + 0.0079) + 1 FROM (
      SELECT role, unnest([0.5, 0.95, 0.99]) AS q, unnest(quantile_disc(duration_ns, [0.5, 0.95, 0.99])) AS p FROM exchanges WHERE duration_ns IS NOT NULL GROUP BY role)""").fetchall():
    got = one(f"""
        WITH bins AS (SELECT f, sum(n) AS n FROM (SELECT unnest(duration_bin_from_ns) AS f, unnest(duration_bin_counts) AS n FROM endpoints WHERE side = '{role}') GROUP BY f),
             ranked AS (SELECT f, sum(n) OVER (ORDER BY f) AS upto, sum(n) OVER () AS total FROM bins)
        SELECT min(f) FROM ranked WHERE upto >= ceil({q} * total)""")[0]
    if not (float(low) * (1 - 0.0157) <= got <= high):
        problem(f"merged histograms of {role}: quantile {q} is in the bin from {got}, exchanges say {low} to {high}")

# The metrics of edges are the sums of those of connections, and bytes are the connections' own.
for metric, column in (("write", "write_bytes"), ("read", "read_bytes")):
    by_edge = one(f"SELECT sum(bytes), sum(count), sum(execution_ns), max(max_ns) FROM edge_metrics WHERE metric = '{metric}'")
    by_conn = one(f"SELECT sum(bytes), sum(count), sum(execution_ns), max(max_ns) FROM connection_metrics WHERE metric = '{metric}'")
    conns = one(f"SELECT sum({column}) FROM connections")
    if by_edge != by_conn or by_edge[0] != conns[0]:
        problem(f"{metric}: edges {by_edge}, connections {by_conn}, {column} {conns}")
bad = one("SELECT count(*) FROM edge_metrics WHERE metric NOT IN ('retransmit', 'drop') AND (list_sum(bin_counts) <> count OR list_sum(rover_buckets) <> count OR p50_ns > p99_ns OR p99_ns > max_ns)")
if bad[0]:
    problem(f"{bad[0]} rows of edge_metrics do not add up")
print(json.dumps(out))
