"""Benchmark items planted in real records, changed in several ways: how many are found, and how many records without one are dropped.

    python benchmarks/contamination.py [--items 500] [--show 0]

Items are every second question of gsm8k; each is planted in the middle of a real reasoning trace. Records without one are all other
real sets that are there, and the other half of gsm8k's questions, which are of the same kind.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.batch import CONTENT, REASONING, Batch
from filters.contamination import ContaminationFilter, ContaminationOptions
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise

ROOT = Path(__file__).resolve().parent.parent
REAL = Path(os.environ.get("CORPUSMILL_REAL_DATA", ROOT.parent / "shared" / "data"))
CLEAN = ("alpaca", "glaive_sharegpt", "bfcl_v4", "nemo_gym_rollouts", "tatqa", "traces", "pii_synth", "sealtools")
OTHER = ["some", "thing", "each", "small", "then", "number", "other", "friend", "today", "more"]


def respaced(text: str, rng: random.Random) -> str:
    return "  \n".join(part.upper() if rng.random() < 0.5 else part for part in text.split(" "))


def without_punctuation(text: str, rng: random.Random) -> str:
    return "".join(c for c in text if c.isalnum() or c == " ")


def reworded(every: int) -> Callable[[str, random.Random], str]:
    def change(text: str, rng: random.Random) -> str:
        words = text.split(" ")
        for i in rng.sample(range(len(words)), k=round(len(words) / every)):
            words[i] = rng.choice(OTHER)
        return " ".join(words)

    return change


def beginning(share: float) -> Callable[[str, random.Random], str]:
    def change(text: str, rng: random.Random) -> str:
        words = text.split(" ")
        return " ".join(words[: round(len(words) * share)])

    return change


CHANGES: dict[str, Callable[[str, random.Random], str]] = {
    "as it is": lambda text, rng: text,
    "re-spaced, half in capitals": respaced,
    "without punctuation": without_punctuation,
    "one word in 20 replaced": reworded(20),
    "one word in 12 replaced": reworded(12),
    "one word in 8 replaced": reworded(8),
    "first 3/4": beginning(0.75),
    "first half": beginning(0.5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--show", type=int, default=0)
    args = parser.parse_args()
    rows = pa.concat_tables([pq.read_table(p) for p in sorted((REAL / "gsm8k").glob("*.parquet"))]).to_pylist()
    questions = [r.get("prompt") or r.get("question") for r in rows]
    answers = [(r.get("response") or r.get("answer")).rpartition("####")[2].strip() for r in rows]
    with tempfile.TemporaryDirectory() as scratch:
        items = {"question": questions[::2], "answer": answers[::2]}
        pq.write_table(pa.table(items), Path(scratch) / "gsm8k.parquet")
        for words in (5, 8, 13):
            began = time.perf_counter()
            filter_ = ContaminationFilter(ContaminationOptions(benchmarks=scratch, words=words))
            print(
                f"\nwords: {words}; {len(questions[::2]):,} items, index built in {time.perf_counter() - began:.1f} s"
            )
            _planted(filter_, items, _texts("traces", args.items), args.items)
            _clean(filter_, questions[1::2], args.show)


def _planted(filter_: ContaminationFilter, items: dict[str, list[str]], hosts: list[str], wanted: int) -> None:
    for name, change in CHANGES.items():
        rng = random.Random(7)
        chosen = rng.sample(range(len(items["question"])), wanted)
        made = []
        for k, item in enumerate(chosen):
            host = hosts[k % len(hosts)]
            made.append(f"{host[: len(host) // 2]}\n{change(items['question'][item], rng)}\n{host[len(host) // 2 :]}")
        judged = filter_.judge(_batch(pa.table({"text": made})))
        numbers = judged.scores["item"].to_pylist()
        right = sum(not k and n == c for k, n, c in zip(judged.keep.tolist(), numbers, chosen, strict=True))
        print(f"  {name:30} found {right / wanted:7.1%}")


def _clean(filter_: ContaminationFilter, others: list[str], show: int) -> None:
    for name, texts in [("gsm8k, the other half", others), *((n, _texts(n, 5000)) for n in CLEAN)]:
        if not texts:
            continue
        batch = _batch(pa.table({"text": texts}))
        filter_.judge(batch)
        began = time.perf_counter()
        judged = filter_.judge(batch)
        speed = sum(len(t.encode()) for t in texts) / 1e6 / (time.perf_counter() - began)
        wrong = np.flatnonzero(~judged.keep)
        print(f"  {name:30} dropped {len(wrong):5,} of {len(texts):6,}   {speed:6.0f} MB/s")
        for i in wrong[:show]:
            print(
                f"      {judged.scores['overlap'][i].as_py():.2f} item {judged.scores['item'][i]}: {texts[i][:120]!r}"
            )


def _texts(name: str, most: int) -> list[str]:
    found: list[str] = []
    for shard in sorted((REAL / name).glob("*.parquet")):
        segments = _batch(pq.read_table(shard)).segments
        found += [segments.text(i) for i in segments.where(channels=(CONTENT, REASONING))]
    return found[:most]


def _batch(table: pa.Table) -> Batch:
    rows = table.combine_chunks().to_batches()[0]
    return read(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch


if __name__ == "__main__":
    main()
