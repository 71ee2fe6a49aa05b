"""Repetition filter: recall and precision by cross-validation, false positives, planted loops, other tools, speed.

    python benchmarks/repetition.py [DATA_FOLDER] [--svg FILE]

DATA_FOLDER has a folder a set (traces_labelled, traces, gsm8k, ...), as tests/support.py says. Beside ours run datatrove's
own GopherRepetitionFilter, and two rules written anew after what their projects say of them: the sentence and paragraph
counts of AI2's ``filter_ngram_repetitions.py`` (open-instruct) and datamap-rs's period of 1 to 13 tokens, 32 times in a row.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import long_texts  # noqa: E402
from filters.batch import ASSISTANT, CONTENT, REASONING, Batch  # noqa: E402
from filters.repetition import RepetitionFilter  # noqa: E402
from filters.repetition.options import RULES, SCORES, Options  # noqa: E402
from pipelines.schemas.read import read  # noqa: E402
from pipelines.schemas.recognise import recognise  # noqa: E402

DEFAULT = Path(os.environ.get("CORPUSMILL_REAL_DATA", ROOT.parent / "shared" / "data"))
GRID = {
    "loop_copies": (8, 10, 12, 16, 24),
    "loop_words": (300, 600, 1200),
    "burst_words": (40, 60, 100),
    "restated_share": (0.04, 0.045, 0.05, 0.055, 0.06, 0.065, 0.07, 0.08, 0.09, 0.1, 0.12, 0.15),
}
REPEATS, FOLDS = 20, 5

Tool = Callable[[str], bool]


def batch_of(table: pa.Table) -> Batch:
    rows = table.combine_chunks().to_batches()[0]
    return read(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch


def ours() -> Tool:
    judge = RepetitionFilter()
    return lambda text: not judge.judge(batch_of(pa.table({"text": [text]}))).keep[0]


def gopher() -> Tool:
    from datatrove.data import Document
    from datatrove.pipeline.filters import GopherRepetitionFilter

    judge = GopherRepetitionFilter()

    def drops(text: str) -> bool:
        try:
            return judge.filter(Document(text=text, id="")) is not True
        except ZeroDivisionError:
            return True

    return drops


def ai2(text: str) -> bool:
    """Paragraphs said 10 times (40 with line breaks in them, 20 with signs), sentences 4 times in a row or 40 in all."""
    lines = text.split("\n")
    listed = max(
        sum(bool(re.match(r"\s*\d+\.\s", line)) for line in lines),
        sum(bool(re.match(r"\s*[-*•]\s", line)) for line in lines),
    )
    factor = 3 if len(lines) > 1 and listed >= 2 else 1
    signs = re.compile(r"[=+\-*/^()\[\]{}<>|&~!@#$%\\]")
    paragraphs = Counter(p.strip() for p in text.split("\n\n") if len(p.strip()) >= 20)
    for paragraph, count in paragraphs.items():
        needed = 40 if "\n" in paragraph else 20 if signs.search(paragraph) else 10
        if count >= needed * factor:
            return True
    sentences = [s.strip() for s in re.split(r"[.!?]+", text) if s.strip()]
    counts = Counter(sentences)
    runs: Counter[str] = Counter()
    for sentence, group in itertools.groupby(sentences):
        runs[sentence] = max(runs[sentence], len(list(group)))
    for sentence, count in counts.items():
        twice = 2 if signs.search(sentence) else 1
        if len(sentence) >= 10 and runs[sentence] >= 4 * twice * factor:
            return True
        if len(sentence) >= 20 and count >= 40 * twice * factor:
            return True
    return False


def datamap(text: str) -> bool:
    tokens = re.findall(r"\w+|[^\w\s]", text)
    codes = np.unique(np.array(tokens, dtype=object).astype(str), return_inverse=True)[1] if tokens else np.zeros(0)
    for period in range(1, 14):
        same = codes[period:] == codes[:-period]
        breaks = np.flatnonzero(~np.concatenate([[False], same, [False]]))
        if len(breaks) > 1 and np.diff(breaks).max() - 1 >= 31 * period:
            return True
    return False


def labelled(folder: Path) -> tuple[np.ndarray, list[str], dict[str, np.ndarray]]:
    table = pq.read_table(folder / "traces_labelled" / "00000.parquet")
    scores = RepetitionFilter().judge(batch_of(table.select(["text"]))).scores
    return np.array(table["label"].to_pylist()), table["text"].to_pylist(), dict(scores)


def wilson(hit: int, n: int) -> str:
    z, p = 1.96, hit / n
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return f"{p:.3f} (95 % interval {(middle - half) / (1 + z * z / n):.3f}-{(middle + half) / (1 + z * z / n):.3f})"


def cross_validate(labels: np.ndarray, scores: dict[str, np.ndarray]) -> None:
    """Thresholds are chosen by F1 on four fifths (of equals, the middle one), counted on the fifth that is left."""
    use = np.flatnonzero(np.isin(labels, ["degenerate", "legit"]))
    truth = labels[use] == "degenerate"
    settings = list(itertools.product(*GRID.values()))
    fixed = np.zeros(len(use), bool)
    for name in set(SCORES) - set(GRID):
        limit = getattr(Options(), f"max_{name}")
        fixed |= (scores[name][use] >= limit) & (limit > 0)
    drops = np.array(
        [fixed | np.any([scores[k][use] >= v for k, v in zip(GRID, s, strict=True)], axis=0) for s in settings]
    )
    logs = np.log(np.array(settings, float))
    rng, recalls, precisions, chosen = np.random.default_rng(0), [], [], Counter()
    for _ in range(REPEATS):
        fold = np.zeros(len(use), int)
        for kind in (True, False):
            mine = np.flatnonzero(truth == kind)
            fold[rng.permutation(mine)] = np.arange(len(mine)) % FOLDS
        out = np.zeros(len(use), bool)
        for k in range(FOLDS):
            train, test = fold != k, fold == k
            hit, wrong = (drops[:, train] & truth[train]).sum(1), (drops[:, train] & ~truth[train]).sum(1)
            f1 = 2 * hit / (hit + wrong + truth[train].sum())
            best = np.flatnonzero(f1 == f1.max())
            pick = best[np.abs(logs[best] - logs[best].mean(0)).sum(1).argmin()]
            chosen[settings[pick]] += 1
            out[test] = drops[pick, test]
        recalls.append((out & truth).sum() / truth.sum())
        precisions.append((out & truth).sum() / out.sum())
    print(
        f"cross-validated, {REPEATS} x {FOLDS} folds: recall {np.mean(recalls):.3f} (runs {min(recalls):.3f}-"
        f"{max(recalls):.3f}), precision {np.mean(precisions):.3f} ({min(precisions):.3f}-{max(precisions):.3f})"
    )
    print("  chosen most often", dict(zip(GRID, chosen.most_common(1)[0][0], strict=True)))


def strength(scores: dict[str, np.ndarray]) -> np.ndarray:
    """The largest of score / threshold: a record is dropped when it reaches 1."""
    limits = {score: getattr(Options(), f"max_{score}") for _, score in RULES}
    return np.max([scores[s].astype(float) / limit for s, limit in limits.items() if limit > 0], axis=0)


def curve(labels: np.ndarray, scores: dict[str, np.ndarray]) -> list[tuple[float, float, float, float]]:
    """(factor on all thresholds, recall, precision, share of growing chains dropped)."""
    reach = strength(scores)
    rows = []
    for factor in np.geomspace(0.25, 4, 41):
        drop = reach >= factor
        hit, wrong = (drop & (labels == "degenerate")).sum(), (drop & (labels == "legit")).sum()
        chains = drop[labels == "growing_chain"].mean()
        rows.append((float(factor), hit / (labels == "degenerate").sum(), hit / max(hit + wrong, 1), float(chains)))
    return rows


def svg(rows: list[tuple[float, float, float, float]]) -> str:
    def x(factor: float) -> float:
        return 60 + 520 * np.log(factor / 0.25) / np.log(16)

    def y(share: float) -> float:
        return 280 - 250 * share

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 340" font-family="sans-serif" font-size="12">',
        '<rect width="640" height="340" fill="white"/>',
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(
            f'<path d="M60 {y(share):.0f}H580" stroke="#ddd"/><text x="26" y="{y(share) + 4:.0f}">{share:.2f}</text>'
        )
    for factor in (0.25, 0.5, 1, 2, 4):
        parts.append(f'<text x="{x(factor) - 8:.0f}" y="298">{factor:g}</text>')
    parts.append(f'<path d="M{x(1):.0f} 30V280" stroke="#999" stroke-dasharray="4 3"/>')
    names = (("recall", "#1668a8"), ("precision", "#b8480f"), ("growing chains dropped", "#6a6a6a"))
    for k, (name, colour) in enumerate(names):
        line = " ".join(f"{x(r[0]):.1f},{y(r[k + 1]):.1f}" for r in rows)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{70 + 130 * k}" y="20" fill="{colour}">{name}</text>')
    parts.append('<text x="230" y="325">all thresholds, times this factor</text></svg>')
    return "\n".join(parts) + "\n"


def negatives(folder: Path) -> dict[str, list[str]]:
    """Texts that nothing should be dropped of: what the assistant says in each set, code, lists and tables."""
    sets: dict[str, list[str]] = {}
    for name in ("gsm8k", "mgsm", "tatqa", "alpaca"):
        for path in sorted((folder / name).glob("*.parquet")):
            segments = batch_of(pq.read_table(path)).segments
            which = segments.where(channels=(CONTENT, REASONING), roles=(ASSISTANT,))
            sets.setdefault(name, []).extend(segments.text(i) for i in which)
    library = Path(sysconfig.get_paths()["stdlib"])
    sources = [p.read_text("utf-8", "ignore") for p in sorted(library.rglob("*.py")) if "site-packages" not in p.parts]
    sources = [s for s in sources if s.strip()]
    sets["stdlib, fenced"] = [f"Here it is:\n\n```python\n{s}\n```" for s in sources]
    sets["stdlib, bare"] = sources
    words = sorted(set(re.findall(r"[a-z]{4,}", " ".join(sources[:200]).lower())))
    sets["numbered lists"] = [
        "\n".join(
            f"{i + 1}. {words[(n * 97 + i * 31) % len(words)]} and {words[(n * 89 + i * 17) % len(words)]}"
            for i in range(20 + n)
        )
        for n in range(300)
    ]
    sets["truth tables"] = [
        "\n".join("| " + " | ".join(style[r >> k & 1] for k in range(n)) + f" | {style[r * f >> 2 & 1]} |"
                  for r in range(1 << n))
        for n in range(2, 10) for f in range(1, 14) for style in ("01", "FT", ("true", "false"))
    ]  # fmt: skip
    for kind, text in long_texts.texts():
        sets.setdefault(f"long: {kind}", []).append(text)
    return sets


def planted() -> dict[str, str]:
    sys.path.insert(0, str(ROOT))
    from tests.filters.test_repetition import PLANTED

    return {name: before + loop + after for name, (before, loop, after, _) in PLANTED.items()}


def compare(folder: Path, labels: np.ndarray, texts: list[str]) -> None:
    tools = {"corpusmill": ours(), "AI2": ai2, "datatrove Gopher": gopher(), "datamap-rs": datamap}
    print("\n| tool | recall | precision | growing chains dropped | planted loops | MB/s |\n|---|---|---|---|---|---|")
    loops = planted()
    for name, tool in tools.items():
        tool(texts[0][:2000])
        start = time.perf_counter()
        drop = np.array([tool(t) for t in texts])
        speed = sum(len(t.encode()) for t in texts) / (time.perf_counter() - start) / 1e6
        hit, wrong = (drop & (labels == "degenerate")).sum(), (drop & (labels == "legit")).sum()
        found = sum(tool(t) for t in loops.values())
        print(
            f"| {name} | {hit / (labels == 'degenerate').sum():.3f} | {hit / max(1, hit + wrong):.3f} | "
            f"{drop[labels == 'growing_chain'].mean():.2f} | {found} of {len(loops)} | {speed:.1f} |",
            flush=True,
        )
    print("\n| false positives | texts | " + " | ".join(tools) + " |\n|---|---|" + "---|" * len(tools))
    for name, many in negatives(folder).items():
        sample = many if sum(map(len, many)) < 3_000_000 else many[:: max(1, sum(map(len, many)) // 3_000_000)]
        cells = [f"{sum(tools['corpusmill'](t) for t in many)} of {len(many)}"]
        cells += [f"{sum(tool(t) for t in sample)} of {len(sample)}" for n, tool in tools.items() if n != "corpusmill"]
        print(f"| {name} | {len(many)} | " + " | ".join(cells) + " |", flush=True)


def speed(folder: Path) -> None:
    judge, size, spent, dropped, records = RepetitionFilter(), 0, 0.0, Counter(), 0
    for path in sorted((folder / "traces").glob("*.parquet")):
        batch = batch_of(pq.read_table(path))
        which = batch.segments.where(channels=(CONTENT, REASONING), roles=(ASSISTANT,))
        best = np.inf
        for _ in range(3):
            start = time.process_time()
            judgement = judge.judge(batch)
            best = min(best, time.process_time() - start)
        spent, size = spent + best, size + int(batch.segments.length[which].sum())
        records += len(batch)
        dropped.update(list(judge.reasons)[r] for r in judgement.reason[~judgement.keep])
    print(f"\ntraces: {size / spent / 1e6:.0f} MB/s of CPU time for judge(), evidence included, best of 3")
    print(f"of {records} traces dropped: {dict(dropped)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--svg", type=Path, help="write the curve here")
    options = parser.parse_args()
    labels, texts, scores = labelled(options.data)
    drop = strength(scores) >= 1
    bad, good = labels == "degenerate", labels == "legit"
    print("defaults: recall", wilson(int((drop & bad).sum()), int(bad.sum())))
    print("defaults: precision", wilson(int((drop & bad).sum()), int((drop & (bad | good)).sum())))
    cross_validate(labels, scores)
    if options.svg:
        options.svg.write_text(svg(curve(labels, scores)))
    speed(options.data)
    compare(options.data, labels, texts)


if __name__ == "__main__":
    main()
