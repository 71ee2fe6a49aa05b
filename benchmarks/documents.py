"""The rules over documents beside datatrove's own filters, on the same texts in one run: verdicts that differ, and MB/s.

    python benchmarks/documents.py [FOLDER_OF_PARQUET ...] [--texts N] [--show N]

Every text of more than 200 bytes in the folders counts as one English document (both sides are told so). Without a folder it takes
real sets where they are.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import Document
from datatrove.pipeline import filters as theirs

from filters import registry
from filters.batch import CONTENT, REASONING, Batch
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise

ROOT = Path(__file__).resolve().parent.parent
REAL = Path(os.environ.get("CORPUSMILL_REAL_DATA", ROOT.parent / "shared" / "data"))
SETS = ("alpaca", "gsm8k", "traces", "glaive_sharegpt", "tatqa", "pii_synth")
PAIRS = {
    "gopher": theirs.GopherQualityFilter,
    "gopher_repetition": theirs.GopherRepetitionFilter,
    "c4": theirs.C4QualityFilter,
    "fineweb": theirs.FineWebQualityFilter,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=[REAL / name for name in SETS])
    parser.add_argument("--texts", type=int, default=1200)
    parser.add_argument(
        "--show", type=int, default=0, help="differing texts of each filter to print, by their beginning"
    )
    args = parser.parse_args()
    texts = _texts(args.folders, args.texts)
    size = sum(len(t.encode()) for t in texts) / 1e6
    batch = _batch(pa.table({"text": texts}))
    print(f"{len(texts):,} texts, {size:.1f} MB; one core\n")
    print(f"{'':20}{'dropped':>9}{'by theirs':>11}{'differ':>9}{'MB/s':>9}{'theirs':>9}{'ratio':>8}")
    for name, target in PAIRS.items():
        ours, took = _ours(name, batch)
        other, their_time = _theirs(target(), texts)
        differ = np.flatnonzero(ours != other)
        print(
            f"{name:20}{(~ours).sum():9,}{(~other).sum():11,}{len(differ):9,}{size / took:9.1f}{size / their_time:9.2f}"
            f"{their_time / took:8.0f}"
        )
        for i in differ[: args.show]:
            print(f"    {'kept' if ours[i] else 'dropped'} by ours: {texts[i][:160]!r}")


def _texts(folders: list[Path], wanted: int) -> list[str]:
    found: list[str] = []
    for folder in folders:
        for shard in sorted(folder.glob("*.parquet"))[:1]:
            segments = _batch(pq.read_table(shard).slice(0, 400)).segments
            which = segments.where(channels=(CONTENT, REASONING))
            found += [segments.text(i) for i in which if segments.length[i] > 200][:400]
    random.Random(1).shuffle(found)
    return found[:wanted]


def _batch(table: pa.Table) -> Batch:
    rows = table.combine_chunks().to_batches()[0]
    return read(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch


def _ours(name: str, batch: Batch) -> tuple[np.ndarray, float]:
    kind = registry.load(name)
    filter_ = kind(kind.Options(language="en"))
    filter_.judge(batch)
    began = time.perf_counter()
    return filter_.judge(batch).keep, time.perf_counter() - began


def _theirs(filter_: theirs.BaseFilter, texts: list[str]) -> tuple[np.ndarray, float]:
    began, kept = time.perf_counter(), []
    for text in texts:
        try:
            kept.append(filter_.filter(Document(text=text, id="")) is True)
        except ZeroDivisionError:  # a text without a word
            kept.append(False)
    return np.array(kept), time.perf_counter() - began


if __name__ == "__main__":
    main()
