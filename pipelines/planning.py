"""From shards to a plan: each that can be read is cut into units."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines import formats, stores
from pipelines.errors import MACHINE, ShardError
from pipelines.footers import Footers, numbers
from pipelines.formats import Part
from pipelines.ledger import KEY
from pipelines.recipe import Recipe
from pipelines.schemas.recognise import recognise
from pipelines.shards import Shard, Shards, unfit
from pipelines.units import Cut, Draft, Plan

AT_ONCE = 10_000
"""Shards that a pool of threads is given at a time."""


def plan(
    recipe: Recipe, shards: Shards, fingerprints: Iterable[str | Exception], footers: Footers | None = None
) -> Plan:
    """Cut every readable shard into units. Raises ShardError when an unknown schema is all there is. footers: what is known of them."""
    recipe_fingerprint = recipe.work_fingerprint()
    failed: dict[str, str] = {}
    draft = Draft(Footers() if footers is None else footers)

    def one(told: tuple[Shard, str | Exception]) -> Cut | str:
        shard, sha256 = told
        if isinstance(sha256, OSError) and sha256.errno in MACHINE:
            raise sha256
        if isinstance(sha256, Exception):
            return f"cannot be read ({sha256.strerror})" if isinstance(sha256, OSError) else str(sha256)
        try:
            return _cut(recipe, recipe_fingerprint, shard, sha256, draft)
        except ShardError as error:
            return str(error)

    first: pa.Schema | None = None
    first_name = ""
    for number, (shard, cut) in enumerate(_each(one, shards, fingerprints)):
        if isinstance(cut, str):
            failed[shard.name] = cut
            continue
        schema = draft.footers.schemas[cut.schema]
        if first is None:
            first, first_name = schema, shard.name
        if recipe.input.strict_schema and not schema.equals(first):
            failed[shard.name] = f"its schema is not that of {first_name} (input.strict_schema)"
        else:
            draft.add(number, cut)
    return Plan(shards, draft, {ascii(name)[1:-1] if unfit(name) else name: why for name, why in failed.items()})


def _each(
    one: Callable[[tuple[Shard, str | Exception]], Cut | str], shards: Shards, fingerprints: Iterable[str | Exception]
) -> Iterator[tuple[Shard, Cut | str]]:
    """In order; behind a URL, where each takes a few requests, side by side."""
    pairs = zip(shards, fingerprints, strict=True)
    if not len(shards) or not stores.is_url(shards[0].path):
        yield from ((pair[0], one(pair)) for pair in pairs)
        return
    with ThreadPoolExecutor(stores.threads(shards[0].path)) as pool:
        while some := list(islice(pairs, AT_ONCE)):
            yield from zip((shard for shard, _ in some), pool.map(one, some), strict=True)


def _cut(recipe: Recipe, recipe_fingerprint: str, shard: Shard, sha256: str, draft: Draft) -> Cut:
    if why := unfit(shard.output_name):
        raise ShardError(why)
    reader, size, digest = formats.of(shard, recipe.input), recipe.work.unit_bytes, bytes.fromhex(sha256)

    def ask() -> tuple[pa.Schema, list[Part]]:
        return reader.schema(shard.path), reader.parts(shard.path, size)

    if shard.kind == "parquet" and not shard.augment:
        schema, parts = draft.footers.of(digest, size, ask)
    else:
        told, cut = ask()
        schema, parts = draft.footers.number(told), numbers(cut)
    if schema not in draft.recognised:
        draft.recognised[schema] = recognise(draft.footers.schemas[schema], recipe.input.columns or None)
    keys = b"".join(
        hashlib.sha256(json.dumps([recipe_fingerprint, shard.name, sha256, group, groups]).encode()).digest()[:KEY]
        for group, groups in parts[:, :2].tolist()
    )
    return Cut(digest, schema, parts, keys)


def keep(plan: Plan, asked: Footers, path: Path, unit_bytes: int) -> None:
    """Remember, in a file, the footers of the shards that have one, if others were asked for than were known."""
    having = np.fromiter((s.kind == "parquet" and not s.augment for s in plan.found), bool)[plan.at]
    if not asked.asked and int(having.sum()) == len(asked):
        return
    counts = np.diff(plan.first)
    first = np.concatenate(([0], np.cumsum(counts[having])))
    parts = plan.parts[np.repeat(having, counts)]
    asked.keep(path, plan.sums[having], plan.schema[having], first, parts, unit_bytes)
