"""File formats: what a shard's Arrow schema is, how its work is cut, and its rows as record batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from pipelines.shards import Shard

if TYPE_CHECKING:
    from pipelines.recipe import Input


@dataclass(frozen=True, slots=True)
class Part:
    """A run of a shard's row groups (a JSONL shard is one part). first_row counts from 0 in the shard.

    rows is -1 where only reading tells.
    """

    first_group: int
    groups: int
    first_row: int
    rows: int
    bytes: int


@dataclass(frozen=True)
class Rows:
    """Consecutive rows; problems: row in the batch -> reason, for lines that are not records."""

    batch: pa.RecordBatch
    problems: dict[int, str]


class Format(Protocol):
    """What a module of this package offers. All raise ShardError, without record text, when the file is broken."""

    def schema(self, path: str) -> pa.Schema: ...

    def parts(self, path: str, unit_bytes: int) -> list[Part]: ...

    def rows(self, path: str, part: Part, schema: pa.Schema, batch_bytes: int) -> Iterator[Rows]: ...


def of(shard: Shard, told: Input | None = None) -> Format:
    """How a shard is read. told: the recipe's input, which a twin's records cannot be laid out without."""
    from pipelines.formats import jsonl, parquet

    base: Format = {"parquet": parquet, "jsonl": jsonl}[shard.kind]
    if not shard.augment:
        return base
    from pipelines.formats.counterfactual import Twin

    assert told is not None, f"{shard.name} is read by a recipe"
    return Twin(base, told)
