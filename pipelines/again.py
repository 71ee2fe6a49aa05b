"""A finished unit read again, its files written anew and its counts lessened: what forgetting and comparing have in common."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters import registry
from pipelines.recipe import Recipe
from pipelines.schemas.read import fact_of
from pipelines.schemas.recognise import Columns, recognise
from pipelines.shards import sha256_of
from pipelines.write import TABLES, stage_spent, stage_sums, value_counts

BATCH_ROWS = 4096


def rows_of(path: Path, schema: pa.Schema, standing: Recipe) -> Iterator[tuple[pa.RecordBatch, Columns]]:
    """The input's columns of a published file, batch by batch."""
    columns = recognise(schema, standing.input.columns or None)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=schema.names, use_threads=False):
            yield batch, columns


def facts_of(path: Path, schema: pa.Schema, standing: Recipe, gone: np.ndarray) -> dict[str, Counter[str]]:
    """What the records that go count for in the manifest's tables, by fact."""
    counts: dict[str, Counter[str]] = {fact: Counter() for fact in TABLES.values()}
    at = 0
    for rows, columns in rows_of(path, schema, standing):
        mask = gone[at : at + rows.num_rows]
        at += rows.num_rows
        for fact in counts:
            if fact in columns.mapping and mask.any():
                counts[fact].update(dict(value_counts(fact_of(rows, columns.mapping[fact]), mask)))
    return counts


def told_of(path: Path, rows: int) -> dict[str, Any]:
    """What a receipt says of a file, once that is on the disk."""
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())
    return {"bytes": path.stat().st_size, "rows": rows, "sha256": sha256_of(path)}


def sums_left(name: str, told: Mapping[str, Any], gone: pa.StructArray) -> dict[str, dict[str, int]]:
    return _left("sums", told, stage_sums(registry.load(name), gone)) if "sums" in told else {}


def spent_left(name: str, told: Mapping[str, Any], gone: pa.StructArray) -> dict[str, dict[str, int]]:
    return _left("spent", told, stage_spent(registry.load(name), gone)) if "spent" in told else {}


def _left(kind: str, told: Mapping[str, Any], less: Mapping[str, int]) -> dict[str, dict[str, int]]:
    return {kind: {key: n - less[key] for key, n in told[kind].items()}}


def minus(counts: Mapping[str, int], less: Mapping[str, int]) -> dict[str, int]:
    return {key: n - less.get(key, 0) for key, n in counts.items() if n > less.get(key, 0)}
