"""Hostile records: every one is kept or rejected with a reason, by every filter; none stops a shard, a run or the clock."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipelines.conftest import Command
from tests.security import records
from tests.security.support import curated, rows_of

RECIPE = """
name: all
filters:
  - structure
  - repetition
  - language: {allow: [en]}
  - narrative
  - pii
  - optout: {lists: [{path: gone.txt, kind: id}, {path: gone.txt, kind: user}, {path: pages.txt, kind: url}]}
  - licence: {allow: [permissive]}
"""
REST = "  - mentions\n  - datatrove.GopherQualityFilter\n"
"""Filters that take seconds to start: with the many records."""


@pytest.fixture
def strict(corpusmill: Command) -> Command:
    """The command with a recipe of nearly all filters."""
    corpusmill.recipe.write_text(RECIPE, "utf-8")
    (corpusmill.home / "gone.txt").write_text("r1\nr2\n", "utf-8")
    (corpusmill.home / "pages.txt").write_text("https://example.org/a\n", "utf-8")
    return corpusmill


def judge(command: Command, name: str, seed: int, count: int) -> None:
    """Records of a schema as Parquet, with broken text, and as JSONL, through a run with every filter."""
    given = command.home / f"in-{name}-{seed}"
    given.mkdir()
    rows = records.table(name, seed, count)
    pq.write_table(rows, given / "whole.parquet")
    pq.write_table(records.broken_utf8(records.table(name, seed + 1, count // 3 or 1), seed), given / "bytes.parquet")
    written = records.lines(name, seed, count // 3 or 1)
    (given / "lines.jsonl").write_bytes(written)
    out = command.home / f"out-{name}-{seed}"
    fates = curated(command, given, out, code=0)
    assert set(fates.values()) == {"read"}
    expected = {
        "whole": count,
        "bytes": count // 3 or 1,
        "lines": sum(1 for line in written.split(b"\n") if line.strip()),
    }
    assert {k: rows_of(out, f"{k}.parquet") for k in expected} == {k: list(range(n)) for k, n in expected.items()}
    kept_as_it_came(rows, out)


def kept_as_it_came(rows: pa.Table, out: Path) -> None:
    """What no edit touched is in data/ or rejected/ with the bytes that were read."""
    notes = pq.read_table(out / "annotations" / "whole.parquet")
    edited = [any(e["rule"] for e in n["evidence"]) for n in notes["pii"].to_pylist()]
    whole = {
        kind: pq.read_table(out / kind / "whole.parquet").select(rows.column_names) for kind in ("data", "rejected")
    }
    at = {"data": 0, "rejected": 0}
    for i, kept in enumerate(notes["kept"].to_pylist()):
        kind = "data" if kept else "rejected"
        if not edited[i] and notes["rejected_by"][i].as_py() != "optout":
            assert whole[kind].slice(at[kind], 1).equals(rows.slice(i, 1).cast(whole[kind].schema))
        at[kind] += 1


@pytest.mark.parametrize("name", records.SCHEMAS)
def test_hostile_records_of_every_schema_are_kept_or_rejected(strict: Command, name: str) -> None:
    judge(strict, name, seed=0, count=9)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 20))
@pytest.mark.parametrize("name", records.SCHEMAS)
def test_ten_thousand_hostile_records_of_a_schema(strict: Command, name: str, seed: int) -> None:
    strict.recipe.write_text(RECIPE + REST, "utf-8")
    judge(strict, name, seed, count=600)
