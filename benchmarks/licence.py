"""Licences: spellings read right, packages' own metadata, headers in source trees, and speed.

python benchmarks/licence.py [SHARDS...] [--source FOLDER...] [--copyright '/usr/share/doc/*/copyright']
"""

from __future__ import annotations

import argparse
import importlib.metadata
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from filters.licence import LicenceFilter, LicenceOptions, library
from filters.licence.expressions import Normaliser
from filters.licence.values import expressions
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise

SPELLINGS = Path(__file__).parent / "licence_spellings.yaml"
LINE = re.compile(rb"SPDX-License-Identifier:[ \t]*([^\r\n]{1,300})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="*", type=Path)
    parser.add_argument("--source", nargs="*", type=Path, default=[])
    parser.add_argument("--copyright", default="/usr/share/doc/*/copyright")
    parser.add_argument("--show", action="store_true", help="what was not placed, and what was found where")
    given = parser.parse_args()
    normaliser = Normaliser(library.load())
    spellings(normaliser)
    metadata(normaliser, given.copyright, given.show)
    columns(normaliser)
    for folder in given.source:
        headers(folder, given.show)
    if given.shards:
        texts(given.shards, given.show)


def spellings(normaliser: Normaliser) -> None:
    told = yaml.safe_load(SPELLINGS.read_text("utf-8"))
    cases = [(v, None if want == "missing" else want) for want, values in told.items() for v in values]
    wrong = [(v, want, made) for v, want in cases if (made := normaliser.expression(v)) != want]
    print(f"spellings: {len(cases) - len(wrong)} of {len(cases)} right")
    for case in wrong:
        print("  ", *map(repr, case))


def metadata(normaliser: Normaliser, copyrights: str, show: bool) -> None:
    """What packages say of themselves; nobody has said what is right, so what is placed has to be read."""
    python: set[str] = set()
    for package in importlib.metadata.distributions():
        python |= {v for f in ("License", "License-Expression") if (v := package.metadata.get(f))}
        named = [c for c in package.metadata.get_all("Classifier") or [] if c.startswith("License ::")]
        python |= {c.rpartition(" :: ")[2] for c in named}
    debian: set[str] = set()
    for path in Path("/").glob(copyrights.lstrip("/")):
        debian |= {v.strip() for v in re.findall(r"^License:[ \t]*(\S.*)$", path.read_text("utf-8", "replace"), re.M)}
    for name, values in (("installed Python packages", python), ("Debian copyright files", debian)):
        made = {v: normaliser.expression(v) for v in sorted(values)}
        lost = [v for v, e in made.items() if e and library.UNKNOWN in e]
        print(f"{name}: {len(made)} different values, {len(made) - len(lost)} placed")
        if show:
            print(*(f"  {v[:70]!r} -> {e}" for v, e in made.items()), sep="\n")


def columns(normaliser: Normaliser, rows: int = 10_000_000) -> None:
    names = ["mit", "CC BY 4.0", "apache-2.0", "other", "cc-by-nc-sa-4.0", None] + [f"name {i}" for i in range(200)]
    column = pa.array(names).take(pa.array(np.random.default_rng(0).integers(0, len(names), rows)))
    started = time.perf_counter()
    expressions(column, normaliser)
    print(f"a column of {rows:,} rows, {len(names)} different: {time.perf_counter() - started:.2f} s")


def headers(folder: Path, show: bool) -> None:
    """Files as answers. The lines with a header are counted by a plain search; notices are shown to be read."""
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.stat().st_size < 1 << 22]
    kept = [(p, raw) for p in paths if b"\0" not in (raw := p.read_bytes())]
    lines = Counter(str(p) for p, raw in kept for _ in LINE.finditer(raw))
    licence, found = LicenceFilter(LicenceOptions(missing="keep")), Counter[str]()
    placed: set[str] = set()
    notices: list[tuple[str, str]] = []
    for at in range(0, len(kept), 500):
        chunk = kept[at : at + 500]
        rows = pa.record_batch(
            {"prompt": ["q"] * len(chunk), "response": [r.decode("utf-8", "replace") for _, r in chunk]}
        )
        batch = read(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch
        evidence = licence.judge(batch).evidence
        for record, start, end, rule in zip(evidence.record, evidence.start, evidence.end, evidence.rule, strict=True):
            found[rule] += 1
            if end - start > 24 and b"SPDX" in chunk[record][1][start : start + 4]:
                placed.add(str(chunk[record][0]))
            notices.append((str(chunk[record][0]), rule))
    print(f"{folder}: {len(kept):,} files, {len(lines)} with an SPDX header, {len(placed)} of them read; "
          f"{len({p for p, _ in notices})} files with any licence; {dict(found.most_common(8))}")  # fmt: skip
    if show:
        print(*(f"  not read: {p}" for p in sorted(set(lines) - placed)), sep="\n")
        print(*(f"  {rule} in {p}" for p, rule in notices), sep="\n")


def texts(shards: list[Path], show: bool) -> None:
    licence, size, took, hits = LicenceFilter(LicenceOptions(missing="keep")), 0, 0.0, Counter[str]()
    records = 0
    for path in shards:
        for rows in pq.ParquetFile(path).iter_batches(4096):
            batch = read(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch
            size += int(batch.segments.length.sum())
            records += len(batch)
            started = time.perf_counter()
            evidence = licence.judge(batch).evidence
            took += time.perf_counter() - started
            hits.update(rule for rule in evidence.rule if rule.startswith("text:"))
    print(f"{records:,} records, {size / 1e6:.0f} MB of text: {size / 1e6 / took:,.0f} MB/s; found {dict(hits)}")


if __name__ == "__main__":
    main()
