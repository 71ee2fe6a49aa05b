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
from pipelines.formats import Part
from pipelines.recipe import Recipe
from pipelines.schemas.recognise import Columns, recognise
from pipelines.shards import Shard, unfit


@dataclass(frozen=True)
class Unit:
    """A part of a shard. output: the name of its files below data/, rejected/ and annotations/."""

    key: str
    shard: Shard
    sha256: str
    part: Part
    output: str


@dataclass(frozen=True)
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
                if schema.equals(planned.schema):
                    names.append(planned.shard.name)
                    break
            else:
                found.append((planned.schema, [planned.shard.name]))
        return sorted(found, key=lambda f: -len(f[1]))


def plan(recipe: Recipe, shards: list[Shard], fingerprints: Mapping[str, str | Exception]) -> Plan:
    """Cut every readable shard into units. Raises ShardError when an unknown schema is all there is."""
    recipe_fingerprint = recipe.work_fingerprint()
    planned: list[PlannedShard] = []
    failed: dict[str, str] = {}

    def one(shard: Shard) -> PlannedShard | str:
        sha256 = fingerprints[shard.name]
        if isinstance(sha256, OSError) and sha256.errno in MACHINE:
            raise sha256
        if isinstance(sha256, Exception):
            return f"cannot be read ({sha256.strerror})" if isinstance(sha256, OSError) else str(sha256)
        try:
            return _planned(recipe, recipe_fingerprint, shard, sha256)
        except ShardError as error:
            return str(error)

    for shard, told in zip(shards, _each(one, shards), strict=True):
        if isinstance(told, str):
            failed[shard.name] = told
        else:
            planned.append(told)
    if recipe.input.strict_schema and planned:
        first = planned[0]
        for other in [p for p in planned if not p.schema.equals(first.schema)]:
            failed[other.shard.name] = f"its schema is not that of {first.shard.name} (input.strict_schema)"
            planned.remove(other)
    return Plan(tuple(planned), {ascii(name)[1:-1] if unfit(name) else name: why for name, why in failed.items()})


def _each(one: Callable[[Shard], PlannedShard | str], shards: list[Shard]) -> Iterator[PlannedShard | str]:
    """In order; behind a URL, where each takes a few requests, side by side."""
    if not shards or not stores.is_url(shards[0].path):
        yield from map(one, shards)
        return
    with ThreadPoolExecutor(stores.threads(shards[0].path)) as pool:
        yield from pool.map(one, shards)


def _planned(recipe: Recipe, recipe_fingerprint: str, shard: Shard, sha256: str) -> PlannedShard:
    if why := unfit(shard.output_name):
        raise ShardError(why)
    reader = formats.of(shard, recipe.input)
    schema = reader.schema(shard.path)
    columns = recognise(schema, recipe.input.columns or None)
    parts = reader.parts(shard.path, recipe.work.unit_bytes)
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
