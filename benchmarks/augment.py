"""What counterfactual copies do to the balance of a dataset, how many records have one, and how fast they are made.

python benchmarks/augment.py FOLDER...            # folders of Parquet shards
python benchmarks/augment.py FOLDER --show 50     # a sample of what was swapped, to read
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from filters.batch import Batch
from filters.counterfactual import Counterfactual, Swaps
from filters.mentions import MentionsFilter
from pipelines import edits
from pipelines.schemas.read import Read, read
from pipelines.schemas.recognise import recognise
from pipelines.statistics import wilson


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", nargs="+", type=Path)
    asked.add_argument("--show", type=int, default=0)
    told = asked.parse_args()
    counterfactual, mentions = Counterfactual(), MentionsFilter()
    for folder in told.folder:
        measure(folder, counterfactual, mentions, told.show)


def measure(folder: Path, counterfactual: Counterfactual, mentions: MentionsFilter, show: int) -> None:
    before, after, left = Counter[str](), Counter[str](), Counter[str]()
    records = copies = size = 0
    seconds = 0.0
    shown: list[str] = []
    for path in sorted(folder.glob("*.parquet")):
        laid = _read(pq.read_table(path))
        began = time.perf_counter()
        found = counterfactual.swaps(laid.batch)
        seconds += time.perf_counter() - began
        size += int(laid.batch.segments.length.sum())
        records, copies = records + len(laid.batch), copies + int(found.swapped.sum())
        left.update(found.left.values())
        before += _groups(mentions, laid.batch)
        if found.swapped.any():
            made = edits.apply(laid, [found.edits], found.swapped).filter(pa.array(found.swapped))
            after += _groups(mentions, _read(pa.table(made)).batch)
        shown += _shown(laid.batch, found) if show else ()
    print(
        f"{folder.name}: {records:,} records, {copies:,} copies; {size / 1e6:.1f} MB at {size / 1e6 / seconds:.1f} MB/s"
    )
    print(f"  left alone: {', '.join(f'{why} {n}' for why, n in left.most_common()) or 'none'}")
    print(f"  male only among one gender only: {_share(before)} before, {_share(before + after)} after")
    for text in random.Random(0).sample(shown, min(show, len(shown))):
        print(f"- {text}")


def _read(table: pa.Table) -> Read:
    rows = table.combine_chunks().to_batches()[0]
    return read(rows, recognise(rows.schema), max_record_bytes=1 << 30)


def _groups(mentions: MentionsFilter, batch: Batch) -> Counter[str]:
    """Records that mention men only, and women only."""
    groups = mentions.judge(batch).scores["gender"]
    return Counter(g[0] for g in pa.array(groups).to_pylist() if len(g) == 1 and g[0] in ("male", "female"))


def _share(counts: Counter[str]) -> str:
    male, n = counts["male"], counts.total()
    low, high = wilson(male / n, n) if n else (0.0, 1.0)
    return f"{male:,} of {n:,} ({male / max(n, 1):.3f}, {low:.3f} to {high:.3f})"


def _shown(batch: Batch, found: Swaps) -> Iterator[str]:
    """Each swapped segment with its swaps marked."""
    by_segment: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    e = found.edits
    for segment, start, end, new in zip(e.segment, e.start, e.end, e.replacement, strict=True):
        by_segment[segment].append((start, end, new))
    for segment, changes in by_segment.items():
        raw = batch.segments.bytes(segment)
        for start, end, new in sorted(changes, reverse=True):
            raw = raw[:start] + b"{" + raw[start:end] + b">" + new.encode() + b"}" + raw[end:]
        yield " ".join(raw.decode().split())[:800]


if __name__ == "__main__":
    main()
