"""Units of work, and a plan of them: what there is to do, keyed by what it is.

A unit's key is made from the content of its shard, the run of row groups, and the recipe's fingerprint. Nothing about who
does it, when, or in what order is part of it; so work that is done stays done, and anything that changes is new work.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import NamedTuple, overload

import numpy as np
import pyarrow as pa

from pipelines.footers import FIELDS, Footers
from pipelines.formats import Part
from pipelines.index import to_hex
from pipelines.ledger import KEY
from pipelines.schemas.recognise import Columns
from pipelines.shards import Shard, Shards


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
class Kind:
    """Shards of one Arrow schema, metadata aside. first: the name of one of them; shards: how many."""

    schema: pa.Schema
    columns: Columns
    first: str
    shards: int


class Plan:
    """What is to be read. failed: shard name -> why it cannot be. Held as columns, some 100 bytes a shard and 60 a unit beside the list of
    shards; objects are made of them when they are taken."""

    def __init__(self, found: Shards, draft: Draft, failed: Mapping[str, str]) -> None:
        self.found, self.failed = found, failed
        self.recognised, self.schema_objects = draft.recognised, draft.footers.schemas
        self.at = np.frombuffer(draft.at, np.uint32)
        self.sums = np.frombuffer(draft.sums, np.uint8).reshape(-1, 32)
        self.schema = np.frombuffer(draft.schema, np.int32)
        self.first = np.frombuffer(draft.first, np.int64)
        self.keys = np.frombuffer(draft.keys, np.uint8).reshape(-1, KEY)
        self.parts = np.frombuffer(draft.parts, np.int64).reshape(-1, FIELDS)

    @property
    def shards(self) -> PlannedShards:
        """Those that can be read, by name."""
        return PlannedShards(self)

    @property
    def units(self) -> Units:
        return Units(self, np.arange(len(self.keys)))

    def keys_by_shard(self) -> Iterator[Iterator[str]]:
        """Keys of the units of each shard; to be taken before those of the next."""
        keys = to_hex(self.keys)
        return (islice(keys, count) for count in np.diff(self.first).tolist())

    def uncut(self) -> Iterator[PlannedShard]:
        """The shards without their units."""
        return PlannedShards(self).each(cut=False)

    def kinds(self) -> list[Kind]:
        """Distinct schemas, the most frequent first."""
        found: dict[int, tuple[int, int]] = {}
        numbers, first, counts = np.unique(self._alike, return_index=True, return_counts=True)
        for number, at, count in zip(numbers.tolist(), first.tolist(), counts.tolist(), strict=True):
            found[number] = at, count
        made = [
            Kind(
                self.schema_objects[self.schema[at]],
                self.recognised[int(self.schema[at])],
                self.found[int(self.at[at])].name,
                count,
            )
            for at, count in sorted(found.values())
        ]
        return sorted(made, key=lambda kind: -kind.shards)

    def kind_of(self) -> Iterator[tuple[str, pa.Schema]]:
        """Of each shard its name, and the schema that its kind has."""
        alike, schemas = self._alike, self.schema_objects
        first = {
            number: schemas[self.schema[at]] for number, at in zip(*np.unique(alike, return_index=True), strict=True)
        }
        return ((s.shard.name, first[n]) for s, n in zip(self.shards, alike.tolist(), strict=True))

    @property
    def _alike(self) -> np.ndarray:
        """Of each shard, the number of the first schema that is like its own but for metadata."""
        used, schemas = np.unique(self.schema).tolist(), self.schema_objects
        like = {n: next(m for m in used if schemas[m].equals(schemas[n])) for n in used}
        return np.array([like.get(n, n) for n in range(len(schemas))], np.int32)[self.schema]


class PlannedShards(Sequence[PlannedShard]):
    """Made one by one, in order."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def __len__(self) -> int:
        return len(self._plan.at)

    @overload
    def __getitem__(self, at: int) -> PlannedShard: ...
    @overload
    def __getitem__(self, at: slice) -> list[PlannedShard]: ...
    def __getitem__(self, at: int | slice) -> PlannedShard | list[PlannedShard]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        return self._made(range(len(self))[at], self._plan.found[int(self._plan.at[at])])

    def __iter__(self) -> Iterator[PlannedShard]:
        return self.each(cut=True)

    def each(self, *, cut: bool) -> Iterator[PlannedShard]:
        place, last = 0, len(self)
        for number, shard in enumerate(self._plan.found):
            if place < last and self._plan.at[place] == number:
                yield self._made(place, shard, cut=cut)
                place += 1

    def _made(self, place: int, shard: Shard, *, cut: bool = True) -> PlannedShard:
        plan = self._plan
        sha256, number = plan.sums[place].tobytes().hex(), int(plan.schema[place])
        low, high = (int(plan.first[place]), int(plan.first[place + 1])) if cut else (0, 0)
        keys = to_hex(plan.keys[low:high])
        parts = (Part(*told) for told in plan.parts[low:high].tolist())
        units = tuple(
            Unit(key, shard, sha256, part, output(shard, i, high - low))
            for i, (key, part) in enumerate(zip(keys, parts, strict=True))
        )
        return PlannedShard(shard, sha256, plan.schema_objects[number], plan.recognised[number], units)


class Units(Sequence[Unit]):
    """Units of a plan, in an order of their own. at: int64[n], where they stand in the plan."""

    def __init__(self, plan: Plan, at: np.ndarray) -> None:
        self._plan, self.at = plan, at

    def __len__(self) -> int:
        return len(self.at)

    @overload
    def __getitem__(self, at: int) -> Unit: ...
    @overload
    def __getitem__(self, at: slice) -> list[Unit]: ...
    def __getitem__(self, at: int | slice) -> Unit | list[Unit]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        number = int(self.at[at])
        place = int(np.searchsorted(self._plan.first, number, side="right")) - 1
        return self._plan.shards[place].units[number - int(self._plan.first[place])]

    def where(self, wanted: np.ndarray) -> Units:
        """wanted: bool[n], of those that stay."""
        return Units(self._plan, self.at[wanted])

    def largest_first(self) -> Units:
        keys = np.ascontiguousarray(self._plan.keys[self.at]).view(f"S{KEY}").ravel()
        return Units(self._plan, self.at[np.lexsort((keys, -self.bytes))])

    @property
    def keys(self) -> np.ndarray:
        """uint8[n, KEY]"""
        return self._plan.keys[self.at]

    @property
    def rows(self) -> np.ndarray:
        """int64[n]: records of each, -1 where only reading tells."""
        return self._plan.parts[self.at, 3]

    @property
    def bytes(self) -> np.ndarray:
        return self._plan.parts[self.at, 4]


class Cut(NamedTuple):
    """A shard that can be read: the number of its schema, its parts (int64[p, FIELDS]) and the keys of its units, one after the other."""

    sha256: bytes
    schema: int
    parts: np.ndarray
    keys: bytes


class Draft:
    """A plan as it grows."""

    def __init__(self, footers: Footers) -> None:
        self.footers = footers
        self.at, self.schema, self.first, self.parts = array("I"), array("i"), array("q", [0]), array("q")
        self.sums, self.keys = bytearray(), bytearray()
        self.recognised: dict[int, Columns] = {}

    def add(self, number: int, cut: Cut) -> None:
        self.at.append(number)
        self.sums += cut.sha256
        self.schema.append(cut.schema)
        self.keys += cut.keys
        self.parts.frombytes(cut.parts.tobytes())
        self.first.append(self.first[-1] + len(cut.parts))


def output(shard: Shard, number: int, of: int) -> str:
    """The name of a unit's files."""
    name = shard.output_name
    return name if of == 1 else f"{name.removesuffix('.parquet')}.part-{number:05d}.parquet"


def to_json(unit: Unit) -> dict:
    return asdict(unit)


def from_json(told: dict) -> Unit:
    shard = Shard(**{**told["shard"], "stat": tuple(told["shard"]["stat"])})
    return Unit(told["key"], shard, told["sha256"], Part(**told["part"]), told["output"])
