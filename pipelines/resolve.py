"""What only all records together can decide: when every unit is there, filters that compare records say which are rejected after all.

Several of them decide in the order of the recipe, each among the records that those before it keep, and each knows what those before it
verified. What a later one rejects brings nothing back.

A unit's own folder stays as it was judged. Where anything is said of its records, the unit is written again under a key made from that
folder's files and from what was decided; so the same units and decisions are the same bytes, and what was decided before is there
already, whoever was killed in between. A new shard is compared by the signatures of the others: none of them is read again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
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


def comparing(recipe: Recipe) -> list[Stage]:
    """The recipe's filters that compare records, in its order."""
    return [s for s in recipe.stages if s.filter.compares]


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
    decided: dict[str, list[Move]] = {}
    for stage in comparing(recipe):
        for key, table in _decided(stage, ledger, receipts, worlds, decided, remembered=remembered).items():
            decided.setdefault(key, []).append(Move(stage.name, stage.filter, table))
    changed = [key for key in receipts if key in decided]
    try:
        with ThreadPoolExecutor(workers) as pool:
            made = pool.map(lambda key: _written(recipe, ledger, receipts[key], decided[key]), changed)
            return {**receipts, **dict(zip(changed, made, strict=True))}
    except OSError as error:
        raise OutputError(
            f"{ledger.out} cannot be written: {error.strerror}; mend it, then run again to go on"
        ) from None


def _decided(
    stage: Stage,
    ledger: Ledger,
    receipts: Receipts,
    worlds: Mapping[str, str],
    before: Mapping[str, Sequence[Move]],
    *,
    remembered: bool,
) -> dict[str, pa.Table]:
    """What one filter says, by unit. before: what those before it said."""
    found = [(key, signatures.load(ledger.unit(key), stage.name, nth)) for nth, key in enumerate(receipts)]
    signed = [(key, _left(table, before.get(key, ()))) for key, table in found if table is not None]
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


def _left(signed: pa.Table, before: Sequence[Move]) -> pa.Table:
    """The signatures of the records that filters before keep, with what those verified: where two filters tell, the first one counts."""
    for moved in before:
        rows, told = signed["row"].to_numpy(), moved.decided["row"].to_numpy()
        if moved.filter.checks:
            column = f"checked.{moved.filter.checks}"
            said = np.zeros(len(rows), np.int8)
            scores = {n: moved.decided[n].to_numpy(zero_copy_only=False) for n in moved.filter.scores}
            at = np.searchsorted(told, rows)
            here = np.flatnonzero(np.isin(rows, told))
            said[here] = moved.filter.checked(scores)[at[here]]
            first = signed[column].to_numpy()
            values = pa.array(np.where(first == 0, said, first).astype(np.int8))
            signed = signed.set_column(signed.schema.get_field_index(column), signed.schema.field(column), values)
        signed = signed.filter(pa.array(~np.isin(rows, told[moved.rejects])))
    return signed


def _written(recipe: Recipe, ledger: Ledger, receipt: dict[str, Any], moves: Sequence[Move]) -> dict[str, Any]:
    """The receipt of the unit written again; it may be there from a run before."""
    key = _key(receipt, moves)
    if (there := ledger.receipt(key)) is not None:
        return there
    staged = ledger.stage(key)
    new = {**move(ledger.unit(receipt["key"]), staged, receipt, recipe, moves), "key": key, OF: receipt["key"]}
    ledger.commit(key, staged, new)
    return ledger.receipt(key) or new


def _key(receipt: Mapping[str, Any], moves: Sequence[Move]) -> str:
    told = [[m.name, m.decided.to_pydict()] for m in moves]
    files = {kind: f["sha256"] for kind, f in receipt["files"].items()}
    return hashlib.sha256(json.dumps([receipt["key"], files, told]).encode()).hexdigest()[:40]


def overviews(recipe: Recipe, ledger: Ledger, receipts: Receipts) -> dict[str, Any]:
    """What the manifest says of the records that were compared, by filter."""
    return {
        stage.name: stage.filter.overview(_told(stage, ledger, receipts), stage.options) for stage in comparing(recipe)
    }


def _told(stage: Stage, ledger: Ledger, receipts: Receipts) -> pa.Table:
    """The reasons and scores of all records that the filter said anything of."""
    columns = [f"{stage.name}.reason", f"{stage.name}.scores"]
    kind = annotate.column_type(stage.filter)
    found = []
    for receipt in receipts.values():
        if OF in receipt:
            path = ledger.unit(receipt["key"]) / "annotations.parquet"
            notes = pq.ParquetFile(path).read(columns, use_threads=False)[stage.name].combine_chunks()
            scores = notes.field("scores")
            any_ = np.zeros(len(notes), bool)
            for each in (notes.field("reason"), *(scores.field(f.name) for f in scores.type)):
                any_ |= each.is_valid().to_numpy(zero_copy_only=False)
            found.append(notes.filter(pa.array(any_)))
    rows = pa.chunked_array(found, found[0].type if found else kind).combine_chunks()
    scores = rows.field("scores")
    return pa.table(
        {"reason": rows.field("reason"), **{f.name: scores.field(f.name) for f in kind.field("scores").type}}
    )
