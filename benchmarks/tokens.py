"""The tokens filter: speed, and how far its estimates from a sample are from the exact count, with the intervals they came with.

    python benchmarks/tokens.py [FOLDER_OF_PARQUET]

The tokenizer (byte-level BPE, 8,000 tokens) is trained on the first records, so figures are of this text and this tokenizer. Without a
folder it takes the real traces where they are, else sample_data.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from filters.batch import Batch
from filters.tokens import TokensFilter, TokensOptions
from pipelines import annotate
from pipelines.provenance.tokens import total
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise

ROOT = Path(__file__).resolve().parent.parent
REAL = Path(os.environ.get("CORPUSMILL_REAL_DATA", ROOT.parent / "shared" / "data"))
SEEDS = range(20)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else REAL / "traces"
    shards = sorted((folder if folder.is_dir() else ROOT / "sample_data").glob("*.parquet"))
    batches = [b for p in shards for b in _batches(pq.read_table(p))]
    with tempfile.TemporaryDirectory() as scratch:
        path = _trained(batches, Path(scratch) / "tokenizer.json")
        exact, seconds = _told(batches, TokensOptions(tokenizer=str(path)))
        print(f"{exact['of_records']:,} records, {exact['bytes'] / 1e6:.1f} MB of text, one core")
        print(f"exact: {exact['total']:,} tokens, {exact['bytes'] / 1e6 / seconds:.1f} MB/s")
        for sample in (10, 100):
            tried = [_told(batches, TokensOptions(tokenizer=str(path), sample=sample, seed=s)) for s in SEEDS]
            told = [t for t, _ in tried if t["total"] is not None]
            off = sorted(abs(t["total"] / exact["total"] - 1) for t in told)
            inside = sum(t["low"] <= exact["total"] <= t["high"] for t in told)
            fastest = min(s for _, s in tried)
            print(f"sample {sample}: {exact['bytes'] / 1e6 / fastest:.0f} MB/s; off by {off[len(off) // 2]:.2%} (median), "
                  f"{off[-1]:.2%} (worst of {len(told)} seeds); the interval holds the exact count for {inside}")  # fmt: skip


def _batches(table: pa.Table) -> list[Batch]:
    rows = table.combine_chunks().to_batches()
    return [read(b, recognise(b.schema), max_record_bytes=1 << 30).batch for b in rows]


def _trained(batches: list[Batch], path: Path) -> Path:
    texts = (b.segments.text(i) for b in batches for i in range(len(b.segments)))
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=8000, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(itertools.islice(texts, 1000), trainer)
    made.save(str(path))
    return path


def _told(batches: list[Batch], options: TokensOptions) -> tuple[dict, float]:
    filter_ = TokensFilter(options)
    began, sums, records = time.perf_counter(), Counter(), 0
    for batch in batches:
        scores = annotate.column(TokensFilter, batch, filter_.judge(batch)).field("scores")
        sums.update(TokensFilter.totals({f.name: scores.field(f.name) for f in scores.type}))
        records += len(batch)
    seconds = time.perf_counter() - began
    told = total([{"sums": sums, "assets": filter_.assets(options)}], records)
    assert told is not None
    return told, seconds


if __name__ == "__main__":
    main()
