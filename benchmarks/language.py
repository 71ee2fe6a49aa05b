"""Language filter: accuracy by language and length, other languages taken for the card's seven, code-only turns, speed.

    python benchmarks/language.py [DATA_FOLDER] [--locales FOLDER]

DATA_FOLDER has a folder a set (mgsm, alpaca, traces), as tests/support.py says. FOLDER is a tree of gettext catalogues
(``LANG/LC_MESSAGES/*.po``), such as ``django/conf/locale`` of the Django wheel: real sentences in a hundred languages.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import sys
import sysconfig
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from filters.batch import Batch  # noqa: E402
from filters.language import LanguageFilter  # noqa: E402
from filters.language.model import family  # noqa: E402
from pipelines.schemas.read import read  # noqa: E402
from pipelines.schemas.recognise import recognise  # noqa: E402

SEVEN = ("de", "en", "es", "fr", "it", "ja", "zh")
LENGTHS = (20, 40, 80, 160, 10_000)
DEFAULT = Path(os.environ.get("CORPUSMILL_REAL_DATA", ROOT.parent / "shared" / "data"))


def batch_of(table: pa.Table) -> Batch:
    rows = table.combine_chunks().to_batches()[0]
    return read(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch


def languages(judge: LanguageFilter, texts: list[str]) -> list[str]:
    found = judge.judge(batch_of(pa.table({"text": texts}))).scores["language"]
    return found.to_pylist()


def shares(title: str, pairs: Iterable[tuple[str, str]]) -> None:
    """One line: right, unsure and wrong, and what it was taken for."""
    count: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for expected, found in pairs:
        kind = "right" if family(found) == family(expected) else "und" if found == "und" else "wrong"
        count[kind] += 1
        wrong[found] += kind == "wrong"
    total = sum(count.values())
    if total:
        print(
            f"{title:28} n={total:6} right {count['right'] / total:7.2%}  und {count['und'] / total:7.2%}  "
            f"wrong {count['wrong'] / total:7.2%}  {dict((+wrong).most_common(5))}"
        )


def mgsm(judge: LanguageFilter, data: Path) -> None:
    table = pa.concat_tables(pq.read_table(p) for p in sorted((data / "mgsm").glob("*.parquet")))
    texts, expected = table["text"].to_pylist(), table["language"].to_pylist()
    for length in LENGTHS:
        # Ideographic text says in one character what others say in three.
        cut = [t[: length // 3 if e in ("ja", "zh") else length] for t, e in zip(texts, expected, strict=True)]
        pairs = list(zip(expected, languages(judge, cut), strict=True))
        shares(f"mgsm, {length} characters", pairs)
        if length == LENGTHS[-1]:
            for code in sorted(set(expected)):
                shares(f"  {code}", [p for p in pairs if p[0] == code])


def catalogues(judge: LanguageFilter, folder: Path) -> None:
    """Messages of at least 40 letters, placeholders removed; catalogues named by language (``pt_BR`` is pt)."""
    texts: dict[str, list[str]] = defaultdict(list)
    for file in sorted(folder.glob("*/LC_MESSAGES/*.po")):
        code = file.parts[-3].split("_")[0]
        texts[code] += [
            t for t in _messages(file) if sum(c.isalpha() for c in t) >= (15 if code in ("ja", "zh") else 40)
        ]
    everything = [(code, text) for code in texts for text in texts[code]]
    found = languages(judge, [t for _, t in everything])
    pairs = [(code, f) for (code, _), f in zip(everything, found, strict=True)]
    for code in SEVEN:
        shares(f"catalogue {code}", [p for p in pairs if p[0] == code])
    others = [p for p in pairs if p[0] not in SEVEN]
    taken = Counter(f"{e}>{f}" for e, f in others if f in SEVEN)
    print(
        f"{len({e for e, _ in others})} other languages, {len(others)} messages: "
        f"{1 - taken.total() / len(others):.2%} not taken for one of the seven; {dict(taken.most_common(8))}"
    )


def _messages(file: Path) -> Iterator[str]:
    for block in file.read_text("utf-8", "replace").split("\n\n"):
        match = re.search(r'^msgstr(?:\[0\])? ((?:".*"\n?)+)', block, re.M)
        if match and "fuzzy" not in block:
            yield re.sub(
                r"%(\(\w+\))?\w|\{\w*\}|<[^>]+>", " ", "".join(re.findall(r'"(.*)"', match[1])).replace("\\n", " ")
            )


def code_only(judge: LanguageFilter) -> None:
    bare, commented = [], []
    for file in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        source = file.read_text("utf-8", "replace")
        commented.append(source)
        bare.append(_without_docstrings(source))
    fenced = [f"```python\n{s}\n```" for s in commented]
    for title, texts in (
        ("stdlib, fenced", fenced), ("stdlib, no comments", bare), ("stdlib, with docstrings", commented)
    ):  # fmt: skip
        shares(title, [("und", f) for f in languages(judge, texts)])


def _without_docstrings(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            body[0] = ast.Pass()
    return ast.unparse(tree)


def speed(judge: LanguageFilter, data: Path, name: str) -> None:
    size = spent = 0.0
    for path in sorted((data / name).glob("*.parquet")):
        batch = batch_of(pq.read_table(path))
        start = time.process_time()
        judge.judge(batch)
        spent += time.process_time() - start
        size += float(batch.segments.length.sum()) / 1e6
    print(f"speed on {name}: {size / spent:.0f} MB/s of CPU time ({size:.0f} MB)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--locales", type=Path)
    args = parser.parse_args()
    judge = LanguageFilter()
    mgsm(judge, args.data)
    if args.locales:
        catalogues(judge, args.locales)
    code_only(judge)
    for name in ("alpaca", "traces"):
        speed(judge, args.data, name)


if __name__ == "__main__":
    main()
