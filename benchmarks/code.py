"""Code: how much real code is called broken, whole and in fragments, and how much of what was broken on purpose is caught.

    python benchmarks/code.py FOLDER... [--files N] [--languages python,c] [--mutants] [--child] [--show N] [--data PARQUET...]
        [--tools all|NAME...]

FOLDERs hold source files, found by their endings: an installed system has most (``/usr``), with Debian's packages golang-go, ruby,
php-symfony-console, librust-tokio-dev, openjdk-17-source (unpacked), lua-penlight, texlive-latex-base, and npm packages for JavaScript and
TypeScript. Each file, or a piece of it, is the answer of a chat record and goes through the filter as in a run. Whether a mutant is
an error is for the language's own compiler or parser to say where it is here; mutants that it takes are not counted.
"""

from __future__ import annotations

import argparse
import collections
import functools
import os
import random
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import code_mutants, code_oracles  # noqa: E402
from filters.code import CodeFilter, CodeOptions, tools  # noqa: E402
from filters.code.blocks import Block  # noqa: E402
from filters.code.check import judged  # noqa: E402
from filters.code.compile import Compilers, version  # noqa: E402
from filters.code.execute import Runner  # noqa: E402
from filters.code.grammars import GRAMMARS, parse  # noqa: E402
from filters.code.parsers import Parsers  # noqa: E402
from pipelines.schemas.read import read  # noqa: E402
from pipelines.schemas.recognise import recognise  # noqa: E402

ENDINGS = {
    "python": ".py", "c": ".c .h", "cpp": ".cpp .cc .hpp", "java": ".java", "javascript": ".js .mjs", "typescript": ".ts", "go": ".go",
    "rust": ".rs", "ruby": ".rb", "php": ".php", "csharp": ".cs", "kotlin": ".kt", "scala": ".scala", "lua": ".lua", "bash": ".sh",
    "css": ".css", "html": ".html", "xml": ".xml", "json": ".json", "yaml": ".yaml .yml", "toml": ".toml",
    "sql": ".sql", "latex": ".tex .sty",
}  # fmt: skip
LARGEST = 64 << 10
MUTATED = 12_000
"""Characters of the longest file that is mutated: an answer's listing, not a library's."""

LEFT_OUT = re.compile(
    r"\.min\.|/testdata/|/badsyntax|/lib2to3/tests/data/|/go-[\d.]+/test/|bad_|/test_fstring|/tokenizedata/|/invalid|/fixtures/|/templates?/|python2\.|/bundle|\.d\.ts$"
)
"""Files made to be wrong, templates of code, and what a minifier wrote."""


WHOLE = re.compile("statement|declaration|definition|method|function|class|item$|rule_set")
PART = re.compile("block|body|list|else|catch|finally|case|_clause|declarator|compound_statement|preproc|attribute")
"""Kinds of nodes that a piece may be, and parts of statements that it may not."""


def sources(folders: list[Path], language: str, most: int) -> list[str]:
    """Texts of files, those of one directory together with at most a tenth."""
    endings, found = tuple(ENDINGS[language].split()), collections.defaultdict(list)
    for folder in folders:
        for at, _, names in os.walk(folder):
            found[at] += [f"{at}/{n}" for n in names if n.endswith(endings) and not LEFT_OUT.search(f"{at}/{n}")]
    rng, out, seen = random.Random(0), [], set()
    paths = [p for at in sorted(found) for p in rng.sample(sorted(found[at]), min(len(found[at]), max(3, most // 10)))]
    rng.shuffle(paths)
    for path in paths:
        text = _text(path)
        if text is not None and text not in seen:
            seen.add(text)
            out.append((path, text))
        if len(out) == most:
            break
    return out


def _text(path: str) -> str | None:
    if not Path(path).is_file() or not 30 < Path(path).stat().st_size <= LARGEST:
        return None
    try:
        text = Path(path).read_text("utf-8")
    except (UnicodeDecodeError, OSError):
        return None
    return None if "\0" in text else text.lstrip("\ufeff").replace("\r\n", "\n")


def verdicts(language: str, codes: list[str]) -> tuple[list[str], float]:
    """Status and cause of each, as blocks of chat answers; and the seconds it took."""
    rows = [
        {"prompt": "Show me.", "response": f"Here it is:\n\n````{language}\n{c.rstrip()}\n````\n\nThat is all."}
        for c in codes
    ]
    table = pa.Table.from_pylist(rows).combine_chunks()
    judge, started = _filter(language), time.perf_counter()
    out = ["verified"] * len(codes)
    for low in range(0, len(codes), 256):
        batch = table.slice(low, 256).combine_chunks().to_batches()[0]
        judgement = judge.judge(read(batch, recognise(batch.schema), max_record_bytes=1 << 30).batch)
        for record, rule in zip(judgement.evidence.record, judgement.evidence.rule, strict=True):
            status, _, cause = rule.split(":")
            out[low + record] = f"{status}:{cause}"
        for record in range(len(batch)):
            if judgement.scores["blocks"][record] == 0:
                out[low + record] = "no_block"
    return out, time.perf_counter() - started


TOOLS: list[str] = []
"""Compilers that are asked too (``--tools``)."""


@functools.cache
def _filter(language: str) -> CodeFilter:
    """With those of the tools that know the language: each is tried when a filter is made."""
    return CodeFilter(CodeOptions(tools=tuple(t for t in TOOLS if language in tools.TOOLS[t].languages)))


def pieces(language: str, codes: list[str], rng: random.Random) -> list[str]:
    """One stretch of code of each file that stands for itself: functions, methods, statements, with their own indentation."""
    out = []
    for code in codes:
        raw = code.encode()
        tree = parse(language, raw) if language in GRAMMARS else None
        if tree is None or tree.root_node.has_error:
            continue
        nodes, stack = [], [tree.root_node]
        while stack:
            node = stack.pop()
            stack += node.named_children
            rows = node.end_point[0] - node.start_point[0]
            if 3 <= rows <= 60 and node.parent is not None and WHOLE.search(node.type) and not PART.search(node.type):
                nodes.append(node)
        if nodes:
            node = rng.choice(nodes)
            low = raw.rfind(b"\n", 0, node.start_byte) + 1
            if not raw[low : node.start_byte].strip():
                out.append(raw[low : node.end_byte].decode())
    return out


def row(name: str, found: list[str], size: int, seconds: float) -> str:
    n = collections.Counter(f.partition(":")[0] for f in found)
    share = 100 * n["refuted"] / max(1, len(found))
    causes = collections.Counter(f for f in found if f.startswith("unverifiable")).most_common(4)
    told = ", ".join(f"{c.partition(':')[2]} {k}" for c, k in causes)
    return (
        f"{name:<12}{len(found):>6}{n['verified']:>9}{n['legacy']:>7}{n['unverifiable']:>7}{n['refuted']:>8}{share:>7.2f} %"
        f"{size / 1e6 / max(seconds, 1e-9):>7.1f} MB/s  {told}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=[])
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--languages", default=",".join(ENDINGS))
    parser.add_argument("--mutants", action="store_true")
    parser.add_argument("--child", action="store_true", help="what the process of its own costs")
    parser.add_argument("--show", type=int, default=0, help="paths of that many refuted files a language")
    parser.add_argument("--missed", type=Path, help="a file for the mutants that are not caught")
    parser.add_argument("--data", nargs="*", type=Path, default=[])
    parser.add_argument(
        "--tools", nargs="*", default=[], help="compilers that are asked too; --tools all: those that are installed"
    )
    given = parser.parse_args()
    TOOLS[:] = (
        [t for t in tools.TOOLS if any(map(shutil.which, tools.TOOLS[t].programs))]
        if given.tools == ["all"]
        else given.tools
    )
    verdicts("python", ["x = 1"])
    if given.folders:
        print("whole files   n  verified legacy   open refuted")
        kept = dict(real(given))
        print("pieces        n  verified legacy   open refuted")
        fragments(kept, given.show)
        if given.child:
            child(kept)
        if given.mutants:
            mutants(kept, given.missed and given.missed.open("w"))
    if TOOLS:
        speeds()
    for path in given.data:
        dataset(path)


def real(given: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    total: list[str] = []
    for language in given.languages.split(","):
        files = sources(given.folders, language, given.files)
        codes = [code for _, code in files]
        found, seconds = verdicts(language, codes)
        total += found
        print(row(language, found, sum(map(len, codes)), seconds), flush=True)
        for path in [p for (p, _), f in zip(files, found, strict=True) if f.startswith("refuted")][: given.show]:
            print("     ", path)
        yield language, [c for c, f in zip(codes, found, strict=True) if f == "verified"]
    print(row("all", total, 0, 1), flush=True)


def fragments(kept: dict[str, list[str]], show: int) -> None:
    total: list[str] = []
    for language, codes in kept.items():
        parts = pieces(language, codes, random.Random(0))
        if not parts:
            continue
        found, seconds = verdicts(language, parts)
        total += found
        print(row(language, found, sum(map(len, parts)), seconds), flush=True)
        for part in [p for p, f in zip(parts, found, strict=True) if f.startswith("refuted")][:show]:
            print("     ", part[:300].replace("\n", "\n      "))
    print(row("all", total, 0, 1), flush=True)


def mutants(kept: dict[str, list[str]], dump: TextIO | None) -> None:
    """Only files that the language's own tool takes are broken, and only what it refuses then counts; without a tool every mutant does."""
    print("mutants      files errors  caught       %  by kind of slip: caught of errors")
    sums = [0, 0]
    for language, codes in kept.items():
        short = [c for c in codes if len(c) <= MUTATED]
        if code_oracles.has_oracle(language):
            short = [c for c, wrong in zip(short, code_oracles.errors(language, short), strict=True) if not wrong]
        kinds: dict[str, tuple[int, int]] = {}
        made = code_mutants.mutants(language, short, random.Random(0))
        if not code_oracles.has_oracle(language):
            made = {kind: made[kind] for kind in code_mutants.CERTAIN if kind in made}
        texts = [text for group in made.values() for text in group]
        told = iter(code_oracles.errors(language, texts))
        for kind, group in made.items():
            wrong = [text for text in group if next(told)]
            found, _ = verdicts(language, wrong)
            kinds[kind] = sum(f.startswith("refuted") for f in found), len(wrong)
            for text, f in zip(wrong, found, strict=True):
                if dump and not f.startswith("refuted"):
                    print(f"\n##### {language} {kind} {f}\n{text}", file=dump, flush=True)
        caught, wrongs = sum(k for k, _ in kinds.values()), sum(n for _, n in kinds.values())
        sums = [sums[0] + wrongs, sums[1] + caught]
        mark = " " if code_oracles.has_oracle(language) else "*"
        print(
            f"{language:<11}{mark}{len(short):>6}{wrongs:>7}{caught:>8}{100 * caught / max(1, wrongs):>8.1f}  "
            + " ".join(f"{kind} {k}/{n}" for kind, (k, n) in kinds.items()),
            flush=True,
        )
    print(
        f"all: {sums[1]} of {sums[0]} caught, {100 * sums[1] / max(1, sums[0]):.2f} %; *: no tool here says what is an error"
    )


def child(kept: dict[str, list[str]], rounds: int = 5) -> None:
    """The same blocks by the filter's parsers in their own process, and by the same functions in this one, in turns."""
    blocks = [Block(0, 0, len(c), language, c.encode()) for language, codes in kept.items() for c in codes]
    parsers, times = Parsers(), ([], [])
    list(parsers.checked(blocks[:1], LARGEST))
    for _ in range(rounds):
        started = time.perf_counter()
        apart = [(b.language, found) for b, _, found in parsers.checked(blocks, LARGEST)]
        times[0].append(time.perf_counter() - started)
        started = time.perf_counter()
        here = [(b.language, judged(b.language, b.name, b.code, closed=True)) for b in blocks]
        times[1].append(time.perf_counter() - started)
        assert apart == here, "the same verdicts"
    print(
        f"{len(blocks)} blocks, {sum(len(b.code) for b in blocks) / 1e6:.1f} MB: in a process of its own {min(times[0]):.2f} s, "
        f"here {min(times[1]):.2f} s, ratio {min(times[0]) / min(times[1]):.3f}"
    )


def speeds() -> None:
    """Short blocks a second: each tool's right line 48 times over, and functions with an assertion that are run."""
    for name in TOOLS:
        tool = tools.TOOLS[name]
        filter_, texts = Compilers([name]), [tool.right.encode() + b"\n" * n for n in range(1, 49)]
        started = time.perf_counter()
        filter_.ask(tool.languages[0], texts)
        print(f"{name:<8}{version(name):<60}{48 / (time.perf_counter() - started):>8.1f} blocks/s", flush=True)
    runner, started = Runner(), time.perf_counter()
    for n in range(24):
        assert runner.run((), f"def f(x):\n    return x + {n}\n\nassert f(1) == {n + 1}\n".encode())[0] == "ran"
    print(f"{'run':<8}{'python':<60}{24 / (time.perf_counter() - started):>8.1f} blocks/s")


def dataset(path: Path) -> None:
    counts: collections.Counter[str] = collections.Counter()
    size, seconds, judge = 0, 0.0, CodeFilter()
    for rows in pq.ParquetFile(path).iter_batches(1024):
        batch = read(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch
        size += int(batch.segments.length.sum())
        started = time.perf_counter()
        judgement = judge.judge(batch)
        seconds += time.perf_counter() - started
        counts.update({s: int(judgement.scores[s].sum()) for s in CodeFilter.summed})
        counts.update(r for r in judgement.evidence.rule)
    print(f"{path.parent.name}/{path.name}: {size / 1e6 / max(seconds, 1e-9):.0f} MB/s", dict(counts.most_common(30)))


if __name__ == "__main__":
    main()
