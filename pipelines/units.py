"""Units of work: what there is to do, keyed by what it is.

A unit's key is made from the content of its shard, the run of row groups, and the recipe's fingerprint. Nothing about who
does it, when, or in what order is part of it; so work that is done stays done, and anything that changes is new work.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import pyarrow as pa

from pipelines import formats, stores
from pipelines.errors import MACHINE, ShardError
from pipelines.footers import Footers
from pipelines.formats import Part
from pipelines.recipe import Recipe
from pipelines.schemas.recognise import Columns, recognise
from pipelines.shards import Shard, unfit


@dataclass(frozen=True, slots=True)
class Unit:
    """A part of a shard. output: the name of its files below data/, rejected/ and annotations/."""

    key: str
    shard: Shard
    sha256: str
    part: Part
    output: str


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """A shard that can be read, its schema, and its units in order."""

    shard: Shard
    sha256: str
    schema: pa.Schema
    columns: Columns
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class Plan:
    """shards: to be read, by name. failed: shard name -> why it cannot be."""

    shards: tuple[PlannedShard, ...]
    failed: Mapping[str, str]

    @property
    def units(self) -> list[Unit]:
        return [u for s in self.shards for u in s.units]

    def schemas(self) -> list[tuple[pa.Schema, list[str]]]:
        """Distinct Arrow schemas (metadata aside) with the shards that have them, the most frequent first."""
        found: list[tuple[pa.Schema, list[str]]] = []
        for planned in self.shards:
            for schema, names in found:
                if schema is planned.schema or schema.equals(planned.schema):
                    names.append(planned.shard.name)
                    break
            else:
                found.append((planned.schema, [planned.shard.name]))
        return sorted(found, key=lambda f: -len(f[1]))


def plan(
    recipe: Recipe, shards: list[Shard], fingerprints: Mapping[str, str | Exception], footers: Footers | None = None
) -> Plan:
    """Cut every readable shard into units. Raises ShardError when an unknown schema is all there is. footers: what is known of them."""
    recipe_fingerprint = recipe.work_fingerprint()
    planned: list[PlannedShard] = []
    failed: dict[str, str] = {}
    seen: Seen = {}
    footers = footers or Footers()

    def one(shard: Shard) -> PlannedShard | str:
        sha256 = fingerprints[shard.name]
        if isinstance(sha256, OSError) and sha256.errno in MACHINE:
            raise sha256
        if isinstance(sha256, Exception):
            return f"cannot be read ({sha256.strerror})" if isinstance(sha256, OSError) else str(sha256)
        try:
            return _planned(recipe, recipe_fingerprint, shard, sha256, seen, footers)
        except ShardError as error:
            return str(error)

    for shard, told in zip(shards, _each(one, shards), strict=True):
        if isinstance(told, str):
            failed[shard.name] = told
        else:
            planned.append(told)
    if recipe.input.strict_schema and planned:
        first = planned[0]
        others = {p.shard.name for p in planned if not p.schema.equals(first.schema)}
        failed |= dict.fromkeys(sorted(others), f"its schema is not that of {first.shard.name} (input.strict_schema)")
        planned = [p for p in planned if p.shard.name not in others]
    return Plan(tuple(planned), {ascii(name)[1:-1] if unfit(name) else name: why for name, why in failed.items()})


def _each(one: Callable[[Shard], PlannedShard | str], shards: list[Shard]) -> Iterator[PlannedShard | str]:
    """In order; behind a URL, where each takes a few requests, side by side."""
    if not shards or not stores.is_url(shards[0].path):
        yield from map(one, shards)
        return
    with ThreadPoolExecutor(stores.threads(shards[0].path)) as pool:
        yield from pool.map(one, shards)


Seen = dict[int, Columns]
"""Columns by the identity of their schema: a million shards have a few schemas, each of which is recognised once."""


def _planned(
    recipe: Recipe, recipe_fingerprint: str, shard: Shard, sha256: str, seen: Seen, footers: Footers
) -> PlannedShard:
    if why := unfit(shard.output_name):
        raise ShardError(why)
    reader, size = formats.of(shard, recipe.input), recipe.work.unit_bytes

    def ask() -> tuple[pa.Schema, list[Part]]:
        return reader.schema(shard.path), reader.parts(shard.path, size)

    if shard.kind == "parquet" and not shard.augment:
        schema, parts = footers.of(sha256, size, ask)
    else:
        schema, parts = ask()
        schema = footers.one(schema)
    if (columns := seen.get(id(schema))) is None:
        columns = seen[id(schema)] = recognise(schema, recipe.input.columns or None)
    units = []
    for i, part in enumerate(parts):
        told = [recipe_fingerprint, shard.name, sha256, part.first_group, part.groups]
        key = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:40]
        stem = shard.output_name.removesuffix(".parquet")
        output = shard.output_name if len(parts) == 1 else f"{stem}.part-{i:05d}.parquet"
        units.append(Unit(key, shard, sha256, part, output))
    return PlannedShard(shard, sha256, schema, columns, tuple(units))


def to_json(unit: Unit) -> dict:
    return asdict(unit)


def from_json(told: dict) -> Unit:
    shard = Shard(**{**told["shard"], "stat": tuple(told["shard"]["stat"])})
    return Unit(told["key"], shard, told["sha256"], Part(**told["part"]), told["output"])
