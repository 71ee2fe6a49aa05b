r"""Samples filter: what a vote is worth on real samples with a grader's word, what the best of them are, and how fast it is.

    python benchmarks/samples.py [--math FOLDER] [--records N]

--math: ``evaluation/data`` of github.com/QwenLM/Qwen2.5-Math, which has eight samples of a model for each of 100 problems of MATH, what a
grader said of each, and a reward model's scores. The references are not shown to the filter. --records: made-up ones, to time it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.number_checks import batch_of  # noqa: E402
from filters.contract import CHECKED, Part  # noqa: E402
from filters.numbers.options import On  # noqa: E402
from filters.samples import SamplesFilter, SamplesOptions  # noqa: E402

KEEP = On(refuted="keep")


def part(table: pa.Table, made: SamplesFilter) -> tuple[Part, float]:
    """The signatures, and processor seconds they took."""
    batch = batch_of(table)
    began = time.process_time()
    signed = made.judge(batch).signatures
    spent = time.process_time() - began
    assert signed is not None
    whole = (
        pa.Table.from_batches([signed])
        .append_column("row", pa.array(np.arange(len(batch))))
        .append_column("id", batch.ids)
    )
    for what in CHECKED:
        whole = whole.append_column(f"checked.{what}", pa.array(np.zeros(len(batch), np.int8)))
    return Part("a", whole), spent


def real(folder: Path) -> None:
    lines = (folder / "eval_rm_maj_example" / "math_cot_100.jsonl").read_text("utf-8").splitlines()
    rows: list[dict[str, Any]] = []
    for problem in map(json.loads, lines):
        for text, right, score in zip(problem["code"], problem["score"], problem["pred_score"], strict=True):
            rows.append({"prompt": problem["question"], "response": text, "right": right, "reward": score[0]})
    right = np.array([r["right"] for r in rows])
    problems = len({r["prompt"] for r in rows})
    table = pa.Table.from_pylist(rows).drop_columns("right")
    print(f"{len(rows)} samples of {problems} problems, {right.mean():.1%} right; a problem has a right one in "
          f"{len({r['prompt'] for r in rows if r['right']})}")  # fmt: skip
    for count in (8, 4, 3):
        few = [i for at in range(0, len(rows), 8) for i in range(at, at + count)]
        one, _ = part(table.take(few), SamplesFilter(SamplesOptions()))
        for share in (0.5, 0.75, 1.0):
            told = SamplesFilter.resolve([one], SamplesOptions(least_share=share, on=KEEP)).to_pylist()
            counts = Counter((r["verdict"], bool(right[few[r["row"]]])) for r in told)
            shown = "  ".join(
                f"{v} {counts[v, True] + counts[v, False]} ({counts[v, v != 'refuted'] / max(1, counts[v, True] + counts[v, False]):.1%}"
                f" {'wrong' if v == 'refuted' else 'right'})" for v in ("verified", "refuted", "unverifiable")
            )  # fmt: skip
            print(f"{count} samples, least_share {share}: {shown}")
    for order in (("first",), ("reward",), ("verified",), ("verified", "reward"), ("shortest",)):
        options = SamplesOptions(order=order, best=1, on=KEEP)
        one, _ = part(table, SamplesFilter(options))
        told = SamplesFilter.resolve([one], options).to_pylist()
        kept = [r["row"] for r in told if r["reason"] < 0]
        print(f"the best one by {', '.join(order)}: {right[kept].sum()} of {len(kept)} right")


def speed(records: int) -> None:
    chance = random.Random(1)
    forms = (r"\boxed{{{}}}", "#### {}", "The answer is {}.", r"\boxed{{\frac{{{}}}{{1}}}}", r"\boxed{{{}.0}}")
    answers = [chance.randrange(3) + i // 8 % 1000 for i in range(records)]
    rows = pa.table(
        {
            "prompt": [f"What is problem {i // 8}?" for i in range(records)],
            "response": ["I add one thing to another. " * 20 + chance.choice(forms).format(a) for a in answers],
        }
    )
    made = SamplesFilter(SamplesOptions(best=4, order=("verified", "shortest")))
    part(rows.slice(0, 100), made)
    one, spent = part(rows, made)
    size = rows["response"].combine_chunks().nbytes / 1e6
    print(f"signing: {records / spent:,.0f} records a second, {size / spent:.0f} MB/s of answers of 600 bytes")
    began = time.process_time()
    told = SamplesFilter.resolve([one], made.options)
    print(f"deciding: {len(told) / (time.process_time() - began):,.0f} records a second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--math", type=Path)
    parser.add_argument("--records", type=int, default=100_000)
    given = parser.parse_args()
    if given.math:
        real(given.math)
    speed(given.records)


if __name__ == "__main__":
    main()
