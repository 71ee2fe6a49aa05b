"""What only all records together can decide: when every unit is there, a filter that compares records says which are rejected after all.

A unit's own folder stays as it was judged. Where records of it are rejected, the unit is written again under a key made from that
folder's files and from what was decided; so the same units and decisions are the same bytes, and what was decided before is there
already, whoever was killed in between. A new shard is compared by the signatures of the others: none of them is read again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.contract import ConfigError, Part
from pipelines import against, annotate, signatures
from pipelines.errors import OutputError, UsageError
from pipelines.ledger import OF, Ledger
from pipelines.move import Move, move
from pipelines.recipe import Recipe, Stage

Receipts = Mapping[str, dict[str, Any]]


def comparing(recipe: Recipe) -> Stage | None:
    """The recipe's filter that compares records, if it has one."""
    return next((s for s in recipe.stages if s.filter.compares), None)


def resolve(
    recipe: Recipe,
    ledger: Ledger,
    receipts: Receipts,
    worlds: Mapping[str, str],
    workers: int = 1,
    *,
    remembered: bool = False,
) -> Receipts:
    """Receipts by the same keys, those of units written again in place of their own.

    receipts: of judged units, in the order of the plan. worlds: of a unit's key, what was made of its records when they were read.
    remembered: other datasets as they were when they were last compared with.
    """
    stage = comparing(recipe)
    if stage is None:
        return receipts
    decided = _decided(stage, ledger, receipts, worlds, remembered=remembered)
    changed = [key for key in receipts if key in decided]
    try:
        with ThreadPoolExecutor(workers) as pool:
            made = pool.map(
                lambda key: _written(recipe, ledger, receipts[key], Move(stage.name, stage.filter, decided[key])),
                changed,
            )
            return {**receipts, **dict(zip(changed, made, strict=True))}
    except OSError as error:
        raise OutputError(
            f"{ledger.out} cannot be written: {error.strerror}; mend it, then run again to go on"
        ) from None


def _decided(
    stage: Stage, ledger: Ledger, receipts: Receipts, worlds: Mapping[str, str], *, remembered: bool
) -> dict[str, pa.Table]:
    """Of each unit that has any, the records that are rejected."""
    found = [(key, signatures.load(ledger.unit(key), nth)) for nth, key in enumerate(receipts)]
    signed = [(key, table) for key, table in found if table is not None]
    parts = [Part(receipts[key]["shard"], table, worlds.get(key, "")) for key, table in signed]
    parts += against.parts(stage, ledger, len(parts), remembered=remembered)
    try:
        table = stage.filter.resolve(parts, stage.options)
    except ConfigError as error:
        raise UsageError(str(error)) from None
    table = table.sort_by([("part", "ascending"), ("row", "ascending")])
    part = table["part"].to_numpy()
    cuts = np.searchsorted(part, np.arange(len(signed) + 1))
    return {
        key: table.slice(low, high - low).drop_columns("part")
        for (key, _), low, high in zip(signed, cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)
        if high > low
    }


def _written(recipe: Recipe, ledger: Ledger, receipt: dict[str, Any], moved: Move) -> dict[str, Any]:
    """The receipt of the unit written again; it may be there from a run before."""
    key = _key(receipt, moved)
    if (there := ledger.receipt(key)) is not None:
        return there
    staged = ledger.stage(key)
    new = {**move(ledger.unit(receipt["key"]), staged, receipt, recipe, moved), "key": key, OF: receipt["key"]}
    ledger.commit(key, staged, new)
    return ledger.receipt(key) or new


def _key(receipt: Mapping[str, Any], moved: Move) -> str:
    told = {n: c.to_pylist() for n, c in zip(moved.decided.column_names, moved.decided.columns, strict=True)}
    files = {kind: f["sha256"] for kind, f in receipt["files"].items()}
    return hashlib.sha256(json.dumps([receipt["key"], files, moved.name, told]).encode()).hexdigest()[:40]


def overviews(recipe: Recipe, ledger: Ledger, receipts: Receipts) -> dict[str, Any]:
    """What the manifest says of the records that comparing rejected, by filter."""
    stage = comparing(recipe)
    if stage is None:
        return {}
    columns = [f"{stage.name}.reason", f"{stage.name}.scores"]
    kind = annotate.column_type(stage.filter)
    found = []
    for receipt in receipts.values():
        if OF in receipt:
            path = ledger.unit(receipt["key"]) / "annotations.parquet"
            notes = pq.ParquetFile(path).read(columns, use_threads=False)[stage.name].combine_chunks()
            found.append(notes.filter(notes.field("reason").is_valid()))
    rows = pa.chunked_array(found, found[0].type if found else kind).combine_chunks()
    scores = rows.field("scores")
    table = pa.table(
        {"reason": rows.field("reason"), **{f.name: scores.field(f.name) for f in kind.field("scores").type}}
    )
    return {stage.name: stage.filter.overview(table, stage.options)}
