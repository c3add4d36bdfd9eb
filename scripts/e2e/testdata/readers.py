"""Reads every Parquet file under a folder with DuckDB and with pyarrow, and prints {path: rows} as JSON.

Both must find the same number of rows and, for each column, the same count and checksum (sums of numbers, sums of lengths
of strings and blobs); a difference ends the program with a sentence. None of reel's own code takes part.
"""

import json
import os
import sys

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

MASK = (1 << 61) - 1


def by_pyarrow(path):
    table = pq.read_table(path)
    sums = {}
    for name, column in zip(table.column_names, table.columns):
        kind = column.type
        valid = len(column) - column.null_count
        if pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
            kind = kind.value_type
        if pa.types.is_boolean(kind):
            total = sum(1 for v in column.to_pylist() if v)
        elif pa.types.is_integer(kind):
            total = sum(v for v in column.to_pylist() if v is not None) % MASK
        elif pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind):
            total = pc.sum(pc.binary_length(column)).as_py() or 0
        else:
            continue  # lists, floats, timestamps: counted, not added
        sums[name] = (valid, total)
    return table.num_rows, sums


def by_duckdb(path, names):
    db = duckdb.connect()
    kinds = {r[0]: r[1] for r in db.execute("describe select * from read_parquet(?)", [path]).fetchall()}
    rows = db.execute("select count(*) from read_parquet(?)", [path]).fetchone()[0]
    sums = {}
    for name in names:
        kind, column = kinds[name], '"' + name.replace('"', '""') + '"'
        if kind == "BOOLEAN":
            expression = f"count(*) filter ({column})"
        elif kind == "VARCHAR":
            expression = f"coalesce(sum(octet_length(encode({column}))), 0)"
        elif kind == "BLOB":
            expression = f"coalesce(sum(octet_length({column})), 0)"
        else:
            expression = f"coalesce(sum({column}::hugeint), 0)"
        count, total = db.execute(f"select count({column}), {expression} from read_parquet(?)", [path]).fetchone()
        sums[name] = (count, int(total) if kind in ("BOOLEAN", "VARCHAR", "BLOB") else int(total) % MASK)
    return rows, sums


def main(folder):
    counted = {}
    for base, _, files in os.walk(folder):
        for file in sorted(files):
            if not file.endswith(".parquet"):
                continue
            path = os.path.join(base, file)
            rows, sums = by_pyarrow(path)
            other_rows, other_sums = by_duckdb(path, sums)
            if rows != other_rows or sums != other_sums:
                sys.exit(f"{path}: pyarrow reads {rows} rows {sums}, DuckDB {other_rows} rows {other_sums}")
            counted[os.path.relpath(path, folder)] = rows
    json.dump(counted, sys.stdout)


main(sys.argv[1])
