"""A finished unit written again with what filters say of its records that compare all of them, and some of its kept records rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.contract import KEPT, Filter
from pipelines import annotate, histograms, signatures
from pipelines.again import facts_of, minus, sums_left, told_of
from pipelines.recipe import Recipe
from pipelines.versions import link
from pipelines.write import KINDS, REASON_EXAMPLES, TABLES, BoundedFile, fewest, score_counts


@dataclass(frozen=True)
class Move:
    """What one filter says of a unit's records. decided: ``row``, ``reason`` and the filter's scores, in order of ``row``."""

    name: str
    filter: type[Filter]
    decided: pa.Table

    @cached_property
    def codes(self) -> pa.Array:
        """The reason of each, null where it is kept."""
        reason = self.decided["reason"].to_numpy()
        return pa.array(list(self.filter.reasons), pa.string()).take(pa.array(reason, mask=reason == KEPT))

    @cached_property
    def rejects(self) -> np.ndarray:
        return self.decided["reason"].to_numpy() != KEPT


def move(unit: Path, staged: Path, receipt: Mapping[str, Any], recipe: Recipe, moves: Sequence[Move]) -> dict[str, Any]:
    """Write the unit's three files anew to ``staged``, and return what its receipt says now. Nothing is read or judged again: a record
    that is rejected now stands in rejected/ as it stood in data/, with its edits. No record is rejected by two of the moves."""
    notes = pq.read_table(unit / "annotations.parquet")
    row = notes["row"].to_numpy()
    gone = np.zeros(len(notes), bool)
    new = notes
    for moved in moves:
        at = np.searchsorted(row, moved.decided["row"].to_numpy())
        gone[at[moved.rejects]] = True
        new = _noted(new, at, moved)
    _write(staged / "annotations.parquet", new.schema, recipe, new.to_batches())
    schema = pq.read_schema(unit / "data.parquet")
    was_kept = notes["kept"].to_numpy()
    if gone.any():
        _write(staged / "data.parquet", schema, recipe, _rows(unit / "data.parquet", ~gone[was_kept]))
        rejected = _rejected(unit, gone, new)
        _write(staged / "rejected.parquet", rejected.schema, recipe, rejected.to_batches())
    else:
        for kind in ("data", "rejected"):
            link(unit / f"{kind}.parquet", staged / f"{kind}.parquet")
    counts = {
        "data": int((was_kept & ~gone).sum()),
        "rejected": int((~was_kept | gone).sum()),
        "annotations": len(notes),
    }
    files = {kind: told_of(staged / f"{kind}.parquet", counts[kind]) for kind in KINDS}
    facts = facts_of(unit / "data.parquet", schema, recipe, gone[was_kept])
    left = notes.filter(pa.array(gone))
    return {**receipt, "files": files, **_recounted(receipt, recipe, unit, moves, left, facts, new)}


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


def _rejected(unit: Path, gone: np.ndarray, new: pa.Table) -> pa.Table:
    """Those rejected before and now, in the shard's order. new: the annotations as they are now."""
    before = pq.read_table(unit / "rejected.parquet")
    was_kept = new["kept"].to_numpy() | gone
    rows = pa.Table.from_batches(_rows(unit / "data.parquet", gone[was_kept]), pq.read_schema(unit / "data.parquet"))
    by, why, all_ = before.schema.names[len(rows.schema) :]
    told = new.select(["rejected_by", "reason"]).filter(pa.array(gone)).combine_chunks()
    codes = told["reason"].combine_chunks()
    lists = pa.ListArray.from_arrays(pa.array(np.arange(len(codes) + 1, dtype=np.int32)), codes)
    for name, values in {by: told["rejected_by"], why: codes, all_: lists}.items():
        rows = rows.append_column(name, values)
    order = np.argsort(np.concatenate((np.flatnonzero(~was_kept), np.flatnonzero(gone))), kind="stable")
    return pa.concat_tables([before, rows.cast(before.schema)]).take(pa.array(order))


def _noted(notes: pa.Table, at: np.ndarray, moved: Move) -> pa.Table:
    """The annotations with the filter's verdicts in them. at: where each record that it speaks of stands."""
    place = np.full(len(notes), -1)
    place[at] = np.arange(len(at))
    taken = pa.array(np.maximum(place, 0), mask=place < 0)
    codes = moved.codes.take(taken)
    here = codes.is_valid()
    kind = annotate.column_type(moved.filter)
    scores = [moved.decided[f.name].combine_chunks().take(taken).cast(f.type) for f in kind.field("scores").type]
    column = pa.StructArray.from_arrays(
        [
            pc.invert(here),
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
    moves: Sequence[Move],
    gone: pa.Table,
    facts: Mapping[str, Counter[str]],
    new: pa.Table,
) -> dict[str, Any]:
    """The counts of a receipt when some kept records (their annotations as they were in ``gone``) are rejected."""
    labels, edited = _edits(unit, gone["row"].to_numpy())
    filters = {}
    for name, told in receipt["filters"].items():
        filters[name] = {
            **told,
            "edits": minus(told["edits"], labels.get(name, {})),
            "edited": told["edited"] - edited[name],
            **sums_left(name, told, gone[name].combine_chunks()),
        }
    for moved in moves:
        filters[moved.name] |= _rejections(moved, receipt["shard"])
        filters[moved.name]["histograms"] = histograms.of(new[moved.name].combine_chunks())
    counts = {table: facts[fact] for table, fact in TABLES.items()}
    everyone = np.ones(len(gone), bool)
    for stage in recipe.stages:
        for table, score in stage.filter.tables.items():
            counts[table] = Counter(dict(score_counts(_score(gone, stage.name, score), everyone)))
    tables = {t: minus(told, counts[t]) for t, told in receipt["tables"].items()}
    kept = new["kept"].to_numpy()
    for moved in moves:
        for table, score in moved.filter.tables.items():
            tables[table] = dict(score_counts(_score(new, moved.name, score), kept))
    return {"filters": filters, "tables": tables}


def _score(notes: pa.Table, name: str, score: str) -> pa.Array:
    return notes[name].combine_chunks().field("scores").field(score)


def _rejections(moved: Move, shard: str) -> dict[str, Any]:
    """What a receipt says of a filter's rejections, when it rejects none but these."""
    codes = moved.codes.drop_null().to_pylist()
    reasons = dict(sorted(Counter(codes).items()))
    rows = moved.decided["row"].to_numpy()[moved.rejects].tolist()
    examples = {
        code: fewest((f"{shard}:{r}" for r, c in zip(rows, codes, strict=True) if c == code), REASON_EXAMPLES)
        for code in reasons
    }
    return {
        "rejected": len(codes), "first": len(codes), "reasons": reasons, "first_reasons": reasons,
        "first_examples": examples,
    }  # fmt: skip


def _edits(unit: Path, rows: np.ndarray) -> tuple[dict[str, Counter[str]], Counter[str]]:
    """How often each filter replaced what in these records, and in how many of them it replaced anything."""
    labels: dict[str, Counter[str]] = {}
    edited: Counter[str] = Counter()
    left = rows
    for _, signed in signatures.every(unit):
        here = np.isin(signed["row"].to_numpy(), left)
        left = np.setdiff1d(left, signed["row"].to_numpy())
        for made in signed["edits"].filter(pa.array(here)).to_pylist():
            edited.update({one["filter"] for one in made})
            for one in made:
                labels.setdefault(one["filter"], Counter())[one["label"]] += one["count"]
    return labels, edited
