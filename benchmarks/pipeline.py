"""MB/s of Arrow data a core, in one run: raw Parquet read + write, each filter alone, and the whole default recipe.

    python benchmarks/pipeline.py [FOLDER_OF_PARQUET] [--price 0.04]

and from these the core-hours of 1 TB, 100 TB and 15.6 T tokens, with what they cost at a price a core-hour. Seconds are those of a
core: waiting for a disk, or for others on the machine, is not in them.

The ratio at the end (whole pipeline / raw read + write) is what carries over to other machines; the figures do not. Without a
folder it takes the real traces where they are, else sample_data scaled up.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from filters.reading import ReadFilter
from pipelines import recipe as recipes
from pipelines.run import run
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise

ROOT = Path(__file__).resolve().parent.parent
REAL = Path(os.environ.get("CORPUSMILL_REAL_DATA", ROOT.parent / "shared" / "data"))
REPEATS = 3
BYTES_A_TOKEN = 3.9
"""Of reasoning traces, by ``benchmarks/tokens.py``; a larger vocabulary than its 8,000 makes it more."""

SIZES = {"1 TB": 1e12, "100 TB": 1e14, "15.6 T tokens": 15.6e12 * BYTES_A_TOKEN}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", nargs="?", type=Path, help="of Parquet shards (default: the real traces, else sample_data)"
    )
    parser.add_argument("--price", type=float, default=0.04, help="of a core-hour (default: 0.04)")
    args = parser.parse_args()
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.folder or _folder(Path(scratch))
        shards = sorted(folder.glob("*.parquet"))
        tables = [pq.read_table(p, use_threads=False).combine_chunks() for p in shards]
        size = sum(t.nbytes for t in tables) / 1e6
        print(
            f"{len(shards)} shards, {sum(t.num_rows for t in tables):,} records, {size:.1f} MB of Arrow data, one core\n"
        )
        raw = _best(lambda: _raw(shards, Path(scratch)))
        _row("raw pyarrow read + write", size, raw)
        loaded = recipes.load("default")
        batches = [b for t in tables for b in t.to_batches()]
        columns = [recognise(b.schema) for b in batches]
        lay = _best(lambda: [read(b, c, max_record_bytes=1 << 30) for b, c in zip(batches, columns, strict=True)])
        _row("laying out segments", size, lay)
        laid = [read(b, c, max_record_bytes=1 << 30).batch for b, c in zip(batches, columns, strict=True)]
        for name, filter_ in [("read", ReadFilter()), *((s.name, s.build()) for s in loaded.stages)]:
            filter_.judge(laid[0])
            _row(f"filter {name}", size, _best(lambda f=filter_: [f.judge(b) for b in laid]))
        whole = _best(lambda: _whole(loaded, folder, Path(scratch)))
        _row("whole pipeline, default recipe", size, whole)
        print(f"\nwhole pipeline / raw read + write = {raw / whole:.2f}")
    _hours(args.price)


def _hours(price: float) -> None:
    print(
        f"\n{'core-hours (cost at ' + format(price, 'g') + ' a core-hour)':<40}"
        + "".join(f"{name:>24}" for name in SIZES)
    )
    for name, speed in _SPEEDS.items():
        hours = [size / 1e6 / speed / 3600 for size in SIZES.values()]
        print(f"{name:<40}" + "".join(f"{h:>14,.0f} ({h * price:>7,.0f})" for h in hours))


def _whole(loaded: recipes.Recipe, folder: Path, scratch: Path) -> None:
    import msgspec

    out = scratch / "out"
    shutil.rmtree(out, ignore_errors=True)
    sections = {
        "input": msgspec.structs.replace(loaded.input, path=str(folder)),
        "output": msgspec.structs.replace(loaded.output, path=str(out)),
    }
    run(recipes.Recipe(loaded.name, sections["input"], sections["output"], loaded.work, loaded.stages), workers=1)


def _raw(shards: list[Path], scratch: Path) -> None:
    for path in shards:
        pq.write_table(pq.read_table(path, use_threads=False), scratch / "raw.parquet", compression="zstd")


def _best(work) -> float:
    """Median seconds of a core of REPEATS runs, after one that is not counted."""
    work()
    times = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return statistics.median(times)


_SPEEDS: dict[str, float] = {}
"""MB/s by what was measured."""


def _row(name: str, size: float, seconds: float) -> None:
    _SPEEDS[name] = size / seconds
    print(f"{name:<34} {size / seconds:>8.0f} MB/s")


def _folder(scratch: Path) -> Path:
    if (REAL / "traces").is_dir():
        return REAL / "traces"
    folder = scratch / "scaled"
    folder.mkdir()
    table = pq.read_table(ROOT / "sample_data" / "openai_messages.parquet")
    pq.write_table(pa.concat_tables([table] * 400), folder / "scaled.parquet", row_group_size=2000)
    return folder


if __name__ == "__main__":
    main()
