"""Mentions finder: precision and recall on sentences labelled by hand, false mentions on controls, speed.

    python benchmarks/mentions.py [DATA_FOLDER] [--wrong]

mentions_labels.jsonl names sentences of the real sets by place and sha256 (their text is not part of the repository) with the groups
mentioned, read before the finder was run on them; half of them (by hash) are for tuning, half for testing. mentions_own.yaml are
sentences of our own with mentions, mentions_controls.yaml ones without. --wrong prints what the finder got wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from filters.batch import ASSISTANT, CONTENT, REASONING, USER, Batch  # noqa: E402
from filters.mentions.finder import Finder  # noqa: E402
from filters.mentions.lexicon import AXES, built_in, read  # noqa: E402
from pipelines.schemas.read import read as lay_out  # noqa: E402
from pipelines.schemas.recognise import recognise  # noqa: E402
from pipelines.statistics import share  # noqa: E402

HERE = Path(__file__).parent
DEFAULT = Path(os.environ.get("CORPUSMILL_REAL_DATA", ROOT.parent / "shared" / "data"))


def batch_of(table: pa.Table) -> Batch:
    rows = table.combine_chunks().to_batches()[0]
    return lay_out(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch


def groups_in(finder: Finder, texts: list[str]) -> list[set[str]]:
    """``axis.group`` of what is mentioned in each text."""
    batch = batch_of(pa.table({"text": texts}))
    out: list[set[str]] = [set() for _ in texts]
    for row in finder.find(batch.segments, np.arange(len(batch.segments))).to_pylist():
        if row["axis"] in AXES:
            out[row["record"]].add(f"{row['axis']}.{row['group']}")
    return out


def labelled(data: Path) -> list[tuple[dict, str, set[str]]]:
    """Label, sentence and its groups, of every label whose set is here. Raises SystemExit when a sentence is not what was read."""
    tables: dict[Path, list[dict]] = {}
    out = []
    for line in (HERE / "mentions_labels.jsonl").read_text("utf-8").splitlines():
        label = json.loads(line)
        path = data / label["set"] / label["file"]
        if not path.is_file():
            continue
        if path not in tables:
            tables[path] = pq.read_table(path).to_pylist()
        value = tables[path][label["row"]]
        for key in label["where"].split("/"):
            value = value[int(key) if key.isdigit() else key]
        text = value[label["start"] : label["end"]]
        if hashlib.sha256(text.encode()).hexdigest() != label["sha256"]:
            raise SystemExit(f"{path}: row {label['row']}: the sentence is not the one that was labelled")
        out.append((label, text, {f"{axis}.{group}" for axis, groups in label["labels"].items() for group in groups}))
    return out


def told(name: str, pairs: Iterable[tuple[set[str], set[str]]]) -> None:
    """Precision and recall, with Wilson intervals, over (sentence, group) pairs: (expected, found) of each sentence."""
    right = wrong = missed = 0
    for expected, found in pairs:
        right += len(expected & found)
        wrong += len(found - expected)
        missed += len(expected - found)
    p, r = share(right, right + wrong), share(right, right + missed)
    print(
        f"  {name:20} precision {p.share:.2f} [{p.low:.2f}, {p.high:.2f}] of {p.n:3}"
        f"   recall {r.share:.2f} [{r.low:.2f}, {r.high:.2f}] of {r.n:3}"
    )


def by_axis(pairs: list[tuple[set[str], set[str]]]) -> None:
    for axis in AXES:
        told(axis, [tuple({g for g in side if g.startswith(axis + ".")} for side in pair) for pair in pairs])  # type: ignore[misc]
    told("all", pairs)


def real(finder: Finder, data: Path, wrong: bool) -> None:
    rows = labelled(data)
    found = groups_in(finder, [text for _, text, _ in rows]) if rows else []
    halves: dict[str, list[tuple[set[str], set[str]]]] = defaultdict(list)
    tongues: dict[str, list[tuple[set[str], set[str]]]] = defaultdict(list)
    for (label, text, expected), got in zip(rows, found, strict=True):
        half = "tuning" if int(label["sha256"][:2], 16) % 2 else "testing"
        halves[half].append((expected, got))
        tongues[label["language"]].append((expected, got))
        if wrong and expected != got and half == "tuning":
            print(f"    {half}: {text!r}\n        missed {sorted(expected - got)}, wrong {sorted(got - expected)}")
    for half, pairs in sorted(halves.items()):
        print(f"real sentences, {half} half ({len(pairs)}):")
        by_axis(pairs)
    print(f"real sentences by language ({len(rows)}):")
    for language, pairs in sorted(tongues.items()):
        told(f"{language} ({len(pairs)})", pairs)


def own(finder: Finder, wrong: bool) -> None:
    document = yaml.safe_load((HERE / "mentions_own.yaml").read_text("utf-8"))
    rows = [(lang, text, set(groups)) for lang, listed in document.items() for text, groups in listed.items()]
    found = groups_in(finder, [text for _, text, _ in rows])
    pairs = [(expected, got) for (_, _, expected), got in zip(rows, found, strict=True)]
    print(f"own sentences ({len(rows)}):")
    by_axis(pairs)
    for lang in document:
        told(lang, [pair for pair, row in zip(pairs, rows, strict=True) if row[0] == lang])
    for (_, text, expected), got in zip(rows, found, strict=True):
        if wrong and expected != got:
            print(f"    {text}\n        missed {sorted(expected - got)}, wrong {sorted(got - expected)}")


def controls(finder: Finder, wrong: bool) -> None:
    for kind, texts in yaml.safe_load((HERE / "mentions_controls.yaml").read_text("utf-8")).items():
        found = groups_in(finder, texts)
        rate = share(sum(bool(g) for g in found), len(texts))
        print(f"controls, {kind}: {rate.share:.3f} [{rate.low:.3f}, {rate.high:.3f}] of {rate.n} with a false mention")
        for text, got in zip(texts, found, strict=True):
            if wrong and got:
                print(f"    {text}\n        wrong {sorted(got)}")


def speed(finder: Finder, data: Path) -> None:
    for name in ("traces", "alpaca", "glaive_sharegpt", "mgsm"):
        size = spent = 0.0
        for path in sorted((data / name).glob("*.parquet")):
            batch = batch_of(pq.read_table(path))
            which = batch.segments.where(channels=(CONTENT, REASONING), roles=(USER, ASSISTANT))
            which = which if len(which) else np.arange(len(batch.segments))
            start = time.process_time()
            finder.find(batch.segments, which)
            spent += time.process_time() - start
            size += float(batch.segments.length[which].sum()) / 1e6
        if spent:
            print(f"{name}: {size / spent:.0f} MB/s of CPU time ({size:.0f} MB)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--wrong", action="store_true", help="print what the finder got wrong (tuning half only)")
    args = parser.parse_args()
    finder = Finder([read(path) for path in built_in()])
    real(finder, args.data, args.wrong)
    own(finder, args.wrong)
    controls(finder, args.wrong)
    speed(finder, args.data)


if __name__ == "__main__":
    main()
