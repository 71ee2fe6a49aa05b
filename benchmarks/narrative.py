"""Narrative filter: aligned answers caught, neutral and benign text kept, speed.

    python benchmarks/narrative.py [DATA_FOLDER]

Sets as tests/support.py says: deccp (the answers of a censoring model, and of it with the censoring trained out), and as benign
controls alpaca, glaive_sharegpt, gsm8k, nemo_gym_rollouts, tatqa, traces; beside them narrative_sentences.yaml.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from filters.batch import Batch  # noqa: E402
from filters.narrative import NarrativeFilter  # noqa: E402
from pipelines.schemas.read import read  # noqa: E402
from pipelines.schemas.recognise import recognise  # noqa: E402

DEFAULT = Path(os.environ.get("CORPUSMILL_REAL_DATA", ROOT.parent / "shared" / "data"))
BENIGN = ("alpaca", "glaive_sharegpt", "gsm8k", "nemo_gym_rollouts", "tatqa", "traces")


def batch_of(table: pa.Table) -> Batch:
    rows = table.combine_chunks().to_batches()[0]
    return read(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch


def sentences(judge: NarrativeFilter) -> None:
    sets = yaml.safe_load((Path(__file__).parent / "narrative_sentences.yaml").read_text("utf-8"))
    for name, texts in sets.items():
        keep = judge.judge(batch_of(pa.table({"text": texts}))).keep
        print(f"own sentences, {name}: dropped {(~keep).sum()} of {len(keep)}")
        for text, kept in zip(texts, keep, strict=True):
            if kept == (name == "aligned"):
                print(f"    {'missed' if kept else 'wrong'}: {text}")


def censored(judge: NarrativeFilter, data: Path) -> None:
    for path in sorted((data / "deccp").glob("*.parquet")):
        table = pq.read_table(path)
        keep = judge.judge(batch_of(table)).keep
        models = table["model"].to_pylist()
        dropped = Counter(m for m, k in zip(models, keep, strict=True) if not k)
        for model, total in Counter(models).items():
            print(f"deccp, {model}: dropped {dropped[model]} of {total}")


def benign(judge: NarrativeFilter, data: Path) -> None:
    for name in BENIGN:
        size = spent = dropped = rows = 0.0
        for path in sorted((data / name).glob("*.parquet")):
            batch = batch_of(pq.read_table(path))
            start = time.process_time()
            keep = judge.judge(batch).keep
            spent += time.process_time() - start
            size += float(batch.segments.length.sum()) / 1e6
            dropped += float((~keep).sum())
            rows += len(keep)
        if rows:
            print(f"{name}: dropped {dropped:.0f} of {rows:.0f}; {size / spent:.0f} MB/s of CPU time ({size:.0f} MB)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=DEFAULT)
    args = parser.parse_args()
    judge = NarrativeFilter()
    sentences(judge)
    censored(judge, args.data)
    benign(judge, args.data)


if __name__ == "__main__":
    main()
