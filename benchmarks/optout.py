"""Opt-outs: how long a list of millions takes to load, what it holds of memory, and MB/s of text looked through.

python benchmarks/optout.py shards/*.parquet [--entries 5000000]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from filters.contract import Judgement
from filters.optout import OptoutFilter, OptoutOptions
from filters.optout.lists import OptoutList
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="+", type=Path)
    parser.add_argument("--entries", type=int, default=5_000_000)
    given = parser.parse_args()
    batches = []
    for path in given.shards:
        for rows in pq.ParquetFile(path).iter_batches(4096):
            batches.append(read(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch)
    size = sum(int(b.segments.length.sum()) for b in batches) / 1e6
    print(f"{sum(map(len, batches)):,} records, {size:.0f} MB of text; lists of {given.entries:,} entries")
    with tempfile.TemporaryDirectory() as folder:
        for kind, form in (("id", "record-{}"), ("user", "user{}"), ("content", "{:064x}"), ("domain", "d{}.example"),
                           ("url", "https://d{}.example/page")):  # fmt: skip
            path = Path(folder) / f"{kind}.parquet"
            pq.write_table(pa.table({kind: [form.format(i) for i in range(given.entries)]}), path)
            options = OptoutOptions(lists=(OptoutList(path=str(path), kind=kind),), in_text=True)
            small = Path(folder) / "small.parquet"
            pq.write_table(pa.table({kind: [form.format(0)]}), small)
            OptoutFilter(OptoutOptions(lists=(OptoutList(path=str(small), kind=kind),))).judge(batches[0])  # compiles
            started = time.perf_counter()
            optout = OptoutFilter(options)
            loaded = time.perf_counter() - started
            started = time.perf_counter()
            found: list[Judgement] = [optout.judge(batch) for batch in batches]
            took = time.perf_counter() - started
            out = sum(int((~j.keep).sum()) for j in found)
            print(f"{kind:8} loaded in {loaded:5.1f} s  {size / took:8.0f} MB/s  {out:,} records listed")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")


if __name__ == "__main__":
    main()
