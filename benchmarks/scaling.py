"""How a run grows: twice the data, two workers, a shard twenty times as large, more shards. Ratios, in one run.

python benchmarks/scaling.py [FOLDER_OF_PARQUET]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
REAL = Path(os.environ.get("CORPUSMILL_REAL_DATA", ROOT.parent / "shared" / "data"))


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        source = Path(sys.argv[1]) if len(sys.argv) > 1 else REAL / "traces"
        if not source.is_dir():
            source = ROOT / "sample_data"
        tables = [pq.read_table(p) for p in sorted(source.glob("*.parquet"))]
        once, twice, large = home / "once", home / "twice", home / "large"
        for folder, copies in ((once, 2), (twice, 4)):
            folder.mkdir()
            for copy in range(copies):
                for i, table in enumerate(tables):
                    pq.write_table(table, folder / f"{copy}-{i}.parquet", row_group_size=200)
        large.mkdir()
        with pq.ParquetWriter(large / "large.parquet", tables[0].schema) as writer:
            for _ in range(20):
                writer.write_table(tables[0], row_group_size=200)
        _run(once, home, 1)  # not counted: kernels are compiled
        start, _ = _run(_tiny(home, tables[0]), home, 1)
        one, memory_one = _run(once, home, 1)
        two, memory_two = _run(twice, home, 1)
        pair, _ = _run(twice, home, 2)
        _, memory_large = _run(large, home, 1)
    print(f"start-up (one record)                  {start:6.1f} s")
    print(f"{len(tables) * 2} shards, one worker                  {one:6.1f} s, peak {memory_one:,.0f} MB")
    print(f"{len(tables) * 4} shards, one worker                 {two:6.1f} s, peak {memory_two:,.0f} MB")
    print(f"{len(tables) * 4} shards, two workers                {pair:6.1f} s")
    print(f"one shard twenty times as large as one of these: peak {memory_large:,.0f} MB")
    print(
        f"\ntwice the data takes {two / one:.2f} times as long; two workers are {two / pair:.2f} times as fast as one"
    )


def _tiny(home: Path, table: pa.Table) -> Path:
    folder = home / "tiny"
    folder.mkdir()
    pq.write_table(table.slice(0, 1), folder / "a.parquet")
    return folder


def _run(folder: Path, home: Path, workers: int) -> tuple[float, float]:
    """(seconds, peak resident MB of the largest process) of one run of the default recipe, all start-up included."""
    out = home / f"out-{time.monotonic_ns()}"
    command = [sys.executable, "-m", "pipelines", "run", "default", "--input", folder, "--output", out]
    began = time.monotonic()
    child = subprocess.Popen(
        [*map(str, command), "--workers", str(workers)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(child.pid, 0)
    assert status == 0, f"the run failed with {status}"
    return time.monotonic() - began, used.ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)


if __name__ == "__main__":
    main()
