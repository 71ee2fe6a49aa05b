"""Why one record is kept or not: every filter's word on it, with the spans it points at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.batch import CHANNELS, ROLES, Batch
from filters.contract import ConfigError, Judgement
from filters.reading import ReadFilter
from pipelines import lookup, shards, stores
from pipelines.errors import UsageError
from pipelines.ledger import STATE
from pipelines.recipe import Recipe
from pipelines.run import place
from pipelines.schemas.read import Read
from pipelines.shards import Shard

AROUND = 60
"""Characters of text shown before and after a span."""

SPANS = 8
"""Spans shown a filter."""


def explain(recipe: Recipe, record: str) -> str:
    """One record judged by the recipe's filters. Shows text of the record: that is what it is asked for."""
    shard, row, one = _find(recipe, record)
    batch = one.batch
    lines = [f"record {batch.ids[0].as_py()}, {shard.name} row {row}"]
    if shard.augment:
        lines.append(f"  a {shard.augment} copy of a record of {Path(shard.path).name}")
    turns = ", ".join(ROLES[r] for r in batch.turns.role)
    lines.append(f"  {len(batch.turns)} turns ({turns[:100]}), {int(batch.segments.length.sum()):,} bytes of text")
    judged = []
    for name, filter_ in [("read", ReadFilter()), *((s.name, _build(s)) for s in recipe.stages)]:
        judgement = filter_.judge(batch)
        code = int(judgement.reason[0])
        reason = None if code < 0 else list(filter_.reasons)[code]
        if filter_.compares and (known := _recorded(recipe, name, shard.name, row)):
            reason, judgement.scores = known["reason"], {k: [v] for k, v in known["scores"].items() if v is not None}
        judged.append((name, reason, filter_, judgement))
    first = next(((n, r) for n, r, _, _ in judged if r), None)
    lines.append(f"  rejected by {first[0]}: {first[1]}" if first else "  kept")
    for name, reason, filter_, judgement in judged:
        told = f"rejects it: {reason} ({filter_.reasons[reason]})" if reason else "keeps it"
        if filter_.compares and not reason:
            told += ", as far as the output tells: it compares all records, which takes a run"
        lines += ["", f"{name} {told}"]
        lines += [f"  {k} = {_shown(v)}" for k, v in judgement.scores.items()]
        lines += _spans(batch, judgement)
        lines += [
            f"  {label} becomes {new}" for label, new in
            sorted({(la, r) for la, r in zip(judgement.edits.label, judgement.edits.replacement, strict=True)})[:SPANS]
        ]  # fmt: skip
    return "\n".join(lines)


def _build(stage):  # type: ignore[no-untyped-def]
    try:
        return stage.build()
    except ConfigError as error:
        raise UsageError(f"{stage.name}: {error}") from None


def _recorded(recipe: Recipe, name: str, shard: str, row: int) -> dict[str, Any] | None:
    """What comparing all records came to for this one, where the recipe's output has it."""
    out = Path(recipe.output.path) if recipe.output.path else None
    for path in sorted((out / "annotations").rglob("*.parquet")) if out and (out / STATE).is_dir() else ():
        if name in pq.read_schema(path).names:
            table = pq.read_table(path, columns=[name], filters=[("shard", "=", shard), ("row", "=", row)])
            if table.num_rows:
                return table[name][0].as_py()
    return None


def _spans(batch: Batch, judgement: Judgement) -> Iterator[str]:
    e = judgement.evidence
    for i in range(min(len(e), SPANS)):
        place = f"turn {e.turn[i]} {CHANNELS[e.channel[i]]}"
        if e.segment[i] < 0:
            yield f"  {e.rule[i]} at {place}"
            continue
        raw = batch.segments.bytes(e.segment[i])
        before = raw[max(0, e.start[i] - AROUND) : e.start[i]].decode("utf-8", "ignore")
        span = raw[e.start[i] : e.end[i]].decode("utf-8", "ignore")
        after = raw[e.end[i] : e.end[i] + AROUND].decode("utf-8", "ignore")
        shown = f"{before}[[{span if len(span) <= 200 else span[:150] + ' … ' + span[-40:]}]]{after}"
        yield f"  {e.rule[i]} at {place}: …{' '.join(shown.split())}…".encode("utf-8", "replace").decode()
    if len(e) > SPANS:
        yield f"  and {len(e) - SPANS} more places"


def _shown(values: object) -> str:
    value = values[0]  # type: ignore[index]
    if hasattr(value, "as_py"):
        value = value.as_py()
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)


def _find(recipe: Recipe, record: str) -> tuple[Shard, int, Read]:
    file, colon, row = record.rpartition(":")
    if colon and row.isdigit() and (stores.is_url(file) or Path(file).is_file()):
        [shard] = shards.find(file)
        return shard, int(row), _one(recipe, shard, int(row))
    found = shards.find(recipe.input.path, recipe.input.augment)
    if colon and row.isdigit() and (named := [s for s in found if s.name == file]):
        return named[0], int(row), _one(recipe, named[0], int(row))
    if place := _annotated(recipe, record):
        for shard in found:
            if shard.name == place[0]:
                return shard, place[1], _one(recipe, shard, place[1])
    for shard in found:
        for first, laid in lookup.batches(recipe, shard):
            at = laid.batch.ids.index(pa.scalar(record)).as_py()
            if at >= 0:
                return shard, first + at, _one(recipe, shard, first + at)
    raise UsageError(f"no record {record!r} in {recipe.input.path}: give an id from annotations, or FILE:ROW")


def _annotated(recipe: Recipe, record: str) -> tuple[str, int] | None:
    """Where an earlier run of the recipe saw the record."""
    out = place(recipe)
    if out is None or not (out / STATE).is_dir():
        return None
    for path in sorted((out / "annotations").rglob("*.parquet")):
        table = pq.read_table(path, columns=["record_id", "shard", "row"], filters=[("record_id", "=", record)])
        if table.num_rows:
            return table["shard"][0].as_py(), table["row"][0].as_py()
    return None


def _one(recipe: Recipe, shard: Shard, row: int) -> Read:
    [(_, found)] = lookup.records(recipe, shard, [row])
    return found
