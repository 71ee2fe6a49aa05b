"""A finished unit written again with some of its kept records rejected, as a filter decided that compares records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.contract import Filter
from pipelines import annotate, histograms
from pipelines.again import facts_of, minus, sums_left, told_of
from pipelines.recipe import Recipe
from pipelines.signatures import load
from pipelines.write import KINDS, REASON_EXAMPLES, TABLES, BoundedFile, fewest, score_counts


@dataclass(frozen=True)
class Move:
    """A unit's records that are rejected after all. decided: ``row``, ``reason`` and the filter's scores, in order of ``row``."""

    name: str
    filter: type[Filter]
    decided: pa.Table

    @property
    def codes(self) -> pa.Array:
        return pa.array(list(self.filter.reasons), pa.string()).take(self.decided["reason"].combine_chunks())


def move(unit: Path, staged: Path, receipt: Mapping[str, Any], recipe: Recipe, moved: Move) -> dict[str, Any]:
    """Write the unit's three files anew to ``staged``, and return what its receipt says now. Nothing is read or judged again: a record
    that is rejected now stands in rejected/ as it stood in data/, with its edits."""
    notes = pq.read_table(unit / "annotations.parquet")
    at = np.searchsorted(notes["row"].to_numpy(), moved.decided["row"].to_numpy())
    gone = np.zeros(len(notes), bool)
    gone[at] = True
    was_kept = notes["kept"].to_numpy()
    schema = pq.read_schema(unit / "data.parquet")
    new = _noted(notes, at, moved)
    _write(staged / "annotations.parquet", new.schema, recipe, new.to_batches())
    _write(staged / "data.parquet", schema, recipe, _rows(unit / "data.parquet", ~gone[was_kept]))
    rejected = _rejected(unit, gone, was_kept, moved)
    _write(staged / "rejected.parquet", rejected.schema, recipe, rejected.to_batches())
    counts = {
        "data": int((was_kept & ~gone).sum()),
        "rejected": int((~was_kept | gone).sum()),
        "annotations": len(notes),
    }
    files = {kind: told_of(staged / f"{kind}.parquet", counts[kind]) for kind in KINDS}
    facts = facts_of(unit / "data.parquet", schema, recipe, gone[was_kept])
    return {**receipt, "files": files, **_recounted(receipt, recipe, unit, moved, notes.take(pa.array(at)), facts, new)}


def _write(
    path: Path, schema: pa.Schema, recipe: Recipe, batches: Iterator[pa.RecordBatch] | Sequence[pa.RecordBatch]
) -> None:
    file = BoundedFile(path, schema, recipe.output)
    for batch in batches:
        file.add(batch)
    file.close()


def _rows(path: Path, which: np.ndarray) -> Iterator[pa.RecordBatch]:
    """Some rows of a file, row group by row group."""
    at = 0
    with pq.ParquetFile(path) as file:
        for group in range(file.metadata.num_row_groups):
            rows = file.read_row_group(group, use_threads=False)
            yield from rows.filter(pa.array(which[at : at + len(rows)])).to_batches()
            at += len(rows)


def _rejected(unit: Path, gone: np.ndarray, was_kept: np.ndarray, moved: Move) -> pa.Table:
    """Those rejected before and now, in the shard's order."""
    before = pq.read_table(unit / "rejected.parquet")
    rows = pa.Table.from_batches(_rows(unit / "data.parquet", gone[was_kept]), pq.read_schema(unit / "data.parquet"))
    by, why, all_ = before.schema.names[len(rows.schema) :]
    codes = moved.codes
    lists = pa.ListArray.from_arrays(pa.array(np.arange(len(codes) + 1, dtype=np.int32)), codes)
    added = {by: pa.array([moved.name] * len(rows), pa.string()), why: codes, all_: lists}
    for name, values in added.items():
        rows = rows.append_column(name, values)
    order = np.argsort(np.concatenate((np.flatnonzero(~was_kept), np.flatnonzero(gone))), kind="stable")
    return pa.concat_tables([before, rows.cast(before.schema)]).take(pa.array(order))


def _noted(notes: pa.Table, at: np.ndarray, moved: Move) -> pa.Table:
    """The annotations with the filter's verdicts in them."""
    place = np.full(len(notes), -1)
    place[at] = np.arange(len(at))
    taken = pa.array(np.maximum(place, 0), mask=place < 0)
    codes, here = moved.codes.take(taken), pa.array(place >= 0)
    kind = annotate.column_type(moved.filter)
    scores = [moved.decided[f.name].combine_chunks().take(taken).cast(f.type) for f in kind.field("scores").type]
    column = pa.StructArray.from_arrays(
        [
            pa.array(place < 0),
            codes,
            pa.StructArray.from_arrays(scores, fields=list(kind.field("scores").type)),
            pa.array([[]] * len(notes), pa.list_(annotate.EVIDENCE)),
        ],
        fields=list(kind),
    )
    new = {
        "kept": pc.and_not(notes["kept"], here),
        "rejected_by": pc.if_else(here, moved.name, notes["rejected_by"]),
        "reason": pc.if_else(here, codes, notes["reason"]),
        moved.name: column,
    }
    for name, values in new.items():
        notes = notes.set_column(notes.schema.get_field_index(name), notes.schema.field(name), values)
    return notes


def _recounted(
    receipt: Mapping[str, Any],
    recipe: Recipe,
    unit: Path,
    moved: Move,
    gone: pa.Table,
    facts: Mapping[str, Counter[str]],
    new: pa.Table,
) -> dict[str, Any]:
    """The counts of a receipt when some kept records (their annotations in ``gone``) are rejected."""
    labels, edited = _edits(unit, gone["row"].to_numpy())
    filters = {}
    for name, told in receipt["filters"].items():
        filters[name] = {
            **told,
            "edits": minus(told["edits"], labels.get(name, {})),
            "edited": told["edited"] - edited[name],
            **sums_left(name, told, gone[name].combine_chunks()),
        }
    reasons = Counter(moved.codes.to_pylist())
    places = [f"{s}:{r}" for s, r in zip(gone["shard"].to_pylist(), gone["row"].to_pylist(), strict=True)]
    examples = {
        code: fewest((p for p, c in zip(places, moved.codes.to_pylist(), strict=True) if c == code), REASON_EXAMPLES)
        for code in sorted(reasons)
    }
    filters[moved.name] |= {
        "rejected": len(gone), "first": len(gone), "reasons": dict(sorted(reasons.items())),
        "first_reasons": dict(sorted(reasons.items())), "first_examples": examples,
        "histograms": histograms.of(new[moved.name].combine_chunks()),
    }  # fmt: skip
    counts = {table: facts[fact] for table, fact in TABLES.items()}
    everyone = np.ones(len(gone), bool)
    for stage in recipe.stages:
        for table, score in stage.filter.tables.items():
            values = gone[stage.name].combine_chunks().field("scores").field(score)
            counts[table] = Counter(dict(score_counts(values, everyone)))
    return {"filters": filters, "tables": {t: minus(told, counts[t]) for t, told in receipt["tables"].items()}}


def _edits(unit: Path, rows: np.ndarray) -> tuple[dict[str, Counter[str]], Counter[str]]:
    """How often each filter replaced what in these records, and in how many of them it replaced anything."""
    labels: dict[str, Counter[str]] = {}
    edited: Counter[str] = Counter()
    signed = load(unit)
    if signed is not None:
        for made in signed["edits"].filter(pa.array(np.isin(signed["row"].to_numpy(), rows))).to_pylist():
            edited.update({one["filter"] for one in made})
            for one in made:
                labels.setdefault(one["filter"], Counter())[one["label"]] += one["count"]
    return labels, edited
