"""A shard's records as counterfactual copies: read by the format of the file, laid out, swapped; those without a swap are left out.

The copies are a shard of their own, so that everything downstream judges, counts and keeps them like any other records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines import edits
from pipelines.formats import Format, Part, Rows
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise

if TYPE_CHECKING:
    from filters.counterfactual import Counterfactual
    from pipelines.recipe import Input

KEY = b"corpusmill.augment"
"""Under this key the schema of a file of copies says what they are."""


class Twin:
    """Reads what ``base`` reads, as copies."""

    def __init__(self, base: Format, told: Input) -> None:
        self._base, self._told = base, told

    def schema(self, path: str) -> pa.Schema:
        schema = self._base.schema(path)
        return schema.with_metadata({**(schema.metadata or {}), KEY: b"counterfactual"})

    def parts(self, path: str, unit_bytes: int) -> list[Part]:
        """The parts of the file. Only reading tells how many copies there are: a part's rows are numbered from where it begins."""
        return [replace(part, rows=-1) for part in self._base.parts(path, unit_bytes)]

    def rows(self, path: str, part: Part, schema: pa.Schema, batch_bytes: int) -> Iterator[Rows]:
        columns = recognise(schema, self._told.columns or None)
        for rows in self._base.rows(path, part, schema, batch_bytes):
            laid = read(rows.batch, columns, max_record_bytes=self._told.max_record_bytes, problems=rows.problems)
            found = swapper().swaps(laid.batch)
            if found.swapped.any():
                made = edits.apply(laid, [found.edits], found.swapped).filter(pa.array(found.swapped))
                yield Rows(pa.RecordBatch.from_arrays(made.columns, schema=schema), {})


@cache
def swapper() -> Counterfactual:
    """Once a process."""
    from filters.counterfactual import Counterfactual

    return Counterfactual()
