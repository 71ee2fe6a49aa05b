r"""Numbers filter: final answers, right and perturbed, in twenty ways to write them; pairs of formulas; wrong equations; speed.

    python benchmarks/number_checks.py [DATA_FOLDER] [--show N]

gsm8k's own ``####`` line is the reference. Every answer is written in every form (a box, a sentence in seven languages, with units,
separators, LaTeX) once as it is and once with one of seven mistakes. --show prints N wrong equations, for people to judge.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from filters.batch import ASSISTANT, CONTENT, OTHER, REASONING, Batch  # noqa: E402
from filters.numbers import NumbersFilter  # noqa: E402
from filters.numbers.compare import against  # noqa: E402
from filters.numbers.options import NumbersOptions  # noqa: E402
from filters.numbers.symbolic import Algebra  # noqa: E402
from pipelines.schemas.read import read  # noqa: E402
from pipelines.schemas.recognise import recognise  # noqa: E402

DEFAULT = Path(os.environ.get("CORPUSMILL_REAL_DATA", ROOT.parent / "shared" / "data"))
SETS = ("gsm8k", "nemo_gym_rollouts", "traces", "traces_labelled", "alpaca", "glaive_sharegpt", "tatqa", "deccp")
FORMS = (
    "#### {}", r"\boxed{{{}}}", r"So $x = \boxed{{{}}}$.", r"\boxed{{x = {}}}", r"\boxed{{{}\text{{ apples}}}}", "The answer is {}.",
    "The final answer is: **{}**", "Answer: {}", "**Final Answer**\n\n{}", "The answer is ${}.", r"The answer is \({}\).",
    "Therefore, the answer is {} apples.", "答案是{}。", "答案：{}", "答えは{}です。", "Die Antwort lautet {}.", "La réponse est {}.",
    "La respuesta es {}.", "La risposta è {}.", r"\boxed{{\frac{{{}}}{{1}}}}",
)  # fmt: skip


def batch_of(table: pa.Table) -> Batch:
    rows = table.combine_chunks().to_batches()[0]
    return read(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch


def perturbed(answer: str, chance: random.Random) -> str:
    """Another number, in one of the ways in which people and models get it wrong."""
    value = answer.replace(",", "")
    while True:
        digits = list(value)
        at = chance.randrange(len(digits))
        tried = chance.choice(
            [
                str(int(float(value)) + chance.choice([-1, 1, 2, 10])),
                value + "0",
                value[:-1],
                "-" + value,
                value + ".5",
                "".join(reversed(digits)),
                "".join([*digits[:at], str(chance.randrange(10)), *digits[at + 1 :]]),
            ]
        )
        if re.fullmatch(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", tried) and float(tried) != float(value):
            return tried


def answers(folder: Path) -> None:
    table = pq.read_table(folder / "gsm8k")
    parts = [r.rpartition("####") for r in table["response"].to_pylist()]
    gold = [p[2].strip() for p in parts]
    chance = random.Random(1)
    counts: Counter[tuple[str, str]] = Counter()
    judge = NumbersFilter(NumbersOptions(reference="expected_answer"))
    spent = size = 0.0
    for form in FORMS:
        for kind in ("right", "wrong"):
            said = [g if kind == "right" else perturbed(g, chance) for g in gold]
            response = [f"{p[0]}\n{form.format(s)}" for p, s in zip(parts, said, strict=True)]
            batch = batch_of(pa.table({"prompt": table["prompt"], "response": response, "expected_answer": gold}))
            began = time.process_time()
            verdicts = judge._answers(batch, _Nowhere())["verdict"].tolist()
            spent += time.process_time() - began
            size += sum(map(len, response)) / 1e6
            counts.update((kind, v) for v in verdicts)
    for kind in ("right", "wrong"):
        told = {v: counts[kind, v] for v in ("verified", "refuted", "unverifiable")}
        total = sum(told.values())
        print(f"gsm8k, {kind}: {total:,}  " + "  ".join(f"{v} {n:,} ({n / total:.3%})" for v, n in told.items()))
    print(f"final answers alone: {size / spent:.0f} MB/s, {counts.total() / spent:,.0f} a second")


class _Nowhere:
    """Evidence that is not kept."""

    def add_span(self, *_: object) -> None:
        return


def pairs() -> None:
    every = yaml.safe_load((ROOT / "benchmarks" / "numbers_pairs.yaml").read_text("utf-8"))
    algebra, good = Algebra(5), 0
    began = time.monotonic()
    algebra.same("\\sqrt{8}", "2\\sqrt{2}")
    first, symbolic = time.monotonic() - began, []
    for pair in every:
        began = time.monotonic()
        told = against(pair["a"], [pair["r"]], algebra)
        if told.how == "symbolic":
            symbolic.append(time.monotonic() - began)
        good += told.verdict[0] == pair["is"]
        if told.verdict[0] != pair["is"]:
            print(f"  {pair['a']!r} against {pair['r']!r}: {told.verdict} ({told.how}), should be {pair['is']}")
    print(f"pairs: {good} of {len(every)} as they should be; algebra started {algebra.starts} times")
    print(f"formulas: {len(symbolic)}, median {sorted(symbolic)[len(symbolic) // 2] * 1000:.0f} ms, slowest {max(symbolic) * 1000:.0f} ms; "
          f"the first, with the start, {first:.1f} s")  # fmt: skip


def wrong(folder: Path, show: int) -> None:
    chance, listed = random.Random(1), []
    for name in SETS:
        spent = size = 0.0
        counts: Counter[str] = Counter()
        for batch in _batches(folder / name):
            from filters.numbers.arithmetic import found

            chosen = batch.segments.where(channels=(CONTENT, REASONING), roles=(ASSISTANT, OTHER))
            size += batch.segments.length[chosen].sum() / 1e6
            began = time.process_time()
            every = list(found(batch, (CONTENT, REASONING), (ASSISTANT, OTHER)))
            spent += time.process_time() - began
            counts["equations"] += len(every)
            counts["corrected"] += sum(e.corrected for e in every)
            bad = [e for e in every if e.wrong and not e.corrected]
            counts["wrong"] += len(bad)
            counts["records"] += len({e.record for e in bad})
            listed += [(name, e.record, batch.segments.bytes(e.segment), e.start, e.end) for e in bad]
        print(f"{name}: {counts['equations']:,} equations, {counts['wrong']} wrong in {counts['records']} records, "
              f"{counts['corrected']} taken back; {size:.1f} MB, {size / max(spent, 1e-9):.1f} MB/s")  # fmt: skip
    for name, record, text, start, end in chance.sample(listed, min(show, len(listed))):
        around = text[max(0, start - 60) : start], text[start:end], text[end : end + 40]
        print(name, record, *(a.decode("utf-8", "ignore").replace("\n", " / ") for a in around), sep=" | ")


def _batches(folder: Path) -> Iterator[Batch]:
    for path in sorted(folder.glob("*.parquet")):
        yield batch_of(pq.read_table(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--show", type=int, default=0)
    given = parser.parse_args()
    pairs()
    NumbersFilter(NumbersOptions(symbolic=False)).judge(batch_of(pa.table({"text": ["1 + 1 = 2"]})))  # compiles
    answers(given.data)
    wrong(given.data, given.show)


if __name__ == "__main__":
    main()
