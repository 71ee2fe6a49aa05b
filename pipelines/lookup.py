"""Records of a shard by row: read again, and laid out one at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa

from pipelines import formats
from pipelines.errors import UsageError
from pipelines.recipe import Recipe
from pipelines.schemas.read import Read, read
from pipelines.schemas.recognise import Columns, recognise
from pipelines.shards import Shard


def batches(recipe: Recipe, shard: Shard) -> Iterator[tuple[int, Read]]:
    """(row of its first record, batch) over the whole shard."""
    for first, batch, problems, columns in _raw(recipe, shard):
        yield first, read(batch, columns, max_record_bytes=recipe.input.max_record_bytes, problems=problems)


def records(recipe: Recipe, shard: Shard, rows: Collection[int]) -> Iterator[tuple[int, Read]]:
    """(row, batch of that one record), in order of rows. Raises UsageError for a row that the shard does not have."""
    wanted = sorted(set(rows))
    for first, batch, problems, columns in _raw(recipe, shard) if wanted else ():
        while wanted and first <= wanted[0] < first + batch.num_rows:
            row = wanted.pop(0)
            problem = {0: problems[row - first]} if row - first in problems else None
            one = batch.slice(row - first, 1)
            yield row, read(one, columns, max_record_bytes=recipe.input.max_record_bytes, problems=problem)
        if not wanted:
            return
    if wanted:
        raise UsageError(f"{shard.name} has no row {wanted[0]}")


def _raw(recipe: Recipe, shard: Shard) -> Iterator[tuple[int, pa.RecordBatch, dict[int, Any], Columns]]:
    reader = formats.of(shard, recipe.input)
    schema = reader.schema(shard.path)
    columns = recognise(schema, recipe.input.columns or None)
    for part in reader.parts(shard.path, recipe.work.unit_bytes):
        first = part.first_row
        for rows in reader.rows(shard.path, part, schema, recipe.work.batch_bytes):
            yield first, rows.batch, rows.problems, columns
            first += rows.batch.num_rows
