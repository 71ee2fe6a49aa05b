"""One input of an audit: its shards as far as they can be read, and what its manifest says if it is a dataset of ours."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from pipelines import formats, manifest, shards, stores
from pipelines.errors import ShardError, UsageError
from pipelines.formats import Part
from pipelines.recipe import Input, Work
from pipelines.schemas.read import Read, read
from pipelines.schemas.recognise import Columns, recognise
from pipelines.shards import Shard

PART_BYTES = 32 << 20
"""A task for a worker is a run of row groups of about this many bytes."""
BATCH_BYTES = Work().batch_bytes


@dataclass(frozen=True)
class Source:
    """A shard that can be read. rows: records in it."""

    shard: Shard
    schema: pa.Schema
    columns: Columns
    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        return sum(p.rows for p in self.parts)


@dataclass(frozen=True)
class Dataset:
    """told: the manifest, of a curated dataset. failed: shard -> why it cannot be read."""

    name: str
    path: str
    input: Input
    sources: tuple[Source, ...]
    failed: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Any] | None = None

    @property
    def records(self) -> int:
        return sum(s.rows for s in self.sources)

    def has(self, standard: str) -> bool:
        """Whether any shard has a column for a standard name."""
        return any(standard in s.columns.mapping for s in self.sources)


def open_all(paths: Sequence[str], columns: Mapping[str, str]) -> list[Dataset]:
    """Each input as a dataset; two of the same name are told apart by a number. Raises UsageError and ShardError."""
    found: list[Dataset] = []
    for path in paths:
        dataset = _open(path, columns)
        same = sum(d.name == dataset.name or d.name.startswith(f"{dataset.name} (") for d in found)
        found.append(replace(dataset, name=f"{dataset.name} ({same + 1})") if same else dataset)
    return found


def _open(path: str, columns: Mapping[str, str]) -> Dataset:
    told = _manifest(path)
    given = Input(columns=dict(columns)) if columns or told is None else _input(told)
    sources, failed = [], {}
    found = shards.find(path)
    for shard in found:
        try:
            sources.append(_source(shard, given))
        except ShardError as error:
            failed[shard.name] = str(error)
    if not sources:
        name, why = next(iter(failed.items()))
        raise ShardError(f"nothing to audit at {path}: {name}: {why}")
    return Dataset(_name(Path(path), told), path, given, tuple(sources), failed, told)


def _manifest(path: str) -> dict[str, Any] | None:
    if stores.is_url(path):
        return stores.manifest(path)
    place = Path(path)
    if not (place / "manifest.json").is_file():
        return None
    told = manifest.sound(place)
    if told is None or told.get("manifest") != manifest.VERSION:
        raise UsageError(
            f"{path}: its manifest was edited or is not ours; give {place / 'data'} to audit the files alone"
        )
    return told


def _input(told: Mapping[str, Any]) -> Input:
    return msgspec.convert(told["recipe"]["effective"]["input"], Input)


def _source(shard: Shard, given: Input) -> Source:
    reader = formats.of(shard)
    schema = reader.schema(shard.path)
    parts = reader.parts(shard.path, PART_BYTES)
    return Source(shard, schema, recognise(schema, given.columns or None), tuple(parts))


def _name(path: Path, told: Mapping[str, Any] | None) -> str:
    """The recipe's name, or the last part of the path: what a report may say wherever it was made."""
    if told is not None:
        return str(told["name"])
    while glob.has_magic(str(path)):
        path = path.parent
    resolved = path if path.name not in ("", ".", "..") else path.resolve()
    return resolved.name or str(path)


def rows(source: Source, part: Part) -> Iterator[tuple[int, pa.RecordBatch, dict[int, str]]]:
    """(row of its first record, batch, problems by row of the batch) over a part."""
    first = part.first_row
    for found in formats.of(source.shard).rows(source.shard.path, part, source.schema, BATCH_BYTES):
        yield first, found.batch, found.problems
        first += found.batch.num_rows


def laid_out(given: Input, columns: Columns, batch: pa.RecordBatch, problems: dict[int, str]) -> Read:
    return read(batch, columns, max_record_bytes=given.max_record_bytes, problems=problems)
